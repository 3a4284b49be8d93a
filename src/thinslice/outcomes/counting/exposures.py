"""Which lists of an experiment count as shown, to whom, and which were left out and why."""

from __future__ import annotations

from typing import TYPE_CHECKING

from thinslice.domain import DAY_US, EventType
from thinslice.outcomes.counting.ask import Keyed, asked, table
from thinslice.outcomes.counting.orders import BACK

if TYPE_CHECKING:
    import ibis.expr.types as ir

SHOWN = (EventType.RECOMMENDATION_SERVED, EventType.RECOMMENDATION_VIEWED)
EVERYONE = "everyone"
"""The one variant of visitors who are not split."""

_LEFT_OUT = r'"left_out":\s*"([a-z_]+)"'
_DEVICE = r'"device":\s*"(phone|tablet|computer|bot)"'
_MINUTE_US = 60_000_000


def unfit_lists(events: ir.Table, keyed: Keyed) -> ir.Table:
    """Lists that were served while the experiment ran and do not count: visitor, list_id, why."""
    served = in_period(events).filter(
        events.type == EventType.RECOMMENDATION_SERVED,
        events.experiment.isnull(),
        events.properties.contains('"left_out"'),
        events.properties.contains(asked("written")),
    )
    return served.select(
        "visitor",
        list_id=served.exposure_id.coalesce(served.message_id),
        why=served.properties.re_extract(_LEFT_OUT, 1),
    )


def exposures(events: ir.Table, keyed: Keyed) -> ir.Table:
    """Lists of the experiment that were served to or seen by a visitor with an id, and count.

    A list counts when the service found that every variant had something of its own to show for
    the request, whichever the visitor is in: one rule for both sides, so that who is counted does
    not depend on the variant.
    """
    shown = in_period(events).filter(
        events.type.isin(list(SHOWN)),
        events.experiment == asked("experiment"),
        events.variant.isin(table("variants").variant),
        events.visitor != "",
    )
    lists = shown.select(
        "visitor", "variant", "time_us", list_id=shown.exposure_id.coalesce(shown.message_id)
    )
    return lists.anti_join(table("unfit_lists"), "list_id")


def looks_at_products(events: ir.Table, keyed: Keyed) -> ir.Table:
    """As if everyone had been shown a list with every product they looked at from `started_us` on.

    For visitors of before an experiment.
    """
    import ibis

    looks = in_period(events).filter(
        events.type == EventType.PRODUCT_VIEWED,
        events.time_us >= asked("started_us"),
        events.visitor != "",
    )
    return looks.select(
        "visitor", variant=ibis.literal(EVERYONE), time_us=looks.time_us, list_id=looks.message_id
    )


def who(events: ir.Table, keyed: Keyed) -> ir.Table:
    """One row per exposed visitor: what they were shown first, and what their events say of them.

    variant, other  the same, except for who saw two
    exposed_us      the first exposure
    device          phone, tablet, computer or bot; null where no event says
    first_us        the first event in the log
    per_minute      the most messages in one minute of the clock
    """
    lists = table("exposures")
    first = lists.group_by("visitor").aggregate(
        variant=lists.variant.min(), other=lists.variant.max(), exposed_us=lists.time_us.min()
    )
    own = in_period(events).filter(events.line == 0).semi_join(first, "visitor")
    minutes = own.group_by("visitor", minute=own.time_us - own.time_us % _MINUTE_US).aggregate(
        first_us=own.time_us.min(),
        device=own.properties.re_extract(_DEVICE, 1).nullif("").max(),
        messages=own.count(),
    )
    known = minutes.group_by("visitor").aggregate(
        device=minutes.device.max(),
        first_us=minutes.first_us.min(),
        per_minute=minutes.messages.max(),
    )
    return first.inner_join(known, "visitor")


def actions(events: ir.Table, keyed: Keyed) -> ir.Table:
    """What exposed visitors did themselves, with session_key and exposed_us.

    It begins a day before the experiment, so that sessions which were running then are whole. What
    is sent under a visitor's id when goods come back is no visit.
    """
    during = in_period(events).filter(events.time_us >= asked("started_us") - DAY_US)
    own = during.inner_join(table("who").select("visitor", "exposed_us"), "visitor")
    sessionised = keyed(own.drop("properties", "experiment", "variant"))
    done = sessionised.filter(sessionised.type.notin([*SHOWN, *BACK]))
    return done.select(*table("actions").columns)


def in_period(events: ir.Table) -> ir.Table:
    """The events before the experiment was stopped, without those from the future."""
    return events.filter(events.time_us < asked("stopped_us"), events.time_us < asked("ahead_us"))
