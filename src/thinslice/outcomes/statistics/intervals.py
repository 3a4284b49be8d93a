"""The ranges and the tests of a treatment against a control.

Each takes two estimates. `tuned_for` makes it hold at any number of looks (`sequential.py`);
without it the data may be looked at once.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from scipy.special import ndtri

from thinslice.domain import Interval
from thinslice.outcomes.statistics.metric import Better, check_max_worse
from thinslice.outcomes.statistics.moments import Estimate
from thinslice.outcomes.statistics.sequential import critical


def difference(
    treatment: Estimate,
    control: Estimate,
    confidence: float = 0.95,
    tuned_for: float | None = None,
    *,
    sides: int = 2,
) -> Interval:
    """Treatment minus control with its normal interval; nan throughout when either is unknown.

    With `sides=1` each end is that of a one-sided test: passed with a chance of (1 - confidence)/2.
    """
    estimate = treatment.value - control.value
    z = _reach(confidence, treatment.n + control.n, tuned_for, sides)
    spread = root(treatment.variance + control.variance)
    width = z * spread if spread else 0.0
    return Interval(estimate - width, estimate, estimate + width, confidence)


def relative_lift(
    treatment: Estimate,
    control: Estimate,
    confidence: float = 0.95,
    tuned_for: float | None = None,
    *,
    sides: int = 2,
) -> Interval:
    """Treatment over control minus 1, with Fieller's interval (Fieller 1954); `sides` as above.

    Of a control below 0 it is the share of the control's size, so that more is still more.

    The interval holds every lift L for which mean_T - (1 + L)·mean_C cannot be told from 0. When
    the control's own interval holds 0, no lift can be ruled out and it is (-inf, inf); a control
    of exactly 0 has no lift at all, so its estimate is nan.
    """
    t, c = treatment.value, control.value
    if math.isnan(t) or math.isnan(c) or c == 0:
        return Interval(-math.inf, math.nan, math.inf, confidence)
    lift = t / c - 1
    z2 = _reach(confidence, treatment.n + control.n, tuned_for, sides) ** 2
    a = c * c - z2 * (control.variance + control.shared)
    if not a > 0:
        return Interval(-math.inf, lift if c > 0 else -lift, math.inf, confidence)
    b = t * c - z2 * control.shared
    spread = root(b * b - a * (t * t - z2 * (treatment.variance + treatment.shared)))
    low, high = sorted(((b - spread) / a - 1, (b + spread) / a - 1))
    if c < 0:
        low, lift, high = -high, -lift, -low
    return Interval(low, lift, high, confidence)


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """Whether worse by more than allowed is ruled out (`proven`) or shown (`violated`).

    `z` is the distance from what is allowed in standard errors, `critical` how many it takes.
    """

    z: float
    critical: float
    proven: bool
    violated: bool


def non_inferiority(
    treatment: Estimate,
    control: Estimate,
    max_worse: float,
    *,
    better: Better = "higher",
    alpha: float = 0.05,
    tuned_for: float | None = None,
) -> NonInferiority:
    """Is the treatment at most `max_worse` (a share, 0.02 = 2 %) worse than the control?

    The linear contrast z = (mT - (1-d) mC) / sqrt(vT/nT + (1-d)² vC/nC), which keeps its level
    where treating the margin as known or the delta method on the lift loses power. For a figure
    that should be low, (1+d) mC - mT; of a control below 0, d is a share of its size. Neither
    proven nor violated without any variance.
    """
    check_max_worse(max_worse)
    sign = 1 if better == "higher" else -1
    factor = 1 - sign * math.copysign(max_worse, control.value)
    needed = critical(alpha, treatment.n + control.n, tuned_for, sides=1)
    shared = (1 - factor) ** 2 * control.shared
    scale = root(treatment.variance + factor * factor * control.variance + shared)
    if not scale > 0:
        return NonInferiority(math.nan, needed, False, False)
    z = sign * (treatment.value - factor * control.value) / scale
    return NonInferiority(z, needed, z > needed, z < -needed)


def more_units(z: float, wanted: float, n: int, power: float = 0.8) -> int | None:
    """About how many more units a test needs when the effect stays what it looks like now.

    z grows with the root of n; `wanted` is the critical value, to be reached with `power`. None
    when it would take more than a hundred times as many, which is to say: do not wait for it.
    """
    target = wanted + float(ndtri(power))
    if not abs(z) * 10 >= target:
        return None
    return max(0, math.ceil(n * ((target / abs(z)) ** 2 - 1)))


def _reach(confidence: float, n: float, tuned_for: float | None, sides: int) -> float:
    """The standard errors to each end; for one look the same with one-sided ends as with others."""
    return critical((1 - confidence) * sides / 2, n, tuned_for, sides=sides)


def root(x: float) -> float:
    """The square root; 0 for what rounding made negative, nan for nan."""
    return math.sqrt(x) if x > 0 else 0.0 if x <= 0 else math.nan
