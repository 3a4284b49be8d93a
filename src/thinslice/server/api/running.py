"""What the log knows of the visit that asks for a list: products, purchases, the category page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from thinslice.domain import BROWSING, Event, EventType

_CATEGORY_PAGES = (EventType.PRODUCT_LIST_VIEWED, EventType.PAGE_VIEWED)
_MOST_CHARACTERS = 500


class RunningVisit(NamedTuple):
    """`items` oldest first; `category` is that of the page which was opened last of all that name
    one, empty where none was.
    """

    items: tuple[str, ...]
    bought: frozenset[str]
    category: str


def running_visit(events: Sequence[Event]) -> RunningVisit:
    """Read from the visit's events, oldest first."""
    touched = [(e.product, e.type) for e in events if e.product and e.type in BROWSING]
    return RunningVisit(
        tuple(product for product, _ in touched),
        frozenset(p for p, kind in touched if kind == EventType.ORDER_COMPLETED),
        next((found for e in reversed(events) if (found := _category(e))), ""),
    )


def _category(event: Event) -> str:
    if event.type not in _CATEGORY_PAGES or not event.properties:
        return ""
    found = msgspec.json.decode(event.properties).get("category")
    return found[:_MOST_CHARACTERS] if isinstance(found, str) else ""
