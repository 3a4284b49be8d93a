"""What the log knows of the visit that asks for a list: its products, cart, purchases and page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from thinslice.domain import BROWSING, Event, EventType

_CATEGORY_PAGES = (EventType.PRODUCT_LIST_VIEWED, EventType.PAGE_VIEWED)
_OUT_OF_THE_CART = (EventType.PRODUCT_REMOVED, EventType.ORDER_COMPLETED)
_MOST_CHARACTERS = 500


class RunningVisit(NamedTuple):
    """`items` oldest first; the `cart` is what was put in and neither taken out nor bought since;
    `category` is that of the page which was opened last of all that name one, empty where none was.
    """

    items: tuple[str, ...]
    bought: frozenset[str] = frozenset()
    cart: frozenset[str] = frozenset()
    category: str = ""


def running_visit(events: Sequence[Event]) -> RunningVisit:
    """Read from the visit's events, oldest first."""
    touched = [(e.product, e.type) for e in events if e.product and e.type in BROWSING]
    return RunningVisit(
        tuple(product for product, _ in touched),
        frozenset(p for p, kind in touched if kind == EventType.ORDER_COMPLETED),
        _cart(events),
        next((found for e in reversed(events) if (found := _category(e))), ""),
    )


def _cart(events: Sequence[Event]) -> frozenset[str]:
    cart: set[str] = set()
    for event in events:
        if event.product and event.type == EventType.PRODUCT_ADDED:
            cart.add(event.product)
        elif event.product and event.type in _OUT_OF_THE_CART:
            cart.discard(event.product)
    return frozenset(cart)


def _category(event: Event) -> str:
    if event.type not in _CATEGORY_PAGES or not event.properties:
        return ""
    found = msgspec.json.decode(event.properties).get("category")
    return found[:_MOST_CHARACTERS] if isinstance(found, str) else ""
