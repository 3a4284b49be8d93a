"""What an item is worth before anyone knows what will happen to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError
from thinslice.profit.payoff.payoff import Payoff
from thinslice.profit.payoff.priced import amount
from thinslice.profit.rows.columns import Columns


def expected_worth(
    payoff: Payoff, data: Any, chances: Mapping[str, NDArray[np.float64]]
) -> NDArray[np.float64]:
    """The sum over a ranking payoff's outcomes of chance times amount, one number per item.

    >>> payoff = Payoff.ranking(click=0.05, purchase="margin")
    >>> chances = {"click": np.ones(2), "purchase": np.array([0.5, 0.1])}
    >>> expected_worth(payoff, {"margin": [10.0, 100.0]}, chances).tolist()
    [5.05, 10.05]
    """
    if not payoff.ranks or payoff.labels is None:
        raise InputError("items are worth something by Payoff.ranking(...), got another payoff")
    columns, cache = Columns(data), dict[str, NDArray[Any]]()
    n = len(next(iter(chances.values())))
    total = np.zeros(n)
    for name, (cell,) in zip(payoff.labels, payoff.cells, strict=True):
        total += chances[name] * amount(cell, n, columns, cache)
    return total
