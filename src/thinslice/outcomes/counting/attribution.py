"""Who was exposed to what, and what they did afterwards: one row per visitor, then sums of rows.

Ibis expressions over the event table, which give the same sums on any engine that Ibis speaks to:
time and money are int64, booleans are `ifelse(1, 0)`, every order has a unique tie-break. The
expressions are computed where the events lie, and only rows of visitors and sums come back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from thinslice.domain import DAY_US, MICROSECONDS, EventType
from thinslice.outcomes.counting import clicks, exposures, visits
from thinslice.outcomes.counting.ask import (
    Ask,
    Expression,
    Keyed,
    asked,
    asked_tables,
    over_table,
    table,
)
from thinslice.outcomes.counting.columns import COLUMNS
from thinslice.outcomes.counting.orders import BACK, Orders, shared_ids
from thinslice.outcomes.counting.rules import ProductFacts, Rules
from thinslice.outcomes.counting.sums import moments_by
from thinslice.outcomes.statistics.moments import Moments

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

QUARTER_US = 15 * 60 * MICROSECONDS
"""Every time zone in use is a whole number of quarters of an hour away from UTC."""

HISTORY_US = 30 * DAY_US
"""How far before the experiment the log is read: who was here then is a returning visitor."""

REFUND_US = 60 * DAY_US
"""How far after the experiment it is read: an order may come back until then."""

Segment = tuple[str, str, str]
"""The kind of a segment, its name, and the variant."""

SEGMENTS = ("device", "visits", "category")


VISITORS_LEFT_OUT = ("visitors_in_two_variants", "visitors_who_asked_for_a_variant", "robots")
"""The reasons for which a visitor who saw a list does not count; the first that is true."""

_REASONS = {
    "qa": "previewed_lists",
    "holdout": "lists_for_the_holdout",
    "paused": "lists_while_paused",
    "not_in_traffic": "lists_outside_the_traffic",
    "could_not_show": "lists_that_a_variant_could_not_fill",
}


@dataclass(frozen=True, slots=True)
class Cell:
    """Visitors of one variant whose first exposure fell into one quarter of an hour."""

    variant: str
    quarter_us: int
    moments: Moments


@dataclass(frozen=True, slots=True)
class Attributed:
    """All there is to know about an experiment's visitors, and who was left out.

    `segments` has the moments per (kind of segment, its name, variant): the devices, new and
    returning, and the entry categories. `uncosted` are the orders with a product of unknown cost.
    """

    cells: tuple[Cell, ...]
    segments: Mapping[Segment, Moments]
    left_out: Mapping[str, int]
    last_us: int | None
    uncosted: int = 0


def attribute(
    events: pa.Table | Ask,
    experiment: str,
    variants: Sequence[str],
    currency: str,
    *,
    rules: Rules | None = None,
    products: ProductFacts | None = None,
    started_us: int = 0,
    stopped_us: int | None = None,
    now_us: int | None = None,
    shown: Expression = exposures.exposures,
) -> Attributed:
    """Count the outcomes of each variant's visitors.

    `events` is a sessionised event table, or what computes expressions over a log. What happens
    from `stopped_us` on does not count, except that orders may still come back. Nor does what
    claims to be more than a day later than `now_us`, the clock. `shown` finds the lists that count.
    """
    import pyarrow as pa

    ask = over_table(events) if isinstance(events, pa.Table) else events
    found = ask(
        {
            "shared_ids": shared_ids,
            "unfit_lists": exposures.unfit_lists,
            "exposures": shown,
            "who": exposures.who,
            "actions": exposures.actions,
            "visitors": _Visitors(rules or Rules(), currency),
            "tallies": _Tallies(currency),
            "reasons": _reasons,
        },
        {
            "products": _facts(products or ProductFacts()),
            **asked_tables(experiment, variants, started_us, stopped_us, now_us),
        },
        ("visitors", "tallies", "reasons"),
    )
    cells, segments, who, uncosted = _summed(found["visitors"])
    (tallies,) = found["tallies"].to_pylist()
    last_us = tallies.pop("last_us")
    reasons = {_REASONS.get(r["why"], r["why"]): r["n"] for r in found["reasons"].to_pylist()}
    left_out = {name: int(n or 0) for name, n in {**who, **tallies, **reasons}.items()}
    return Attributed(cells, segments, left_out, last_us, uncosted)


@dataclass(frozen=True)
class _Visitors:
    """One row per visitor with an exposure.

    variant, other     the same, except for who saw two
    exposed_us         the first exposure
    bot, qa            1 for who looks like a robot, and for who asked for a variant
    device, visits, category   what was known before the first list
    sessions           those that ran when the visitor was first exposed, or later. They are
                       looked at as a whole: half a session would look like a bounce
    bounced            of them, with at most one product and one page viewed, nothing engaged in
    views, seconds     product views in them; time between their first and last event
    orders             from the first exposure on, each order id once, without those that were
                       cancelled or came back whole
    revenue, margin    of these orders, without tax and without what came back
    ordering_sessions  sessions with such an order
    lists              lists of this experiment shown to the visitor
    clicked_lists      of them, with at least one click on their exposure id
    attributed_...     orders and revenue of products that were clicked in such a list
    uncosted           of the orders, those with a product whose cost is not known
    """

    rules: Rules
    currency: str

    def __call__(self, events: ir.Table, keyed: Keyed) -> ir.Table:
        bought = Orders(events, self.currency, self.rules)
        orders = bought.rows
        ordered = orders.group_by("visitor").aggregate(
            orders=orders.count(),
            ordering_sessions=orders.session_key.nunique(),
            revenue=orders.revenue.sum(),
            margin=orders.margin.sum(),
            uncosted=orders.uncosted.sum(),
        )
        joined = table("who")
        for part in (
            visits.per_visitor(self.rules),
            visits.entry_pages(),
            ordered,
            clicks.lists(),
            clicks.attributed(bought, self.rules),
            _asked_to_see(),
        ):
            added = [part[name] for name in part.columns if name != "visitor"]
            joined = joined.left_join(part, "visitor").select(joined, *added)
        products = table("products")
        joined = joined.left_join(products, joined.entry == products.product).select(
            joined, products.category
        )
        robot = (
            (joined.device == "bot")
            | (joined.per_minute > self.rules.bot_events_per_minute)
            | (joined.idle_bot == 1)
        )
        back = joined.first_us < joined.exposed_us - visits.RUNNING_US
        return joined.select(
            *("variant", "other", "exposed_us", "device", "category"),
            visits=back.ifelse("returning", "new"),
            bot=robot.coalesce(False).ifelse(1, 0),
            qa=joined.qa.coalesce(0),
            **{n: joined[n].coalesce(0).cast("int64") for n in (*COLUMNS, "uncosted")},
        )


@dataclass(frozen=True)
class _Tallies:
    """One row: the latest time, and what could not be used, each with its reason as the name."""

    currency: str

    def __call__(self, events: ir.Table, keyed: Keyed) -> ir.Table:
        period = exposures.in_period(events)
        shown = period.filter(
            period.type.isin(list(exposures.SHOWN)), period.experiment == asked("experiment")
        )
        known = shown.variant.isin(table("variants").variant).coalesce(False)
        money = period.filter(period.type == EventType.ORDER_COMPLETED)
        ahead = events.filter(
            events.time_us >= asked("ahead_us"), events.time_us < asked("stopped_us")
        )
        shared = money.semi_join(table("shared_ids"), "order_id")
        back = events.filter(events.type.isin(list(BACK)), events.time_us >= asked("started_us"))
        ids = events.filter(
            events.type == EventType.ORDER_COMPLETED, events.order_id.notnull()
        ).select("order_id")
        ids = ids.anti_join(table("shared_ids"), "order_id")
        lost = back.select("order_id", "message_id").anti_join(ids, "order_id")
        actions = table("actions")
        ours = actions.filter(
            actions.type == EventType.ORDER_COMPLETED, actions.time_us >= actions.exposed_us
        )
        ours = ours.anti_join(table("shared_ids"), "order_id")
        taken = back.semi_join(ours, "order_id")
        parts = (
            period.aggregate(last_us=period.time_us.max()),
            shown.aggregate(
                exposures_without_visitor=(shown.visitor == "").ifelse(1, 0).sum(),
                exposures_of_unknown_variant=known.ifelse(0, 1).sum(),
            ),
            money.aggregate(order_lines_in_another_currency=self._foreign(money)),
            back.aggregate(refund_lines_in_another_currency=self._foreign(back)),
            lost.aggregate(refunds_of_unknown_orders=lost.message_id.nunique()),
            taken.aggregate(
                orders_cancelled=_orders_with(taken, EventType.ORDER_CANCELLED),
                orders_with_a_refund=_orders_with(taken, EventType.ORDER_REFUNDED),
            ),
            shared.aggregate(orders_whose_id_is_shared=shared.message_id.nunique()),
            ahead.aggregate(events_from_the_future=ahead.message_id.nunique()),
        )
        return reduce(lambda row, part: row.cross_join(part), parts)

    def _foreign(self, lines: ir.Table) -> ir.Column:
        wrong = lines.currency.notnull() & (lines.currency != self.currency)
        return wrong.ifelse(1, 0).sum()


def _orders_with(lines: ir.Table, type_: EventType) -> ir.Column:
    return (lines.type == type_).ifelse(lines.order_id, None).nunique()


def _reasons(events: ir.Table, keyed: Keyed) -> ir.Table:
    """Lists that were served while the experiment ran and do not count: why, n."""
    out = table("unfit_lists")
    return out.group_by("why").aggregate(n=out.count()).order_by("why")


def _asked_to_see() -> ir.Table:
    """Visitors who asked for a variant by name: they knew what they would see."""
    out = table("unfit_lists")
    return out.filter(out.why == "qa").select("visitor", qa=1).distinct()


def _facts(products: ProductFacts) -> pa.Table:
    import pyarrow as pa

    ids = sorted({*products.categories, *products.costs})
    return pa.table(
        {
            "product": pa.array(ids, pa.string()),
            "category": pa.array([products.categories.get(i) for i in ids], pa.string()),
            "cost_minor": pa.array([products.costs.get(i) for i in ids], pa.int64()),
        }
    )


def _summed(
    visitors: pa.Table,
) -> tuple[tuple[Cell, ...], dict[Segment, Moments], dict[str, int], int]:
    """The moments of the visitors who count, by quarter and by segment; who does not; uncosted.

    Who saw two variants, asked for one, or looks like a robot is counted once, under the first of
    these that is true.
    """
    import pyarrow.compute as pc

    two, asked_to_see, robots = VISITORS_LEFT_OUT
    one = pc.equal(visitors["variant"], visitors["other"])
    rest, left_out = visitors.filter(one), {}
    left_out[two] = visitors.num_rows - rest.num_rows
    for column, name in (("qa", asked_to_see), ("bot", robots)):
        kept = rest.filter(pc.equal(rest[column], 0))
        left_out[name], rest = rest.num_rows - kept.num_rows, kept
    exposed = rest["exposed_us"].to_numpy()
    rest = rest.append_column("quarter_us", [exposed - exposed % QUARTER_US])
    cells = tuple(
        Cell(variant, quarter_us, moments)
        for (quarter_us, variant), moments in moments_by(rest, ("quarter_us", "variant"), COLUMNS)
    )
    segments = {
        (kind, str(segment), variant): moments
        for kind in SEGMENTS
        for (segment, variant), moments in moments_by(rest, (kind, "variant"), COLUMNS)
    }
    return cells, segments, left_out, int(pc.sum(rest["uncosted"]).as_py() or 0)
