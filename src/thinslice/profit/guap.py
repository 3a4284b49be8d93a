"""For those who come from guap: the same call, with the right answer.

guap counts every row once per class (one against the rest), and so does this `sum`; for two classes
the row counts once, with the class that `pos_label` names as positive. `average` is per prediction,
where guap's was per class and cut to an integer. What a decision is worth when there are more than
two classes is better said with `Payoff.from_matrix`, which counts every row once.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from thinslice.errors import InputError
from thinslice.profit.payoff.payoff import LAYOUT, Payoff
from thinslice.profit.rows.columns import vector
from thinslice.profit.rows.labels import encode
from thinslice.profit.scorer import total_profit


def guap_metric(
    y_true: Any, y_pred: Any, cost_matrix: Any, *, labels: Any = None, pos_label: Any = None
) -> dict[str, float]:
    """The total and the average per prediction of a 2 x 2 matrix, class against the rest.

    `labels` are all classes, by default those of y_true.

    >>> truth = ["cat", "ant", "cat", "cat", "ant", "bird"]
    >>> found = ["ant", "ant", "cat", "cat", "ant", "cat"]
    >>> guap_metric(truth, found, [[200, -1500], [0, 1000]])
    {'sum': 3000.0, 'average': 500.0}
    """
    payoff = Payoff.from_matrix(cost_matrix, labels=None)
    if payoff.classes != 2:
        raise InputError(f"this matrix is {LAYOUT}; use Payoff.from_matrix for more classes")
    truth, decided = vector(y_true, "y_true"), vector(y_pred, "y_pred")
    classes = list(labels) if labels is not None else list(dict.fromkeys(truth.tolist()))
    if len(classes) == 2 or pos_label is not None:
        two = Payoff.from_matrix(cost_matrix, labels=labels)
        total = total_profit(truth, decided, two, pos_label=pos_label)
    else:
        y, d = encode(truth, classes, "y_true"), encode(decided, classes, "y_pred")
        binary = Payoff.from_matrix(cost_matrix, labels=[0, 1])
        total = sum(
            total_profit((y == k).astype(np.int64), (d == k).astype(np.int64), binary)
            for k in range(len(classes))
        )
    return {"sum": total, "average": total / len(truth)}
