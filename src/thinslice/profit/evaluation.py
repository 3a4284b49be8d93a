"""What is it worth to act on a model's predictions? `evaluate` answers with an `Evaluation`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.domain import Verdict
from thinslice.errors import InputError, NotEnoughDataError
from thinslice.profit.baselines import Rival, rivals
from thinslice.profit.columns import Columns, same_rows, vector
from thinslice.profit.curve import Curve, resample_best
from thinslice.profit.kill_rule import Ruling, rule
from thinslice.profit.labels import encode, missing, two_labels
from thinslice.profit.money import say
from thinslice.profit.payoff import Payoff
from thinslice.profit.plan import EXPECTED, Plan
from thinslice.profit.policy import (
    Policy,
    both,
    by_decisions,
    by_expected_payoff,
    by_score,
    enough_to_tune,
    probabilities,
    scores,
)
from thinslice.profit.priced import Priced
from thinslice.profit.sensitivity import Bar, BreakEven, break_even, tornado
from thinslice.profit.uncertainty import Spread, Sums

NOT_A_CAUSE = (
    "It counts what happened, not what acting causes: a customer who would have stayed or bought "
    "anyway is no profit. Only an experiment shows the difference."
)


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


def evaluate(
    y_true: Any,
    y_score: Any = None,
    plan: Plan | Payoff | None = None,
    *,
    y_pred: Any = None,
    data: Any = None,
    pos_label: Any = None,
    cluster: Any = None,
    seed: int = 0,
) -> Evaluation:
    """Money of a model's predictions against the plan's baseline, with a range and a verdict.

    `y_score` is a score or probability per row, or one probability per row and class; or `y_pred`
    has the decisions. `data` has the columns of the payoff, `cluster` (a column or an array) the
    rows that rise and fall together, such as those of one customer. Lists, numpy, pandas, Polars
    and Arrow. Raises `InputError` or `NotEnoughDataError` rather than take a default.
    """
    plan = _plan(plan)
    payoff = plan.payoff
    assert payoff is not None
    if (y_score is None) == (y_pred is None):
        raise InputError(
            "give y_score (scores or probabilities) or y_pred (decisions), one of them"
        )
    for other, what in ((y_score, "y_score"), (y_pred, "y_pred"), (data, "data")):
        same_rows(y_true, other, f"y_true and {what}")
    truth = vector(y_true, "y_true")
    if not len(truth):
        raise NotEnoughDataError("y_true is empty; there is nothing to judge")
    labels = _labels(truth, payoff, pos_label)
    y = encode(truth, labels, "y_true")
    _both_classes(y, labels)
    columns = Columns(data)
    priced = Priced.of(payoff, len(y), columns)
    groups = _groups(cluster, columns, len(y))
    policy = _policy(y, y_score, y_pred, labels, plan, priced, groups, seed)
    against = rivals(y, policy, labels, plan, priced, columns, groups, seed)
    return Evaluation(plan, labels, y, priced, policy, against, groups, seed)


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What was found: `verdict` with its `reason`, and the money behind it. All amounts on request.

    Gain is the model minus the baseline, per year, less the fixed cost; `profit` is the model's own
    money on these rows.
    """

    plan: Plan
    labels: tuple[Any, ...]
    y: NDArray[np.int64]
    priced: Priced
    policy: Policy
    rivals: dict[str, Rival]
    cluster: NDArray[np.int64] | None
    seed: int

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
        baseline = self.rivals[self.baseline]
        return rule(
            self.plan,
            self.gain,
            baseline.gain_of_luck,
            rows=self.n,
            different=baseline.different,
            again=self._look_again(),
        )

    @property
    def n(self) -> int:
        return len(self.y)

    @property
    def baseline(self) -> str:
        """The name of the plan's baseline among `rivals`."""
        return self.plan.baseline if isinstance(self.plan.baseline, str) else "incumbent"

    @cached_property
    def profit(self) -> Profit:
        sums = Sums.of(self.features, self.priced.means(), self.cluster, self.tuned)
        spread = sums.draws(self._cells(), seed=self.seed).spread()
        rows = self.features @ np.array([1.0, *self.priced.means()])
        by_class = np.bincount(self.y, weights=rows, minlength=len(self.labels))
        total = float(rows.sum())
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

    def expected_maximum(self, replicates: int = 2000) -> Spread:
        """The spread of the highest point of the curve over resamples of the rows.

        It assumes that the threshold may be chosen anew for every such sample with its outcomes
        known, so it is higher than what a threshold fixed today will earn: `profit` is that.
        """
        if self.policy.score is None:
            raise InputError("the expected maximum needs scores of two classes; pass y_score")
        act, none = self.priced.worth(self.y, 1), self.priced.worth(self.y, 0)
        found = resample_best(self.policy.score, act, none, replicates=replicates, seed=self.seed)
        return Spread(*np.quantile(found, (0.05, 0.5, 0.95)).tolist())

    def break_even(self) -> BreakEven:
        """How good the model, or each payoff, has to be for the gain to be 0."""
        return break_even(self.plan, self.priced, self.y, self.policy, *self._parts())

    def tornado(self) -> list[Bar]:
        """What moves the gain most: each payoff from its low to its high end, and luck."""
        luck = self.rivals[self.baseline].gain_of_luck
        return tornado(self.plan, self.priced, *self._parts(), luck)

    def compare(self, other: Evaluation) -> Comparison:
        """This minus `other` on the same rows, paired row by row."""
        if self.n != other.n or not np.array_equal(self.y, other.y):
            raise InputError("only evaluations of the same rows in the same order can be compared")
        if self.priced.payoff != other.priced.payoff:
            raise InputError("only evaluations with the same payoff can be compared")
        difference, tuned = self.features - other.features, None
        if self.tuned is not None or other.tuned is not None:
            mine = self.features if self.tuned is None else self.tuned
            tuned = mine - (other.features if other.tuned is None else other.tuned)
        sums = Sums.of(difference, self.priced.means(), self.cluster, tuned)
        draws = sums.draws(self._cells(), seed=self.seed)
        spread = draws.spread()
        total = float((difference @ np.array([1.0, *self.priced.means()])).sum())
        return Comparison(
            *spread, total, draws.chance_above(0.0), _compared(spread, self.plan.currency)
        )

    @cached_property
    def features(self) -> NDArray[np.float64]:
        """The model's money row by row, split by uncertain payoff (see `Priced.features`)."""
        return self.priced.features(self.y, self.policy.decided)

    @cached_property
    def tuned(self) -> NDArray[np.float64] | None:
        """The same for the threshold tuned on all rows; None where nothing was tuned."""
        final = self.policy.final
        return None if final is None else self.priced.features(self.y, final)

    @cached_property
    def assumptions(self) -> list[str]:
        """What the numbers rest on, in sentences."""
        said = [NOT_A_CAUSE]
        if self.plan.per_year == 1:
            said.append("It takes these rows as one year's; say per_year in the plan if not.")
        else:
            said.append(f"It assumes {say(self.plan.per_year)} such sets of rows a year.")
        if self.plan.discount:
            said.append(f"A year's money is worth {self.plan.discount:.0%} less a year from now.")
        if self.cluster is None:
            said.append("It assumes that rows do not depend on each other; else give a cluster.")
        if not self._cells():
            said.append("It takes every payoff as known exactly; give a Range where it is a guess.")
        if len(self._cells()) > 1:
            said.append("It assumes that the guessed payoffs do not depend on each other.")
        if self.plan.problem:
            said.append(self.plan.problem)
        return said

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and pages."""
        return {
            "question": self.plan.question,
            "plan": self.plan.to_dict(),
            "verdict": self.verdict.value,
            "sentence": self.sentence,
            "reason": self.reason,
            "currency": self.plan.currency,
            "rows": self.n,
            "labels": [str(label) for label in self.labels],
            "counts": self.counts(),
            "profit": self.profit.to_dict(),
            "gain": self.gain._asdict(),
            "p_beats": self.p_beats,
            "baseline": self.baseline,
            "baselines": {name: rival.to_dict() for name, rival in self.rivals.items()},
            "decided_by": self.policy.how,
            "threshold": _finite(self.threshold),
            "optimism": self.optimism,
            "curve": self.policy.curve.points() if self.policy.curve else None,
            "break_even": self.break_even().to_dict(),
            "tornado": [bar.to_dict() for bar in self.tornado()],
            "assumptions": self.assumptions,
            "seed": self.seed,
        }

    def counts(self) -> list[list[int]]:
        """How many rows of each true class (rows) were decided as each (columns)."""
        k = len(self.labels)
        cells = np.bincount(self.y * k + self.policy.decided, minlength=k * k)
        found: list[list[int]] = cells.reshape(k, k).tolist()
        return found

    def _parts(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Money and rows by cell, model minus baseline."""
        rival = self.rivals[self.baseline]
        money, counts = self.priced.parts(self.y, self.policy.decided)
        return money - rival.money, counts - rival.counts

    def _cells(self) -> list[Any]:
        return [cell for _, _, cell in self.priced.uncertain]

    def _look_again(self) -> str:
        return self.break_even().sentence(self.plan)


