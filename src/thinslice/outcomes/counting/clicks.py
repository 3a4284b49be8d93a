"""Which orders a list may claim: last click, within a stated time, each product at most once."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinslice.domain import DAY_US, EventType
from thinslice.outcomes.counting.ask import table

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from thinslice.outcomes.counting.orders import Orders
    from thinslice.outcomes.counting.rules import Rules


def lists() -> ir.Table:
    """Per visitor `lists`, how many were shown, and `clicked_lists`, with at least one click.

    A click belongs to the list whose exposure id it carries.
    """
    actions, exposures = table("actions"), table("exposures")
    clicks = actions.filter(
        actions.type == EventType.RECOMMENDATION_CLICKED, actions.exposure_id.notnull()
    )
    clicked = clicks.select(list_id=clicks.exposure_id, clicked=1).distinct()
    shown = exposures.select("visitor", "list_id").distinct()
    joined = shown.left_join(clicked, "list_id").select(shown, clicked.clicked)
    return joined.group_by("visitor").aggregate(
        lists=joined.count(), clicked_lists=joined.clicked.coalesce(0).sum()
    )


def attributed(bought: Orders, rules: Rules) -> ir.Table:
    """Per visitor `attributed_orders` and `attributed_revenue`, net of refunds and of tax.

    Each product of an order goes to the last click of the same visitor on it, in any list, at
    most `attribution_days` before the order. It counts when that list is one of the experiment. An
    order all of whose products count does so with all of its revenue; else with the prices of
    those that do, at most its revenue.
    """
    import ibis

    orders, pieces, exposures = bought.rows, bought.pieces, table("exposures")
    sold = pieces.filter(pieces.kept > 0).semi_join(orders, "order")
    credited = _last_clicks(sold, rules).semi_join(
        exposures.select("visitor", exposure_id=exposures.list_id).distinct(),
        ["visitor", "exposure_id"],
    )
    marked = sold.left_join(credited.select("order", "product", hit=1), ["order", "product"])
    marked = marked.select(sold, credited_=marked.hit.coalesce(0))
    claims = marked.group_by("order").aggregate(
        named=marked.count(),
        hits=marked.credited_.sum(),
        claimed=(marked.value * marked.credited_).sum(),
    )
    claims = claims.filter(claims.hits > 0)
    own = orders.inner_join(claims, "order")
    part = own.claimed
    if rules.vat_rate:
        part = (part / (1.0 + rules.vat_rate)).round()
    part = ibis.least(part.cast("int64"), own.revenue)
    own = own.select("visitor", claim=(own.hits == own.named).ifelse(own.revenue, part))
    return own.group_by("visitor").aggregate(
        attributed_orders=own.count(), attributed_revenue=own.claim.sum()
    )


def _last_clicks(sold: ir.Table, rules: Rules) -> ir.Table:
    import ibis

    actions = table("actions")
    clicks = actions.filter(
        actions.type == EventType.RECOMMENDATION_CLICKED,
        actions.exposure_id.notnull(),
        actions.product.notnull(),
    ).select("visitor", "product", "exposure_id", "message_id", clicked_us="time_us")
    before = sold.inner_join(clicks, ["visitor", "product"])
    window_us = int(rules.attribution_days * DAY_US)
    before = before.filter(
        before.clicked_us <= before.time_us, before.clicked_us >= before.time_us - window_us
    )
    latest = ibis.window(
        group_by=["order", "product"],
        order_by=[ibis.desc(before.clicked_us), ibis.desc(before.message_id)],
    )
    numbered = before.mutate(nth=ibis.row_number().over(latest))
    return numbered.filter(numbered.nth == 0)
