"""What was earned: by one policy, by one more than by another, by the best there could be."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError
from thinslice.profit.money import say
from thinslice.profit.payoff.cell import Cell
from thinslice.profit.predictions.curve import resample_best
from thinslice.profit.uncertainty import Spread, Sums

if TYPE_CHECKING:
    from thinslice.profit.predictions.evaluation import Evaluation


@dataclass(frozen=True)
class Profit:
    """What the predictions earned on these rows, in money, before the fixed cost.

    low, likely, high are what is passed in 95, 50 and 5 of 100 cases; `total` is the plain sum with
    every payoff at its mean, `per_prediction` that by the number of rows, `per_year` the range for
    a year, and `by_class` the part of the total that comes from the rows of each true class.
    """

    low: float
    likely: float
    high: float
    total: float
    per_prediction: float
    per_year: Spread
    by_class: dict[Any, float]
    currency: str

    def to_dict(self) -> dict[str, Any]:
        return {
            "low": self.low,
            "likely": self.likely,
            "high": self.high,
            "total": self.total,
            "per_prediction": self.per_prediction,
            "per_year": self.per_year._asdict(),
            "by_class": {str(label): amount for label, amount in self.by_class.items()},
            "currency": self.currency,
        }


@dataclass(frozen=True)
class Comparison:
    """This policy minus another on the same rows, in money, and the chance that it is more."""

    low: float
    likely: float
    high: float
    total: float
    p_better: float
    sentence: str

    @classmethod
    def of(cls, one: Evaluation, other: Evaluation) -> Comparison:
        """Paired row by row; `InputError` unless both judge the same rows by the same payoff."""
        if one.n != other.n or not _same(one.y, other.y):
            raise InputError("only evaluations of the same rows in the same order can be compared")
        if one.priced.payoff != other.priced.payoff:
            raise InputError("only evaluations with the same payoff can be compared")
        difference, tuned = one.features - other.features, None
        if one.tuned is not None or other.tuned is not None:
            mine = one.features if one.tuned is None else one.tuned
            tuned = mine - (other.features if other.tuned is None else other.tuned)
        means = one.priced.means()
        draws = Sums.of(difference, means, one.cluster, tuned).draws(one.guesses, seed=one.seed)
        spread = draws.spread()
        total = float((difference @ np.array([1.0, *means])).sum())
        sentence = _compared(spread, one.plan.currency)
        return cls(*spread, total, draws.chance_above(0.0), sentence)

    def to_dict(self) -> dict[str, Any]:
        return dict(self.__dict__)


@dataclass(frozen=True)
class ExpectedMaximum:
    """The highest point of the curve, low, likely, high and mean; `assumes` says what for."""

    low: float
    likely: float
    high: float
    mean: float
    assumes: str

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def expected_maximum(
    score: NDArray[np.float64],
    act: NDArray[np.float64],
    none: NDArray[np.float64],
    cells: Sequence[Cell],
    replicates: int,
    seed: int,
    resample: bool,
) -> ExpectedMaximum:
    """From the features (n, 1 + U) of acting and of doing nothing (see `Priced.features`)."""
    rng = np.random.default_rng(seed)
    drawn = [cell.sample(rng, replicates) for cell in cells]
    found = resample_best(
        score,
        act,
        none,
        np.stack([np.ones(replicates), *drawn], axis=1),
        replicates=replicates,
        seed=seed,
        resample=resample,
    )
    low, likely, high = np.quantile(found, (0.05, 0.5, 0.95)).tolist()
    anew = [*(["sample of rows"] if resample else []), *(["set of payoffs"] if drawn else [])]
    assumes = (
        f"that the threshold may be chosen anew for every {' and '.join(anew) or 'case'}, with "
        "the outcomes known; a threshold fixed today earns less"
    )
    return ExpectedMaximum(low, likely, high, float(found.mean()), assumes)


def _compared(spread: Spread, currency: str) -> str:
    if spread.low == spread.high == 0:
        return "It earns the same on these rows."
    if spread.low > 0:
        return f"It earns at least {currency} {say(spread.low)} more on these rows."
    if spread.high < 0:
        return f"It earns at least {currency} {say(-spread.high)} less on these rows."
    return (
        f"Not proven: between {currency} {say(-spread.low)} less and {currency} "
        f"{say(spread.high)} more on these rows."
    )


def _same(one: Any, other: Any) -> bool:
    return bool(np.array_equal(one, other) if isinstance(one, np.ndarray) else one == other)
