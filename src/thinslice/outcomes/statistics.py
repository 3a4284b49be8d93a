"""Sums that add up over days and machines, and the intervals and tests made from them.

The visitor is the unit of randomisation, so every variance here is between visitors; a figure
per session is a ratio of two sums over visitors (delta method).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement
from typing import Literal

from scipy.special import chdtrc, ndtr, ndtri

from thinslice.domain import Interval
from thinslice.errors import InputError

Number = int | float
Better = Literal["higher", "lower"]

SRM_ALPHA = 0.001
"""Below this p-value the split of visitors is broken and no effect may be read."""


@dataclass(frozen=True)
class Moments:
    """Count, sums and cross products of some columns over visitors; `day1 + day2 == both`.

    `products[(a, b)]`, a <= b by position in `names`, is the sum of a·b over visitors. Integers
    stay Python integers, so days add up to the last cent in any order and nothing cancels.
    """

    names: tuple[str, ...]
    n: int
    sums: tuple[Number, ...]
    products: tuple[Number, ...]

    @classmethod
    def zero(cls, names: Sequence[str]) -> Moments:
        k = len(names)
        return cls(tuple(names), 0, (0,) * k, (0,) * (k * (k + 1) // 2))

    @classmethod
    def of(cls, columns: Mapping[str, Sequence[Number]]) -> Moments:
        """The moments of a table given as columns of equal length, one row per visitor.

        >>> Moments.of({"orders": [0, 1], "sessions": [1, 3]})
        Moments(names=('orders', 'sessions'), n=2, sums=(1, 4), products=(1, 3, 10))
        """
        names = tuple(columns)
        lengths = {len(values) for values in columns.values()}
        if len(lengths) != 1:
            raise InputError(
                f"columns must be of one length, got {sorted(lengths)}; a visitor is one row of all"
            )
        return cls(
            names,
            lengths.pop(),
            tuple(sum(columns[name]) for name in names),
            tuple(
                sum(x * y for x, y in zip(columns[a], columns[b], strict=True))
                for a, b in pairs(names)
            ),
        )

    def __add__(self, other: Moments) -> Moments:
        if self.names != other.names:
            raise InputError(
                f"only moments of the same columns add up, got {self.names} and {other.names}"
            )
        return Moments(
            self.names,
            self.n + other.n,
            tuple(x + y for x, y in zip(self.sums, other.sums, strict=True)),
            tuple(x + y for x, y in zip(self.products, other.products, strict=True)),
        )

    def total(self, name: str) -> Number:
        return self.sums[self._position(name)]

    def mean(self, name: str) -> float:
        """Sum per visitor; nan without visitors."""
        return self.total(name) / self.n if self.n else math.nan

    def covariance(self, a: str, b: str) -> float:
        """Sample covariance over visitors, divisor n - 1; nan below two visitors."""
        if self.n < 2:
            return math.nan
        i, j = sorted((self._position(a), self._position(b)))
        k = len(self.names)
        product = self.products[i * k - i * (i - 1) // 2 + j - i]
        return (self.n * product - self.sums[i] * self.sums[j]) / (self.n * (self.n - 1))

    def _position(self, name: str) -> int:
        try:
            return self.names.index(name)
        except ValueError:
            raise InputError(f"no column {name!r} in these moments, only {self.names}") from None


def pairs(names: Sequence[str]) -> list[tuple[str, str]]:
    """The pairs of columns whose products are summed, in the order of `Moments.products`."""
    return list(combinations_with_replacement(names, 2))


@dataclass(frozen=True, slots=True)
class Estimate:
    """A figure with its sampling variance; nan where the data cannot give it."""

    value: float
    variance: float
    n: int


def ratio(moments: Moments, numerator: str, denominator: str | None = None) -> Estimate:
    """Sum of one column over the sum of another; per visitor when `denominator` is None.

    Delta method: Var(N/D) = (s_NN - 2 R s_ND + R² s_DD) / (n · mean(D)²). nan when the
    denominator sums to 0; the variance is nan below two visitors.
    """
    if denominator is None:
        n = moments.n
        variance = moments.covariance(numerator, numerator) / n if n else math.nan
        return Estimate(moments.mean(numerator), variance, n)
    bottom = moments.total(denominator)
    if not bottom:
        return Estimate(math.nan, math.nan, moments.n)
    value = moments.total(numerator) / bottom
    spread = (
        moments.covariance(numerator, numerator)
        - 2 * value * moments.covariance(numerator, denominator)
        + value * value * moments.covariance(denominator, denominator)
    )
    variance = max(spread, 0.0) / (moments.n * moments.mean(denominator) ** 2)
    return Estimate(value, math.nan if math.isnan(spread) else variance, moments.n)


def difference(treatment: Estimate, control: Estimate, confidence: float = 0.95) -> Interval:
    """Treatment minus control with its normal interval; nan throughout when either is unknown."""
    estimate = treatment.value - control.value
    width = _quantile(confidence) * _root(treatment.variance + control.variance)
    return Interval(estimate - width, estimate, estimate + width, confidence)


def relative_lift(treatment: Estimate, control: Estimate, confidence: float = 0.95) -> Interval:
    """Treatment over control minus 1, with Fieller's interval (Fieller 1954).

    The interval holds every lift L for which mean_T - (1 + L)·mean_C cannot be told from 0. When
    the control's own interval holds 0, no lift can be ruled out and it is (-inf, inf); a control
    of exactly 0 has no lift at all, so its estimate is nan.
    """
    t, c = treatment.value, control.value
    if math.isnan(t) or math.isnan(c) or c == 0:
        return Interval(-math.inf, math.nan, math.inf, confidence)
    lift = t / c - 1
    z2 = _quantile(confidence) ** 2
    a = c * c - z2 * control.variance
    if not a > 0:
        return Interval(-math.inf, lift, math.inf, confidence)
    b = t * c
    root = _root(b * b - a * (t * t - z2 * treatment.variance))
    low, high = sorted(((b - root) / a - 1, (b + root) / a - 1))
    return Interval(low, lift, high, confidence)


@dataclass(frozen=True, slots=True)
class NonInferiority:
    """Whether worse by more than allowed is ruled out (`proven`) or shown (`violated`)."""

    z: float
    p_value: float
    proven: bool
    violated: bool


def non_inferiority(
    treatment: Estimate,
    control: Estimate,
    max_worse: float,
    *,
    better: Better = "higher",
    alpha: float = 0.05,
) -> NonInferiority:
    """Is the treatment at most `max_worse` (a share, 0.02 = 2 %) worse than the control?

    The linear contrast z = (mT - (1-d) mC) / sqrt(vT/nT + (1-d)² vC/nC), which keeps its level
    where treating the margin as known or the delta method on the lift loses power. For a figure
    that should be low, (1+d) mC - mT. Neither proven nor violated without any variance.
    """
    if not 0 <= max_worse < 1:
        raise InputError(
            f"max_worse is a share from 0 up to 1, got {max_worse}; 0.02 allows 2 % worse"
        )
    sign = 1 if better == "higher" else -1
    factor = 1 - sign * max_worse
    scale = _root(treatment.variance + factor * factor * control.variance)
    if not scale > 0:
        return NonInferiority(math.nan, math.nan, False, False)
    z = sign * (treatment.value - factor * control.value) / scale
    critical = float(ndtri(1 - alpha))
    return NonInferiority(z, float(ndtr(-z)), z > critical, z < -critical)


def more_units(z: float, wanted: float, n: int, power: float = 0.8) -> int | None:
    """About how many more units a test needs when the effect stays what it looks like now.

    z grows with the root of n; `wanted` is the critical value, to be reached with `power`. None
    when it would take more than a hundred times as many, which is to say: do not wait for it.
    """
    target = wanted + float(ndtri(power))
    if math.isnan(z) or abs(z) * 10 < target:
        return None
    return max(0, math.ceil(n * ((target / abs(z)) ** 2 - 1)))


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Whether visitors were split as intended; `ok` is False when that is all but impossible."""

    p_value: float
    expected: tuple[float, ...]
    observed: tuple[int, ...]
    ok: bool


def sample_ratio(observed: Sequence[int], weights: Sequence[float]) -> SampleRatio:
    """Pearson's chi-square of the visitors per variant against the intended weights.

    Weights need not sum to 1. A variant of weight 0 that has visitors is a broken split. Without
    visitors the split is not yet wrong.
    """
    n, total = sum(observed), sum(weights)
    expected = tuple(n * weight / total for weight in weights)
    if n == 0:
        return SampleRatio(1.0, expected, tuple(observed), True)
    if any(o and not e for o, e in zip(observed, expected, strict=True)):
        return SampleRatio(0.0, expected, tuple(observed), False)
    used = [(o, e) for o, e in zip(observed, expected, strict=True) if e]
    chi2 = sum((o - e) ** 2 / e for o, e in used)
    p_value = float(chdtrc(len(used) - 1, chi2)) if len(used) > 1 else 1.0
    return SampleRatio(p_value, expected, tuple(observed), p_value >= SRM_ALPHA)


def _quantile(confidence: float) -> float:
    """The two-sided normal quantile: 1.96 for 0.95."""
    return float(ndtri(0.5 + confidence / 2))


def _root(x: float) -> float:
    return math.sqrt(x) if x > 0 else 0.0 if x <= 0 else math.nan
