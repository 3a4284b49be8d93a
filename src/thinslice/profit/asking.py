"""When is a person's look worth its price? Confidences in; bars, and what each bar costs, out.

To take an answer over unseen costs `wrong` where it is wrong; to have a person look costs `look`.
As a payoff of taking over: tp = 0, fp = -wrong, fn = tn = -look. So a look pays where

    (1 - confidence) * wrong > look,    that is below the bar 1 - look / wrong

and where people can look at no more than a share of the titles, they look where it saves most:
the price of a look is raised, for all classes alike, until no more than that share lies below.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError

POINTS = 41


@dataclass(frozen=True, slots=True)
class AskingTerms:
    """What decides the bar: a precision to keep, or money.

    With `wrong_cost` and `look_cost`, in one currency, the bar is money's; else `precision` is
    kept. `wrong_costs` gives some categories, or levels above them, a cost of their own.
    `looks_per_day` of `titles_per_day` is what people can look at. `unknown_share` is the share of
    titles to expect of kinds that were never learned; None leaves it to the catalogue. Raises
    InputError for a value that makes no sense.
    """

    precision: float = 0.99
    wrong_cost: float | None = None
    look_cost: float | None = None
    looks_per_day: float | None = None
    titles_per_day: float | None = None
    wrong_costs: Mapping[str, float] = field(default_factory=dict)
    currency: str = "EUR"
    unknown_share: float | None = None

    def __post_init__(self) -> None:
        if self.unknown_share is not None and not 0 <= self.unknown_share <= 0.5:
            raise InputError(
                f"unknown_share must be from 0 to 0.5, got {self.unknown_share}; 0.05 expects one "
                "title in twenty of a kind that was never learned"
            )
        if not 0.5 <= self.precision < 1:
            raise InputError(
                f"precision must be at least 0.5 and below 1, got {self.precision}; "
                "0.99 accepts one wrong category in a hundred"
            )
        amounts = {
            "wrong_cost": self.wrong_cost,
            "look_cost": self.look_cost,
            "looks_per_day": self.looks_per_day,
            "titles_per_day": self.titles_per_day,
            **{f"the cost of {name}": cost for name, cost in self.wrong_costs.items()},
        }
        for name, value in amounts.items():
            if value is not None and not 0 < value < float("inf"):
                raise InputError(f"{name} must be above 0, got {value}; leave it out if unknown")
        pairs = (("wrong_cost", "look_cost"), ("looks_per_day", "titles_per_day"))
        for one, other in pairs:
            if (getattr(self, one) is None) != (getattr(self, other) is None):
                raise InputError(f"{one} and {other} say something together only; give both")

    @property
    def in_money(self) -> bool:
        return self.wrong_cost is not None

    @property
    def capacity(self) -> float:
        """The share of titles that people can look at."""
        if self.looks_per_day is None or self.titles_per_day is None:
            return 1.0
        return min(1.0, self.looks_per_day / self.titles_per_day)

    def cost_of_wrong(self, category: str) -> float:
        """What a wrong category costs: the category's own, else that of the nearest level above."""
        parts = category.split(" > ")
        for depth in range(len(parts), 0, -1):
            own = self.wrong_costs.get(" > ".join(parts[:depth]))
            if own is not None:
                return own
        return self.wrong_cost or 1.0

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "wrong_costs": dict(self.wrong_costs)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> AskingTerms:
        """From plain values; whatever else is among them is of no concern here."""
        return cls(**{name: values[name] for name in cls.__slots__ if name in values})


def bars(
    terms: AskingTerms,
    categories: tuple[str, ...],
    confidence: NDArray[np.floating],
    answered: NDArray[np.integer],
) -> NDArray[np.float64]:
    """The bar of every category, shape (categories,), as money has it.

    `confidence` (n,) and `answered` (n,), places in `categories`, are what a sample of titles got;
    from them comes what may lie below the bars where people cannot look at everything.
    """
    if terms.look_cost is None:
        raise InputError("bars in money need wrong_cost and look_cost; give both, or a precision")
    wrong = np.array([terms.cost_of_wrong(name) for name in categories])
    price = terms.look_cost
    at_stake = np.sort((1 - confidence) * wrong[answered])[::-1]
    most = int(terms.capacity * len(at_stake))
    if most < len(at_stake):
        price = max(price, float(at_stake[most]))
    return np.clip(1 - price / wrong, 0.0, 1.0)


def trade_off(
    confidence: NDArray[np.floating],
    hit: NDArray[np.bool_],
    terms: AskingTerms,
    *,
    points: int = POINTS,
) -> list[dict[str, Any]]:
    """What each bar gives, from no title accepted to all, as plain values for a drawing.

    Per point: `bar`, `accepted` (share), `precision` of what is accepted with its 95 % range
    (Wilson) and sample, `wrong` and `looks` per 1,000 titles, and with money `cost` per 1,000.
    """
    order = np.argsort(-confidence, kind="stable")
    sure, right = confidence[order], np.cumsum(hit[order])
    n = len(order)
    found = []
    for count in np.unique(np.linspace(0, n, min(points, n + 1)).astype(int)).tolist():
        good = int(right[count - 1]) if count else 0
        low, high = wilson(good, count)
        point: dict[str, Any] = {
            "bar": float(sure[count - 1]) if count else 1.0,
            "accepted": count / n if n else 0.0,
            "precision": good / count if count else None,
            "precision_low": low,
            "precision_high": high,
            "sample": count,
            "wrong": 1000 * (count - good) / n if n else 0.0,
            "looks": 1000 * (n - count) / n if n else 0.0,
        }
        if terms.wrong_cost is not None and terms.look_cost is not None:
            point["cost"] = point["wrong"] * terms.wrong_cost + point["looks"] * terms.look_cost
        found.append(point)
    return found


def wilson(hits: int, n: int, z: float = 1.959964) -> tuple[float, float]:
    """The 95 % range of a share (Wilson, JASA 1927); 0 to 1 without a sample.

    >>> [round(x, 3) for x in wilson(99, 100)]
    [0.946, 0.998]
    """
    if n == 0:
        return 0.0, 1.0
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * np.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return min(share, float(middle - half)), max(share, float(middle + half))
