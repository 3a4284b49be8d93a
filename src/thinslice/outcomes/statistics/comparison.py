"""Metrics in two variants: both figures, the difference with its range, and how to read it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from thinslice.domain import Interval
from thinslice.outcomes.statistics.covariate import estimates
from thinslice.outcomes.statistics.intervals import (
    NonInferiority,
    difference,
    non_inferiority,
    relative_lift,
    root,
)
from thinslice.outcomes.statistics.metric import Metric, Unit
from thinslice.outcomes.statistics.moments import Estimate, Moments
from thinslice.outcomes.statistics.sequential import critical

ALPHA = 0.05
"""How often something is found where there is nothing: for all success metrics together, for each
guardrail, and for all that is only watched together."""

ENOUGH = 10
"""Fewer orders, clicks or sessions than this in both variants together prove nothing."""

Change = Literal["better", "worse", "unclear", "unknown"]


@dataclass(frozen=True, slots=True)
class Row:
    """A metric in control and treatment. Money is in units of the currency, shares are 0 to 1.

    `change` is what the interval of the difference says, "unknown" where there is too little to go
    by; `harmless` is set for guardrails only. `z` is the difference in standard errors, positive
    when better, and `critical` how many standard errors make it clear. The intervals of a
    mere guardrail have the ends of its one-sided test, so that they lie within what is allowed
    exactly where it is harmless; its `change` is judged two-sided like that of any metric.
    """

    metric: Metric
    control: float
    treatment: float
    absolute: Interval
    relative: Interval
    change: Change
    z: float
    critical: float
    harmless: NonInferiority | None = None

    @property
    def allowed(self) -> str:
        """How much worse a guardrail may be, in words."""
        return percent(self.metric.max_worse or 0)

    @property
    def reading(self) -> str:
        """The row in plain words."""
        if self.change == "unknown":
            return "too little data"
        if self.harmless and self.harmless.violated:
            return "worse by more than allowed"
        if self.change == "worse":
            return "clearly worse"
        if self.change == "better":
            return "clearly better"
        if self.harmless:
            return (
                f"not worse by more than {self.allowed}"
                if self.harmless.proven
                else "not yet shown to be harmless"
            )
        return "no clear difference"

    def line(self, control: str, treatment: str) -> str:
        """The row as one line of text: both figures, the range of the difference, the reading."""
        before, after = (figure(x, self.metric.unit) for x in (self.control, self.treatment))
        spread = "" if self.change == "unknown" else f" ({spread_of(self.relative)})"
        return (
            f"{self.metric.label}: {before} in {control}, {after} in {treatment}{spread}: "
            f"{self.reading}"
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "kpi": self.metric.name,
            "label": self.metric.label,
            "unit": self.metric.unit,
            "better": self.metric.better,
            "definition": self.metric.definition,
            "control": finite(self.control),
            "treatment": finite(self.treatment),
            "absolute": interval_dict(self.absolute),
            "relative": interval_dict(self.relative),
            "is_deciding": self.metric.is_success,
            "is_guardrail": self.metric.is_guardrail,
            "max_worse": self.metric.max_worse,
            "change": self.change,
            "reading": self.reading,
        }


def compare_all(
    metrics: Sequence[Metric],
    control: Moments,
    treatment: Moments,
    *,
    alpha: float = ALPHA,
    tuned_for: float | None = None,
    money_unit: float = 1.0,
    seen: Mapping[str, float] | None = None,
) -> tuple[Row, ...]:
    """Every metric side by side, each at the level that its role gives it.

    Success metrics share `alpha` (Bonferroni), since one of them is enough; each guardrail has all
    of it, since all of them have to pass; those only watched share it, so that they hold shipping
    back by chance no more often than one test. `seen` says by metric how much there is to go by,
    instead of its column `counts`.
    """
    n_success = sum(metric.is_success for metric in metrics)
    n_watched = sum(metric.is_watched for metric in metrics)

    def shared_by(metric: Metric) -> int:
        return n_success if metric.is_success else n_watched if metric.is_watched else 1

    return tuple(
        compare(
            metric,
            control,
            treatment,
            confidence=1 - alpha / shared_by(metric),
            alpha=alpha,
            tuned_for=tuned_for,
            money_unit=money_unit,
            seen=(seen or {}).get(metric.name),
        )
        for metric in metrics
    )


def compare(
    metric: Metric,
    control: Moments,
    treatment: Moments,
    *,
    confidence: float = 1 - ALPHA,
    alpha: float = ALPHA,
    tuned_for: float | None = None,
    money_unit: float = 1.0,
    seen: float | None = None,
) -> Row:
    """Set one metric of two variants side by side.

    `confidence` is that of the two-sided intervals, `alpha` that of the one-sided test of a
    guardrail, whose intervals have a confidence of 1 - 2 alpha. `tuned_for` makes them hold at any
    number of looks (`sequential.py`). `money_unit` is what 1 in a column of money is worth: 0.01
    for cents. `seen` is how much there is to go by, from the metric's column `counts` unless given.
    """
    scale = money_unit if metric.unit == "money" else 1.0
    c, t = (_scaled(one, scale) for one in estimates(metric, control, treatment))
    two_sided = difference(t, c, confidence, tuned_for)
    by_its_test = metric.is_guardrail and not metric.is_success
    shown, sides = (1 - 2 * alpha, 1) if by_its_test else (confidence, 2)
    if seen is None and metric.counts is not None:
        seen = control.total(metric.counts) + treatment.total(metric.counts)
    se = root(t.variance + c.variance) or math.nan
    row = Row(
        metric,
        c.value,
        t.value,
        difference(t, c, shown, tuned_for, sides=sides),
        _possible(metric, relative_lift(t, c, shown, tuned_for, sides=sides)),
        _change(two_sided, metric.sign)
        if se > 0 and (seen is None or seen >= ENOUGH)
        else "unknown",
        metric.sign * two_sided.estimate / se,
        critical(1 - confidence, t.n + c.n, tuned_for),
    )
    if metric.max_worse is None:
        return row
    harmless = non_inferiority(
        t, c, metric.max_worse, better=metric.better, alpha=alpha, tuned_for=tuned_for
    )
    if row.change == "unknown":
        harmless = replace(harmless, proven=False, violated=False)
    return replace(row, harmless=harmless)


def figure(value: float, unit: Unit) -> str:
    """A value of a metric as text."""
    if math.isnan(value):
        return "unknown"
    if unit == "share":
        return f"{100 * value:.2f}%"
    return f"{value:,.2f}" if abs(value) >= 1 else f"{value:.3g}"


def percent(share: float) -> str:
    """A share in words: 0.123 is "12%", 0.021 is "2.1%", -0.0001 is "0%"."""
    value = 100 * share if abs(share) >= 0.0005 else 0.0
    return f"{value:.0f}%" if abs(value) >= 9.95 or value == round(value) else f"{value:.1f}%"


def signed_percent(share: float) -> str:
    return ("+" if share >= 0.0005 else "") + percent(share)


def spread_of(relative: Interval) -> str:
    """The range of a relative change in words: "+3% to +22%"."""
    if math.isinf(relative.low):
        return "no percentage, since the control's own figure is all but unknown"
    return f"{signed_percent(relative.low)} to {signed_percent(relative.high)}"


def interval_dict(interval: Interval) -> dict[str, float | None]:
    """Low, estimate, high and confidence; what is not finite becomes None."""
    return {
        "low": finite(interval.low),
        "estimate": finite(interval.estimate),
        "high": finite(interval.high),
        "confidence": interval.confidence,
    }


def finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _possible(metric: Metric, lift: Interval) -> Interval:
    """What is never below 0 cannot fall by more than all of it."""
    if metric.may_be_negative or not math.isfinite(lift.low):
        return lift
    return replace(lift, low=max(lift.low, -1.0))


def _scaled(estimate: Estimate, scale: float) -> Estimate:
    return Estimate(
        estimate.value * scale,
        estimate.variance * scale * scale,
        estimate.n,
        estimate.shared * scale * scale,
    )


def _change(absolute: Interval, sign: int) -> Change:
    if absolute.low > 0:
        return "better" if sign > 0 else "worse"
    if absolute.high < 0:
        return "worse" if sign > 0 else "better"
    return "unclear"
