"""Ranges for averages over predictions that come in sessions.

The predictions of one session resemble each other, so that the session is the unit: an average
over predictions is a ratio of two sums over sessions, and its variance is that of a ratio (the
delta method; Deng et al., KDD 2018).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thinslice.domain import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

CONFIDENCE = 0.95


def ratio_interval(
    sums: NDArray[np.float64], counts: NDArray[np.float64], *, low: float = 0.0, high: float = 1.0
) -> Interval:
    """The range of sum(sums) / sum(counts), both by session, kept within [low, high].

    Where no session differs from another the data show no spread at all; then the rule of three
    stands in, 3 / sessions to either side, since unseen sessions may differ.
    """
    used = counts > 0
    sums, counts = sums[used], counts[used]
    n, total = len(counts), counts.sum()
    if n == 0:
        return Interval(low, 0.0, high, CONFIDENCE)
    estimate = float(sums.sum() / total)
    if n == 1:
        return Interval(low, estimate, high, CONFIDENCE)
    residuals = sums - estimate * counts
    error = float(np.sqrt(n / (n - 1) * np.square(residuals).sum()) / total)
    half = 3.0 / n if error <= 1e-12 else error * t_quantile(n - 1)
    return Interval(max(low, estimate - half), estimate, min(high, estimate + half), CONFIDENCE)


def relative_interval(ours: NDArray[np.float64], theirs: NDArray[np.float64]) -> Interval | None:
    """How much more one sum is than another, as a share of it: sum(ours) / sum(theirs) - 1.

    Both by session, paired; the delta method for a ratio. None where there is nothing to be
    compared with: fewer than two sessions, or a sum of nothing.
    """
    n, total = len(theirs), float(theirs.sum())
    if n < 2 or total <= 0:
        return None
    ratio = float(ours.sum()) / total
    residuals = ours - ratio * theirs
    error = float(np.sqrt(n / (n - 1) * np.square(residuals).sum())) / total
    half = error * t_quantile(n - 1)
    return Interval(max(-1.0, ratio - 1 - half), ratio - 1, ratio - 1 + half, CONFIDENCE)


def jackknife_interval(estimate: float, without: NDArray[np.float64]) -> Interval:
    """The range of a share that is no average, from its value without each session in turn.

    Groups of sessions of equal size may stand for sessions: a range with as many degrees of
    freedom as there are groups, less one.
    """
    n = len(without)
    if n < 2:
        return Interval(0.0, estimate, 1.0, CONFIDENCE)
    variance = (n - 1) / n * np.square(without - without.mean()).sum()
    half = float(np.sqrt(variance)) * t_quantile(n - 1)
    return Interval(max(0.0, estimate - half), estimate, min(1.0, estimate + half), CONFIDENCE)


def t_quantile(degrees: int) -> float:
    """The two-sided quantile of Student's t for `CONFIDENCE`."""
    from scipy.special import stdtrit

    return float(stdtrit(degrees, 0.5 + CONFIDENCE / 2))
