"""An identity for events that came without one: the same event always gets the same one.

It is made of the values in the product's units, so that the same events through CSV, Parquet or
JSON lines, in any encoding, are counted once.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from thinslice.domain import EventType

_CONTENT = (
    *("type", "time_us", "visitor", "session", "product", "quantity"),
    *("price_minor", "currency", "order_id", "revenue_minor"),
)
_ORDER = ("type", "order_id", "visitor")
_SEPARATOR = "\x1f"


def identities(events: pa.Table, given: pa.Array) -> tuple[pa.Array, pa.Array]:
    """(message ids, line numbers) of a table in `EVENT_SCHEMA`; `given` is null where none came.

    An event without a message id gets the 128-bit BLAKE2b hash of its content. The rows of an
    order are lines of one message; their line numbers are 62 bits of the row's hash, so that they
    do not depend on the order of the rows.
    """
    digests = _digests(_joined(events, _CONTENT))
    ordered = np.asarray(pc.is_valid(events["order_id"]))
    sold = np.asarray(pc.is_in(events["type"], pa.array([str(s) for s in _SALES])))
    named = np.asarray(pc.and_(pc.is_valid(given), pc.is_valid(events["product"])))
    hashed = digests[:, :8].copy().view(">u8")[:, 0] >> 2
    line = np.where(ordered | (named & sold), hashed, 0).astype(np.int64)
    if ordered.any():
        orders = events.select(_ORDER).filter(pa.array(ordered))
        digests[ordered] = _digests(_joined(orders, _ORDER))
    return pc.coalesce(_flat(given), _hex(digests)), pa.array(line)


_SALES = (EventType.ORDER_COMPLETED, EventType.ORDER_REFUNDED, EventType.ORDER_CANCELLED)


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


def _digests(texts: pa.Array) -> NDArray[np.uint8]:
    """(n, 16) the hash of each text, none of which is null."""
    _, offsets, letters = texts.buffers()
    ends = np.frombuffer(offsets, np.int32)[texts.offset : texts.offset + len(texts) + 1].tolist()
    view = memoryview(letters) if letters is not None else memoryview(b"")
    digests = [blake2b(view[a:b], digest_size=16).digest() for a, b in pairwise(ends)]
    return np.frombuffer(bytearray().join(digests), np.uint8).reshape(-1, 16)


def _hex(digests: NDArray[np.uint8]) -> pa.Array:
    letters = np.empty((len(digests), 32), np.uint8)
    letters[:, 0::2] = _DIGITS[digests >> 4]
    letters[:, 1::2] = _DIGITS[digests & 15]
    ends = np.arange(len(digests) + 1, dtype=np.int32) * 32
    buffers = [None, pa.py_buffer(ends), pa.py_buffer(letters)]
    return pa.Array.from_buffers(pa.string(), len(digests), buffers)


_DIGITS = np.frombuffer(b"0123456789abcdef", np.uint8)
