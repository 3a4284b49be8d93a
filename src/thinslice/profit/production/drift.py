"""Is the signal still what it was? The population stability index, luck taken out."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 10
DRIFT = 0.25
"""Siddiqi 2006, Credit Risk Scorecards: above it the population has changed."""
FEWEST = 50
CHANCE = 0.001


def stability(reference: NDArray[Any], now: NDArray[Any]) -> tuple[float, bool] | None:
    """The index over ten groups of equal size of the reference, and whether it is drift.

    The sum over groups of (p - q) ln(p / q). Drift is an index above 0.25 that luck alone exceeds
    in fewer than 1 of 1,000 cases: without a change it is about chi-squared with one degree of
    freedom less than groups, times 1/n + 1/m (Yurdakul and Naranjo 2020). None where there are
    fewer than 50 rows on a side.
    """
    if min(len(reference), len(now)) < FEWEST:
        return None
    from scipy.special import chdtri

    a, b = _shares(reference, now)
    index = float(((a - b) * np.log(a / b)).sum())
    luck = float(chdtri(max(len(a) - 1, 1), CHANCE)) * (1 / len(reference) + 1 / len(now))
    return index, index > max(DRIFT, luck)


def _shares(reference: NDArray[Any], now: NDArray[Any]) -> NDArray[np.float64]:
    """The share of each side in each group, shape (2, groups).

    Half a row is added to each group, so that one that is empty on one side stays finite.
    """
    few = np.unique(reference)
    if len(few) > BINS:
        few = np.unique(np.quantile(reference, np.linspace(0, 1, BINS + 1)[1:-1]))
        groups = [np.searchsorted(few, side, "left") for side in (reference, now)]
    else:  # each value is a group, and so is what lies between and outside
        groups = [
            np.searchsorted(few, side, "left") + np.searchsorted(few, side, "right")
            for side in (reference, now)
        ]
    rows = np.stack([np.bincount(group, minlength=2 * len(few) + 1) for group in groups])
    filled = rows[:, rows.any(axis=0)] + 0.5
    return np.asarray(filled / filled.sum(axis=1, keepdims=True))
