"""An effect per session as money a year: many draws of what may be true, and their range."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.profit.payoff.ranges import Range

if TYPE_CHECKING:
    from numpy.typing import NDArray

DRAWS = 20_000
MONTHS = 12


@dataclass(frozen=True, slots=True)
class Effect:
    """How many more of something per session, with its standard error, and what one is worth."""

    estimate: float
    standard_error: float
    value: Range

    @classmethod
    def from_interval(cls, interval: dict[str, Any], value: Range) -> Effect:
        """From an interval of the normal kind: low, estimate, high, confidence."""
        quantile = NormalDist().inv_cdf(0.5 + interval["confidence"] / 2)
        error = (interval["high"] - interval["low"]) / (2 * quantile)
        return cls(interval["estimate"], error, value)


@dataclass(frozen=True, slots=True)
class Gain:
    """Money a year: in 5 % of the draws it is below `low` (P5), in half below `likely` (P50).

    `expected_loss` is what shipping costs over all draws where it is below 0, and
    `expected_forgone` what not shipping gives up over those where it is above: the mean of
    max(0, -gain) and of max(0, gain). Their difference is the mean gain.
    """

    low: float
    likely: float
    high: float
    chance_of_loss: float
    expected_loss: float
    expected_forgone: float


def gain_per_year(
    effects: Sequence[Effect],
    sessions_per_month: float,
    fixed_cost: float,
    *,
    seed: int = 0,
    draws: int = DRAWS,
) -> Gain:
    """What the effects bring in a year, less `fixed_cost`, over their uncertainty and the ranges.

    All effects are drawn together, as if they rose and fell together, which is the wider range.
    """
    rng = np.random.default_rng(seed)
    luck = rng.standard_normal(draws)
    gain: NDArray[np.float64] = np.full(draws, -float(fixed_cost))
    for effect in effects:
        more = effect.estimate + effect.standard_error * luck
        gain += MONTHS * sessions_per_month * more * effect.value.sample(rng, draws)
    low, likely, high = (float(q) for q in np.quantile(gain, (0.05, 0.5, 0.95)))
    return Gain(
        low,
        likely,
        high,
        float((gain < 0).mean()),
        float(np.maximum(-gain, 0).mean()),
        float(np.maximum(gain, 0).mean()),
    )


def more_visitors(gain: Gain, visitors: int) -> int | None:
    """About how many more visitors bring the low end above 0, if the likely gain stays.

    The range narrows with the root of the visitors; None where a hundred times as many would not
    do. What narrows nothing, the guess of what an order is worth, is ignored here.
    """
    half = gain.likely - gain.low
    if gain.likely <= 0 or half > 10 * gain.likely:
        return None
    return max(1, math.ceil(visitors * ((half / gain.likely) ** 2 - 1)))
