"""An identity for events that came without one: the same event always gets the same one.

It is made of the values in the product's units, so that the same events through CSV, Parquet or
JSON lines, in any encoding, are counted once.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from thinslice.domain import EventType

_CONTENT = (
    *("type", "time_us", "visitor", "session", "product", "quantity"),
    *("price_minor", "currency", "order_id", "revenue_minor"),
)
_SEPARATOR = "\x1f"


def identities(events: pa.Table, given: pa.Array) -> tuple[pa.Array, pa.Array]:
    """(message ids, line numbers) of a table in `EVENT_SCHEMA`; `given` is null where none came.

    An event without a message id gets the 128-bit BLAKE2b hash of its content. The rows of an
    order are lines of one message; their line numbers are 62 bits of the row's hash, so that they
    do not depend on the order of the rows.
    """
    digests = _digests(_joined(events, _CONTENT))
    ordered = np.asarray(pc.is_valid(events["order_id"]))
    ids = [digest.hex() for digest in digests]
    if ordered.any():
        which = np.flatnonzero(ordered)
        orders = events.select(["type", "order_id", "visitor"]).take(pa.array(which))
        keys = _digests(_joined(orders, ("type", "order_id", "visitor")))
        for i, key in zip(which.tolist(), keys, strict=True):
            ids[i] = key.hex()
    message_id = pc.coalesce(_flat(given), pa.array(ids, pa.string()))
    several = ordered | (
        np.asarray(pc.is_valid(given))
        & np.asarray(pc.is_valid(events["product"]))
        & np.asarray(pc.is_in(events["type"], pa.array([str(s) for s in _SALES])))
    )
    line = np.zeros(len(digests), np.int64)
    for i in np.flatnonzero(several).tolist():
        line[i] = int.from_bytes(digests[i][:8], "big") >> 2
    return message_id, pa.array(line)


_SALES = (EventType.ORDER_COMPLETED, EventType.ORDER_REFUNDED)


def _joined(events: pa.Table, names: tuple[str, ...]) -> pa.Array:
    columns = [_text(events[name]) for name in names]
    return _flat(
        pc.binary_join_element_wise(
            *columns, _SEPARATOR, null_handling="replace", null_replacement=""
        )
    )


def _flat(column: Any) -> pa.Array:
    return column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column


def _text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column if column.type == pa.string() else column.cast(pa.string())


def _digests(texts: pa.Array) -> list[bytes]:
    return [blake2b(t, digest_size=16).digest() for t in texts.cast(pa.binary()).to_pylist()]
