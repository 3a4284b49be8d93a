"""Which lists of an experiment count as shown, to whom, and which were left out and why."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

from thinslice.domain import EventType

if TYPE_CHECKING:
    import ibis.expr.types as ir
    import pyarrow as pa

SHOWN = (EventType.RECOMMENDATION_SERVED, EventType.RECOMMENDATION_VIEWED)
_LEFT_OUT = r'"left_out":\s*"([a-z_]+)"'


ASKED, VARIANTS = "asked", "variants"
"""The tables that say which experiment is meant: one row, and one row per variant."""


def asked() -> ir.Table:
    """One row: the experiment, how it is written in properties, and its period."""
    import ibis

    columns = {"experiment": "string", "written": "string"}
    return ibis.table({**columns, "started_us": "int64", "stopped_us": "int64"}, ASKED)


def asked_tables(
    experiment: str, variants: Sequence[str], started_us: int, stopped_us: int | None
) -> dict[str, pa.Table]:
    """The tables that `asked` and `variants` stand for."""
    import pyarrow as pa

    one = {
        "experiment": [experiment],
        "written": [f'"experiment":{json.dumps(experiment)}'],
        "started_us": [started_us],
        "stopped_us": [2**62 if stopped_us is None else stopped_us],
    }
    return {ASKED: pa.table(one), VARIANTS: pa.table({"variant": pa.array(variants, pa.string())})}


def variants() -> ir.Table:
    """The names of the experiment's variants."""
    import ibis

    return ibis.table({"variant": "string"}, VARIANTS)


def exposures_of(events: ir.Table) -> ir.Table:
    """Lists of the experiment that were served to or seen by a visitor with an id, and count.

    A list counts when the service found that every variant had something of its own to show for
    the request, whichever the visitor is in: one rule for both sides, so that who is counted does
    not depend on the variant.
    """
    shown = events.filter(
        events.type.isin(list(SHOWN)),
        events.experiment == asked().experiment.as_scalar(),
        events.variant.isin(variants().variant),
        events.visitor != "",
    )
    lists = shown.select(
        "visitor", "variant", "time_us", list_id=shown.exposure_id.coalesce(shown.message_id)
    )
    return lists.anti_join(lists_left_out(events), "list_id")


def lists_left_out(events: ir.Table) -> ir.Table:
    """Lists that were served while the experiment ran and do not count: visitor, list_id, why."""
    served = events.filter(
        events.type == EventType.RECOMMENDATION_SERVED,
        events.experiment.isnull(),
        events.properties.contains('"left_out"'),
        events.properties.contains(asked().written.as_scalar()),
    )
    return served.select(
        "visitor",
        list_id=served.exposure_id.coalesce(served.message_id),
        why=served.properties.re_extract(_LEFT_OUT, 1),
    )


def first_exposures(exposures: ir.Table) -> ir.Table:
    """Per visitor the first exposure; `variant` and `other` differ for who saw two variants."""
    return exposures.group_by("visitor").aggregate(
        variant=exposures.variant.min(),
        other=exposures.variant.max(),
        exposed_us=exposures.time_us.min(),
    )
