"""From scores to decisions: a fixed threshold, a tuned one without looking ahead, or the payoff."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError, NotEnoughDataError
from thinslice.profit.payoff.priced import Priced
from thinslice.profit.plan.constraints import Constraint
from thinslice.profit.predictions.curve import Curve, profit_curve
from thinslice.profit.rows.columns import matrix, numbers, vector
from thinslice.profit.rows.labels import encode

FOLDS = 10
FEWEST_TO_TUNE = 50
"""Rows; a threshold tuned on fewer says nothing about the next rows."""


@dataclass(frozen=True, eq=False)
class Policy:
    """What was decided in every row, as places of labels (n,), and how it came about.

    Of lists `decided` is what they held (see `Listed`). `threshold` is what to use from now on;
    where it was tuned, `decided` comes from thresholds that had not seen the row, `final` (n,) is
    what the tuned threshold itself decides, and `optimum` what that earned on its own rows. `tied`
    says that nothing is acted on because more rows are worth the same than the capacity allows.
    """

    decided: NDArray[Any]
    how: str
    threshold: float | None = None
    score: NDArray[np.float64] | None = None
    curve: Curve | None = None
    optimum: float | None = None
    final: NDArray[np.int64] | None = None
    tied: bool = False

    @property
    def tuned(self) -> bool:
        return self.optimum is not None


def by_decisions(
    y_pred: Any, labels: Sequence[Any], what: str, capacity: float | None, nothing: int | None = 0
) -> Policy:
    """Decisions that were given; `InputError` when they act on more rows than the capacity.

    `nothing` is the place of the decision that acts on no row.
    """
    decided = encode(vector(y_pred, what), labels, what)
    acted = int(np.count_nonzero(decided != nothing))
    if capacity is not None and acted > capacity:
        raise InputError(
            f"{what} acts on {acted:,} rows and the plan's capacity is {capacity:g}; give "
            "scores as y_score, so that the best of them are chosen"
        )
    return Policy(decided, "decisions as given")


def by_score(
    y: NDArray[np.int64],
    score: NDArray[np.float64],
    priced: Priced,
    *,
    threshold: float | None,
    capacity: float | None,
    cluster: NDArray[np.int64] | None,
    constraints: Sequence[str] = (),
    seed: int = 0,
) -> Policy:
    """Act where the score reaches a threshold: the one stated, or one tuned by cross-fitting."""
    none, act = priced.worth(y, 0), priced.worth(y, 1)
    curve = profit_curve(score, act, none)
    if threshold is not None:
        decided = (score >= threshold).astype(np.int64)
        if capacity is not None and decided.sum() > capacity:
            threshold = _reached_by_at_most(score, capacity)
            decided = (score >= threshold).astype(np.int64)
        return Policy(decided, "a threshold fixed beforehand", threshold, score, curve)
    folds = _folds(score, act - none, cluster, seed)
    decided = np.zeros(len(y), np.int64)
    for fold in range(FOLDS):
        held, rest = folds == fold, folds != fold
        room = None if capacity is None else capacity * rest.sum() / len(y)
        seen = profit_curve(score[rest], act[rest], none[rest])
        allowed = _allowed(constraints, seen, y[rest], score[rest])
        decided[held] = score[held] >= seen.thresholds[seen.best(room, allowed)]
    best = curve.best(capacity, _allowed(constraints, curve, y, score))
    return Policy(
        decided,
        f"a threshold tuned on other rows ({FOLDS} folds)",
        float(curve.thresholds[best]),
        score,
        curve,
        float(curve.profit[best]),
        (score >= curve.thresholds[best]).astype(np.int64),
    )


def by_expected_payoff(
    proba: NDArray[np.float64],
    priced: Priced,
    capacity: float | None = None,
    nothing: int | None = 0,
) -> Policy:
    """In every row the decision with the highest expected payoff.

    Where that acts on more rows than the capacity, on those in which it is expected to earn most
    above the decision at the place `nothing`.
    """
    how = "the highest expected payoff, row by row"
    worth = expected(proba, priced)
    decided = worth.argmax(axis=1)
    if capacity is None or nothing is None or np.count_nonzero(decided != nothing) <= capacity:
        return Policy(decided, how)
    gain = worth.max(axis=1) - worth[:, nothing]
    kept = gain >= _reached_by_at_most(gain, capacity)
    how = f"{how}, within the capacity"
    return Policy(np.where(kept, decided, nothing), how, tied=capacity > 0 and not kept.any())


def expected(proba: NDArray[np.float64], priced: Priced) -> NDArray[np.float64]:
    """The expected payoff of every decision, shape (n, K), from probabilities (n, K)."""
    found = np.zeros((len(proba), priced.payoff.classes))
    for i, row in enumerate(priced.amounts):
        for j, amount in enumerate(row):
            found[:, j] += proba[:, i] * amount
    return found


def scores(
    y_score: Any, labels: Sequence[Any], n: int | None, what: str = "y_score"
) -> NDArray[np.float64]:
    """Scores (n,) or probabilities (n, K), checked; a column per class in the labels' order.

    Arrays of K columns follow scikit-learn, the labels sorted; frames follow their names.
    """
    array, names = matrix(y_score, what)
    if what == "y_score" and (array.dtype.kind in "OUSb" or _zeros_and_ones(array)):
        _refuse_decisions(array)
    if array.ndim == 1 or array.shape[1] == 1:
        found = numbers(array.reshape(-1), what)
    else:
        found = _by_class(array, names, labels, what)
    if n is not None and len(found) != n:
        raise InputError(f"{what} has {len(found)} rows and y_true has {n}; they must be the same")
    if found.ndim == 1 and len(labels) > 2:
        raise InputError(
            f"{len(labels)} classes need one probability per class and row, shape ({len(found)}, "
            f"{len(labels)}), or decisions as y_pred; got one score per row"
        )
    return found[:, 1] if found.ndim == 2 and len(labels) == 2 else found


def probabilities(proba: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    """Rows that add up to 1 and lie between 0 and 1; else `InputError` names the row."""
    wrong = (proba < 0).any(axis=1) | (proba > 1).any(axis=1) | (abs(proba.sum(axis=1) - 1) > 1e-3)
    if wrong.any():
        row = int(np.flatnonzero(wrong)[0])
        raise InputError(
            f"{what} must be probabilities that add up to 1, got {proba[row].tolist()} in row {row}"
        )
    return proba


def both(score: NDArray[np.float64], what: str) -> NDArray[np.float64]:
    """Probabilities of the positive class as those of both classes, shape (n, 2)."""
    return probabilities(np.stack([1 - score, score], axis=1), what)


def enough_to_tune(n: int) -> None:
    if n < FEWEST_TO_TUNE:
        raise NotEnoughDataError(
            f"a threshold is tuned on at least {FEWEST_TO_TUNE} rows, got {n}; state one in the "
            "plan (threshold=0.2), or pass decisions as y_pred"
        )


def _allowed(
    constraints: Sequence[str], curve: Curve, y: NDArray[np.int64], score: NDArray[np.float64]
) -> NDArray[np.bool_] | None:
    """Which thresholds of the curve keep all constraints, shape (K,)."""
    if not constraints:
        return None
    hits = profit_curve(score, y.astype(np.float64)).profit
    kept = [
        Constraint.parse(each).allows(hits, curve.acted, int(y.sum()), len(y))
        for each in constraints
    ]
    return np.asarray(np.logical_and.reduce(kept))


def _by_class(
    array: NDArray[Any], names: list[str] | None, labels: Sequence[Any], what: str
) -> NDArray[np.float64]:
    if array.ndim != 2 or array.shape[1] != len(labels):
        raise InputError(
            f"{what} has the shape {array.shape} and there are {len(labels)} classes; give one "
            "column per class"
        )
    wanted = [str(label) for label in labels]
    if names is not None and sorted(map(str, names)) == sorted(wanted):
        array = array[:, [list(map(str, names)).index(label) for label in wanted]]
    elif list(labels) != sorted(labels):
        raise InputError(
            f"the columns of {what} have no names and the labels {list(labels)!r} are not in "
            "scikit-learn's sorted order; pass a frame whose columns are named by the labels"
            + (f", or the column of {labels[1]!r} alone" if len(labels) == 2 else "")
        )
    flat = numbers(array.reshape(-1), f"{what} (counted value by value)")
    return flat.reshape(array.shape)


def _zeros_and_ones(array: NDArray[Any]) -> bool:
    return array.ndim == 1 and bool(((array == 0) | (array == 1)).all())


def _refuse_decisions(array: NDArray[Any]) -> None:
    values = set(array.reshape(-1).tolist()) if array.ndim == 1 else set()
    if array.dtype.kind == "b" or any(isinstance(value, str) for value in values):
        raise InputError("y_score holds labels; pass decisions as y_pred=, scores as y_score")
    if values and values <= {0, 1}:
        raise InputError(
            "y_score has only the values 0 and 1, which are decisions; pass them as y_pred="
        )


def _folds(
    score: NDArray[np.float64],
    gain: NDArray[np.float64],
    cluster: NDArray[np.int64] | None,
    seed: int,
) -> NDArray[np.int64]:
    """A fold per row at random, whatever the order of the rows; clusters stay whole."""
    if cluster is not None:
        sums = [np.bincount(cluster, part).astype(np.float64) for part in (score, gain)]
        return np.asarray(_folds(sums[0], sums[1], None, seed)[cluster])
    folds = np.empty(len(score), np.int64)
    drawn = np.random.default_rng(seed).permutation(len(score)) % FOLDS
    folds[np.lexsort((gain, score))] = drawn
    return folds


def _reached_by_at_most(score: NDArray[np.float64], capacity: float) -> float:
    """The lowest threshold that fits; a group of equal scores that does not is left out whole.

    inf where not even the highest scores fit.
    """
    values, counts = np.unique(-score, return_counts=True)
    fits = np.searchsorted(np.cumsum(counts), capacity, side="right")
    return float(-values[fits - 1]) if fits else float("inf")
