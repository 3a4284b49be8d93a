"""What visitors did, session by session: how much they looked at, how long, and who is a robot."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinslice.domain import MICROSECONDS, EventType
from thinslice.outcomes.exposures import SHOWN

if TYPE_CHECKING:
    import ibis.expr.types as ir

    from thinslice.outcomes.rules import Rules

RUNNING_US = 30 * 60 * MICROSECONDS
"""A session whose last action is at most this old is still running."""

MOST_VIEWS = 200
MOST_SECONDS = 4 * 3600
"""What one session may add at most: a tab left open or a counter in a shop window says little."""

ENTRY_US = 2 * MICROSECONDS
"""How long after the list a page may be logged that was there before it."""

MINUTE_US = 60 * MICROSECONDS
_SERIOUS = (EventType.PRODUCT_ADDED, EventType.ORDER_COMPLETED)
_ENGAGED = (*_SERIOUS, EventType.RECOMMENDATION_CLICKED)


def sessions_of(actions: ir.Table) -> ir.Table:
    """One row per visitor and session that ran at the first exposure or later.

    `actions` are the events of exposed visitors with exposed_us and session_key.
    """

    def times(*types: EventType) -> ir.Column:
        return own.type.isin(list(types)).ifelse(1, 0).sum()

    own = actions.filter(actions.type.notin(list(SHOWN)))
    sessions = own.group_by("visitor", "session_key").aggregate(
        first_us=own.time_us.min(),
        last_us=own.time_us.max(),
        exposed_us=own.exposed_us.min(),
        views=times(EventType.PRODUCT_VIEWED),
        pages=times(EventType.PAGE_VIEWED),
        engaged=times(*_ENGAGED),
        serious=times(*_SERIOUS),
    )
    return sessions.filter(sessions.last_us >= sessions.exposed_us - RUNNING_US)


def per_visitor(sessions: ir.Table, rules: Rules) -> ir.Table:
    """Per visitor: sessions, bounced, views, seconds; `idle_bot` where a session looks robotic."""
    import ibis

    bounced = (sessions.views <= 1) & (sessions.pages <= 1) & (sessions.engaged == 0)
    idle = (sessions.views >= rules.bot_views) & (sessions.serious == 0)
    seconds = (sessions.last_us - sessions.first_us) // MICROSECONDS
    return sessions.group_by("visitor").aggregate(
        sessions=sessions.count(),
        bounced=bounced.ifelse(1, 0).sum(),
        views=ibis.least(sessions.views, MOST_VIEWS).sum(),
        seconds=ibis.least(seconds, MOST_SECONDS).sum(),
        idle_bot=idle.ifelse(1, 0).max(),
    )


def busiest_minutes(events: ir.Table) -> ir.Table:
    """Per visitor the most messages in a minute of the clock, as `per_minute`."""
    messages = events.filter(events.line == 0)
    minutes = messages.group_by(
        "visitor", minute=messages.time_us - messages.time_us % MINUTE_US
    ).aggregate(n=messages.count())
    return minutes.group_by("visitor").aggregate(per_minute=minutes.n.max())


def before_the_list(actions: ir.Table) -> ir.Table:
    """Per visitor what was known before the first list could change it: for segments.

    device       what the browser is ("phone", "tablet", "computer", "bot"); null where unknown
    visits       "returning" for who was in the log half an hour before or earlier, else "new"
    entry        the product whose page the visitor was on; null where there was none
    """
    import ibis

    earlier = (actions.time_us < actions.exposed_us - RUNNING_US).ifelse(1, 0)
    who = actions.group_by("visitor").aggregate(
        device=actions.device.max(), visits=(earlier.max() == 1).ifelse("returning", "new")
    )
    pages = actions.filter(
        actions.type == EventType.PRODUCT_VIEWED,
        actions.product.notnull(),
        actions.time_us >= actions.exposed_us - RUNNING_US,
        actions.time_us <= actions.exposed_us + ENTRY_US,
    )
    in_order = ibis.window(
        group_by="visitor", order_by=[pages.time_us, pages.message_id, pages.line]
    )
    numbered = pages.mutate(nth=ibis.row_number().over(in_order))
    first = numbered.filter(numbered.nth == 0).select("visitor", entry=numbered.product)
    return who.left_join(first, "visitor").select(who, first.entry)
