"""What the shop shows today, from the lists that its own log says were shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import msgspec
import pyarrow as pa
import pyarrow.compute as pc

from thinslice.domain import EventType


def lists_shown(events: pa.Table) -> dict[str, tuple[str, ...]]:
    """Product id to the list last shown on its page, best first; empty where none was logged.

    Read from "Product List Viewed" events that name the page's product in `product_id` and the
    list in `products`, objects with `product_id` (or plain ids), in order of `position` if given.
    """
    wanted = pc.and_(
        pc.equal(events["type"], str(EventType.PRODUCT_LIST_VIEWED)),
        pc.and_(pc.is_valid(events["product"]), pc.is_valid(events["properties"])),
    )
    shown = events.filter(wanted).select(["time_us", "message_id", "product", "properties"])
    shown = shown.sort_by([("time_us", "ascending"), ("message_id", "ascending")])
    lists: dict[str, tuple[str, ...]] = {}
    for product, text in zip(
        *(shown[n].to_pylist() for n in ("product", "properties")), strict=True
    ):
        ids = tuple(dict.fromkeys(i for i in _ids(text) if i != product))
        if ids:
            lists[product] = ids
    return lists


def _ids(properties: str) -> Iterable[str]:
    try:
        products = msgspec.json.decode(properties, type=dict[str, Any]).get("products")
    except (msgspec.DecodeError, ValueError):
        return []
    if not isinstance(products, list):
        return []
    found = [(_place(p, n), _id(p)) for n, p in enumerate(products)]
    return [id_ for _, id_ in sorted(found, key=lambda pair: pair[0]) if id_]


def _place(product: Any, number: int) -> float:
    position = product.get("position") if isinstance(product, dict) else None
    return float(position) if isinstance(position, int | float) else float(number)


def _id(product: Any) -> str:
    if isinstance(product, dict):
        product = product.get("product_id") or product.get("sku") or product.get("id")
    return str(product) if isinstance(product, str | int) and not isinstance(product, bool) else ""