def _plan(plan: Plan | Payoff | None) -> Plan:
    if isinstance(plan, Payoff):
        return Plan(plan)
    if not isinstance(plan, Plan) or plan.payoff is None:
        raise InputError(
            "evaluate needs a plan with a payoff: Plan(Payoff(tp=..., fp=...), must_beat=...)"
        )
    return plan


def _labels(truth: NDArray[Any], payoff: Payoff, pos_label: Any) -> tuple[Any, ...]:
    if payoff.classes > 2:
        if pos_label is not None:
            raise InputError(f"pos_label is for two classes, the payoff has {payoff.classes}")
        assert payoff.labels is not None
        return payoff.labels
    return two_labels(truth, payoff.labels, pos_label)


def _both_classes(y: NDArray[np.int64], labels: tuple[Any, ...]) -> None:
    if y.min() == y.max():
        raise NotEnoughDataError(
            f"y_true has only the class {labels[int(y[0])]!r}; take rows of all classes, for "
            "example with stratified folds"
        )


def _groups(cluster: Any, columns: Columns, n: int) -> NDArray[np.int64] | None:
    if cluster is None:
        return None
    values = columns.get(cluster) if isinstance(cluster, str) else vector(cluster, "cluster")
    if len(values) != n:
        raise InputError(
            f"cluster has {len(values)} rows and y_true has {n}; they must be the same"
        )
    if values.dtype == object and any(map(missing, values.tolist())):
        raise InputError("cluster must be known in every row; fill it in or leave the rows out")
    groups = np.unique(
        values if values.dtype != object else values.astype(str), return_inverse=True
    )[1]
    if groups.max() == 0:
        raise NotEnoughDataError("all rows are in one cluster; a range needs at least two")
    return np.asarray(groups, np.int64)


