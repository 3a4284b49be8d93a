"""What do the numbers rest on, and when is a range narrower than it says? In sentences.

Where simulations found a range too narrow, the result says so; the figures are those of
`benchmarks/profit_coverage.py --hard`.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from thinslice.profit.money import say
from thinslice.profit.payoff.priced import Pricing
from thinslice.profit.plan.plan import Plan
from thinslice.profit.predictions.policy import Policy
from thinslice.profit.uncertainty import Sums

WEAK_SCORE = 0.6
"""Area under the ROC curve (0.5 is a coin), below which a tuned threshold jumps about."""

FEW_CARRY = 15
"""Degrees of freedom of the variance of the money, below which few rows make most of it."""


NOTHING_COSTS = (
    "No amount of the payoff is below 0, so nothing can go wrong: probably a sign is missing; what "
    "a decision costs is negative, such as fp=-10."
)
TIED = (
    "More rows share the highest {} than the capacity allows, so nothing is acted on; break ties "
    "in the {}."
)
LIKE_THESE = (
    "Ranges are 90% ranges for rows like these: they know the luck of the sample and the guesses "
    "that were stated, and not that customers, prices or the model change."
)


def assumptions(plan: Plan, priced: Pricing, *, clustered: bool) -> list[str]:
    """What every number of an evaluation takes for granted."""
    said = [priced.rests_on, LIKE_THESE]
    if plan.per_year == 1:
        said.append("It takes these rows as one year's; say per_year in the plan if not.")
    else:
        said.append(f"It assumes {say(plan.per_year)} such sets of rows a year.")
    if plan.discount:
        said.append(f"A year's money is worth {plan.discount:.0%} less a year from now.")
    if not clustered:
        said.append("It assumes that rows do not depend on each other; else give a cluster.")
    if not priced.uncertain:
        said.append("It takes every payoff as known exactly; give a Range where it is a guess.")
    if len(priced.uncertain) > 1:
        said.append("It assumes that the guessed payoffs do not depend on each other.")
    if plan.problem:
        said.append(plan.problem)
    return said


def warnings(y: NDArray[np.int64], priced: Pricing, policy: Policy, sums: Sums) -> list[str]:
    """Where the range cannot be taken as it stands; empty where it can."""
    said = []
    score, threshold = policy.score, policy.threshold
    if score is not None and threshold is not None and not policy.tuned and score.max() < threshold:
        said.append(_out_of_reach(threshold, float(score.max())))
    if policy.tied:
        said.append(TIED.format("expected payoff", "probabilities"))
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
            "data a 90% range held the truth in 87 of 100 cases and lay below it in 11: the high "
            "end is too low. Look at the dearest ones one by one."
        )
    return said


def _out_of_reach(threshold: float, highest: float) -> str:
    if np.isinf(threshold):
        return TIED.format("score", "scores")
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
