"""Sums that add up over days and machines, and the figures made from them.

The visitor is the unit of randomisation, so every variance here is between visitors; a figure
per session is a ratio of two sums over visitors (delta method).
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations_with_replacement

from thinslice.errors import InputError

Number = int | float

ROUNDING = 1e-12
"""A spread of this share of a column's mean square is what rounding makes of a constant."""


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

    @classmethod
    def from_summary(cls, name: str, n: int, mean: float, variance: float) -> Moments:
        """The moments of one column of which only count, mean and sample variance are known.

        Raises `InputError` for a variance or a count that cannot be one.

        >>> Moments.from_summary("spend", 4, 2.0, 3.0).covariance("spend", "spend")
        3.0
        """
        whole = n >= 0 and n % 1 == 0
        if not (whole and variance >= 0 and math.isfinite(mean) and math.isfinite(variance)):
            raise InputError(
                "a summary has a whole count and a variance of at least 0 and a finite mean, got "
                f"n={n}, mean={mean}, variance={variance} for {name!r}"
            )
        squares = max(n - 1, 0) * variance + n * mean * mean
        return cls((name,), int(n), (n * mean,), (squares,))

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

    def product(self, a: str, b: str) -> Number:
        """The sum of a·b over visitors."""
        i, j = sorted((self._position(a), self._position(b)))
        return self.products[i * len(self.names) - i * (i - 1) // 2 + j - i]

    def covariance(self, a: str, b: str) -> float:
        """Sample covariance over visitors, divisor n - 1; nan below two visitors."""
        if self.n < 2:
            return math.nan
        raw = self.n * self.product(a, b)
        centred = raw - self.total(a) * self.total(b)
        if isinstance(centred, float) and abs(centred) <= ROUNDING * abs(raw):
            return 0.0
        return centred / (self.n * (self.n - 1))

    def covariance_of(self, a: Mapping[str, float], b: Mapping[str, float]) -> float:
        """The covariance of two weighted sums of columns, given as weights by name."""
        return math.fsum(x * y * self.covariance(i, j) for i, x in a.items() for j, y in b.items())

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
    """A figure with its sampling variance; nan where the data cannot give it.

    `shared` is the part of the variance that it has in common with the figure it is compared with,
    which cancels in their difference.
    """

    value: float
    variance: float
    n: int
    shared: float = 0.0


def ratio(moments: Moments, numerator: str, denominator: str | None = None) -> Estimate:
    """Sum of one column over the sum of another; per visitor when `denominator` is None.

    Delta method: Var(N/D) = (s_NN - 2 R s_ND + R² s_DD) / (n · mean(D)²). nan when the
    denominator sums to 0; the variance is nan below two visitors.
    """
    value, weights = linear(moments, numerator, denominator)
    if moments.n < 2 or math.isnan(value):
        return Estimate(value, math.nan, moments.n)
    variance = max(moments.covariance_of(weights, weights), 0.0) / moments.n
    return Estimate(value, variance, moments.n)


def linear(
    moments: Moments, numerator: str, denominator: str | None = None
) -> tuple[float, dict[str, float]]:
    """A figure and the weights of the columns in each visitor's influence on it.

    The influence on N/D is (N_i - R·D_i) / mean(D), that on a mean is N_i. nan and no weights when
    the denominator sums to 0.
    """
    if denominator is None:
        return moments.mean(numerator), {numerator: 1.0}
    bottom = moments.total(denominator)
    if not bottom:
        return math.nan, {}
    value, scale = moments.total(numerator) / bottom, moments.n / bottom
    return value, {numerator: scale, denominator: -value * scale}
