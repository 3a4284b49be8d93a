"""When is a range narrower than it says? Where simulations found it so, the result says it too.

The figures are those of `benchmarks/profit_coverage.py --hard`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from thinslice.profit.payoff.priced import Pricing
from thinslice.profit.predictions.policy import Policy
from thinslice.profit.uncertainty import Sums

WEAK_SCORE = 0.6
"""Area under the ROC curve (0.5 is a coin), below which a tuned threshold jumps about."""

FEW_CARRY = 15
"""Degrees of freedom of the variance of the money, below which few rows make most of it."""


def doubts(y: NDArray[np.int64], priced: Pricing, policy: Policy, sums: Sums) -> list[str]:
    """In sentences; empty when the range can be taken as it stands."""
    said = []
    score, threshold = policy.score, policy.threshold
    if score is not None and threshold is not None and not policy.tuned and score.max() < threshold:
        said.append(_out_of_reach(threshold, float(score.max())))
    if score is not None and policy.tuned and priced.actual:
        area = auc(y, score)
        if area < WEAK_SCORE:
            said.append(
                f"The score ranks little better than chance (AUC {area:.2f}, a coin has 0.5), so "
                "the best threshold is mostly luck. In simulations of such scores a 90% range "
                "held the truth in 86 of 100 cases: read its ends as too narrow, or state a "
                "threshold in the plan."
            )
    if sums.freedom is not None and sums.freedom < FEW_CARRY:
        said.append(
            "A few rows or customers carry most of the money and the luck. In simulations of such "
            "data a 90% range held the truth in 87 of 100 cases: read its ends as too narrow, "
            "and look at the dearest ones one by one."
        )
    return said


def _out_of_reach(threshold: float, highest: float) -> str:
    if np.isinf(threshold):
        return (
            "More rows share the highest score than the capacity allows, so nothing is acted on; "
            "break ties in the scores."
        )
    return (
        f"No score reaches the threshold {threshold:g} (the highest is {highest:.4g}), so nothing "
        "is acted on; is the threshold on the scale of the scores?"
    )


def auc(y: NDArray[np.int64], score: NDArray[np.float64]) -> float:
    """The chance that a positive row has a higher score than a negative one, ties counting half."""
    _, group, count = np.unique(score, return_inverse=True, return_counts=True)
    rank = (np.cumsum(count) - (count - 1) / 2)[group]
    positive = int((y == 1).sum())
    above = float(rank[y == 1].sum()) - positive * (positive + 1) / 2
    return above / (positive * (len(y) - positive))
