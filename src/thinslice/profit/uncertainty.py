"""How sure is an amount? Luck of the sample and guesses of the payoff, together."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thinslice.profit.payoff.cell import Cell

DRAWS = 20_000
Z = 1.6448536269514722
"""The 95 % quantile of the normal distribution."""

MOST_SKEW = 0.1
"""Beyond it the correction would no longer rise with the luck."""


class Spread(NamedTuple):
    """What is passed in 95 of 100 cases (P5), in half of them (P50) and in 5 (P95)."""

    low: float
    likely: float
    high: float

    def times(self, factor: float, less: float = 0.0) -> Spread:
        return Spread(*(value * factor - less for value in self))


@dataclass(frozen=True, eq=False)
class Draws:
    """Many totals that may be true, sorted by nothing; `of_luck` has the payoffs at their mean."""

    totals: NDArray[np.float64]
    of_luck: NDArray[np.float64]

    def spread(self) -> Spread:
        return _spread(self.totals)

    def spread_of_luck(self) -> Spread:
        """The range from the sample alone, as if the payoffs were known."""
        return _spread(self.of_luck)

    def chance_above(self, amount: float) -> float:
        """The share of draws above `amount`; equal ones count half."""
        above, equal = (self.totals > amount).mean(), (self.totals == amount).mean()
        return float(above + equal / 2)


@dataclass(frozen=True, eq=False)
class Sums:
    """The total of some rows' money as a sum of parts, with how far it may be off by luck.

    `total` (1 + U,) adds the features of `Priced.features`, `spread` (1 + U, 1 + U) is the
    covariance of that total over samples of rows (or of clusters of rows), `skew` its skewness, and
    `freedom` the degrees of freedom that this variance has (None: one less than the units).
    """

    total: NDArray[np.float64]
    spread: NDArray[np.float64]
    skew: float
    units: int
    freedom: int | None = None

    @classmethod
    def of(
        cls,
        features: NDArray[np.float64],
        means: list[float],
        cluster: NDArray[np.int64] | None,
        tuned: NDArray[np.float64] | None = None,
    ) -> Sums:
        """From features (n, 1 + U); `cluster` (n,) says which rows rise and fall together.

        The total is n times the money per row, so its variance is that of the ratio of the sums
        over clusters to their sizes, linearised (Cochran 1977, 6.3); without clusters it is n
        times the variance of a row.

        A cross-fitted total varies more than its rows do, as the threshold is luck too. With
        `tuned`, the features (n, 1 + U) of the one threshold tuned on all rows, its variance is
        theirs plus that of the difference; benchmarks/profit_coverage.py shows that this holds.
        """
        if tuned is not None:
            settled = cls.of(tuned, means, cluster)
            moved = cls.of(features - tuned, means, cluster)
            found = cls.of(features, means, cluster)
            return replace(found, spread=settled.spread + moved.spread)
        total = features.sum(axis=0)
        if cluster is None:
            off = features - total / len(features)
        else:
            size = np.bincount(cluster).astype(np.float64)
            sums = np.stack([np.bincount(cluster, weights=part) for part in features.T], axis=1)
            off = sums - size[:, None] * (total / len(features))
        units = len(off)
        correction = units / (units - 1) if units > 1 else 1.0
        single = off @ np.array([1.0, *means])
        squares = single * single
        deviation = float(np.sqrt(squares.mean()))
        skew = float((squares * single).mean()) / deviation**3 if deviation else 0.0
        spread = off.T @ off * correction
        return cls(total, spread, skew / math.sqrt(units), units, _freedom(squares))

    def draws(self, cells: list[Cell], *, seed: int = 0, draws: int = DRAWS) -> Draws:
        """Totals over what the sample and the payoffs may be.

        The luck of the sample follows Student's t with the degrees of freedom of its variance,
        which a few rows of very unequal money leave small (Satterthwaite 1946), corrected for
        skewness (Hall 1992, Cornish and Fisher), evenly spread over its quantiles so that a
        known payoff gives the same range whatever the seed.
        """
        rng = np.random.default_rng(seed)
        freedom = self.units - 1 if self.freedom is None else self.freedom
        luck = _student(max(freedom, 1), draws)
        bend = np.clip(self.skew * (2 * Z**2 + 1) / (6 * Z**2), -MOST_SKEW, MOST_SKEW)
        luck = rng.permutation(luck + bend * np.minimum(luck**2, 9.0))
        ones = np.ones((draws, 1))
        means = np.array([[1.0, *(cell.mean for cell in cells)]])
        of_luck = self._totals(means, luck)
        if not cells:
            return Draws(of_luck, of_luck)
        amounts = np.hstack([ones, *(cell.sample(rng, draws)[:, None] for cell in cells)])
        return Draws(self._totals(amounts, luck), of_luck)

    def _totals(
        self, amounts: NDArray[np.float64], luck: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        variance = np.einsum("ij,jk,ik->i", amounts, self.spread, amounts)
        return np.asarray(amounts @ self.total + np.sqrt(np.maximum(variance, 0)) * luck)


def _freedom(squares: NDArray[np.float64]) -> int:
    """Of a variance that is the mean of `squares` (units,): twice its square by its own variance.

    Never more than one less than the units, and at least 4, for the range to have a width.
    """
    most = len(squares) - 1
    own = float(np.sum((squares - squares.mean()) ** 2))
    return most if not own else int(min(max(2 * float(squares.sum()) ** 2 / own, 4), most))


@lru_cache(maxsize=8)
def _student(freedom: int, draws: int) -> NDArray[np.float64]:
    """Student's t at evenly spread probabilities, rising."""
    from scipy.special import stdtrit

    found: NDArray[np.float64] = stdtrit(freedom, (np.arange(draws) + 0.5) / draws)
    return found


def _spread(totals: NDArray[np.float64]) -> Spread:
    low, likely, high = (float(q) for q in np.quantile(totals, (0.05, 0.5, 0.95)))
    return Spread(low, likely, high)
