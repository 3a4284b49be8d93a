"""The decision with the highest expected payoff, row by row."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError
from thinslice.profit.payoff.payoff import Payoff
from thinslice.profit.payoff.priced import Priced
from thinslice.profit.predictions.policy import both, expected, probabilities, scores
from thinslice.profit.rows.columns import Columns, same_rows


def decide(proba: Any, payoff: Payoff, *, data: Any = None, labels: Any = None) -> NDArray[Any]:
    """What to do in each row, as labels of shape (n,), from calibrated probabilities.

    `proba` is one probability per row (of the positive class) or one per row and class; `data` has
    the columns of the payoff. The labels are the payoff's, or `labels`, or 0 and 1 for two classes;
    of decisions that are worth the same the first is taken. A guessed payoff counts with its mean.

    >>> decide([0.1, 0.3], Payoff(tp=100, fp=-20)).tolist()
    [0, 1]
    """
    if payoff.ranks:
        raise InputError(
            "this payoff is for recommended lists; decide needs Payoff(tp=..., fp=...)"
        )
    stated = payoff.labels if payoff.labels is not None else labels
    if stated is None and payoff.classes == 2:
        stated = (0, 1)
    if stated is None or len(stated) != payoff.classes:
        raise InputError(f"decide needs labels=[...], one for each of {payoff.classes} classes")
    same_rows(proba, data, "proba and data")
    score = scores(proba, tuple(stated), None, "proba")
    chances = both(score, "proba") if score.ndim == 1 else probabilities(score, "proba")
    priced = Priced.of(payoff, len(score), Columns(data))
    chosen = expected(chances, priced).argmax(axis=1)
    found: NDArray[Any] = np.array(stated)[chosen]
    return found
