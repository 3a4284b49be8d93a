"""What a data scientist asks about beside the money: accuracy, precision, recall, ROC."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thinslice.profit.predictions.caveats import auc
from thinslice.profit.predictions.evaluation import Evaluation

POINTS = 100


@dataclass(frozen=True)
class Accuracy:
    """Of a model of two classes. `accuracy` beside that of always naming the larger class;

    `precision` (of those acted on, the share that was positive) and `recall` (of the positive, the
    share acted on) are None where nobody is. `auc` is the chance that a positive row has a higher
    score than a negative one, ties counting half; `roc` has the points (false positive rate, true
    positive rate); both are None without scores.
    """

    accuracy: float
    largest_class: float
    precision: float | None
    recall: float | None
    auc: float | None = None
    roc: list[tuple[float, float]] | None = None


def accuracy(r: Evaluation) -> Accuracy | None:
    """None for more than two classes, for which money by class says more."""
    if len(r.labels) != 2:
        return None
    (tn, fp), (fn, tp) = r.counts()
    positive = tp + fn
    found = Accuracy(
        (tp + tn) / r.n,
        max(positive, r.n - positive) / r.n,
        tp / (tp + fp) if tp + fp else None,
        tp / positive if positive else None,
    )
    if r.policy.score is None:
        return found
    rates = _roc(r.y, r.policy.score)
    some = np.unique(np.linspace(0, len(rates) - 1, POINTS).round().astype(int))
    points = [(float(x), float(y)) for x, y in rates[some]]
    return replace(found, auc=auc(r.y, r.policy.score), roc=points)


def _roc(y: NDArray[np.int64], score: NDArray[np.float64]) -> NDArray[np.float64]:
    """False and true positive rates of every threshold, shape (K, 2), from nobody to everybody."""
    order = np.argsort(-score, kind="stable")
    hits = np.cumsum(y[order] == 1)
    last = np.append(score[order][1:] != score[order][:-1], True)
    acted, hit = np.flatnonzero(last) + 1, hits[last]
    positive = hits[-1]
    rates = np.stack([(acted - hit) / (len(y) - positive), hit / positive], axis=1)
    return np.vstack([[0.0, 0.0], rates])
