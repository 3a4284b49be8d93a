"""What a verdict is given on: rows, what was decided in them, and what that is held against."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thinslice.profit.payoff.priced import Pricing
from thinslice.profit.predictions.baselines import Rival
from thinslice.profit.predictions.policy import Policy


class Case(NamedTuple):
    """`y` has the place of each row's class in `labels`, shape (n,); of lists the events.

    `cluster` (n,) says which rows rise and fall together, None where none do.
    """

    labels: tuple[Any, ...]
    y: Any
    priced: Pricing
    policy: Policy
    rivals: dict[str, Rival]
    cluster: NDArray[np.int64] | None
