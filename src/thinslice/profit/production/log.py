"""A log of decisions in production, checked: when, what was decided, what turned out so far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError, NotEnoughDataError
from thinslice.profit.payoff.cell import Cell
from thinslice.profit.payoff.priced import Priced
from thinslice.profit.plan.plan import EXPECTED, Plan
from thinslice.profit.predictions.policy import both, by_expected_payoff, scores
from thinslice.profit.production.periods import Period, days_of, split
from thinslice.profit.rows.columns import Columns, clusters, vector
from thinslice.profit.rows.labels import encode, missing, two_labels

UNKNOWN = -1


@dataclass(frozen=True, eq=False)
class ProductionLog:
    """Rows in the order they came; everything that does not depend on what is expected.

    `y` (n,) is the place of the label or -1 where it has not arrived; `worth[i]` (n, 1 + U) what
    each row brings over the baseline if class i turns out (see `Priced.features`); `signal` (n,)
    what chances are learned from: the score, or else the decision.
    """

    plan: Plan
    labels: tuple[Any, ...]
    periods: list[Period]
    place: NDArray[np.int64]
    y: NDArray[np.int64]
    decided: NDArray[np.int64]
    score: NDArray[np.float64] | None
    worth: list[NDArray[np.float64]]
    cells: list[Cell]
    weights: NDArray[np.float64]
    cluster: NDArray[np.int64] | None

    @property
    def n(self) -> int:
        return len(self.y)

    @property
    def known(self) -> NDArray[np.bool_]:
        return np.asarray(self.y != UNKNOWN)

    @property
    def signal(self) -> NDArray[Any]:
        return self.decided if self.score is None else self.score


def read_log(
    data: Any,
    plan: Plan,
    *,
    time: Any,
    y_true: Any,
    y_score: Any,
    y_pred: Any,
    by: str,
    pos_label: Any,
    cluster: Any,
    until: date | str | None,
    labels: Sequence[Any] | None,
    threshold: float | None,
) -> ProductionLog:
    """`labels` and `threshold` are what an evaluation has settled, where there is one."""
    payoff = plan.payoff
    assert payoff is not None
    if payoff.ranks:
        raise InputError(
            "recommended lists are followed by an experiment, which shows what they cause; track "
            "is for decisions about rows"
        )
    columns = Columns(data)
    days = days_of(_values(time, "time", columns), "time")
    if not len(days):
        raise NotEnoughDataError("the log is empty; there is nothing to follow")
    n = len(days)
    periods, place = split(days, by, until)
    truth = _values(y_true, "y_true", columns, n)
    arrived = np.array([not _absent(value) for value in truth.tolist()])
    stated = payoff.labels if payoff.labels is not None else labels
    if stated is None and not arrived.any():
        raise NotEnoughDataError(
            "no label has arrived yet, so the classes are unknown; state labels=[negative, "
            "positive] in the payoff"
        )
    known = (
        tuple(stated)
        if payoff.classes > 2 and stated is not None
        else two_labels(_tight(truth[arrived]), stated, pos_label)
    )
    y = np.full(n, UNKNOWN, np.int64)
    y[arrived] = encode(_tight(truth[arrived]), known, "y_true")
    priced = Priced.of(payoff, n, columns)
    given_score = y_score if y_score is not None or "y_score" not in columns else "y_score"
    given_pred = y_pred if y_pred is not None or "y_pred" not in columns else "y_pred"
    score = None if given_score is None else _score(given_score, columns, known, n)
    if given_pred is not None:
        decided = encode(_values(given_pred, "y_pred", columns, n), known, "y_pred")
    else:
        decided = _decided(score, plan, priced, threshold)
    mix = _baseline(plan, columns, known, decided, periods, place, threshold)
    return ProductionLog(
        plan,
        known,
        periods,
        place,
        y,
        decided,
        score,
        [_over(priced, i, decided, mix) for i in range(len(known))],
        [cell for _, _, cell in priced.uncertain],
        np.array([1.0, *priced.means()]),
        None if cluster is None else clusters(_values(cluster, "cluster", columns, n)),
    )


def _values(given: Any, name: str, columns: Columns, n: int | None = None) -> NDArray[Any]:
    """A column by its name, or an array."""
    if isinstance(given, str) and not columns.names:
        raise InputError(f"{name} is the column {given!r} and there is no data; pass the log")
    found = columns.get(given) if isinstance(given, str) else vector(given, name)
    if n is not None and len(found) != n:
        raise InputError(f"{name} has {len(found)} rows and time has {n}; they must be the same")
    return found


def _absent(value: Any) -> bool:
    return missing(value) or value == ""


def _tight(values: NDArray[Any]) -> NDArray[Any]:
    """Numbers that stood beside missing values, as numbers again."""
    if values.dtype == object and all(isinstance(v, int | float) for v in values.tolist()):
        return values.astype(np.float64)
    return values


def _score(given: Any, columns: Columns, labels: tuple[Any, ...], n: int) -> NDArray[np.float64]:
    if len(labels) > 2:
        raise InputError(
            f"a model of {len(labels)} classes is followed by its decisions; give y_pred, and no "
            "y_score"
        )
    return scores(_values(given, "y_score", columns, n), labels, n)


def _decided(
    score: NDArray[np.float64] | None, plan: Plan, priced: Priced, threshold: float | None
) -> NDArray[np.int64]:
    """What a score led to, where the log does not say: only by what was settled beforehand."""
    if score is None:
        raise InputError("the log must say what was decided: y_pred=, or y_score= and a threshold")
    if plan.capacity is not None:
        raise InputError(
            "with a capacity, who was acted on does not follow from the scores; give y_pred="
        )
    if plan.threshold == EXPECTED:
        return by_expected_payoff(both(score, "y_score"), priced).decided
    fixed = plan.threshold if isinstance(plan.threshold, int | float) else threshold
    if fixed is None:
        raise InputError(
            "a threshold is not tuned on what it is followed by; state it in the plan "
            "(threshold=0.2), give the evaluation as planned=, or the decisions as y_pred="
        )
    return (score >= fixed).astype(np.int64)


def _baseline(
    plan: Plan,
    columns: Columns,
    labels: tuple[Any, ...],
    decided: NDArray[np.int64],
    periods: list[Period],
    place: NDArray[np.int64],
    threshold: float | None,
) -> NDArray[np.float64]:
    """How likely the baseline takes each decision in each row, shape (n, K)."""
    n, k = len(decided), len(labels)
    name = plan.baseline
    words = name if isinstance(name, str) else ""
    if words == "random":
        return np.tile(np.bincount(decided, minlength=k) / n, (n, 1))
    if words == "all" and k == 2:
        full = np.ones(n)
        if plan.capacity is not None:
            room = plan.capacity * plan.per_year * np.array([p.share for p in periods])
            full = np.minimum(1, room / np.maximum(np.bincount(place, minlength=len(periods)), 1))
            full = full[place]
        return np.stack([1 - full, full], axis=1)
    return np.asarray(np.eye(k)[_stated(name, plan, columns, labels, n, threshold)])


def _stated(
    name: Any,
    plan: Plan,
    columns: Columns,
    labels: tuple[Any, ...],
    n: int,
    threshold: float | None,
) -> NDArray[np.int64]:
    if name == "nothing":
        none = (
            0
            if len(labels) == 2
            else _place_of(plan.payoff.nothing if plan.payoff else None, labels)
        )
        return np.full(n, none)
    if isinstance(name, str) and name.startswith("all "):
        return np.full(n, _place_of(name.removeprefix("all "), [str(x) for x in labels]))
    if hasattr(name, "predict"):
        raise InputError(
            "a log keeps what the baseline decided: put it in a column and say "
            "baseline='column:NAME'"
        )
    given = name.removeprefix("column:") if isinstance(name, str) else name
    values = _tight(_values(given, "the baseline", columns, n))
    numeric = values.dtype.kind in "iuf" and np.isfinite(values).all()
    if numeric and not np.isin(values, [x for x in labels if isinstance(x, int | float)]).all():
        fixed = plan.threshold if isinstance(plan.threshold, int | float) else threshold
        if fixed is None:
            raise InputError(
                "the baseline's column holds scores; put its decisions there, or state a "
                "threshold in the plan"
            )
        return (values >= fixed).astype(np.int64)
    return np.asarray(encode(values, labels, "the baseline"))


def _place_of(label: Any, labels: Sequence[Any]) -> int:
    if label not in labels:
        raise InputError(
            f"which of the decisions {list(labels)!r} means doing nothing? Say "
            "Payoff.from_matrix(..., nothing=...), or choose another baseline in the plan"
        )
    return list(labels).index(label)


def _over(
    priced: Priced, true: int, decided: NDArray[np.int64], mix: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Model minus baseline in every row if `true` turns out, split by uncertain payoff."""
    y = np.full(priced.n, true)
    found = priced.features(y, decided)
    for j, share in enumerate(mix.T):
        if share.any():
            found -= share[:, None] * priced.features(y, j)
    return found
