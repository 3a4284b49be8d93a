"""What happens in any shop besides shopping: robots, orders that are cancelled, money given back.

Decided by ids alone, so that the dice of the shoppers stay theirs, and alike whatever list was
shown, so that a list's true effect, a relative change of the conversion, is what it was.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from thinslice.demo.messages import Message, iso
from thinslice.domain import MICROSECONDS, EventType

ROBOTS = 0.01
"""Share of the visitors who are robots: they look around and buy nothing."""
CANCELLED = 0.03
"""Share of the orders that are cancelled."""
REFUNDED = 0.05
"""Share of the orders of which half the money is given back."""

_ROBOT = "Mozilla/5.0 (compatible; Pricebot/2.1)"
_BACK_OFFICE = "back-office"
_LATER = timedelta(minutes=40)
_BUYING = (EventType.PRODUCT_ADDED, EventType.ORDER_COMPLETED)


def with_mishaps(messages: Iterable[Message]) -> Iterator[Message]:
    """The messages of visitors, and what the shop's back office sends after them."""
    for message in messages:
        if _dice(message["anonymousId"]) < ROBOTS:
            if message["event"] not in _BUYING:
                yield {**message, "context": {"userAgent": _ROBOT}}
            continue
        yield message
        if message["event"] == EventType.ORDER_COMPLETED:
            yield from _afterwards(message)


def _afterwards(order: Message) -> Iterator[Message]:
    sold, dice = order["properties"], _dice(order["messageId"])
    if dice >= CANCELLED + REFUNDED:
        return
    properties = {"order_id": sold["order_id"], "currency": sold["currency"]}
    kind = EventType.ORDER_CANCELLED
    if dice >= CANCELLED:
        kind = EventType.ORDER_REFUNDED
        properties["revenue"] = round(sold["revenue"] / 2, 2)
    later = datetime.fromisoformat(order["timestamp"]) + _LATER
    yield {
        "type": "track",
        "event": str(kind),
        "messageId": f"{order['messageId']}-back",
        "anonymousId": _BACK_OFFICE,
        "timestamp": iso(round(later.timestamp() * MICROSECONDS)),
        "properties": properties,
    }


def _dice(name: str) -> float:
    return zlib.crc32(f"mishap {name}".encode()) / 2**32
