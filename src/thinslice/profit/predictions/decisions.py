"""Decisions about rows, as people hand them over - scores, probabilities, labels - as a `Case`."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError, NotEnoughDataError
from thinslice.profit.payoff.payoff import Payoff
from thinslice.profit.payoff.priced import Priced
from thinslice.profit.plan.plan import EXPECTED, Plan
from thinslice.profit.predictions.baselines import nothing_of, rivals
from thinslice.profit.predictions.case import Case
from thinslice.profit.predictions.incremental import Incremental
from thinslice.profit.predictions.policy import (
    Policy,
    both,
    by_decisions,
    by_expected_payoff,
    by_score,
    enough_to_tune,
    probabilities,
    scores,
)
from thinslice.profit.rows.columns import Columns, clusters, same_rows, vector
from thinslice.profit.rows.labels import encode, two_labels


def case_of_decisions(
    y_true: Any,
    y_score: Any,
    plan: Plan,
    *,
    y_pred: Any,
    data: Any,
    pos_label: Any,
    cluster: Any,
    treatment: Any,
    seed: int,
) -> Case:
    """The case of two classes or more; see `evaluate` for what each argument may be."""
    if (y_score is None) == (y_pred is None):
        raise InputError(
            "give y_score (scores or probabilities) or y_pred (decisions), one of them"
        )
    payoff = plan.payoff
    assert payoff is not None
    beside = {"y_score": y_score, "y_pred": y_pred, "data": data, "cluster": cluster}
    beside |= {"treatment": treatment, "the baseline": plan.baseline}
    beside |= {cell.name: cell.given for cell in payoff.flat()}
    for what, other in beside.items():
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
    return Case(labels, y, priced, policy, against, groups)


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
    nothing = nothing_of(priced.payoff, labels)
    if len(labels) > 2:
        _check_classes(plan, labels, nothing)
    if y_pred is not None:
        policy = by_decisions(y_pred, labels, "y_pred", plan.capacity, nothing)
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
        proba = probabilities(score, "y_score")
        return by_expected_payoff(proba, priced, plan.capacity, nothing)
    if plan.threshold == EXPECTED:
        return by_expected_payoff(both(score, "y_score"), priced, plan.capacity)
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


def _check_classes(plan: Plan, labels: tuple[Any, ...], nothing: int | None) -> None:
    """What a plan may ask of more than two classes; `InputError` rather than leave it out."""
    if plan.threshold is not None and plan.threshold != EXPECTED:
        raise InputError(
            f"a threshold is for two classes, got {plan.threshold:g} for {len(labels)}; leave it "
            "out, and every row gets the decision with the highest expected payoff"
        )
    if plan.capacity is not None and nothing is None:
        raise InputError(
            f"the plan's capacity counts the rows that are acted on, and which of the decisions "
            f"{list(labels)!r} means doing nothing? Say Payoff.from_matrix(..., nothing=...)"
        )
