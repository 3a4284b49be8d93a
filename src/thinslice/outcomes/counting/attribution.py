"""Who was exposed to what, and what they did afterwards: one row per visitor, then sums of rows.

Ibis expressions over the event table, which give the same sums on any engine that Ibis speaks to:
time and money are int64, booleans are `ifelse(1, 0)`, every order has a unique tie-break. The
expressions are computed where the events lie, and only rows of visitors and sums come back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from thinslice.domain import DAY_US, MICROSECONDS
from thinslice.outcomes.counting import clicks, exposures, visits
from thinslice.outcomes.counting.ask import (
    Ask,
    Expression,
    Keyed,
    asked_tables,
    over_table,
    table,
)
from thinslice.outcomes.counting.columns import COLUMNS
from thinslice.outcomes.counting.left_out import (
    LISTS_LEFT_OUT,
    VISITORS_LEFT_OUT,
    Tallies,
    asked_to_see,
    lists_left_out,
)
from thinslice.outcomes.counting.orders import Orders, shared_ids
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
            "tallies": Tallies(currency),
            "lists_left_out": lists_left_out,
        },
        {
            "products": _facts(products or ProductFacts()),
            **asked_tables(experiment, variants, started_us, stopped_us, now_us),
        },
        ("visitors", "tallies", "lists_left_out"),
    )
    cells, segments, who, uncosted = _summed(found["visitors"])
    (tallies,) = found["tallies"].to_pylist()
    last_us = tallies.pop("last_us")
    lists = {
        LISTS_LEFT_OUT.get(one["why"], one["why"]): one["n"]
        for one in found["lists_left_out"].to_pylist()
    }
    left_out = {name: int(n or 0) for name, n in {**who, **tallies, **lists}.items()}
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
            asked_to_see(),
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

    two, asked_for_one, robots = VISITORS_LEFT_OUT
    one = pc.equal(visitors["variant"], visitors["other"])
    rest, left_out = visitors.filter(one), {}
    left_out[two] = visitors.num_rows - rest.num_rows
    for column, name in (("qa", asked_for_one), ("bot", robots)):
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
