"""Ship, ship with safeguards, not proven, or stop: one rule, agreed before the work."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from thinslice.domain import Verdict
from thinslice.profit.money import say
from thinslice.profit.plan.constraints import Kept
from thinslice.profit.plan.plan import Plan
from thinslice.profit.uncertainty import Spread

FEWEST_DIFFERENT = {"rows": 20, "clusters": 10}
"""Where model and baseline have to differ; a range from fewer is not to be trusted."""

WORST_FIRST = (Verdict.STOP, Verdict.NOT_PROVEN, Verdict.SMALL_WIN, Verdict.SHIP)
COSTS_MORE = "More likely than not it costs more than it brings."
MAY_LOSE = "It may still lose money."


@dataclass(frozen=True)
class Ruling:
    """A verdict, why in one sentence, and the headline with the low end first."""

    verdict: Verdict
    reason: str
    sentence: str


@dataclass(frozen=True)
class Against:
    """The model's gain over one policy a year, and what a verdict on it needs.

    `luck` is the gain's range with the payoffs at their mean, `different` in how many of the
    `units` (rows, or clusters of rows) the money differs, and `again` what would have to change.
    `simple` names it, such as "acting on everyone", where it needs no model and beats the plan's
    own baseline. `guess` is the guessed payoff that moves the gain most, in words.
    """

    gain: Spread
    luck: Spread
    different: int
    units: str = "rows"
    again: str = ""
    simple: str = ""
    guess: str = ""


def rule(
    plan: Plan,
    baseline: Against,
    simple: Against | None = None,
    *,
    rows: int,
    tested: bool = True,
    kept: Sequence[Kept] = (),
) -> Ruling:
    """The verdict on a gain a year: model minus baseline minus fixed cost.

    Stop when the likely gain is below 0. Ship when P5 is above 0 and the likely gain reaches
    `must_beat`; a small win when it does not reach it. Else not proven, with about how many more
    rows would settle it. Where a `simple` policy beats the baseline, the same is asked of the gain
    over that one, and the worse verdict counts. What was not `tested`, since it rests on what
    people chose by themselves, is only worth testing or not. A constraint that is likely broken
    stops it, and one that may be broken proves nothing.
    """
    judged = baseline
    verdict, reason = _verdict(plan, baseline, rows)
    if simple is not None and verdict is not Verdict.STOP:
        harder, why = _verdict(plan, simple, rows)
        if WORST_FIRST.index(harder) <= WORST_FIRST.index(verdict):
            judged, verdict = simple, harder
            reason = f"{why} {_beside(plan, baseline, simple)}"
    if verdict in (Verdict.SHIP, Verdict.SMALL_WIN):
        verdict, reason = _constrained(verdict, reason, kept)
    if not tested:
        verdict, reason = _worth_testing(verdict, reason, judged)
        return Ruling(verdict, reason, f"{_held(judged, plan.currency)}: {verdict.value}.")
    return Ruling(verdict, reason, f"{_amount(judged, plan.currency)}: {verdict.value}.")


def _verdict(plan: Plan, over: Against, rows: int) -> tuple[Verdict, str]:
    gain, than = over.gain, over.simple
    if over.different == 0:
        if than:
            return Verdict.STOP, f"Without a model, {than} earns as much."
        if plan.fixed_cost > 0:
            return Verdict.STOP, f"It decides as the baseline does and costs more. {over.again}"
        return Verdict.NOT_PROVEN, "It earns the same as the baseline in every row."
    if gain.likely < 0:
        why = f"Without a model, {than} likely earns more." if than else COSTS_MORE
        return Verdict.STOP, f"{why} {over.again}".strip()
    fewest = FEWEST_DIFFERENT[over.units]
    if over.different < fewest:
        return Verdict.NOT_PROVEN, (
            f"It differs from {than or 'the baseline'} in only {over.different} {over.units}, and "
            f"at least {fewest} are needed for a range; evaluate more {over.units}."
        )
    if gain.low <= 0:
        why = f"Without a model, {than} may earn as much." if than else MAY_LOSE
        return Verdict.NOT_PROVEN, f"{why} {_more(over, rows)}"
    asked = f"the {plan.currency} {say(plan.must_beat)} a year that the plan asks for"
    if gain.likely < plan.must_beat:
        return Verdict.SMALL_WIN, (
            f"It earns{f' more than {than}, but likely by' if than else ', but likely'} less than "
            f"{asked}: ship it with a way to abstain, a fallback and an undo."
        )
    earns = f"more than {than}, which needs no model" if than else "money"
    reaches = f", and it likely reaches {asked}" if plan.must_beat else ""
    return Verdict.SHIP, f"In about 95 of 100 cases it earns {earns}{reaches}."


def _beside(plan: Plan, baseline: Against, simple: Against) -> str:
    low, _, high = baseline.gain
    if low >= 0:
        said = f"gains {plan.currency} {say(low)} to {say(high)} a year"
    elif high <= 0:
        said = f"loses {plan.currency} {say(-high)} to {say(-low)} a year"
    else:
        said = f"may lose {plan.currency} {say(-low)} a year or gain {say(high)}"
    return f"Over the plan's baseline, which {simple.simple} beats, it {said}."


def _constrained(verdict: Verdict, reason: str, kept: Sequence[Kept]) -> tuple[Verdict, str]:
    for each in kept:
        if not each.likely_kept:
            return Verdict.STOP, f"It earns, and likely breaks a condition. {each.sentence()}"
    for each in kept:
        if not each.surely_kept:
            return Verdict.NOT_PROVEN, f"It earns, and may break a condition. {each.sentence()}"
    return verdict, reason


def _worth_testing(verdict: Verdict, reason: str, over: Against) -> tuple[Verdict, str]:
    other = over.simple or "the lists of the baseline"
    if verdict is Verdict.SHIP:
        return Verdict.WORTH_TESTING, (
            f"Its lists hold more of what people went on to choose than {other}; an experiment "
            "shows how much of it a list causes."
        )
    if verdict is Verdict.SMALL_WIN:
        reason = "Even if the lists had caused all they hold, it is likely less than the plan asks."
    if verdict is Verdict.STOP:
        reason = f"Its lists likely hold no more than {other}, or less than they cost."
    return Verdict.NOT_WORTH_TESTING, reason


def _more(over: Against, rows: int) -> str:
    """Luck narrows with the root of the rows; what a guess of the payoff adds stays.

    The rows that bring the low end to 0 if the likely gain is the true one.
    """
    gain, luck = over.gain, over.luck
    half = luck.likely - luck.low
    stays = math.sqrt(max((gain.likely - gain.low) ** 2 - half**2, 0.0))
    if stays >= gain.likely or half > 10 * gain.likely:
        if stays > half:
            return (
                f"More rows would not settle it: narrow the guess of what each {over.guess} is "
                "worth, which moves it most."
            )
        return "It is too close to call with ten or even a hundred times the rows."
    needed = rows * half**2 / (gain.likely**2 - stays**2)
    more = say(max(needed - rows, 1))
    return f"About {more} more rows like these would settle it if the likely gain holds."


def _held(over: Against, currency: str) -> str:
    """What lists hold is no profit: they would have found much of it by themselves."""
    gain, other = over.gain, over.simple or "the baseline's"
    likely = f"likely {say(gain.likely)}"
    if gain.low == gain.high == 0:
        return f"Its lists hold what {other} hold"
    if gain.low >= 0:
        return (
            f"Its lists hold {currency} {say(gain.low)} to {say(gain.high)} a year more of what "
            f"people went on to choose than {other}, {likely}"
        )
    if gain.high <= 0:
        return (
            f"Its lists hold {currency} {say(-gain.high)} to {say(-gain.low)} a year less than "
            f"{other}, likely {say(-gain.likely)}"
        )
    return (
        f"Its lists hold between {currency} {say(-gain.low)} a year less and {say(gain.high)} more "
        f"than {other}, {likely}"
    )


def _amount(over: Against, currency: str) -> str:
    gain = over.gain
    if gain.low == gain.high == 0:
        return f"It earns what {over.simple or 'the baseline'} earns"
    if over.simple:
        return _more_than(over.simple, gain, currency)
    likely = f"most likely {say(gain.likely)}"
    if gain.low >= 0:
        return (
            f"It gains at least {currency} {say(gain.low)} a year, {likely}, at most "
            f"{say(gain.high)}"
        )
    if gain.high <= 0:
        return (
            f"It loses {currency} {say(-gain.high)} to {say(-gain.low)} a year, most likely "
            f"{say(-gain.likely)}"
        )
    return f"It may lose {currency} {say(-gain.low)} a year or gain {say(gain.high)}, {likely}"


def _more_than(simple: str, gain: Spread, currency: str) -> str:
    low, likely, high = (f"{say(abs(value))}" for value in gain)
    if gain.low >= 0:
        return (
            f"It earns at least {currency} {low} a year more than {simple}, most likely {likely}, "
            f"at most {high}"
        )
    if gain.high <= 0:
        return (
            f"It earns {currency} {high} to {low} a year less than {simple}, most likely {likely}"
        )
    side = "less" if gain.likely < 0 else "more"
    return (
        f"It may earn {currency} {low} a year less than {simple} or {high} more, most likely "
        f"{likely} {side}"
    )
