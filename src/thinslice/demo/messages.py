"""What shoppers do, as the messages that a shop's site would send: Segment's format."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from itertools import islice
from typing import Any

from thinslice.demo.catalogue import CURRENCY, Catalogue
from thinslice.demo.shoppers import Act, Visit
from thinslice.domain import MICROSECONDS, EventType

Message = dict[str, Any]

_BROWSERS = (
    "Mozilla/5.0 (Linux; Android 16; Phone) Chrome/140.0.0.0 Mobile Safari/537.36",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) Version/18.0 Mobile/15E148 Safari",
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140.0.0.0 Safari/537.36",
)
"""Two visitors in three come with a phone; what they do does not depend on it."""


def messages_of(visit: Visit, acts: Sequence[Act], catalogue: Catalogue) -> Iterator[Message]:
    """One message per act; its id is made of the visit and the position, so a repeat is known."""
    for position, act in enumerate(acts):
        yield {
            "type": "track",
            "event": str(act.type),
            "messageId": f"{visit.visitor}-{visit.number}-{position}",
            "anonymousId": visit.visitor,
            "timestamp": iso(act.time_us),
            "context": {"userAgent": _BROWSERS[zlib.crc32(visit.visitor.encode()) % 3]},
            "properties": _properties(act, visit, catalogue),
        }


def product_bodies(catalogue: Catalogue) -> list[Message]:
    """The catalogue as PUT /v1/products takes it."""
    return [
        {
            "product_id": product.id,
            "title": product.title,
            "category": product.category,
            "brand": product.brand,
            "colour": product.colour,
            "price": (product.price_minor or 0) / 100,
            "attributes": dict(product.attributes),
            "cost": None if product.cost_minor is None else product.cost_minor / 100,
            "stock": product.stock,
        }
        for product in catalogue.products
    ]


def in_batches(messages: Iterable[Message], size: int = 800) -> Iterator[list[Message]]:
    """The messages in lists of at most `size`."""
    rest = iter(messages)
    while batch := list(islice(rest, size)):
        yield batch


def iso(time_us: int) -> str:
    """A time as text, in UTC and to the millisecond.

    >>> iso(1_700_000_000_123_456)
    '2023-11-14T22:13:20.123Z'
    """
    seconds, rest = divmod(time_us, MICROSECONDS)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{rest // 1000:03d}Z"


def _properties(act: Act, visit: Visit, catalogue: Catalogue) -> Message:
    lines = [_line(product, catalogue) for product in act.products]
    if act.type == EventType.ORDER_COMPLETED:
        return {
            "order_id": f"{visit.visitor}-{visit.number}",
            "revenue": round(sum(line["price"] for line in lines), 2),
            "currency": CURRENCY,
            "products": lines,
        }
    properties = {**lines[0], "currency": CURRENCY}
    if act.exposure_id:
        properties |= {"exposure_id": act.exposure_id, "position": (act.position or 0) + 1}
    return properties


def _line(product_id: str, catalogue: Catalogue) -> Message:
    product = catalogue.products[catalogue.positions[product_id]]
    return {"product_id": product_id, "price": (product.price_minor or 0) / 100}
