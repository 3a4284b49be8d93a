"""The one table of events: its columns, and the way from `domain.Event` to Arrow and back."""

from __future__ import annotations

from collections.abc import Iterable
from operator import attrgetter
from typing import Any

import pyarrow as pa

from thinslice.domain import Event

EVENT_SCHEMA = pa.schema(
    [
        pa.field("message_id", pa.string()),
        pa.field("type", pa.string()),
        pa.field("time_us", pa.int64()),
        pa.field("visitor", pa.string()),
        pa.field("line", pa.int64()),
        pa.field("received_us", pa.int64()),
        pa.field("session", pa.string()),
        pa.field("product", pa.string()),
        pa.field("quantity", pa.int64()),
        pa.field("price_minor", pa.int64()),
        pa.field("currency", pa.string()),
        pa.field("order_id", pa.string()),
        pa.field("revenue_minor", pa.int64()),
        pa.field("exposure_id", pa.string()),
        pa.field("experiment", pa.string()),
        pa.field("variant", pa.string()),
        pa.field("properties", pa.string()),
    ]
)
"""Columns = fields of `domain.Event`, in order; strings are UTF-8, all integers int64."""

REQUIRED = ("message_id", "type", "time_us", "visitor", "line", "received_us")
"""The columns that every line has; any other may be null."""

COLUMNS: tuple[str, ...] = tuple(EVENT_SCHEMA.names)

as_row = attrgetter(*COLUMNS)
"""An event's values in the order of `COLUMNS`."""


def to_table(events: Iterable[Event]) -> pa.Table:
    """The events as an Arrow table of `EVENT_SCHEMA`, in the order given."""
    return rows_to_table([as_row(event) for event in events])


def to_events(table: pa.Table) -> list[Event]:
    """The rows of a table that has the columns of `EVENT_SCHEMA`, in the order given."""
    columns = [table.column(name).to_pylist() for name in COLUMNS]
    return [Event(*row) for row in zip(*columns, strict=True)]


def rows_to_table(rows: list[tuple[Any, ...]]) -> pa.Table:
    """Tuples in the order of `COLUMNS` as an Arrow table of `EVENT_SCHEMA`."""
    columns: Iterable[tuple[Any, ...]] = zip(*rows, strict=True) if rows else [()] * len(COLUMNS)
    arrays = [
        pa.array(values, field.type) for values, field in zip(columns, EVENT_SCHEMA, strict=True)
    ]
    return pa.Table.from_arrays(arrays, schema=EVENT_SCHEMA)
