"""Do we have the data? Counts of a log, and in plain sentences what can be done with it."""

from __future__ import annotations

import tempfile
from collections import Counter
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import pyarrow as pa

from thinslice.domain import BROWSING, MICROSECONDS, EventType
from thinslice.errors import NotEnoughDataError
from thinslice.store.audit_sentences import can, cannot
from thinslice.store.exports.import_report import ImportReport
from thinslice.store.log.schema import EVENT_SCHEMA
from thinslice.store.log.sessions import sessionise

if TYPE_CHECKING:
    import ibis

_MEMORY = "1GB"
_QUARTER_US = 15 * 60 * MICROSECONDS


@dataclass(frozen=True)
class Audit:
    """What a log holds. Shares are between 0 and 1, None where nothing can be counted.

    events: distinct events; duplicates: further rows with the same identity.
    bounce_rate: sessions with one event / sessions. learnable_sessions: those with at least two
    different products. anonymous_share: visitors seen in one session only / visitors; None where
    the log has no visitor ids. repeat_share: product events that touch the same product as the
    session's product event before / product events. conversion: sessions with a purchase /
    sessions. missing: per column the share of events without a value, for order columns of
    purchases. revenue: minor units by currency. quiet_days: days without events between the first
    and the last. Days are those of `time_zone`.
    """

    events: int
    duplicates: int
    by_type: dict[str, int]
    first_us: int
    last_us: int
    time_zone: str
    daily: dict[str, int]
    quiet_days: list[str]
    sessions: int
    visitors: int
    has_visitor_ids: bool
    products: int
    events_per_session: float
    bounce_rate: float | None
    anonymous_share: float | None
    learnable_sessions: int
    repeat_share: float | None
    orders: int
    conversion: float | None
    revenue: dict[str, int]
    orders_without_revenue: int
    products_without_price: int
    missing: dict[str, float]
    lists_shown: int
    lists_imported: int = 0
    skipped: int = 0
    columns: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    @property
    def days(self) -> int:
        """Days from the first event to the last, both included."""
        return len(self.daily) + len(self.quiet_days)

    @property
    def can(self) -> list[str]:
        """What can be done with the log."""
        return can(self)

    @property
    def cannot(self) -> list[str]:
        """What cannot, and why."""
        return cannot(self)

    def lines(self) -> list[str]:
        """The audit for a terminal."""
        return [
            *(f"  {name} is read from {column}" for name, column in self.columns.items()),
            *(f"  {note}" for note in self.notes),
            self.sentence(),
            *(f"  {kind}: {count:,}" for kind, count in self.by_type.items()),
            "What can be done:",
            *(f"  {sentence}" for sentence in self.can),
            "What cannot:",
            *(f"  {sentence}" for sentence in self.cannot),
        ]

    def sentence(self) -> str:
        """The log in one sentence."""
        visitors = f" of {self.visitors:,} visitors" if self.has_visitor_ids else ""
        return (
            f"{self.events:,} events{visitors} in {self.sessions:,} sessions "
            f"on {self.products:,} products, from {_shown(self.first_us, self.time_zone)} to "
            f"{_shown(self.last_us, self.time_zone)} ({self.time_zone})."
        )

    def to_dict(self) -> dict[str, Any]:
        """The audit as plain values, for JSON and for pages."""
        plain = {name: getattr(self, name) for name in self.__dataclass_fields__}
        period = {
            "first": _shown(self.first_us, self.time_zone),
            "last": _shown(self.last_us, self.time_zone),
            "days": self.days,
        }
        return plain | {
            "period": period,
            "sentence": self.sentence(),
            "can": self.can,
            "cannot": self.cannot,
        }


