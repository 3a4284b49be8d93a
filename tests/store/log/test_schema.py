from __future__ import annotations

from dataclasses import fields

from thinslice.domain import Event
from thinslice.store.log.schema import COLUMNS, EVENT_SCHEMA, to_events, to_table

BARE = Event("m1", "Page Viewed", 5, "ann")
FULL = Event(
    "m2", "Order Completed", 7, "bob", 1, 8, "s", "lamp", 2, 1999, "EUR", "o", 3998, "x", "e", "B",
    '{"a":"\u00e4"}',
)  # fmt: skip


def test_the_columns_are_the_fields_of_an_event() -> None:
    assert tuple(field.name for field in fields(Event)) == COLUMNS


def test_events_come_back_from_a_table_as_they_went_in() -> None:
    assert to_events(to_table([BARE, FULL])) == [BARE, FULL]


def test_no_events_are_an_empty_table_of_the_same_columns() -> None:
    assert to_table([]).schema == EVENT_SCHEMA
    assert to_events(to_table([])) == []
