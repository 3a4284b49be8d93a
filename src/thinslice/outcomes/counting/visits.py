"""What visitors did, session by session: how much they looked at, how long, and who is a robot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinslice.domain import MICROSECONDS, EventType
from thinslice.outcomes.counting.ask import table

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from thinslice.outcomes.counting.rules import Rules

RUNNING_US = 30 * 60 * MICROSECONDS
"""A session whose last action is at most this old is still running."""

MOST_VIEWS = 200
MOST_SECONDS = 4 * 3600
"""What one session may add at most: a tab left open or a counter in a shop window says little."""

ENTRY_US = 2 * MICROSECONDS
"""How long after the list a page may be logged that was there before it."""

_SERIOUS = (EventType.PRODUCT_ADDED, EventType.ORDER_COMPLETED)
_ENGAGED = (*_SERIOUS, EventType.RECOMMENDATION_CLICKED)


def sessions() -> ir.Table:
    """One row per visitor and session that ran at the first exposure or later."""
    own = table("actions")

    def times(*types: EventType) -> ir.Column:
        return own.type.isin(list(types)).ifelse(1, 0).sum()

    found = own.group_by("visitor", "session_key").aggregate(
        first_us=own.time_us.min(),
        last_us=own.time_us.max(),
        exposed_us=own.exposed_us.min(),
        views=times(EventType.PRODUCT_VIEWED),
        pages=times(EventType.PAGE_VIEWED),
        engaged=times(*_ENGAGED),
        serious=times(*_SERIOUS),
    )
    return found.filter(found.last_us >= found.exposed_us - RUNNING_US)


def per_visitor(rules: Rules) -> ir.Table:
    """Per visitor: sessions, bounced, views, seconds; `idle_bot` where a session looks robotic."""
    import ibis

    own = sessions()
    bounced = (own.views <= 1) & (own.pages <= 1) & (own.engaged == 0)
    idle = (own.views >= rules.bot_views) & (own.serious == 0)
    seconds = (own.last_us - own.first_us) // MICROSECONDS
    return own.group_by("visitor").aggregate(
        sessions=own.count(),
        bounced=bounced.ifelse(1, 0).sum(),
        views=ibis.least(own.views, MOST_VIEWS).sum(),
        seconds=ibis.least(seconds, MOST_SECONDS).sum(),
        idle_bot=idle.ifelse(1, 0).max(),
    )


def entry_pages() -> ir.Table:
    """Per visitor `entry`, the product whose page they were on when first shown a list.

    Nothing that the list could have led to: for segments.
    """
    import ibis

    own = table("actions")
    pages = own.filter(
        own.type == EventType.PRODUCT_VIEWED,
        own.product.notnull(),
        own.time_us >= own.exposed_us - RUNNING_US,
        own.time_us <= own.exposed_us + ENTRY_US,
    )
    in_order = ibis.window(
        group_by="visitor", order_by=[pages.time_us, pages.message_id, pages.line]
    )
    numbered = pages.mutate(nth=ibis.row_number().over(in_order))
    return numbered.filter(numbered.nth == 0).select("visitor", entry=numbered.product)