def audit_events(
    events: Path | pa.Table,
    *,
    gap_minutes: float,
    time_zone: str,
    report: ImportReport | None = None,
    lists_imported: int = 0,
) -> Audit:
    """Audit staged Parquet or a table in `EVENT_SCHEMA`, in bounded memory.

    `lists_imported`: for how many products it is known from elsewhere what the shop shows today.
    What the service itself recorded (lists served and seen) is left out. Raises
    NotEnoughDataError for a log without events.
    """
    import duckdb

    with tempfile.TemporaryDirectory() as folder:
        settings = {"memory_limit": _MEMORY, "temp_directory": folder}
        with duckdb.connect(config=settings) as con:
            if isinstance(events, Path):
                con.read_parquet(str(events)).create_view("rows")
            else:
                con.register("rows", events)
            gap_us = round(gap_minutes * 60) * MICROSECONDS
            return _Counted(con, gap_us, time_zone).audit(report, lists_imported)


def _log(gap_us: int) -> ibis.Table:
    """The table `rows`, each event once and with its session, without what the service recorded."""
    import ibis

    own = [str(EventType.RECOMMENDATION_SERVED), str(EventType.RECOMMENDATION_VIEWED)]
    rows = ibis.table(ibis.Schema.from_pyarrow(EVENT_SCHEMA), name="rows")
    distinct = rows.filter(rows.type.notin(own)).distinct(on=["message_id", "line"], keep="first")
    keyed = sessionise(distinct, gap_us)
    return keyed.mutate(
        bought=keyed.type == str(EventType.ORDER_COMPLETED),
        browsed=keyed.type.isin([str(kind) for kind in BROWSING]),
        listed=keyed.type == str(EventType.PRODUCT_LIST_VIEWED),
        quarter=keyed.time_us // _QUARTER_US,
    )


class _Counted:
    """One log in DuckDB, sessionised once."""

    def __init__(self, con: Any, gap_us: int, time_zone: str) -> None:
        import ibis

        compiled = ibis.to_sql(_log(gap_us), dialect="duckdb")
        con.execute(f"create temp table log as {compiled}")
        self._con = con
        self._zone = time_zone
        self._rows = self._one(_ROWS)["rows"]

    def audit(self, report: ImportReport | None, lists_imported: int) -> Audit:
        totals = self._one(_TOTALS)
        if not totals["events"]:
            raise NotEnoughDataError(
                "an audit needs at least one event, and there is none"
                + (f"; {report.sentence()}" if report else "; import events first")
            )
        sessions, visitors = self._one(_SESSIONS), self._one(_VISITORS)
        orders, browsing = self._one(_ORDERS), self._one(_BROWSING)
        daily, quiet = self._days()
        has_visitor_ids = totals["named_visitors"] > 0
        return Audit(
            events=totals["events"],
            duplicates=self._rows - totals["events"],
            by_type={r["type"]: r["n"] for r in self._all(_BY_TYPE)},
            first_us=totals["first_us"],
            last_us=totals["last_us"],
            time_zone=self._zone,
            daily=daily,
            quiet_days=quiet,
            sessions=sessions["sessions"],
            visitors=totals["visitors"],
            has_visitor_ids=has_visitor_ids,
            products=totals["products"],
            events_per_session=totals["events"] / sessions["sessions"],
            bounce_rate=_share(sessions["bounced"], sessions["sessions"]),
            anonymous_share=_share(visitors["once"], visitors["visitors"])
            if has_visitor_ids
            else None,
            learnable_sessions=sessions["learnable"],
            repeat_share=_share(browsing["repeats"], browsing["touched"]),
            orders=orders["orders"],
            conversion=_share(sessions["ordering"], sessions["sessions"]),
            revenue={r["currency"]: r["revenue"] for r in self._all(_REVENUE)},
            orders_without_revenue=orders["without_revenue"],
            products_without_price=totals["products"] - totals["priced"],
            missing=self._missing(totals, orders),
            lists_shown=totals["lists_shown"],
            lists_imported=lists_imported,
            skipped=report.skipped if report else 0,
            columns=dict(report.columns) if report else {},
            notes=list(report.notes) if report else [],
        )

    def _missing(self, totals: dict[str, Any], orders: dict[str, Any]) -> dict[str, float]:
        of_all = {
            n: 1 - totals[f"has_{n}"] / totals["events"] for n in ("session", "product", "price")
        }
        if not orders["rows"]:
            return of_all
        return of_all | {n: 1 - orders[f"has_{n}"] / orders["rows"] for n in _OF_ORDERS}

    def _days(self) -> tuple[dict[str, int], list[str]]:
        """Events per day in the shop's time zone, and the days between without any."""
        zone = ZoneInfo(self._zone)
        days: Counter[date] = Counter()
        for row in self._all(_QUARTERS):
            start_s = row["quarter"] * _QUARTER_US // MICROSECONDS
            days[datetime.fromtimestamp(start_s, UTC).astimezone(zone).date()] += row["n"]
        first, last = min(days), max(days)
        between = (first + timedelta(n) for n in range((last - first).days))
        return (
            {day.isoformat(): days[day] for day in sorted(days)},
            [day.isoformat() for day in between if day not in days],
        )

    def _one(self, query: str) -> dict[str, Any]:
        return self._all(query)[0]

    def _all(self, query: str) -> list[dict[str, Any]]:
        rows = self._con.sql(query).to_arrow_table().to_pylist()
        return [{name: _plain(value) for name, value in row.items()} for row in rows]


