"""`design`: how many visitors an experiment takes, how many weeks, and what a guardrail costs."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.special import ndtri

from thinslice.errors import InputError, NotEnoughDataError
from thinslice.outcomes.notebook.capping import cap_rows
from thinslice.outcomes.notebook.design import Design, Need
from thinslice.outcomes.notebook.rows import read_rows, sum_rows
from thinslice.outcomes.statistics.comparison import ALPHA, percent
from thinslice.outcomes.statistics.covariate import estimates
from thinslice.outcomes.statistics.decision import MIN_VISITORS
from thinslice.outcomes.statistics.metric import Metric, check_metrics, number, with_unit
from thinslice.outcomes.statistics.moments import Estimate, Moments
from thinslice.outcomes.statistics.sequential import critical


def design(
    metrics: Metric | Sequence[Metric],
    *,
    data: Any,
    mde: float | Mapping[str, float] = 0.03,
    power: float = 0.8,
    visitors_per_day: float | None = None,
    alpha: float = ALPHA,
    treatments: int = 1,
    sequential: bool = False,
    unit: str | None = None,
) -> Design:
    """How many visitors it takes to find a relative change of `mde`, and to clear the guardrails.

    data        what visitors did, a row each, over about as long as the experiment will run: a
                frame, a dictionary of lists, or their `Moments`; `unit` as in `experiment`
    mde         the smallest relative change of a success metric that is worth finding, 0.03 for
                3 %; or a dictionary of them by metric
    power       how often an experiment whose true effect is that, and which harms no guardrail,
                ends with "ship". Every test is given 1 - (1 - power) / (guardrails + 1), since
                all of them have to pass (Schultzberg et al. 2024)
    visitors_per_day  new visitors who would take part, all arms together
    sequential  whether it will be looked at every day

    Raises `InputError` for what makes no sense and `NotEnoughDataError` for a metric that is 0 or
    does not vary in the data.
    """
    asked_for = check_metrics(metrics)
    _check(power, alpha, treatments, visitors_per_day)
    if isinstance(data, Moments):
        history = data
    else:
        rows, asked_for = cap_rows(read_rows(data, asked_for, unit=unit), asked_for)
        history = sum_rows(rows)[""]
    asked_for = tuple(with_unit(m, [history]) for m in asked_for if m.is_success or m.is_guardrail)
    names = [metric.name for metric in asked_for]
    if isinstance(mde, Mapping) and (unknown := set(mde) - set(names)):
        raise InputError(
            f"mde names {', '.join(sorted(unknown))}, but the metrics are: {', '.join(names)}"
        )
    effects = {metric.name: _effect(metric, mde) for metric in asked_for}

    def sizes(chosen: Sequence[Metric], looks: bool) -> dict[str, int]:
        level = alpha / treatments
        test = _Tests(level, _power_each(chosen, power), sum(m.is_success for m in chosen), looks)
        return {m.name: _visitors(m, history, effects[m.name], test) for m in chosen}

    found = sizes(asked_for, sequential)
    total = max(found.values())
    arms = 1 + treatments

    def cost(metric: Metric) -> int:
        others = [m for m in asked_for if m is not metric]
        if metric.is_success or not others:
            return 0
        return arms * (total - max(sizes(others, sequential).values()))

    needs = tuple(
        Need(
            metric,
            metric.estimate(history).value,
            effects[metric.name],
            found[metric.name],
            cost(metric),
        )
        for metric in asked_for
    )
    return Design(
        needs,
        arms,
        alpha,
        power,
        _power_each(asked_for, power),
        sequential,
        arms * (total - max(sizes(asked_for, False).values())),
        visitors_per_day,
    )


@dataclass(frozen=True, slots=True)
class _Tests:
    """How strict the tests of an experiment are, and how sure they are to pass."""

    alpha: float
    power: float
    n_success: int
    sequential: bool

    def reach(self, sides: int) -> float:
        """The standard errors that the true distance has to be away."""
        alpha = self.alpha / self.n_success if sides == 2 else self.alpha
        # Tuned for the visitors it is planned with, the critical value does not depend on them.
        tuned_for = 1.0 if self.sequential else None
        return critical(alpha, 1.0, tuned_for, sides=sides) + float(ndtri(self.power))


def _visitors(metric: Metric, history: Moments, effect: float, test: _Tests) -> int:
    """Per arm, so that each of the metric's tests passes as often as it should."""
    control, _ = estimates(metric, history, history)
    _check_history(metric, control, history)
    size, spread = abs(control.value), control.variance * history.n
    needed = 0.0
    if metric.is_success:
        after = _spread_after(metric, control.value, effect, spread)
        needed = test.reach(2) ** 2 * (spread + after) / (effect * size) ** 2
    if metric.max_worse is not None:
        gain = abs(effect) if metric.is_success else 0.0
        factor = 1 - metric.sign * math.copysign(metric.max_worse, control.value)
        distance = (metric.max_worse + gain) * size
        needed = max(needed, test.reach(1) ** 2 * spread * (1 + factor**2) / distance**2)
    return max(math.ceil(needed), MIN_VISITORS)


def _spread_after(metric: Metric, value: float, effect: float, spread: float) -> float:
    """The treatment's variance: that of a share moves with it, others are taken to stay."""
    if metric.unit != "share" or metric.per is not None:
        return spread
    moved = value * (1 + effect)
    if not 0 < moved < 1:
        raise InputError(
            f"{metric.label} is {percent(value)} and cannot change by {percent(effect)}, which "
            "leaves 0 to 100 %; choose a smaller mde"
        )
    return spread * moved * (1 - moved) / (value * (1 - value))


def _effect(metric: Metric, mde: float | Mapping[str, float]) -> float:
    """The relative change that is planned for, negative where lower is better."""
    if not metric.is_success:
        return metric.max_worse or 0.0
    size = mde.get(metric.name) if isinstance(mde, Mapping) else mde
    if size is None or not 0 < number(size, "mde") < math.inf:
        raise InputError(
            f"mde is a relative change above 0, got {size} for {metric.name!r}; 0.03 is 3 %"
        )
    return metric.sign * float(size)


def _power_each(metrics: Sequence[Metric], power: float) -> float:
    tests = sum(m.is_guardrail for m in metrics) + any(m.is_success for m in metrics)
    return 1 - (1 - power) / tests


def _check(power: float, alpha: float, treatments: int, visitors_per_day: float | None) -> None:
    for name, value in (("power", power), ("alpha", alpha)):
        if not 0 < number(value, name) < 1:
            raise InputError(f"{name} is a share between 0 and 1, got {value}")
    if treatments < 1 or treatments != int(treatments):
        raise InputError(f"an experiment has 1 treatment or more, got {treatments}")
    if visitors_per_day is None:
        return
    if not 0 < number(visitors_per_day, "visitors_per_day") < math.inf:
        raise InputError(f"visitors_per_day must be above 0, got {visitors_per_day}")


def _check_history(metric: Metric, estimate: Estimate, history: Moments) -> None:
    if not estimate.variance > 0 or not estimate.value:
        raise NotEnoughDataError(
            f"{metric.label} is {estimate.value:.4g} for all of {history.n:,} visitors, so nothing "
            "says how much it varies; give data in which it happens"
        )
    if metric.max_worse == 0 and not metric.is_success:
        raise InputError(
            f"max_worse is 0 for {metric.name!r}, and no number of visitors shows that nothing at "
            "all is lost; allow a little, such as 0.01"
        )
