"""Did it keep its promise? A log of decisions in production against the plan, period by period.

Where the labels have arrived, the money is realised. Where they have not, it is expected, from
chances learned where they have; an expected amount is never called realised.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError
from thinslice.profit.drift import DRIFT, stability
from thinslice.profit.foresight import SETTLED, Foresight
from thinslice.profit.money import say
from thinslice.profit.payoff import Payoff
from thinslice.profit.plan import Plan
from thinslice.profit.production_log import ProductionLog, read_log
from thinslice.profit.uncertainty import Spread

if TYPE_CHECKING:
    from thinslice.profit.evaluation import Evaluation

OTHER_ROWS = 0.2
"""More or fewer rows than planned by this share are told: the money then differs by size too."""

REALISED, EXPECTED, WAITING, EMPTY = "realised", "expected", "waiting", "no rows"
BASELINES = {
    "nothing": "doing nothing",
    "all": "acting on everyone",
    "random": "acting on as many at random",
}


def track(
    data: Any,
    plan: Plan | Payoff,
    *,
    by: str = "month",
    time: Any = "time",
    y_true: Any = "y_true",
    y_score: Any = None,
    y_pred: Any = None,
    pos_label: Any = None,
    cluster: Any = None,
    planned: Evaluation | Mapping[str, Any] | None = None,
    until: date | str | None = None,
    settled: float = SETTLED,
    seed: int = 0,
) -> Tracking:
    """What a model in production has realised against the plan, and what is expected on top.

    `data` is the log, one row per decision; `time`, `y_true` (missing where the label has not
    arrived), `y_score` and `y_pred` are its columns (those names are taken where they are not
    given) or arrays. `by` is day, week, month, quarter or year. `planned` is the evaluation that
    was agreed on (or its `to_dict()`): the planned range comes from it, else only from the plan.
    `until` is the last day that the log covers, `settled` the share of a period's labels that must
    have arrived before its money counts as realised. Raises `InputError` or `NotEnoughDataError` as
    `evaluate` does.
    """
    if isinstance(plan, Payoff):
        plan = Plan(plan)
    if not isinstance(plan, Plan) or plan.payoff is None:
        raise InputError("track needs a plan with a payoff: Plan(Payoff(tp=..., fp=...))")
    promise = _promise(planned, plan)
    if not 0 < settled <= 1:
        raise InputError(f"settled is a share of the labels such as 0.95, got {settled!r}")
    log = read_log(
        data,
        plan,
        time=time,
        y_true=y_true,
        y_score=y_score,
        y_pred=y_pred,
        by=by,
        pos_label=pos_label,
        cluster=cluster,
        until=until,
        labels=promise.labels if promise else None,
        threshold=promise.threshold if promise else None,
    )
    return Tracking(log, by, promise, settled, seed)


@dataclass(frozen=True, eq=False)
class Promise:
    """What was evaluated beforehand: the gain a year, of how many rows, by which scores."""

    gain: Spread
    rows: int | None = None
    threshold: float | None = None
    score: NDArray[np.float64] | None = None
    labels: tuple[Any, ...] | None = None


@dataclass(frozen=True)
class Row:
    """One period. `gain` is model minus baseline minus its share of the fixed cost.

    `kind` is realised (enough labels have arrived), expected, waiting (no amount can be given)
    or no rows. `foreseen` is what was expected of a realised period from those before it,
    `against_plan` below, within or above, `cumulative` the gain up to here, `psi` the stability
    index of the score, `calibration_error` how far the chances were off.
    """

    period: str
    words: str
    kind: str
    rows: int
    labelled: int
    acted: int | None
    gain: Spread | None = None
    foreseen: float | None = None
    planned: Spread | None = None
    against_plan: str | None = None
    cumulative: Spread | None = None
    psi: float | None = None
    drifted: bool = False
    calibration_error: float | None = None
    calibration_gone: bool = False

    def to_dict(self) -> dict[str, Any]:
        def plain(value: Any) -> Any:
            return value._asdict() if isinstance(value, Spread) else value

        return {name: plain(value) for name, value in self.__dict__.items()}


@dataclass(frozen=True, eq=False)
class Tracking:
    """What was found: `table`, one entry per period, the `sentence`, and `warnings`."""

    log: ProductionLog
    by: str
    promise: Promise | None
    share: float
    seed: int

    @property
    def table(self) -> list[dict[str, Any]]:
        """The periods as plain dictionaries, such as a frame is made of."""
        return [row.to_dict() for row in self.rows]

    @cached_property
    def rows(self) -> list[Row]:
        return [self._row(k) for k in range(len(self.log.periods))]

    @cached_property
    def realised(self) -> Spread | None:
        """The gain of all realised periods together; None before the first."""
        return self._gain(self._done)

    @cached_property
    def expected(self) -> Spread | None:
        """The gain of all periods that are only expected; None where there are none."""
        return self._gain(self._of(EXPECTED))

    @property
    def calibration_error(self) -> float | None:
        """Of all realised rows, each by chances learned from other rows; None without."""
        return self.foresight.cross_fitted_error

    @property
    def status(self) -> str:
        """Realised against the plan: on plan, above plan, below plan, or too early to say."""
        gain, plan = self.realised, self._planned(self._done)
        if gain is None:
            return "too early to say"
        if gain.high < plan.low or gain.high < 0:
            return "below plan"
        if self.promise is None:
            return "on plan" if gain.low > 0 and gain.likely >= plan.low else "too early to say"
        if gain.low > plan.high:
            return "above plan"
        return "on plan" if gain.likely >= plan.low else "too early to say"

    @property
    def sentence(self) -> str:
        """What was realised first, low end first; what is only expected is said apart."""
        ahead, waiting = self._of(EXPECTED), self._of(WAITING)
        if self.realised is None:
            said = f"No {self.by} has its labels yet, so nothing is realised."
        else:
            said = f"{self._when()} {self._amount(self.realised)}. {self._against()}"
        if self.expected is not None:
            said += (
                f" Expected, not realised, in {self._count(ahead)} without labels yet: "
                f"{_between(self.expected, self.log.plan.currency)}."
            )
        if waiting:
            said += f" {_start(self._count(waiting))} cannot be valued before labels arrive."
        return said

    @cached_property
    def warnings(self) -> list[str]:
        """What someone should look at, in sentences; empty when all is well."""
        said = []
        if self.realised is not None and self.realised.likely < 0:
            said.append(
                "So far it has more likely cost than earned money: stop, or find out why first."
            )
        elif self.status == "below plan":
            said.append("What is realised so far lies below the plan, beyond what luck explains.")
        if self._more_rows is not None:
            said.append(self._more_rows)
        said += self._changes()
        if self.log.plan.problem:
            said.append(self.log.plan.problem)
        return said

    @property
    def assumptions(self) -> list[str]:
        """What the numbers rest on, in sentences."""
        said = [
            "Realised is what the rows earned by the plan's payoffs; its range is what luck and "
            "guessed payoffs could make of such rows.",
            "It counts what happened, not what acting caused: whom acting kept counts as one who "
            "would have stayed. Leave a few alone at random to measure that.",
            f"A {self.by} is realised when {100 * self.share:g} of 100 labels have arrived; rows "
            "without one then count with their chances. Before that, "
            "early labels are left out: one kind of outcome is often known sooner.",
        ]
        calibration = self.foresight.calibration
        if self.expected is not None and calibration is not None:
            off = self.calibration_error
            far = "" if off is None else f", off by {_points(off)} on rows not learned from"
            said.append(f"Expected amounts use chances from {calibration.how}{far}.")
            if self.foresight.between is None:
                said.append(
                    f"How much one {self.by} differs from the next is unknown before two are "
                    "realised; expected ranges may be too narrow."
                )
        if self.promise is None:
            said.append("No evaluation is given as planned=, so must_beat alone is the plan.")
        return said

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and pages."""
        plan, calibration = self.log.plan, self.foresight.calibration
        return {
            "question": plan.question,
            "plan": plan.to_dict(),
            "by": self.by,
            "currency": plan.currency,
            "status": self.status,
            "sentence": self.sentence,
            "warnings": self.warnings,
            "realised": self.realised._asdict() if self.realised else None,
            "expected": self.expected._asdict() if self.expected else None,
            "planned": self._planned(self._done)._asdict(),
            "rows": self.log.n,
            "calibration": calibration.how if calibration else None,
            "calibration_error": self.calibration_error,
            "table": self.table,
            "assumptions": self.assumptions,
            "seed": self.seed,
        }

    # period by period

    @cached_property
    def foresight(self) -> Foresight:
        return Foresight(self.log, self.share, self.seed)

    @cached_property
    def kinds(self) -> list[str]:
        """Of each period: realised, expected, waiting or no rows."""
        rows = np.bincount(self.log.place, minlength=len(self.log.periods))
        unsettled = WAITING if self.foresight.calibration is None else EXPECTED
        return [
            REALISED if settled else (unsettled if n else EMPTY)
            for n, settled in zip(rows.tolist(), self.foresight.settled, strict=True)
        ]

    def _of(self, kind: str) -> list[int]:
        return [k for k, each in enumerate(self.kinds) if each == kind]

    @property
    def _done(self) -> list[int]:
        """Realised periods, and those without rows: what they cost is known."""
        done = self._of(REALISED)
        return sorted([*(k for k in self._of(EMPTY) if done and k < done[-1]), *done])

    def _row(self, k: int) -> Row:
        log, period, kind = self.log, self.log.periods[k], self.kinds[k]
        here = log.place == k
        gain, planned = self._gain([k]), self._planned([k])
        drift = self._drift(here)
        error = self.foresight.error(k)
        foreseen = self.foresight.amount(k)
        return Row(
            period.name,
            period.words,
            kind,
            rows=int(here.sum()),
            labelled=int(log.known[here].sum()),
            acted=int((log.decided[here] != 0).sum()) if len(log.labels) == 2 else None,
            gain=gain,
            foreseen=None if foreseen is None else foreseen - log.plan.fixed_cost * period.share,
            planned=planned,
            against_plan=self._left(gain, planned) if kind == REALISED and gain else None,
            cumulative=self._gain([j for j in range(k + 1) if self.kinds[j] != WAITING]),
            psi=drift[0] if drift else None,
            drifted=bool(drift and drift[1]),
            calibration_error=error[0] if error else None,
            calibration_gone=bool(error and error[1]),
        )

    def _gain(self, which: list[int]) -> Spread | None:
        """The gain of some periods together, each less its share of the fixed cost."""
        valued = [k for k in which if self.kinds[k] != WAITING]
        if not valued:
            return None
        fixed = self.log.plan.fixed_cost * sum(self.log.periods[k].share for k in valued)
        counted = np.zeros(len(self.log.periods), bool)
        counted[valued] = True
        sums = self.foresight.sums(counted[self.log.place])
        return sums.draws(self.log.cells, seed=self.seed).spread().times(1.0, fixed)

    def _planned(self, which: list[int]) -> Spread:
        """What the plan says of some periods: of the evaluation agreed on, else must_beat."""
        plan = self.log.plan
        share = sum(self.log.periods[k].share for k in which)
        if self.promise is None:
            return Spread(*[plan.must_beat * share] * 3)
        undiscounted = plan.per_year / plan.yearly()
        return Spread(
            *(
                ((g + plan.fixed_cost) * undiscounted - plan.fixed_cost) * share
                for g in self.promise.gain
            )
        )

    def _left(self, gain: Spread, planned: Spread) -> str:
        """Whether a period has left the plan: by luck in 5 of 100 cases, all periods together."""
        from scipy.special import ndtri

        wider = float(ndtri(1 - 0.05 / len(self._of(REALISED))) / ndtri(0.95))
        if gain.likely + wider * (gain.high - gain.likely) < planned.low:
            return "below"
        over = gain.likely - wider * (gain.likely - gain.low) > planned.high
        return "above" if over and self.promise is not None else "within"

    def _drift(self, here: NDArray[np.bool_]) -> tuple[float, bool] | None:
        """Against the scores of the evaluation, else against those of the first period."""
        log = self.log
        if log.score is not None and self.promise and self.promise.score is not None:
            return stability(self.promise.score, log.score[here])
        first = log.place == 0
        return None if here[first].any() else stability(log.signal[first], log.signal[here])

    def _changes(self) -> list[str]:
        """One sentence per kind of change, however many periods it is in."""
        rows, exact = self.rows, self.promise is None
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
            f"{self._named(found)} {what}{'' if what.endswith(')') else '.'}"
            for what, found in kinds.items()
            if found
        ]

    def _named(self, rows: list[Row]) -> str:
        last = _start(rows[-1].words)
        if len(rows) == 1:
            return last
        more = len(rows) - 1
        return f"{last} (and {more} {self.by}{'s' if more > 1 else ''} before)"

    @property
    def _more_rows(self) -> str | None:
        """A sentence where the log has far more or fewer rows than the evaluation stands for."""
        log, promise = self.log, self.promise
        rows = promise.rows if promise else None
        here = sum(int(np.count_nonzero(log.place == k)) for k in self._done)
        if not rows or not here:
            return None
        share = sum(log.periods[k].share for k in self._done)
        planned = rows * log.plan.per_year * share
        if abs(here / planned - 1) <= OTHER_ROWS:
            return None
        return (
            f"The plan is for about {say(planned)} rows in this time and there were {say(here)}: "
            "the difference is also one of size."
        )

    # words

    def _when(self) -> str:
        first, last = (self.log.periods[k].words for k in (self._done[0], self._done[-1]))
        if first == last:
            return f"In {first} it"
        if self.by != "quarter":
            first = first.removesuffix(last[-5:])  # January to April 2026
        return f"In {self._count(self._done)}, {first} to {last}, it"

    def _count(self, which: list[int]) -> str:
        return f"{len(which)} {self.by}s" if len(which) > 1 else self.log.periods[which[0]].words

    def _amount(self, gain: Spread) -> str:
        plan = self.log.plan
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

    def _against(self) -> str:
        planned, currency = self._planned(self._done), self.log.plan.currency
        if self.promise is None and not planned.likely:
            asked = "The plan asks for a gain"
        elif self.promise is None:
            asked = f"The plan asks for {currency} {say(planned.likely)} in this time"
        else:
            asked = f"Planned was {_between(planned, currency)}"
        return f"{asked}: {self.status}."


def _promise(planned: Any, plan: Plan) -> Promise | None:
    """The parts of an evaluation that is followed up, or of what its `to_dict()` kept."""
    if planned is None:
        return None
    kept = planned if isinstance(planned, Mapping) else None
    if kept is None and not hasattr(planned, "rivals"):
        raise InputError(
            f"planned is the evaluation that was agreed on, or its to_dict(), got {planned!r:.80}"
        )
    try:
        gain = Spread(**kept["gain"]) if kept is not None else planned.gain
        if kept is not None:
            return Promise(gain, kept.get("rows"), kept.get("threshold"))
    except (KeyError, TypeError):
        raise InputError("planned has no gain with low, likely and high; give to_dict()") from None
    if planned.plan.currency != plan.currency:
        raise InputError(
            f"planned is in {planned.plan.currency} and the plan in {plan.currency}; name one"
        )
    return Promise(gain, planned.n, planned.threshold, planned.policy.score, planned.labels)


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
