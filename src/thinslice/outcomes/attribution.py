"""Who was exposed to what, and what they did afterwards: one row per visitor, then sums of rows.

Ibis expressions over the event table, which give the same sums on any engine that Ibis speaks to:
time and money are int64, booleans are `ifelse(1, 0)`, every order has a unique tie-break.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from thinslice.domain import MICROSECONDS, EventType
from thinslice.errors import InputError
from thinslice.outcomes.kpi import COLUMNS
from thinslice.outcomes.moments import Moments, pairs

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

SHOWN = (EventType.RECOMMENDATION_SERVED, EventType.RECOMMENDATION_VIEWED)
ENGAGED = (
    EventType.PRODUCT_ADDED,
    EventType.ORDER_COMPLETED,
    EventType.RECOMMENDATION_CLICKED,
)
RUNNING_US = 30 * 60 * MICROSECONDS
"""A session whose last action is at most this old is still running."""

QUARTER_US = 15 * 60 * MICROSECONDS
"""Every time zone in use is a whole number of quarters of an hour away from UTC."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The visitors of one variant whose first exposure fell into one quarter of an hour."""

    variant: str
    quarter_us: int
    moments: Moments


@dataclass(frozen=True, slots=True)
class Attributed:
    """All there is to know about an experiment's visitors, and who was left out."""

    cells: tuple[Cell, ...]
    left_out: Mapping[str, int]
    last_us: int | None


def attribute(
    events: pa.Table, experiment: str, variants: Sequence[str], currency: str
) -> Attributed:
    """Count the outcomes of each variant's visitors from a sessionised event table (DuckDB)."""
    import ibis

    missing = [name for name in _NEEDED if name not in events.column_names]
    if missing:
        raise InputError(
            f"a readout needs the columns of the event log and session_key; missing: {missing}"
        )
    connection = ibis.duckdb.connect()
    try:
        table = ibis.memtable(events.select(_NEEDED))
        exposures = exposures_of(table, experiment, variants)
        visitors = per_visitor(table, exposures, currency)
        rows = connection.to_pyarrow(sums(visitors)).to_pylist()
        left_out = connection.to_pyarrow(
            who_is_left_out(table, exposures, experiment, variants, currency)
        ).to_pylist()[0]
    finally:
        connection.disconnect()
    last_us = left_out.pop("last_us")
    return Attributed(
        tuple(sorted(_cells(rows), key=lambda cell: (cell.quarter_us, cell.variant))),
        {name: int(count or 0) for name, count in left_out.items()},
        last_us,
    )


_NEEDED = [
    "message_id",
    "type",
    "time_us",
    "visitor",
    "line",
    "session_key",
    "quantity",
    "price_minor",
    "currency",
    "order_id",
    "revenue_minor",
    "exposure_id",
    "experiment",
    "variant",
]


def exposures_of(events: ir.Table, experiment: str, variants: Sequence[str]) -> ir.Table:
    """Lists of the experiment that were served to or seen by a visitor with an id."""
    shown = events.filter(
        events.type.isin(list(SHOWN)),
        events.experiment == experiment,
        events.variant.isin(list(variants)),
        events.visitor != "",
    )
    return shown.select(
        "visitor", "variant", "time_us", list_id=shown.exposure_id.coalesce(shown.message_id)
    )


def first_exposures(exposures: ir.Table) -> ir.Table:
    """Per visitor the first exposure; `variant` and `other` differ for who saw two variants."""
    return exposures.group_by("visitor").aggregate(
        variant=exposures.variant.min(),
        other=exposures.variant.max(),
        exposed_us=exposures.time_us.min(),
    )


def per_visitor(events: ir.Table, exposures: ir.Table, currency: str) -> ir.Table:
    """One row per visitor who saw one variant: its name, exposed_us and `kpi.COLUMNS`.

    sessions           those that ran when the visitor was first exposed, or later. They are
                       looked at as a whole: half a session would look like a bounce
    bounced            of them, with at most one product and one page viewed and nothing engaged in
    views              product views in them
    orders, revenue    orders from the first exposure on, each order id once
    ordering_sessions  sessions with such an order
    lists              lists of this experiment shown to the visitor
    clicked_lists      of them, with at least one click on their exposure id
    """
    first = first_exposures(exposures)
    who = first.filter(first.variant == first.other).select("visitor", "variant", "exposed_us")
    actions = events.filter(events.type.notin(list(SHOWN))).inner_join(who, "visitor")
    visits = _sessions(actions)
    sessions = visits.group_by("visitor").aggregate(
        sessions=visits.count(), bounced=visits.bounced.sum(), views=visits.views.sum()
    )
    once = _orders(actions, currency)
    orders = once.group_by("visitor").aggregate(
        orders=once.count(),
        ordering_sessions=once.session_key.nunique(),
        revenue=once.revenue.sum(),
    )
    lists = _lists(events, exposures)
    joined = who.left_join(sessions, "visitor").select(who, *_columns(sessions))
    joined = joined.left_join(orders, "visitor").select(joined, *_columns(orders))
    joined = joined.left_join(lists, "visitor").select(joined, *_columns(lists))
    return joined.select(
        "visitor",
        "variant",
        "exposed_us",
        **{name: joined[name].coalesce(0).cast("int64") for name in COLUMNS},
    )


