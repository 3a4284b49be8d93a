"""What would have to be true? Break-even points, and what moves the gain most."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.profit.money import say, say_apart
from thinslice.profit.payoff.cell import Cell
from thinslice.profit.payoff.priced import Priced, Pricing
from thinslice.profit.plan.plan import Plan
from thinslice.profit.predictions.policy import Policy
from thinslice.profit.uncertainty import Spread

MOST_WISHES = 3
OUTCOMES = {
    "tp": "right action",
    "fp": "wrong action",
    "fn": "missed case",
    "tn": "case rightly left alone",
}
USUAL_DOUBT = 0.1
"""A payoff that is said to be known is moved by this share in a tornado, to show what it does."""


@dataclass(frozen=True)
class BreakEven:
    """Where the gain is 0, everything else as it is.

    `precision` is the share of the acted-on rows that must be positive, as many being acted on as
    now (`lift` that share over the share of all rows), each beside what it is now; None where
    nothing was acted on, acting pays whatever is true, or not even all of them would do.
    `payoffs` is what a payoff that is one for all rows has to be (`payoffs_now` what it is),
    `multiples` by how much one that differs by row has to be multiplied, and `fixed_cost` the most
    that building and running it may cost a year.
    """

    precision: float | None = None
    precision_now: float | None = None
    lift: float | None = None
    lift_now: float | None = None
    payoffs: dict[str, float] = field(default_factory=dict)
    payoffs_now: dict[str, float] = field(default_factory=dict)
    multiples: dict[str, float] = field(default_factory=dict)
    fixed_cost: float = 0.0

    def sentence(self, plan: Plan) -> str:
        """What would have to change for a look again."""
        wants = []
        if self.precision and self.precision_now and self.precision > self.precision_now:
            needed, now = say_apart(100 * self.precision, 100 * self.precision_now)
            wants.append(f"at least {needed} % of those acted on are positive (now {now} %)")
        if 0 < self.fixed_cost < plan.fixed_cost:
            wants.append(f"the fixed cost is at most {plan.currency} {say(self.fixed_cost)}")
        for name, amount in self.payoffs.items():
            if amount * self.payoffs_now[name] <= 0:
                continue  # a cost that would have to pay, or the other way round
            needed, now = say_apart(abs(amount), abs(self.payoffs_now[name]))
            side = "at least" if abs(amount) > abs(self.payoffs_now[name]) else "at most"
            does = "costs" if amount < 0 else "brings"
            wants.append(f"each {outcome(name)} {does} {side} {plan.currency} {needed} (now {now})")
        for name, times in self.multiples.items():
            if times > 0:
                side = "at least" if times > 1 else "at most"
                wants.append(
                    f"the amount of each {outcome(name)} is {side} {say_apart(times, 1)[0]} times "
                    "what it is"
                )
        return f"Look again when {', or '.join(wants[:MOST_WISHES])}." if wants else ""

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class Bar:
    """The gain a year when one thing is at its low and at its high end, all else at its mean.

    `assumed` marks a payoff that is said to be known and was moved by 10 % all the same.
    """

    name: str
    low: float
    high: float
    gain_at_low: float
    gain_at_high: float
    assumed: bool = False

    @property
    def width(self) -> float:
        return abs(self.gain_at_high - self.gain_at_low)

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def outcome(name: str) -> str:
    """What a payoff is about, as it stands in a sentence: "right action" for tp."""
    return OUTCOMES.get(name, name)


def break_even(
    plan: Plan,
    priced: Pricing,
    y: Any,
    policy: Policy,
    money: NDArray[np.float64],
    counts: NDArray[np.float64],
) -> BreakEven:
    """From the difference to the baseline: money and rows of each cell, each of shape (K, K).

    Of what acting causes only a better payoff is an answer, and only one for all rows: what a row
    is worth acted on and left alone moves together.
    """
    factor = plan.yearly()
    gain = factor * float(money.sum()) - plan.fixed_cost
    payoffs, now, multiples = {}, {}, {}
    for (i, j), cell in _cells(priced):
        if cell.constant and counts[i, j] and (cell.uncertain or cell.mean):
            needed = cell.mean - gain / (factor * float(counts[i, j]))
            if priced.actual or needed > cell.mean:
                payoffs[cell.name], now[cell.name] = needed, cell.mean
        elif not cell.constant and money[i, j] and priced.actual:
            multiples[cell.name] = 1 - gain / (factor * float(money[i, j]))
    return BreakEven(
        *_precision(priced, y, policy, gain / factor if factor else 0.0),
        payoffs=payoffs,
        payoffs_now=now,
        multiples=multiples,
        fixed_cost=gain + plan.fixed_cost,
    )


def tornado(
    plan: Plan,
    priced: Pricing,
    money: NDArray[np.float64],
    counts: NDArray[np.float64],
    luck: Spread,
) -> list[Bar]:
    """The widest bar first; the luck of the sample is one of them."""
    factor = plan.yearly()
    gain = factor * float(money.sum()) - plan.fixed_cost
    bars = [Bar("luck of the sample", luck.low, luck.high, luck.low, luck.high)]
    for (i, j), cell in _cells(priced):
        if cell.uncertain:
            low, high = cell.ends()
            slope = factor * float(counts[i, j])
            at_low, at_high = (gain + slope * (end - cell.mean) for end in (low, high))
            bars.append(Bar(cell.name, low, high, at_low, at_high))
        elif money[i, j]:
            step = USUAL_DOUBT * factor * float(money[i, j])
            low, high = 1 - USUAL_DOUBT, 1 + USUAL_DOUBT
            if cell.constant:
                low, high = low * cell.mean, high * cell.mean
            bars.append(Bar(cell.name, low, high, gain - step, gain + step, assumed=True))
    return sorted(bars, key=lambda bar: -bar.width)


def _cells(priced: Pricing) -> list[tuple[tuple[int, int], Cell]]:
    rows = enumerate(priced.payoff.cells)
    return [((i, j), cell) for i, row in rows for j, cell in enumerate(row)]


def _precision(
    priced: Pricing, y: NDArray[np.int64], policy: Policy, gain: float
) -> tuple[float | None, float | None, float | None, float | None]:
    """Acting on a positive in place of a negative row brings what one wins and the other loses.

    `gain` is that on these rows, the fixed cost paid.
    """
    unknown = (None, None, None, None)
    if not isinstance(priced, Priced) or not priced.actual or priced.payoff.classes > 2:
        return unknown
    acted = policy.decided == 1
    if not acted.any():
        return unknown
    more = priced.worth(y, 1) - priced.worth(y, 0)
    share, usual = float(y[acted].mean()), float(y.mean())
    if share in (0.0, 1.0):
        return unknown
    won, lost = float(more[acted & (y == 1)].mean()), -float(more[acted & (y == 0)].mean())
    if won <= 0 or lost <= 0:
        return unknown
    needed = share - gain / (int(acted.sum()) * (won + lost))
    if not 0 < needed <= 1:
        return unknown
    return needed, share, needed / usual, share / usual
