"""What one visitor does changes another's list within a second, whichever worker answers."""

from __future__ import annotations

import os
import signal
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thinslice.config import Settings
from thinslice.domain import Event, Product, Shop
from thinslice.engine import Engine, clock_us


@pytest.fixture(scope="module")
def shop(start_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    data = Path(tmp_path_factory.mktemp("live")) / "data"
    engine = Engine(Settings(data=data))
    engine.control.add_shop(Shop("lamps", "Lamps"))
    engine.shelf("lamps").catalog.upsert(Product(f"p{n}", f"Lamp {n}") for n in range(20))
    engine.log.append("lamps", old_visits())
    engine.build("lamps")
    engine.log.close()
    service = start_service(data, workers=2, fold_minutes=0.05)
    keys = {kind: engine.control.create_key("lamps", kind) for kind in ("write", "secret")}
    yield service, keys, engine
    assert service.stop() == 0


def old_visits() -> list[Event]:
    """Visitors who look at p0 and p1, p2 and p3, and so on."""
    return [
        Event(f"{v}-{step}", "Product Viewed", clock_us() - 10**10 + v, f"old{v}", product=product)
        for v in range(40)
        for step, product in enumerate((f"p{v % 5 * 2}", f"p{v % 5 * 2 + 1}"))
    ]


def visit(service: Any, key: str, *products: str) -> None:
    visitor = uuid.uuid4().hex
    batch = [
        {
            "type": "track",
            "event": "Product Viewed",
            "messageId": uuid.uuid4().hex,
            "anonymousId": visitor,
            "properties": {"product_id": product},
        }
        for product in products
    ]
    answer = service.call("POST", "/v1/batch", {"writeKey": key, "batch": batch})
    assert answer.status == 200, answer.body


def shown(service: Any, key: str, *items: str, policy: str = "session") -> list[str]:
    """Asked anew: the connection, and so the worker, is another each time."""
    body = {"items": list(items), "n": 5, "policy": policy}
    answer = service.call("POST", "/v1/recommendations", body, key=key)
    assert answer.status == 200, answer.body
    return [p["product_id"] for p in answer.json()["products"] if p["source"] == policy]


LIMIT_S = 20.0
"""Far more than the second that it takes, since a busy machine fails no test."""


def soon(question: Callable[[], bool]) -> float:
    """The seconds until 8 answers in a row are yes, of which each worker most likely gave some."""
    began = time.monotonic()
    first, in_a_row = began, 0
    while in_a_row < 8:
        if not question():
            first, in_a_row = time.monotonic(), 0
            assert first - began < LIMIT_S, "it never came"
            time.sleep(0.02)
        else:
            in_a_row += 1
    return first - began


def test_a_visit_speaks_in_the_lists_of_others_while_it_goes_on(shop):
    service, keys, _ = shop
    assert "p19" not in shown(service, keys["secret"], "p0")
    visit(service, keys["write"], "p0", "p19")
    soon(lambda: "p19" in shown(service, keys["secret"], "p0"))
    soon(lambda: "p0" in shown(service, keys["secret"], "p19"))


def test_a_brand_new_product_is_recommended_without_a_build(shop):
    service, keys, _ = shop
    product = {"product_id": "brand-new", "title": "A lamp of today"}
    put = service.call("PUT", "/v1/products", {"products": [product]}, key=keys["secret"])
    assert put.status == 200, put.body
    visit(service, keys["write"], "p2", "brand-new")
    soon(lambda: "brand-new" in shown(service, keys["secret"], "p2"))


PATIENCE_S = 300
"""Folding begins anew with every round, at a low priority: a busy machine lets it wait."""


def test_what_is_folded_in_stays_and_survives_a_killed_worker(shop, eventually):
    service, keys, engine = shop
    visit(service, keys["write"], "p4", "p18")
    model = engine.shelf("lamps").model

    def folded() -> bool:
        bundle = model.refresh()
        return "p18" in [s.product for s in bundle.recommenders["session"].recommend(["p4"], 5)]

    until = time.monotonic() + PATIENCE_S
    while not folded():
        assert time.monotonic() < until, "it was not folded in"
        time.sleep(0.2)
    assert model.get().meta["folded"]
    os.kill(service.workers()[0], signal.SIGKILL)
    eventually(lambda: len(service.workers()) == 2)
    visit(service, keys["write"], "p6", "p17")
    eventually(lambda: "p17" in shown(service, keys["secret"], "p6"))
    eventually(lambda: "p18" in shown(service, keys["secret"], "p4"))


def test_a_shop_without_a_model_answers_from_what_visitors_do(shop):
    service, _, engine = shop
    engine.control.add_shop(Shop("new", "New"))
    engine.shelf("new").catalog.upsert(Product(f"p{n}", f"Lamp {n}") for n in range(20))
    keys = {kind: engine.control.create_key("new", kind) for kind in ("write", "secret")}
    assert shown(service, keys["secret"], "p5") == []
    for product in ("p7", "p8", "p7"):
        visit(service, keys["write"], "p5", product)
    soon(lambda: shown(service, keys["secret"], "p5") == ["p7", "p8"])
    soon(lambda: shown(service, keys["secret"], "p8", policy="item_to_item") == ["p5"])
    soon(lambda: shown(service, keys["secret"], policy="popular")[:2] == ["p5", "p7"])
