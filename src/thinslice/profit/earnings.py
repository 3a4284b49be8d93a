"""What was earned: by one policy, by one more than by another, by the best there could be."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from thinslice.profit.money import say
from thinslice.profit.uncertainty import Spread


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


def compared(spread: Spread, currency: str) -> str:
    if spread.low > 0:
        return f"It earns at least {currency} {say(spread.low)} more on these rows."
    if spread.high < 0:
        return f"It earns at least {currency} {say(-spread.high)} less on these rows."
    return (
        f"Not proven: between {currency} {say(-spread.low)} less and {currency} "
        f"{say(spread.high)} more on these rows."
    )
