from __future__ import annotations

from pathlib import Path

from thinslice.config import Settings
from thinslice.domain import Product, Shop
from thinslice.engine import Engine
from thinslice.server.refits import Refits


def test_a_correction_is_learned_by_the_next_look_and_nothing_is_done_twice(tmp_path: Path) -> None:
    settings = Settings(data=tmp_path)
    engine = Engine(settings)
    engine.control.add_shop(Shop("shop", "Shop"))
    engine.shelf("shop").catalog.upsert(
        Product(f"p{i}", f"{'red blue green'.split()[i % 3]} {noun} {i}", category=noun)
        for i in range(60)
        for noun in (("lamp", "mug", "boot")[i % 3],)
    )
    titles = engine.titles("shop")
    titles.learn()
    refits = Refits(settings)
    refits.look()
    before = titles.model().version
    titles.correct([("odd torch", "lamp")])
    refits.look()
    after = Engine(settings).titles("shop")
    assert after.model().version != before
    assert after.classify(["odd torch"])[0].verdict == "decided"
    refits.look()
    assert Engine(settings).titles("shop").model().version == after.model().version
