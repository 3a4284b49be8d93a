from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from thinslice.config import Settings
from thinslice.domain import ListRules, Product, Shop
from thinslice.engine import Engine

Run = Callable[..., str]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = Engine(Settings(data=tmp_path / "data"))
    engine.control.add_shop(Shop("lamps", "Lamps"))
    engine.shelf("lamps").catalog.upsert(Product(f"p{n}", f"Lamp {n}") for n in range(3))
    return engine


@pytest.fixture
def run(run_command: Run) -> Run:
    """Run `thinslice rules …`."""
    return partial(run_command, "rules")


def test_a_product_is_pinned_buried_and_freed(run: Run, engine: Engine) -> None:
    assert "Done: pinned Lamp 1." in run("pin", "p1", "--why", "the fair")
    assert "Done: no longer pins Lamp 1, buried Lamp 1." in run("bury", "p1")
    assert "That is so already" in run("bury", "p1")
    shown = run("show")
    assert "Buried Lamp 1." in shown
    assert "pinned Lamp 1 (the fair)" in shown
    run("free", "p1")
    assert engine.control.list_rules("lamps") == ListRules()
    assert "No rules" in run("show")


def test_the_mix_is_set_and_taken_back_field_by_field(run: Run, engine: Engine) -> None:
    run("set", "--most-of-category", "2", "--price-to", "2", "--no-near-duplicates")
    run("set", "--price-to", "none")
    assert engine.control.list_rules("lamps") == ListRules(
        most_of_category=2, no_near_duplicates=True
    )
    assert "a number or none" in run("set", "--price-from", "cheap")
    assert "from 1 to 100" in run("set", "--least-categories", "0")
    assert "there is no 'p9'" in run("pin", "p9")
