"""What could not be used, and why: visitors, lists, orders and refunds that do not count."""

from __future__ import annotations

from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING

from thinslice.domain import EventType
from thinslice.outcomes.counting import exposures
from thinslice.outcomes.counting.ask import Keyed, asked, table
from thinslice.outcomes.counting.orders import BACK

if TYPE_CHECKING:
    import ibis.expr.types as ir

VISITORS_LEFT_OUT = ("visitors_in_two_variants", "visitors_who_asked_for_a_variant", "robots")
"""The reasons for which a visitor who saw a list does not count; the first that is true."""

LISTS_LEFT_OUT = {
    "qa": "previewed_lists",
    "holdout": "lists_for_the_holdout",
    "paused": "lists_while_paused",
    "not_in_traffic": "lists_outside_the_traffic",
    "could_not_show": "lists_that_a_variant_could_not_fill",
}
"""Why a list that was served does not count, as it stands in the log and in a readout."""


@dataclass(frozen=True)
class Tallies:
    """One row: the latest time, and what could not be used, each with its reason as the name.

    Orders and refunds are those of exposed visitors, from the first exposure on.
    """

    currency: str

    def __call__(self, events: ir.Table, keyed: Keyed) -> ir.Table:
        period = exposures.in_period(events)
        shown = period.filter(
            period.type.isin(list(exposures.SHOWN)), period.experiment == asked("experiment")
        )
        known = shown.variant.isin(table("variants").variant).coalesce(False)
        ahead = events.filter(
            events.time_us >= asked("ahead_us"), events.time_us < asked("stopped_us")
        )
        back = events.filter(events.type.isin(list(BACK)), events.time_us >= asked("started_us"))
        ids = events.filter(
            events.type == EventType.ORDER_COMPLETED, events.order_id.notnull()
        ).select("order_id")
        ids = ids.anti_join(table("shared_ids"), "order_id")
        lost = back.select("order_id", "message_id").anti_join(ids, "order_id")
        actions = table("actions")
        ordered = actions.filter(
            actions.type == EventType.ORDER_COMPLETED, actions.time_us >= actions.exposed_us
        )
        shared = ordered.semi_join(table("shared_ids"), "order_id")
        taken = back.semi_join(ordered.anti_join(table("shared_ids"), "order_id"), "order_id")
        parts = (
            period.aggregate(last_us=period.time_us.max()),
            shown.aggregate(
                exposures_without_visitor=(shown.visitor == "").ifelse(1, 0).sum(),
                exposures_of_unknown_variant=known.ifelse(0, 1).sum(),
            ),
            ordered.aggregate(order_lines_in_another_currency=self._foreign(ordered)),
            taken.aggregate(refund_lines_in_another_currency=self._foreign(taken)),
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


def lists_left_out(events: ir.Table, keyed: Keyed) -> ir.Table:
    """Lists that were served while the experiment ran and do not count: why, n."""
    out = table("unfit_lists")
    return out.group_by("why").aggregate(n=out.count()).order_by("why")


def asked_to_see() -> ir.Table:
    """Visitors who asked for a variant by name: they knew what they would see."""
    out = table("unfit_lists")
    return out.filter(out.why == "qa").select("visitor", qa=1).distinct()
