"""Asking a log: expressions that are computed where the events lie, one step after the other.

Each step makes a narrow table that the later ones use, so that the events are read and put into
sessions once. What a step needs of an earlier one is found here under its name.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING

from thinslice.domain import DAY_US
from thinslice.errors import InputError

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

Keyed = Callable[["ir.Table"], "ir.Table"]
"""Adds session_key to events."""

Expression = Callable[["ir.Table", Keyed], "ir.Table"]
"""From the events to a table. Hashable: equal expressions are compiled once."""

Ask = Callable[
    [Mapping[str, Expression], Mapping[str, "pa.Table"], Sequence[str]], Mapping[str, "pa.Table"]
]
"""(steps, tables beside the events, names wanted): computes the steps in their order, each of which
may use the tables and the steps before it, and returns those that are wanted."""

NEEDED = (
    *("message_id", "line", "type", "time_us", "visitor", "session", "product", "quantity"),
    *("price_minor", "currency", "order_id", "revenue_minor"),
    *("exposure_id", "experiment", "variant", "properties"),
)
"""The columns of the log that are read."""

_TABLES = {
    "asked": "experiment:string written:string started_us:int64 stopped_us:int64 ahead_us:int64",
    "variants": "variant:string",
    "products": "product:string category:string cost_minor:int64",
    "shared_ids": "order_id:string",
    "unfit_lists": "visitor:string list_id:string why:string",
    "exposures": "visitor:string variant:string time_us:int64 list_id:string",
    "who": "visitor:string variant:string other:string exposed_us:int64 device:string "
    "first_us:int64 per_minute:int64",
    "actions": "visitor:string session_key:string type:string time_us:int64 exposed_us:int64 "
    "message_id:string line:int64 product:string quantity:int64 price_minor:int64 currency:string "
    "order_id:string revenue_minor:int64 exposure_id:string",
}


def table(name: str) -> ir.Table:
    """The table of that name: one that stands beside the events, or an earlier step."""
    import ibis

    return ibis.table(dict(column.split(":") for column in _TABLES[name].split()), name)


def asked(column: str) -> ir.Value:
    """What is asked about: experiment, written (as it stands in properties), its period.

    What claims to be from `ahead_us` or later, a day after the clock, has no time to be believed.
    """
    return table("asked")[column].as_scalar()


def asked_tables(
    experiment: str,
    variants: Sequence[str],
    started_us: int,
    stopped_us: int | None,
    now_us: int | None = None,
) -> dict[str, pa.Table]:
    """The tables that say which experiment is meant, and from when on a time cannot be right."""
    import pyarrow as pa

    one = {
        "experiment": [experiment],
        "written": [f'"experiment":{json.dumps(experiment)}'],
        "started_us": [started_us],
        "stopped_us": [2**62 if stopped_us is None else stopped_us],
        "ahead_us": [2**62 if now_us is None else now_us + DAY_US],
    }
    names = pa.array(list(variants), pa.string())
    return {"asked": pa.table(one), "variants": pa.table({"variant": names})}


def over_table(events: pa.Table) -> Ask:
    """Asks a sessionised event table in memory, by DuckDB."""
    missing = [name for name in (*NEEDED, "session_key") if name not in events.column_names]
    if missing:
        raise InputError(
            f"a readout needs the columns of the event log and session_key; missing: {missing}"
        )
    log = events.select([*NEEDED, "session_key"])

    def ask(
        steps: Mapping[str, Expression], tables: Mapping[str, pa.Table], wanted: Sequence[str]
    ) -> Mapping[str, pa.Table]:
        import duckdb

        with duckdb.connect() as connection:
            for name, rows in {"events": log, **tables}.items():
                connection.register(name, rows)
            for name, expression in steps.items():
                connection.sql(_compiled(expression, log.schema)).to_table(name)
            return {name: connection.table(name).to_arrow_table() for name in wanted}

    return ask


@lru_cache(maxsize=64)
def _compiled(expression: Expression, schema: pa.Schema) -> str:
    import ibis

    events = ibis.table(ibis.Schema.from_pyarrow(schema), "events")
    return str(ibis.to_sql(expression(events, lambda some: some), dialect="duckdb"))