def sums(visitors: ir.Table) -> ir.Table:
    """The additive moments of the per-visitor table, per variant and quarter of first exposure.

    Columns: variant, quarter_us, n, s0..., p0... in the order of `COLUMNS` and its pairs. Summed
    as 38-digit decimals: squares of money leave int64, and floats do not add up to the cent.
    """
    exact = {name: visitors[name].cast("decimal(38, 0)") for name in COLUMNS}
    return visitors.group_by(
        "variant", quarter_us=visitors.exposed_us - visitors.exposed_us % QUARTER_US
    ).aggregate(
        n=visitors.count(),
        **{f"s{i}": exact[name].sum() for i, name in enumerate(COLUMNS)},
        **{f"p{i}": (exact[a] * exact[b]).sum() for i, (a, b) in enumerate(pairs(COLUMNS))},
    )


def who_is_left_out(
    events: ir.Table,
    exposures: ir.Table,
    experiment: str,
    variants: Sequence[str],
    currency: str,
) -> ir.Table:
    """One row: visitors and events that could not be used, each with its reason as the name."""
    first = first_exposures(exposures)
    both = (first.variant != first.other).ifelse(1, 0).sum().name("visitors_in_two_variants")
    shown = events.filter(events.type.isin(list(SHOWN)), events.experiment == experiment)
    unknown = shown.variant.isnull() | shown.variant.notin(list(variants))
    money = events.filter(events.type == EventType.ORDER_COMPLETED)
    foreign = money.currency.notnull() & (money.currency != currency)
    return (
        first.aggregate(both)
        .cross_join(
            shown.aggregate(
                exposures_without_visitor=(shown.visitor == "").ifelse(1, 0).sum(),
                exposures_of_unknown_variant=unknown.ifelse(1, 0).sum(),
            )
        )
        .cross_join(money.aggregate(order_lines_in_another_currency=foreign.ifelse(1, 0).sum()))
        .cross_join(events.aggregate(last_us=events.time_us.max()))
    )


def _sessions(actions: ir.Table) -> ir.Table:
    def times(*types: EventType) -> ir.Column:
        return actions.type.isin(list(types)).ifelse(1, 0).sum()

    sessions = actions.group_by("visitor", "session_key").aggregate(
        last_us=actions.time_us.max(),
        exposed_us=actions.exposed_us.min(),
        views=times(EventType.PRODUCT_VIEWED),
        pages=times(EventType.PAGE_VIEWED),
        engaged=times(*ENGAGED),
    )
    counted = sessions.filter(sessions.last_us >= sessions.exposed_us - RUNNING_US)
    bounced = (counted.views <= 1) & (counted.pages <= 1) & (counted.engaged == 0)
    return counted.select("visitor", "views", bounced=bounced.ifelse(1, 0))


def _orders(actions: ir.Table, currency: str) -> ir.Table:
    """Each order of a visitor once: its first message, with the total of that message's lines."""
    import ibis

    lines = actions.filter(
        actions.type == EventType.ORDER_COMPLETED, actions.time_us >= actions.exposed_us
    )
    lines = lines.mutate(
        order=lines.order_id.coalesce(lines.message_id),
        ours=(lines.currency.isnull() | (lines.currency == currency)).ifelse(1, 0),
        line_total=lines.price_minor * lines.quantity.coalesce(1),
    )
    messages = lines.group_by("visitor", "order", "message_id").aggregate(
        session_key=lines.session_key.min(),
        time_us=lines.time_us.min(),
        revenue=(lines.revenue_minor * lines.ours)
        .sum()
        .coalesce((lines.line_total * lines.ours).sum(), 0),
    )
    by_time = ibis.window(
        group_by=["visitor", "order"], order_by=[messages.time_us, messages.message_id]
    )
    numbered = messages.mutate(nth=ibis.row_number().over(by_time))
    return numbered.filter(numbered.nth == 0)


def _lists(events: ir.Table, exposures: ir.Table) -> ir.Table:
    clicks = events.filter(
        events.type == EventType.RECOMMENDATION_CLICKED, events.exposure_id.notnull()
    )
    clicked = clicks.select(list_id=clicks.exposure_id, clicked=1).distinct()
    shown = exposures.select("visitor", "list_id").distinct()
    joined = shown.left_join(clicked, "list_id").select(shown, clicked.clicked)
    return joined.group_by("visitor").aggregate(
        lists=joined.count(), clicked_lists=joined.clicked.coalesce(0).sum()
    )


def _columns(table: ir.Table) -> list[Any]:
    return [table[name] for name in table.columns if name != "visitor"]


def _cells(rows: list[dict[str, Any]]) -> Iterator[Cell]:
    for row in rows:
        yield Cell(
            row["variant"],
            row["quarter_us"],
            Moments(
                COLUMNS,
                row["n"],
                tuple(int(row[f"s{i}"]) for i in range(len(COLUMNS))),
                tuple(int(row[f"p{i}"]) for i in range(len(pairs(COLUMNS)))),
            ),
        )
