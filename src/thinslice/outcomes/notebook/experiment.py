"""`experiment`: visitors and what they did in, a verdict out. For notebooks; open this file first.

The readout of the product (`readouts/readout.py`) counts visitors from the event log and then goes
the same way: moments, rows, decision.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from thinslice.errors import InputError
from thinslice.outcomes.notebook.arms import control_first, given_sums, intended_shares
from thinslice.outcomes.notebook.capping import cap_rows
from thinslice.outcomes.notebook.rows import Rows, name_of, read_rows, sum_rows
from thinslice.outcomes.notebook.trial import Comparison, Trial
from thinslice.outcomes.statistics.comparison import ALPHA, compare_all
from thinslice.outcomes.statistics.covariate import differs_before
from thinslice.outcomes.statistics.decision import Decision, decide, refuse
from thinslice.outcomes.statistics.metric import Metric, check_metrics, number, with_unit
from thinslice.outcomes.statistics.moments import Moments
from thinslice.outcomes.statistics.sample_ratio import sample_ratio
from thinslice.outcomes.statistics.sequential import TUNED_FOR


def experiment(
    data: Any,
    variant: str = "variant",
    *,
    metrics: Metric | Sequence[Metric],
    control: Any = "A",
    unit: str | None = None,
    sequential: bool = False,
    tuned_for: float | None = None,
    weights: Mapping[Any, float] | None = None,
    alpha: float = ALPHA,
    question: str = "",
    currency: str = "",
) -> Trial:
    """Compare every other arm with the control, and say whether to ship it.

    data        one row per visitor: a frame of pandas, Polars or Arrow, a dictionary of lists, or
                a dictionary of `Moments` by arm where only sums are known
    variant     the column that says which arm a visitor was in
    unit        the column with the visitor's id, where a visitor has several rows: they are added
                up, and who is in two arms is an error
    sequential  whether the data are looked at more than once: wider ranges and a test of the split
                that hold at all looks together, narrowest at `tuned_for` visitors in all (10,000),
                which is to be chosen before the first look
    weights     the intended share of each arm, equal ones unless stated
    alpha       0.05; with several treatments each gets an equal part of it

    Raises `InputError` (`ColumnError` for a column) for a name that does not exist, with the
    closest one, for an empty arm, and for values that are missing or make no sense.
    """
    asked_for = check_metrics(metrics)
    _check(variant, alpha, sequential, tuned_for)
    if _are_moments(data):
        moments, seen = given_sums(data, asked_for), {}
    else:
        rows, asked_for = cap_rows(read_rows(data, asked_for, variant, unit), asked_for)
        moments, seen = sum_rows(rows), {m.name: _nonzero(rows, m) for m in asked_for}
    moments = control_first(moments, name_of(control), weights)
    asked_for = tuple(with_unit(metric, moments.values()) for metric in asked_for)
    shares = intended_shares(moments, weights)
    looks = (tuned_for or TUNED_FOR) if sequential or tuned_for else None
    visitors = [sums.n for sums in moments.values()]
    split = sample_ratio(visitors, list(shares.values()), sequential=looks is not None)
    first, *treatments = moments
    comparisons = []
    for arm in treatments:
        pair = moments[first], moments[arm]
        found = compare_all(
            asked_for,
            *pair,
            alpha=alpha / len(treatments),
            tuned_for=looks,
            seen={name: by_arm[first] + by_arm[arm] for name, by_arm in seen.items()},
        )
        decision = (
            refuse(list(moments), visitors, split, found)
            or _late_covariate(asked_for, *pair)
            or decide(found, arm, pair[0].n + pair[1].n)
        )
        comparisons.append(Comparison(arm, found, decision))
    return Trial(
        moments,
        tuple(comparisons),
        split,
        shares,
        looks,
        question,
        currency,
        (split.warning,) if split.warning else (),
    )


def _check(variant: str, alpha: float, sequential: bool, tuned_for: float | None) -> None:
    if not isinstance(variant, str):
        raise InputError(f"variant names the column of the arms, got {variant!r}")
    if not 0 < number(alpha, "alpha") < 0.5:
        raise InputError(f"alpha is a share between 0 and 0.5, got {alpha}; 0.05 is usual")
    if not isinstance(sequential, bool):
        raise InputError(
            f"sequential is True or False, got {sequential!r}; a number of visitors is tuned_for"
        )
    if tuned_for is not None and not 0 < number(tuned_for, "tuned_for") < math.inf:
        raise InputError(f"tuned_for is a number of visitors above 0, got {tuned_for}")


def _are_moments(data: Any) -> bool:
    return isinstance(data, Mapping) and any(isinstance(x, Moments) for x in data.values())


def _nonzero(rows: Rows, metric: Metric) -> dict[str, int]:
    """Per arm, the visitors who have any of what the metric counts."""
    some = rows.columns[metric.counts or metric.numerator] != 0
    return {arm: int(np.count_nonzero(some & mask)) for arm, mask in rows.arms.items()}


def _late_covariate(
    metrics: Sequence[Metric], control: Moments, treatment: Moments
) -> Decision | None:
    for metric in metrics:
        if differs_before(metric, control, treatment):
            reason = (
                f"The covariate of {metric.label.lower()} ({_said(metric)}) differs between the "
                "variants, which nothing from before the experiment does. If it was measured after "
                "the first exposure, it takes out the effect itself: leave it out. If not, "
                "visitors were not split by chance."
            )
            return Decision(None, reason, reason)
    return None


def _said(metric: Metric) -> str:
    return " per ".join(filter(None, metric.before))
