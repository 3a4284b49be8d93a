"""What a followed model has come to, in sentences."""

from __future__ import annotations

from thinslice.profit.money import say
from thinslice.profit.production.course import Course, Row
from thinslice.profit.production.drift import DRIFT
from thinslice.profit.production.foresight import EMPTY, EXPECTED, WAITING
from thinslice.profit.uncertainty import Spread

OTHER_ROWS = 0.2
"""More or fewer rows than planned by this share are told: the money then differs by size too."""

BASELINES = {
    "nothing": "doing nothing",
    "all": "acting on everyone",
    "random": "acting on as many at random",
}


def sentence(t: Course) -> str:
    """What was realised first, low end first; what is only expected is said apart."""
    ahead, waiting = t.periods(EXPECTED), t.periods(WAITING)
    if t.realised is None:
        said = f"No {t.by} has its labels yet, so nothing is realised."
    else:
        said = f"{_when(t)} {_amount(t, t.realised)}. {_against(t)}"
    if t.expected is not None:
        said += (
            f" Expected, not realised, in {_count(t, ahead)} without labels yet: "
            f"{_between(t.expected, t.log.plan.currency)}."
        )
    if waiting:
        said += f" {_start(_count(t, waiting))} cannot be valued before labels arrive."
    return said


def warnings(t: Course) -> list[str]:
    """What someone should look at, in sentences; empty when all is well."""
    said = []
    if t.realised is not None and t.realised.likely < 0:
        said.append(
            "So far it has more likely cost than earned money: stop, or find out why first."
        )
    elif t.status == "below plan":
        said.append("What is realised so far lies below the plan, beyond what luck explains.")
    if more := _more_rows(t):
        said.append(more)
    said += _changes(t)
    if t.log.plan.problem:
        said.append(t.log.plan.problem)
    return said


def assumptions(t: Course) -> list[str]:
    """What the numbers rest on, in sentences."""
    said = [
        "Realised is what the rows earned by the plan's payoffs; its range is what luck and "
        "guessed payoffs could make of such rows.",
        "It counts what happened, not what acting caused: whom acting kept counts as one who "
        "would have stayed. Leave a few alone at random to measure that.",
        f"A {t.by} is realised when {100 * t.share:g} of 100 labels have arrived; rows "
        "without one then count with their chances. Before that, "
        "early labels are left out: one kind of outcome is often known sooner.",
    ]
    calibration = t.foresight.calibration
    if t.expected is not None and calibration is not None:
        off = t.calibration_error
        far = "" if off is None else f", off by {_points(off)} on rows not learned from"
        said.append(f"Expected amounts use chances from {calibration.how}{far}.")
        if t.foresight.between is None:
            said.append(
                f"How much one {t.by} differs from the next is unknown before two are "
                "realised; expected ranges may be too narrow."
            )
    if t.promise is None:
        said.append("No evaluation is given as planned=, so must_beat alone is the plan.")
    return said


def _changes(t: Course) -> list[str]:
    """One sentence per kind of change, however many periods it is in."""
    rows, exact = t.rows, t.promise is None
    plan = "what the plan asks for" if exact else "the planned range"
    kinds = {
        f"lies below {plan}, beyond luck": [r for r in rows if r.against_plan == "below"],
        f"lies above {plan}, beyond luck": [r for r in rows if r.against_plan == "above"],
        "has other scores than at the start: other customers, or another model? "
        f"(The stability index is above {DRIFT:g}.)": [r for r in rows if r.drifted],
        "did not turn out as the chances learned before it said: trust expected amounts less, "
        "and learn the model anew": [r for r in rows if r.calibration_gone],
        "has no rows; its fixed cost counts all the same": [r for r in rows if r.kind == EMPTY],
    }
    return [
        f"{_named(t, found)} {what}{'' if what.endswith(')') else '.'}"
        for what, found in kinds.items()
        if found
    ]


def _named(t: Course, rows: list[Row]) -> str:
    last = _start(rows[-1].words)
    if len(rows) == 1:
        return last
    more = len(rows) - 1
    return f"{last} (and {more} {t.by}{'s' if more > 1 else ''} before)"


def _more_rows(t: Course) -> str | None:
    """A sentence where the log has far more or fewer rows than the evaluation stands for."""
    log, promise = t.log, t.promise
    rows = promise.rows if promise else None
    here = sum(t.rows[k].rows for k in t.done)
    if not rows or not here:
        return None
    share = sum(log.periods[k].share for k in t.done)
    planned = rows * log.plan.per_year * share
    if abs(here / planned - 1) <= OTHER_ROWS:
        return None
    return (
        f"The plan is for about {say(planned)} rows in this time and there were {say(here)}: "
        "the difference is also one of size."
    )


def _when(t: Course) -> str:
    first, last = (t.log.periods[k].words for k in (t.done[0], t.done[-1]))
    if first == last:
        return f"In {first} it"
    if t.by != "quarter":
        first = first.removesuffix(last[-5:])  # January to April 2026
    return f"In {_count(t, t.done)}, {first} to {last}, it"


def _count(t: Course, which: list[int]) -> str:
    return f"{len(which)} {t.by}s" if len(which) > 1 else t.log.periods[which[0]].words


def _amount(t: Course, gain: Spread) -> str:
    plan = t.log.plan
    name = plan.baseline if isinstance(plan.baseline, str) else ""
    over = BASELINES.get(name, "what ran before")
    over += ", the fixed cost paid" if plan.fixed_cost else ""
    likely = f"most likely {say(gain.likely)}"
    if gain.low >= 0:
        return f"earned at least {plan.currency} {say(gain.low)} more than {over}, {likely}"
    if gain.high <= 0:
        return f"earned {plan.currency} {say(-gain.high)} to {say(-gain.low)} less than {over}"
    return (
        f"earned between {plan.currency} {say(-gain.low)} less and {say(gain.high)} more than "
        f"{over}, {likely}"
    )


def _against(t: Course) -> str:
    planned, currency = t.planned_in(t.done), t.log.plan.currency
    if t.promise is None and not planned.likely:
        asked = "The plan asks for a gain"
    elif t.promise is None:
        asked = f"The plan asks for {currency} {say(planned.likely)} in this time"
    else:
        asked = f"Planned was {_between(planned, currency)}"
    return f"{asked}: {t.status}."


def _between(gain: Spread, currency: str) -> str:
    if gain.low >= 0:
        return f"{currency} {say(gain.low)} to {say(gain.high)}"
    if gain.high <= 0:
        return f"a loss of {currency} {say(-gain.high)} to {say(-gain.low)}"
    return f"between a loss of {currency} {say(-gain.low)} and a gain of {say(gain.high)}"


def _points(share: float) -> str:
    return f"{say(100 * share)} points"


def _start(words: str) -> str:
    return words[:1].upper() + words[1:]
