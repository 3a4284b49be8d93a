"""A shop whose dear products earn more: from its events to lists that are ranked for margin."""

from __future__ import annotations

from dataclasses import replace

import pytest

from thinslice.config import Settings
from thinslice.domain import Event, EventType, Product, Query, Shop
from thinslice.engine import Engine
from thinslice.errors import InputError
from thinslice.models.sessions.purchases import PurchaseRates
from thinslice.report.words import objective_sentences

MINUTE_US = 60_000_000
START_US = 10**15


def events(orders: bool) -> list[Event]:
    """After a lamp seven go to the cheap bulb and three to the dear one; one in two buys."""
    found = []
    for s in range(400):
        at, visitor = START_US + 120 * s * MINUTE_US, f"v{s}"
        bulb = "cheap" if s % 10 < 7 else "dear"
        for i, product in enumerate(("lamp", bulb)):
            found.append(
                Event(
                    f"m{s}-{i}",
                    EventType.PRODUCT_VIEWED,
                    at + i * MINUTE_US,
                    visitor,
                    product=product,
                )
            )
        if orders and s % 4 < 2:
            found.append(
                Event(
                    f"o{s}",
                    EventType.ORDER_COMPLETED,
                    at + 2 * MINUTE_US,
                    visitor,
                    product=bulb,
                    order_id=f"o{s}",
                    price_minor=1000,
                )
            )
    return found


def shop(path, *, cost=True, orders=True) -> Engine:
    engine = Engine(Settings(data=path))
    engine.control.add_shop(Shop("lamps", "Lamps"))
    engine.shelf("lamps").catalog.upsert(
        [
            Product("lamp", "Lamp", price_minor=5000, cost_minor=4900 if cost else None),
            Product("cheap", "Cheap bulb", price_minor=1000, cost_minor=900 if cost else None),
            Product("dear", "Dear bulb", price_minor=9000, cost_minor=1000 if cost else None),
        ]
    )
    engine.log.append("lamps", events(orders))
    engine.build("lamps")
    return engine


def rank_for(engine: Engine, objective: str) -> None:
    engine.shelf("lamps").change_rules(lambda r: replace(r, objective=objective), who="Ada")


def first(engine: Engine) -> str:
    return engine.recommend("lamps", Query(("lamp",), n=1)).recommendations[0].product


def test_a_shop_ranks_for_margin_once_it_knows_what_that_costs(tmp_path):
    engine = shop(tmp_path)
    assert first(engine) == "cheap"
    with pytest.raises(InputError, match="run thinslice evaluate"):
        rank_for(engine, "margin")
    engine.evaluate("lamps", n=1)
    kept = engine.shelf("lamps").results.load("evaluation")["objectives"]
    margin = next(row for row in kept["rows"] if row["objective"] == "margin")
    assert margin["margin"]["low"] > 0
    assert margin["clicks"]["high"] < 0
    said = objective_sentences(kept)[-1]
    assert said.startswith("Ranking for margin shows lists with ")
    assert "more expected margin" in said
    assert "fewer clicks" in said
    assert "What visitors went on to buy was in the list " in said
    rank_for(engine, "margin")
    assert first(engine) == "dear"
    assert engine.recommend("lamps", Query(("lamp",), n=1)).recommendations[0].reason == (
        "Because you viewed Lamp"
    )
    rank_for(engine, "clicks")
    assert first(engine) == "cheap"


def test_a_new_evaluation_counts_at_once_in_every_process(tmp_path):
    engine = shop(tmp_path)
    engine.evaluate("lamps", n=1)
    rank_for(engine, "margin")
    other = Engine(Settings(data=tmp_path))
    assert first(other) == "dear"
    objectives = engine.shelf("lamps").objectives
    nobody_buys_dear = PurchaseRates({"cheap": 0.5, "dear": 0.001, "lamp": 0.001}, 0.1)
    objectives.keep(replace(objectives.known(), rates=nobody_buys_dear))
    assert first(other) == "cheap"


def test_lists_are_ranked_by_the_same_maker_until_something_changes(tmp_path):
    engine = shop(tmp_path)
    engine.evaluate("lamps", n=1)
    objectives = engine.shelf("lamps").objectives
    assert objectives.maker_of("clicks") is None
    assert objectives.maker_of("orders") is objectives.maker_of("orders") is not None


def test_without_costs_there_is_no_margin_until_a_share_is_stated(tmp_path):
    engine = shop(tmp_path, cost=False)
    engine.evaluate("lamps", n=1)
    with pytest.raises(InputError, match="margin share"):
        rank_for(engine, "margin")
    engine.control.set_tax_and_margin("lamps", vat_rate=0.2, margin_share=0.5)
    engine.evaluate("lamps", n=1)
    rank_for(engine, "margin")
    assert first(engine) == "dear"


def test_without_orders_lists_are_ranked_for_clicks(tmp_path):
    engine = shop(tmp_path, orders=False)
    engine.evaluate("lamps", n=1)
    kept = engine.shelf("lamps").results.load("evaluation")["objectives"]
    assert kept["missing"] == ["orders", "margin"]
    with pytest.raises(InputError, match="orders in the log"):
        rank_for(engine, "orders")
    with pytest.raises(InputError, match="clicks, orders or margin"):
        rank_for(engine, "fame")