def _plain(value: Any) -> Any:
    """DuckDB's sums and counts come as 128-bit integers, which Python sees as decimals."""
    return int(value) if isinstance(value, Decimal) else value


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _shown(time_us: int, time_zone: str) -> str:
    moment = datetime.fromtimestamp(time_us // MICROSECONDS, UTC).astimezone(ZoneInfo(time_zone))
    return moment.strftime("%Y-%m-%d %H:%M")


_OF_ORDERS = ("quantity", "order_id", "revenue")

_ROWS = """
    select count(*) as rows from rows
    where type not in ('Recommendation Served', 'Recommendation Viewed')
"""
_TOTALS = """
    select count(*) as events, count(distinct visitor) as visitors,
        count(distinct product) as products, min(time_us) as first_us, max(time_us) as last_us,
        count(distinct case when price_minor is not null then product end) as priced,
        count(session) as has_session, count(product) as has_product,
        count(price_minor) as has_price,
        count(*) filter (session is null or session <> visitor) as named_visitors,
        count(*) filter (listed) as lists_shown
    from log
"""
_BY_TYPE = "select type, count(*) as n from log group by type order by n desc, type"
_SESSIONS = """
    select count(*) as sessions, count(*) filter (events = 1) as bounced,
        count(*) filter (products >= 2) as learnable, count(*) filter (purchases > 0) as ordering
    from (
        select session_key, count(*) as events, count(*) filter (bought) as purchases,
            count(distinct case when browsed then product end) as products
        from log group by session_key
    )
"""
_VISITORS = """
    select count(*) as visitors, count(*) filter (sessions = 1) as once
    from (select visitor, count(distinct session_key) as sessions from log group by visitor)
"""
_ORDERS = """
    select count(*) as orders, count(*) filter (revenue is null) as without_revenue,
        coalesce(sum(lines), 0) as rows, coalesce(sum(quantities), 0) as has_quantity,
        coalesce(sum(order_ids), 0) as has_order_id,
        coalesce(sum(case when revenue is not null then lines end), 0) as has_revenue
    from (
        select visitor, coalesce(order_id, message_id) as id, count(*) as lines,
            count(quantity) as quantities, count(order_id) as order_ids,
            sum(revenue_minor) as revenue
        from log where bought group by all
    )
"""
_REVENUE = """
    select currency, sum(revenue_minor) as revenue from log
    where bought and revenue_minor is not null and currency is not null
    group by currency order by currency
"""
_BROWSING = """
    select count(*) as touched, count(*) filter (product = before) as repeats
    from (
        select product, lag(product) over (
            partition by session_key order by time_us, message_id, line
        ) as before
        from log where product is not null and browsed
    )
"""
_QUARTERS = "select quarter, count(*) as n from log group by quarter"
