"""New sessions in a built model: folding them in gives what building from all of them gives."""

from __future__ import annotations

import pytest

from thinslice.config import Settings
from thinslice.domain import Event, Product, Shop
from thinslice.engine import Engine
from thinslice.models.versions import versions

HOUR_US = 3_600_000_000


def visit(name: str, hour: int, *products: str) -> list[Event]:
    return [
        Event(f"{name}-{n}", "Product Viewed", hour * HOUR_US + n, name, product=product)
        for n, product in enumerate(products)
    ]


EARLIER = [e for n in range(30) for e in visit(f"a{n}", n, f"p{n % 3}", f"p{n % 3 + 1}")]
LATER = [e for n in range(10) for e in visit(f"b{n}", 40 + n, "p1", "new", f"p{n % 4}")]


@pytest.fixture
def engine(tmp_path):
    engine = Engine(Settings(data=tmp_path / "data"))
    for shop in ("lamps", "at-once"):
        engine.control.add_shop(Shop(shop, "Lamps"))
        engine.shelf(shop).catalog.upsert(Product(f"p{n}", f"Lamp {n}") for n in range(4))
    yield engine
    engine.log.close()


def content(engine: Engine, shop: str) -> str:
    """The hash of what the served version has in it."""
    return str(engine.shelf(shop).model.refresh().version).split("-")[1]


def test_built_then_folded_in_is_what_is_built_from_all(engine):
    engine.log.append("lamps", EARLIER)
    engine.build("lamps")
    engine.log.append("lamps", LATER)
    engine.fold_in("lamps")
    engine.log.append("at-once", EARLIER + LATER)
    engine.build("at-once")
    assert content(engine, "lamps") == content(engine, "at-once")


def test_nothing_new_is_nothing_to_fold_in(engine):
    assert engine.fold_in("lamps") is None  # never built
    engine.log.append("lamps", EARLIER)
    engine.build("lamps")
    assert engine.fold_in("lamps") is None
    engine.log.append("at-once", LATER)
    assert engine.fold_in("lamps") is None


def test_folding_again_and_again_keeps_the_versions_to_go_back_to(engine):
    engine.log.append("lamps", EARLIER)
    built = [engine.build("lamps").version for _ in range(2)]
    for event in LATER:
        engine.log.append("lamps", [event])
        assert engine.fold_in("lamps").meta["folded"]
    assert versions(engine.directory.models("lamps"))[:2] == built
    assert len(versions(engine.directory.models("lamps"))) == 3


def test_what_is_followed_speaks_until_a_model_has_learned_it(engine):
    engine.log.append("lamps", EARLIER)
    engine.build("lamps")
    shelf, follower = engine.shelf("lamps"), engine.follow()
    follower.look()
    assert len(shelf.live) == 0  # all of it is learned
    engine.log.append("lamps", LATER)
    follower.look()
    assert len(shelf.live) == len(LATER)
    assert "new" in [s.product for s in shelf.ranker().recommenders["session"].recommend(["p1"], 5)]
    engine.fold_in("lamps")
    shelf.model.refresh()
    follower.look()
    assert len(shelf.live) == 0
    assert "new" in [s.product for s in shelf.ranker().recommenders["session"].recommend(["p1"], 5)]


def test_a_shop_that_is_unknown_stops_no_follower(engine):
    engine.log.append("gone", LATER)
    engine.log.append("lamps", LATER)
    engine.follow().look()
    assert len(engine.shelf("lamps").live) == len(LATER)