def _policy(
    y: NDArray[np.int64],
    y_score: Any,
    y_pred: Any,
    labels: tuple[Any, ...],
    plan: Plan,
    priced: Priced,
    groups: NDArray[np.int64] | None,
    seed: int,
) -> Policy:
    if y_pred is not None:
        policy = by_decisions(y_pred, labels, "y_pred", plan.capacity)
        if len(policy.decided) != len(y):
            raise InputError(
                f"y_pred has {len(policy.decided)} rows and y_true has {len(y)}; they must be the "
                "same"
            )
        return policy
    score = scores(y_score, labels, len(y))
    if score.ndim == 2:
        return by_expected_payoff(probabilities(score, "y_score"), priced)
    if plan.threshold == EXPECTED:
        return by_expected_payoff(both(score, "y_score"), priced)
    if plan.threshold is None:
        enough_to_tune(len(y))
    threshold = plan.threshold if not isinstance(plan.threshold, str) else None
    return by_score(
        y, score, priced, threshold=threshold, capacity=plan.capacity, cluster=groups, seed=seed
    )


def _compared(spread: Spread, currency: str) -> str:
    if spread.low > 0:
        return f"It earns at least {currency} {say(spread.low)} more on these rows."
    if spread.high < 0:
        return f"It earns at least {currency} {say(-spread.high)} less on these rows."
    return (
        f"Not proven: between {currency} {say(-spread.low)} less and {currency} "
        f"{say(spread.high)} more on these rows."
    )


def _finite(value: float | None) -> float | None:
    return value if value is not None and np.isfinite(value) else None
