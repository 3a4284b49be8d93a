from __future__ import annotations

import json

from thinslice.domain import Event, EventType
from thinslice.server.api.running import RunningVisit, running_visit


def event(kind: EventType, product: str | None = None, **properties: object) -> Event:
    text = json.dumps(properties) if properties else None
    return Event("m", kind, 0, "anna", product=product, properties=text)


def test_a_visit_is_its_products_what_was_bought_and_the_latest_category_page() -> None:
    visit = running_visit(
        [
            event(EventType.PRODUCT_LIST_VIEWED, category="Home > Seating"),
            event(EventType.PRODUCT_VIEWED, "lamp"),
            event(EventType.PAGE_VIEWED, category="Home > Lighting"),
            event(EventType.ORDER_COMPLETED, "lamp"),
            event(EventType.PAGE_VIEWED, name="Thank you"),
        ]
    )
    assert visit == RunningVisit(
        ("lamp", "lamp"), bought=frozenset({"lamp"}), category="Home > Lighting"
    )


def test_the_cart_is_what_was_put_in_and_neither_taken_out_nor_bought() -> None:
    put_in = [event(EventType.PRODUCT_ADDED, p) for p in ("lamp", "bulb", "rug")]
    visit = running_visit(
        [
            *put_in,
            event(EventType.PRODUCT_REMOVED, "rug"),
            event(EventType.ORDER_COMPLETED, "bulb"),
            event(EventType.PRODUCT_VIEWED, "sofa"),
        ]
    )
    assert visit.cart == {"lamp"}
    assert visit.bought == {"bulb"}


def test_other_events_and_odd_values_name_no_category() -> None:
    visit = running_visit(
        [
            event(EventType.PRODUCT_VIEWED, "lamp", category="Home > Lighting"),
            event(EventType.PAGE_VIEWED, category=7),
            event(EventType.PRODUCT_LIST_VIEWED, "lamp", category=["Home"]),
        ]
    )
    assert visit == RunningVisit(("lamp",))
