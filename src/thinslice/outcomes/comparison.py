"""One KPI in two variants: both figures, the difference with its range, and how to read it."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any, Literal

from thinslice.domain import Interval, minor_digits
from thinslice.outcomes.kpi import KPI
from thinslice.outcomes.statistics import (
    Estimate,
    Moments,
    NonInferiority,
    difference,
    non_inferiority,
    relative_lift,
)

ENOUGH = 10
"""Fewer orders, clicks or sessions than this in both variants together prove nothing."""

Change = Literal["better", "worse", "unclear", "unknown"]


@dataclass(frozen=True, slots=True)
class Row:
    """A KPI in control and treatment. Money is in units of the currency, shares are 0 to 1.

    `change` is what the 95 % interval of the difference says, "unknown" where there is too little
    to go by; `harmless` is set for guardrails only. `z` is the difference in standard errors,
    positive when better.
    """

    kpi: KPI
    control: float
    treatment: float
    absolute: Interval
    relative: Interval
    change: Change
    z: float
    is_deciding: bool = False
    max_worse: float | None = None
    harmless: NonInferiority | None = None

    @property
    def is_guardrail(self) -> bool:
        return self.harmless is not None

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
                f"not worse by more than {percent(self.max_worse or 0)}"
                if self.harmless.proven
                else "not yet shown to be harmless"
            )
        return "no clear difference"

    def line(self, control: str, treatment: str) -> str:
        """The row as one line of text: both figures, the range of the difference, the reading."""
        before, after = (_figure(value, self.kpi.unit) for value in (self.control, self.treatment))
        spread = "" if self.change == "unknown" else f" ({spread_of(self.relative)})"
        return (
            f"{self.kpi.label}: {before} in {control}, {after} in {treatment}{spread}: "
            f"{self.reading}"
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "kpi": self.kpi.name,
            "label": self.kpi.label,
            "unit": self.kpi.unit,
            "better": self.kpi.better,
            "definition": self.kpi.definition,
            "control": finite(self.control),
            "treatment": finite(self.treatment),
            "absolute": interval_dict(self.absolute),
            "relative": interval_dict(self.relative),
            "is_deciding": self.is_deciding,
            "is_guardrail": self.is_guardrail,
            "max_worse": self.max_worse,
            "change": self.change,
            "reading": self.reading,
        }


def compare(
    kpi: KPI,
    control: Moments,
    treatment: Moments,
    *,
    currency: str,
    is_deciding: bool = False,
    max_worse: float | None = None,
    confidence: float = 0.95,
) -> Row:
    """Set one KPI of two variants side by side; `max_worse` makes it a guardrail."""
    scale = 10.0 ** -minor_digits(currency) if kpi.unit == "money" else 1.0
    c, t = (_scaled(kpi.estimate(m), scale) for m in (control, treatment))
    absolute = difference(t, c, confidence)
    seen = control.total(kpi.counts) + treatment.total(kpi.counts)
    se = math.sqrt(t.variance + c.variance) if t.variance + c.variance > 0 else math.nan
    sign = 1 if kpi.better == "higher" else -1
    row = Row(
        kpi,
        c.value,
        t.value,
        absolute,
        relative_lift(t, c, confidence),
        _change(absolute, sign) if seen >= ENOUGH and not math.isnan(se) else "unknown",
        sign * absolute.estimate / se,
        is_deciding,
    )
    if max_worse is None:
        return row
    harmless = non_inferiority(t, c, max_worse, better=kpi.better)
    if row.change == "unknown":
        harmless = replace(harmless, proven=False, violated=False)
    return replace(row, max_worse=max_worse, harmless=harmless)


def percent(share: float) -> str:
    """A share in words: 0.123 is "12%", 0.021 is "2.1%"."""
    value = 100 * share
    return f"{value:.0f}%" if abs(value) >= 9.95 or value == round(value) else f"{value:.1f}%"


def signed_percent(share: float) -> str:
    return ("+" if share > 0 else "") + percent(share)


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


def _scaled(estimate: Estimate, scale: float) -> Estimate:
    return Estimate(estimate.value * scale, estimate.variance * scale * scale, estimate.n)


def _change(absolute: Interval, sign: int) -> Change:
    if absolute.low > 0:
        return "better" if sign > 0 else "worse"
    if absolute.high < 0:
        return "worse" if sign > 0 else "better"
    return "unclear"


def _figure(value: float, unit: str) -> str:
    if math.isnan(value):
        return "unknown"
    return f"{100 * value:.2f}%" if unit == "share" else f"{value:,.2f}"
