from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from thinslice import cli
from thinslice.config import Settings
from thinslice.domain import Product, Shop
from thinslice.engine import Engine

Run = Callable[..., str]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = Engine(Settings(data=tmp_path / "data", vat_rate=0.2, margin_share=0.3))
    for shop in ("lamps", "books"):
        engine.control.add_shop(Shop(shop, shop.capitalize()))
    catalog = engine.shelf("lamps").catalog
    catalog.upsert([Product("a", "A", cost_minor=900), Product("b", "B")])
    return engine


@pytest.fixture
def run(engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run `thinslice shop --shop lamps …`; what it said, on one line."""

    def run_it(*words: str) -> str:
        data = str(engine.directory.root)
        known = ["thinslice", "shop", "--shop", "lamps", "--data", data]
        monkeypatch.setattr(sys, "argv", [*known, *words])
        try:
            cli.main()
        except SystemExit as end:
            assert end.code in (0, 1, None), end.code
        said = capsys.readouterr()
        return " ".join((said.out + said.err).split())

    return run_it


def rates(engine: Engine, shop: str) -> tuple[float, float | None]:
    rules = engine.rules(shop)
    return rules.vat_rate, rules.margin_share


def test_one_shop_has_its_own_rates_and_the_other_those_of_the_settings(
    engine: Engine, run: Run
) -> None:
    assert "known of 1 of 2 products" in run("--vat", "0.19")
    assert rates(engine, "lamps") == (0.19, 0.3)
    run("--margin-share", "0.5")
    assert rates(engine, "lamps") == (0.19, 0.5)
    assert rates(engine, "books") == (0.2, 0.3)
    run("--as-settings", "--vat", "0.07")
    assert rates(engine, "lamps") == (0.07, 0.3)


def test_a_rate_of_nineteen_is_refused_in_words(engine: Engine, run: Run) -> None:
    assert "19 % is written 0.19" in run("--vat", "19")
    assert rates(engine, "lamps") == (0.2, 0.3)


def test_the_engine_hands_the_costs_to_readouts_and_keeps_zero_apart_from_unknown(
    engine: Engine,
) -> None:
    engine.shelf("lamps").catalog.upsert([Product("c", "C", cost_minor=0)])
    assert engine.shelf("lamps").product_facts().costs == {"a": 900, "c": 0}
