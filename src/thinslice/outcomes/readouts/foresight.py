"""What will an experiment take? Foreseen when it begins, from the four weeks before it.

What is foreseen is kept with the experiment: it says when it will be known before anyone has
joined, and for how many visitors the ranges of every look are made.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import reduce
from operator import add
from typing import TYPE_CHECKING, Any

from thinslice.domain import DAY_US, Experiment, Planned
from thinslice.errors import InputError, NotEnoughDataError
from thinslice.outcomes.counting import exposures
from thinslice.outcomes.counting.ask import Ask
from thinslice.outcomes.counting.attribution import attribute
from thinslice.outcomes.counting.rules import ProductFacts, Rules
from thinslice.outcomes.kpi import asked_by
from thinslice.outcomes.notebook.design import LONG, WEEK
from thinslice.outcomes.notebook.sizing import design
from thinslice.outcomes.statistics.metric import Metric
from thinslice.outcomes.statistics.moments import Moments
from thinslice.outcomes.statistics.sequential import TUNED_FOR

if TYPE_CHECKING:
    import pyarrow as pa

WORTH_FINDING = 0.1
"""The relative change to be found where the data do not yet say how large it looks."""

BEFORE_US = 4 * WEEK * DAY_US
"""How far before its start the log is read."""


def foresee(
    experiment: Experiment,
    events: pa.Table | Ask,
    *,
    plan: Mapping[str, Any],
    currency: str,
    rules: Rules | None = None,
    products: ProductFacts | None = None,
) -> Planned | None:
    """The visitors that it takes to find `WORTH_FINDING`, and how many come; None where unknown.

    Whoever looked at a product in the four weeks before is taken for a visitor who would have
    joined with that look. `events` and `plan` are those of `read_out`, with its errors.
    """
    rules, products = rules or Rules(), products or ProductFacts()
    metrics = asked_by(plan, has_margin=products.has_margin(rules))
    since_us = experiment.started_us - BEFORE_US
    found = attribute(
        events,
        experiment.id,
        (exposures.EVERYONE,),
        currency,
        rules=rules,
        products=products,
        started_us=since_us,
        stopped_us=experiment.started_us,
        shown=exposures.looks_at_products,
    )
    if not found.cells:
        return None
    first_us = max(since_us, min(cell.quarter_us for cell in found.cells))
    days = (experiment.started_us - first_us) / DAY_US
    everyone = reduce(add, (cell.moments for cell in found.cells))
    needed = visitors_needed(metrics, everyone, experiment)
    return Planned(needed, everyone.n / days) if needed and days >= 1 else None


def visitors_needed(metrics: list[Metric], everyone: Moments, experiment: Experiment) -> int | None:
    """In all variants, to find `WORTH_FINDING`; None where what was seen says too little."""
    asked = [metric for metric in metrics if metric.is_success or metric.is_guardrail]
    treatments = len(experiment.variants) - 1
    try:
        return design(
            asked,
            data=everyone,
            mde=WORTH_FINDING,
            treatments=treatments,
            sequential=experiment.sequential,
        ).visitors
    except (NotEnoughDataError, InputError):  # nothing happened yet, or nothing may be lost at all
        return None


def tuned_for(experiment: Experiment) -> float | None:
    """The visitors at which its ranges are narrowest; None where it is looked at once.

    As many as were foreseen, or as come in eight weeks if that is less.
    """
    if not experiment.sequential:
        return None
    planned = experiment.planned
    if planned is None:
        return TUNED_FOR
    return min(planned.visitors, max(1.0, planned.per_day * WEEK * LONG))
