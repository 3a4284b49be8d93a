from __future__ import annotations

import json

from thinslice.domain import Event, EventType
from thinslice.server.api.running import running_visit


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
    assert visit == (("lamp", "lamp"), frozenset({"lamp"}), "Home > Lighting")


def test_other_events_and_odd_values_name_no_category() -> None:
    visit = running_visit(
        [
            event(EventType.PRODUCT_VIEWED, "lamp", category="Home > Lighting"),
            event(EventType.PAGE_VIEWED, category=7),
            event(EventType.PRODUCT_LIST_VIEWED, "lamp", category=["Home"]),
        ]
    )
    assert visit == (("lamp",), frozenset(), "")
