"""Ship, ship with safeguards, not proven, or stop: one rule, agreed before the work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from thinslice.domain import Verdict
from thinslice.profit.constraints import Kept
from thinslice.profit.money import say
from thinslice.profit.plan import Plan
from thinslice.profit.uncertainty import Spread

FEWEST_DIFFERENT = 20
"""Rows in which model and baseline differ; a range from fewer is not to be trusted."""


@dataclass(frozen=True)
class Ruling:
    """A verdict, why in one sentence, and the headline with the low end first."""

    verdict: Verdict
    reason: str
    sentence: str


def rule(
    plan: Plan,
    gain: Spread,
    luck: Spread,
    *,
    rows: int,
    different: int,
    again: str = "",
    tested: bool = True,
    kept: Sequence[Kept] = (),
) -> Ruling:
    """The verdict on a gain a year: model minus baseline minus fixed cost.

    Stop when the likely gain is below 0. Ship when P5 is above 0 and the likely gain reaches
    `must_beat`; a small win when it does not reach it. Else not proven, with about how many more
    rows would settle it. `luck` is the gain's range with the payoffs at their mean. What was not
    `tested`, since it rests on what people chose by themselves, is only worth testing or not. A
    constraint that is likely broken stops it, and one that may be broken proves nothing.
    """
    verdict, reason = _verdict(plan, gain, luck, rows, different, again)
    if verdict in (Verdict.SHIP, Verdict.SMALL_WIN):
        verdict, reason = _constrained(verdict, reason, kept)
    if not tested:
        verdict, reason = _worth_testing(verdict, reason)
        return Ruling(verdict, reason, f"{_held(gain, plan.currency)}: {verdict.value}.")
    return Ruling(verdict, reason, f"{_amount(gain, plan.currency)}: {verdict.value}.")


def _verdict(
    plan: Plan, gain: Spread, luck: Spread, rows: int, different: int, again: str
) -> tuple[Verdict, str]:
    if different == 0:
        if plan.fixed_cost > 0:
            return Verdict.STOP, "It decides as the baseline does and costs more. " + again
        return Verdict.NOT_PROVEN, "It earns the same as the baseline in every row."
    if gain.likely < 0:
        return Verdict.STOP, f"More likely than not it costs more than it brings. {again}".strip()
    if different < FEWEST_DIFFERENT:
        return Verdict.NOT_PROVEN, (
            f"It differs from the baseline in only {different} rows, and at least "
            f"{FEWEST_DIFFERENT} are needed for a range; evaluate more rows."
        )
    if gain.low <= 0:
        return Verdict.NOT_PROVEN, f"It may still lose money. {_more(gain, luck, rows)}"
    if gain.likely < plan.must_beat:
        return Verdict.SMALL_WIN, (
            f"It earns, but likely less than the {plan.currency} {say(plan.must_beat)} a year that "
            "the plan asks for: ship it with a way to abstain, a fallback and an undo."
        )
    return Verdict.SHIP, (
        f"In 95 of 100 cases it earns money, and it likely reaches the {plan.currency} "
        f"{say(plan.must_beat)} a year that the plan asks for."
        if plan.must_beat
        else "In 95 of 100 cases it earns money."
    )


def _constrained(verdict: Verdict, reason: str, kept: Sequence[Kept]) -> tuple[Verdict, str]:
    for each in kept:
        if not each.likely_kept:
            return Verdict.STOP, f"It earns, and likely breaks a condition. {each.sentence()}"
    for each in kept:
        if not each.surely_kept:
            return Verdict.NOT_PROVEN, f"It earns, and may break a condition. {each.sentence()}"
    return verdict, reason


def _worth_testing(verdict: Verdict, reason: str) -> tuple[Verdict, str]:
    if verdict is Verdict.SHIP:
        return Verdict.WORTH_TESTING, (
            "Its lists hold more of what people went on to choose than those of the baseline; an "
            "experiment shows how much of it a list causes."
        )
    if verdict is Verdict.SMALL_WIN:
        reason = "Even if the lists had caused all they hold, it is likely less than the plan asks."
    if verdict is Verdict.STOP:
        reason = "It likely holds less than it costs, or less than the lists of the baseline hold."
    return Verdict.NOT_WORTH_TESTING, reason


def _more(gain: Spread, luck: Spread, rows: int) -> str:
    """Luck narrows with the root of the rows; what a guess of the payoff adds stays."""
    half = luck.likely - luck.low
    stays = math.sqrt(max((gain.likely - gain.low) ** 2 - half**2, 0.0))
    if stays >= gain.likely or half > 10 * gain.likely:
        if stays > half:
            return "More rows would not settle it: narrow the guess that moves it most (tornado)."
        return "It is too close to call with ten or even a hundred times the rows."
    needed = rows * half**2 / (gain.likely**2 - stays**2)
    return f"About {say(max(needed - rows, 1))} more rows like these would settle it."


def _held(gain: Spread, currency: str) -> str:
    """What lists hold is no profit: they would have found much of it by themselves."""
    likely = f"likely {say(gain.likely)}"
    if gain.low == gain.high == 0:
        return "Its lists hold what the baseline's hold"
    if gain.low >= 0:
        return (
            f"Its lists hold {currency} {say(gain.low)} to {say(gain.high)} a year more of what "
            f"people went on to choose than the baseline's, {likely}"
        )
    if gain.high <= 0:
        return (
            f"Its lists hold {currency} {say(-gain.high)} to {say(-gain.low)} a year less than "
            f"the baseline's, {likely}"
        )
    return (
        f"Its lists hold between {currency} {say(-gain.low)} a year less and {say(gain.high)} more "
        f"than the baseline's, {likely}"
    )


def _amount(gain: Spread, currency: str) -> str:
    likely = f"most likely {say(gain.likely)}"
    if gain.low == gain.high == 0:
        return "It earns what the baseline earns"
    if gain.low >= 0:
        return (
            f"It gains at least {currency} {say(gain.low)} a year, {likely}, at most "
            f"{say(gain.high)}"
        )
    if gain.high <= 0:
        return f"It loses {currency} {say(-gain.high)} to {say(-gain.low)} a year, {likely}"
    return f"It may lose {currency} {say(-gain.low)} a year or gain {say(gain.high)}, {likely}"
