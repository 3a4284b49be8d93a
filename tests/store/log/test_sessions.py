from __future__ import annotations

import random

import duckdb
import ibis
import pyarrow as pa
import pytest
from tests.contracts.event_store import (
    GAP_US,
    MINUTE_US,
    T0,
    MemoryEventStore,
    same_log,
    view,
)

from thinslice.domain import Event, EventType, SessionLog
from thinslice.store.log.schema import EVENT_SCHEMA, to_table
from thinslice.store.log.sessions import browsing_sessions, session_log, sessionise

EVENTS = ibis.table(ibis.Schema.from_pyarrow(EVENT_SCHEMA), name="events")


def computed(expression: ibis.Table, events: list[Event]) -> pa.Table:
    with duckdb.connect() as con:
        con.register("events", to_table(events))
        return con.sql(str(ibis.to_sql(expression, dialect="duckdb"))).to_arrow_table()


def log_of(events: list[Event], most: int = 50) -> SessionLog:
    return session_log(computed(browsing_sessions(EVENTS, GAP_US, most), events))


def shoppers(seed: int, count: int) -> list[Event]:
    rng = random.Random(seed)
    kinds = [EventType.PRODUCT_VIEWED, EventType.PRODUCT_ADDED, EventType.PAGE_VIEWED]
    return [
        view(
            f"m{i // 2}",
            rng.randrange(300),
            f"v{rng.randrange(5)}",
            line=i % 2,
            product=f"p{rng.randrange(30)}",
            session=rng.choice([None, None, "s1"]),
            type=rng.choice(kinds),
        )
        for i in range(count)
    ]


@pytest.mark.parametrize("most", [2, 50])
def test_sessions_are_those_of_the_plain_loop(most: int) -> None:
    events = shoppers(7, 400)
    reference = MemoryEventStore(max_products=most)
    reference.append("lamps", events)
    assert same_log(log_of(events, most), reference.sessions("lamps"))


def test_the_order_in_which_events_lie_changes_nothing() -> None:
    events = shoppers(8, 300)
    shuffled = random.Random(1).sample(events, len(events))
    assert same_log(log_of(events), log_of(shuffled))


def test_every_event_keeps_its_columns_and_gets_one_key() -> None:
    events = shoppers(9, 100)
    table = computed(sessionise(EVENTS, GAP_US), events)
    assert table.num_rows == 100
    assert table.schema.names == [*EVENT_SCHEMA.names, "session_key"]
    assert table.column("session_key").null_count == 0


def test_a_pause_of_exactly_the_gap_does_not_end_a_session() -> None:
    gap_minutes = GAP_US / MINUTE_US
    assert log_of([view("a", 0), view("b", gap_minutes)]).n_sessions == 1
    assert log_of([view("a"), view("b", time_us=T0 + GAP_US + 1)]).n_sessions == 2


def test_no_rows_are_no_sessions() -> None:
    log = log_of([])
    assert (log.products, log.offsets.tolist(), log.ids) == ((), [0], ())


def test_a_table_in_many_chunks_is_the_same_log() -> None:
    rows = computed(browsing_sessions(EVENTS, GAP_US, 50), shoppers(10, 200))
    chunks = pa.concat_tables([rows.slice(start, 7) for start in range(0, rows.num_rows, 7)])
    assert same_log(session_log(chunks), session_log(rows))


@pytest.mark.parametrize("engine", ["duckdb", "pyspark", "postgres", "bigquery", "snowflake"])
def test_the_expression_is_understood_by_other_engines(engine: str) -> None:
    assert "session_key" in str(ibis.to_sql(browsing_sessions(EVENTS, 1, 50), dialect=engine))
