"""What is it worth to act on a model's predictions? `evaluate` answers with an `Evaluation`."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.domain import Verdict
from thinslice.errors import InputError
from thinslice.profit.payoff.cell import Cell
from thinslice.profit.payoff.payoff import Payoff
from thinslice.profit.payoff.priced import Pricing
from thinslice.profit.plan.constraints import Constraint, Kept
from thinslice.profit.plan.plan import Plan
from thinslice.profit.predictions.baselines import Rival, simplest
from thinslice.profit.predictions.caveats import NOTHING_COSTS, assumptions, warnings
from thinslice.profit.predictions.curve import Curve
from thinslice.profit.predictions.decisions import case_of_decisions
from thinslice.profit.predictions.earnings import (
    Comparison,
    ExpectedMaximum,
    Profit,
    expected_maximum,
)
from thinslice.profit.predictions.kill_rule import Against, Ruling, rule
from thinslice.profit.predictions.plain import plain_values
from thinslice.profit.predictions.policy import Policy
from thinslice.profit.predictions.ranking import case_of_lists
from thinslice.profit.predictions.sensitivity import Bar, BreakEven, break_even, outcome, tornado
from thinslice.profit.uncertainty import Spread, Sums


def evaluate(
    y_true: Any,
    y_score: Any = None,
    plan: Plan | Payoff | None = None,
    *,
    y_pred: Any = None,
    data: Any = None,
    pos_label: Any = None,
    cluster: Any = None,
    treatment: Any = None,
    seed: int = 0,
) -> Evaluation:
    """Money of a model's predictions against the plan's baseline, with a range and a verdict.

    `y_score` is a score or probability per row, or one probability per row and class; or `y_pred`
    has the decisions. `data` has the columns of the payoff, `cluster` (a column or an array) the
    rows that rise and fall together, such as those of one customer. `treatment` (a column or an
    array of 0 and 1) says who was acted on at random, and the money is then what acting causes.
    For a payoff of recommended lists, `y_score` has a list of items per row, `y_true` the items
    that each outcome happened to, and `data` the table of the items. Lists, numpy, pandas, Polars
    and Arrow. Raises `InputError` or `NotEnoughDataError` rather than take a default.
    """
    if isinstance(plan, Payoff):
        plan = Plan(plan)
    if not isinstance(plan, Plan) or plan.payoff is None:
        raise InputError(
            "evaluate needs a plan with a payoff: Plan(Payoff(tp=..., fp=...), must_beat=...)"
        )
    given = {"y_pred": y_pred, "pos_label": pos_label, "treatment": treatment}
    if plan.payoff.ranks:
        for name, value in given.items():
            if value is not None:
                raise InputError(
                    f"{name} is for decisions; a payoff of recommended lists takes y_true (what "
                    "happened), y_score (the lists) and data (the items)"
                )
        case = case_of_lists(y_true, y_score, plan, data=data, cluster=cluster, seed=seed)
    else:
        case = case_of_decisions(
            y_true, y_score, plan, data=data, cluster=cluster, seed=seed, **given
        )
    return Evaluation(plan, *case, seed=seed)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was found: `verdict` with its `reason`, and the money behind it. All amounts on request.

    Gain is the model minus the baseline, per year, less the fixed cost; `profit` is the model's own
    money on these rows.
    """

    plan: Plan
    labels: tuple[Any, ...]
    y: Any
    priced: Pricing
    policy: Policy
    rivals: dict[str, Rival]
    cluster: NDArray[np.int64] | None
    seed: int

    def __repr__(self) -> str:
        return f"<Evaluation of {self.n:,} rows. {self.sentence}>"

    @property
    def verdict(self) -> Verdict:
        return self.ruling.verdict

    @property
    def reason(self) -> str:
        """Why, in one sentence."""
        return self.ruling.reason

    @property
    def sentence(self) -> str:
        """The headline: the low end first, then the verdict."""
        return self.ruling.sentence

    @cached_property
    def ruling(self) -> Ruling:
        simple = self.simplest
        found = rule(
            self.plan,
            self._against(self.rivals[self.baseline]),
            self._against(simple[1], simple[0]) if simple else None,
            rows=self.n,
            tested=self.priced.tested,
            kept=self.constraints,
        )
        doubt = "" if self.priced.can_lose else f" {NOTHING_COSTS}"
        return replace(found, reason=found.reason + doubt)

    @cached_property
    def simplest(self) -> tuple[str, Rival] | None:
        """What needs no model, keeps the constraints and beats the plan's baseline: the best.

        Its name in words, and the model's gain over it; None where the baseline is the best.
        """
        constraints = [Constraint.parse(each) for each in self.plan.constraints]
        return simplest(
            self.rivals,
            self.baseline,
            lambda rival: all(c.keeps(rival.counts) for c in constraints),
        )

    @cached_property
    def constraints(self) -> list[Kept]:
        """How each constraint of the plan fared."""
        return [
            Constraint.parse(each).of(self.y, self.policy.decided, self.cluster)
            for each in self.plan.constraints
        ]

    @property
    def n(self) -> int:
        return self.priced.n

    @property
    def baseline(self) -> str:
        """The name of the plan's baseline among `rivals`."""
        return self.plan.baseline if isinstance(self.plan.baseline, str) else "incumbent"

    @cached_property
    def profit(self) -> Profit:
        spread = self._sums.draws(self.guesses, seed=self.seed).spread()
        by_class = self.priced.parts(self.y, self.policy.decided)[0].sum(axis=1)
        total = float((self.features @ np.array([1.0, *self.priced.means()])).sum())
        return Profit(
            *spread,
            total=total,
            per_prediction=total / self.n,
            per_year=spread.times(self.plan.yearly()),
            by_class=dict(zip(self.labels, by_class.tolist(), strict=True)),
            currency=self.plan.currency,
        )

    @property
    def gain(self) -> Spread:
        """Model minus baseline minus fixed cost, a year: P5, P50, P95."""
        return self.rivals[self.baseline].gain

    @property
    def p_beats(self) -> float:
        """The probability that it beats the baseline, the fixed cost paid."""
        return self.rivals[self.baseline].p_beats

    @property
    def threshold(self) -> float | None:
        """Act on scores of at least this; None where decisions were given or made row by row."""
        return self.policy.threshold

    @property
    def optimism(self) -> float | None:
        """How much more the tuned threshold earned on its own rows than on rows it had not seen."""
        optimum = self.policy.optimum
        return None if optimum is None else optimum - self.profit.total

    def curve(self) -> Curve:
        """The money of every threshold, exact. Its highest point is optimistic: see `optimism`."""
        if self.policy.curve is None:
            raise InputError("a curve needs scores of two classes; pass them as y_score")
        return self.policy.curve

    def expected_maximum(self, replicates: int = 2000, *, resample: bool = True) -> ExpectedMaximum:
        """The highest point of the curve over guesses of the payoffs and resamples of the rows.

        It assumes that the threshold may be chosen anew for every such case with its outcomes
        known, so it is higher than what a threshold fixed today will earn: `profit` is that.
        Without `resample` only the payoffs are drawn; its mean is then the expected maximum profit
        of the literature (Verbraken, Verbeke and Baesens 2013).
        """
        if self.policy.score is None:
            raise InputError("the expected maximum needs scores of two classes; pass y_score")
        act, none = (self.priced.features(self.y, decided) for decided in (1, 0))
        return expected_maximum(
            self.policy.score, act, none, self.guesses, replicates, self.seed, resample
        )

    def break_even(self) -> BreakEven:
        """How good the model, or each payoff, has to be for the gain to be 0."""
        return self._break_even(self.rivals[self.baseline])

    def tornado(self) -> list[Bar]:
        """What moves the gain most: each payoff from its low to its high end, and luck."""
        luck = self.rivals[self.baseline].gain_of_luck
        return tornado(self.plan, self.priced, *self._parts(self.rivals[self.baseline]), luck)

    def compare(self, other: Evaluation) -> Comparison:
        """This minus `other` on the same rows, paired row by row.

        Its 90 % range holds the truth in about 85 of 100 cases where both thresholds were tuned
        (benchmarks/profit_coverage.py --hard), and in 89 where they were stated.
        """
        if not isinstance(other, Evaluation):
            raise InputError("compare takes the evaluation of another model on the same rows")
        return Comparison.of(self, other)

    @cached_property
    def features(self) -> NDArray[np.float64]:
        """The model's money row by row, split by uncertain payoff (see `Priced.features`)."""
        return self.priced.features(self.y, self.policy.decided)

    @cached_property
    def tuned(self) -> NDArray[np.float64] | None:
        """The same for the threshold tuned on all rows; None where nothing was tuned."""
        final = self.policy.final
        return None if final is None else self.priced.features(self.y, final)

    @property
    def guesses(self) -> list[Cell]:
        """The uncertain payoffs, in the order of the features."""
        return [cell for _, _, cell in self.priced.uncertain]

    @cached_property
    def warnings(self) -> list[str]:
        """Why the range may be narrower than it says, in sentences; empty when it is not."""
        return warnings(self.y, self.priced, self.policy, self._sums)

    @cached_property
    def assumptions(self) -> list[str]:
        """What the numbers rest on, in sentences."""
        return assumptions(self.plan, self.priced, clustered=self.cluster is not None)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and pages."""
        return plain_values(self)

    def money(self) -> list[list[float]]:
        """What the rows of each true class (rows) that were decided as each (columns) earned."""
        found: list[list[float]] = self.priced.parts(self.y, self.policy.decided)[0].tolist()
        return found

    def counts(self) -> list[list[int]]:
        """How many rows of each true class (rows) were decided as each (columns)."""
        return self.priced.counts(self.y, self.policy.decided)

    def _against(self, rival: Rival, simple: str = "") -> Against:
        return Against(
            rival.gain,
            rival.gain_of_luck,
            rival.different,
            "rows" if self.cluster is None else "clusters",
            self._break_even(rival).sentence(self.plan),
            simple,
            self._widest_guess(),
        )

    def _widest_guess(self) -> str:
        """The guessed payoff that moves the gain most, in words; empty where none is guessed."""
        guessed = {cell.name for cell in self.guesses}
        widest = next((bar.name for bar in self.tornado() if bar.name in guessed), "")
        return outcome(widest)

    @cached_property
    def _sums(self) -> Sums:
        return Sums.of(self.features, self.priced.means(), self.cluster, self.tuned)

    def _break_even(self, rival: Rival) -> BreakEven:
        return break_even(self.plan, self.priced, self.y, self.policy, *self._parts(rival))

    def _parts(self, rival: Rival) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Money and rows by cell, model minus rival."""
        money, counts = self.priced.parts(self.y, self.policy.decided)
        return money - rival.money, counts - rival.counts
