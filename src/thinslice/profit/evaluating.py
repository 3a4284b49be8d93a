"""From what people hand over to an `Evaluation`: rows, scores or decisions, and the plan."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError, NotEnoughDataError
from thinslice.profit.baselines import rivals
from thinslice.profit.columns import Columns, clusters, same_rows, vector
from thinslice.profit.evaluation import Evaluation
from thinslice.profit.incremental import Incremental
from thinslice.profit.labels import encode, two_labels
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
from thinslice.profit.ranking import evaluate_lists


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
    For a payoff of recommended lists, `y_score` has the lists and `y_true` what happened (see
    `evaluate_lists`). Lists, numpy, pandas, Polars and Arrow. Raises `InputError` or
    `NotEnoughDataError` rather than take a default.
    """
    plan = _plan(plan)
    payoff = plan.payoff
    assert payoff is not None
    if payoff.ranks:
        for name, value in (
            ("y_pred", y_pred),
            ("pos_label", pos_label),
            ("treatment", treatment),
        ):
            if value is not None:
                raise InputError(
                    f"{name} is for decisions; a payoff of recommended lists takes y_true (what "
                    "happened), y_score (the lists) and data (the items)"
                )
        return evaluate_lists(y_true, y_score, plan, data=data, cluster=cluster, seed=seed)
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
    if treatment is not None:
        if any(not each.startswith("share_acted") for each in plan.constraints):
            raise InputError("with treatment= only share_acted can be a constraint")
        priced = Incremental.of_random(priced, y, _column(treatment, columns, len(y), "treatment"))
    groups = _groups(cluster, columns, len(y))
    policy = _policy(y, y_score, y_pred, labels, plan, priced, groups, seed)
    if isinstance(priced, Incremental):
        priced.check(policy.decided if policy.score is None else policy.score, groups)
    against = rivals(y, policy, labels, plan, priced, columns, groups, seed)
    return Evaluation(plan, labels, y, priced, policy, against, groups, seed)


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
    return None if cluster is None else clusters(_column(cluster, columns, n, "cluster"))


def _column(given: Any, columns: Columns, n: int, what: str) -> NDArray[Any]:
    values = columns.get(given) if isinstance(given, str) else vector(given, what)
    if len(values) != n:
        raise InputError(f"{what} has {len(values)} rows and y_true has {n}; they must be the same")
    return values


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
    if isinstance(priced, Incremental) and plan.threshold == EXPECTED:
        raise InputError(
            "what acting causes is not known row by row, so there is no expected payoff to decide "
            "by; leave the threshold out, state one, or pass decisions as y_pred"
        )
    if score.ndim == 2:
        return by_expected_payoff(probabilities(score, "y_score"), priced)
    if plan.threshold == EXPECTED:
        return by_expected_payoff(both(score, "y_score"), priced)
    if plan.threshold is None:
        enough_to_tune(len(y))
    threshold = plan.threshold if not isinstance(plan.threshold, str) else None
    return by_score(
        y,
        score,
        priced,
        threshold=threshold,
        capacity=plan.capacity,
        cluster=groups,
        constraints=plan.constraints,
        seed=seed,
    )
