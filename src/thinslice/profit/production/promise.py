"""What was promised: the parts of an evaluation that a model in production is held to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError
from thinslice.profit.plan.plan import Plan
from thinslice.profit.uncertainty import Spread


@dataclass(frozen=True, eq=False)
class Promise:
    """What was evaluated beforehand: the gain a year, of how many rows, by which scores."""

    gain: Spread
    rows: int | None = None
    threshold: float | None = None
    score: NDArray[np.float64] | None = None
    labels: tuple[Any, ...] | None = None


def promise_of(planned: Any, plan: Plan) -> Promise | None:
    """The parts of an evaluation that is followed up, or of what its `to_dict()` kept."""
    if planned is None:
        return None
    kept = planned if isinstance(planned, Mapping) else None
    if kept is None and not hasattr(planned, "rivals"):
        raise InputError(
            f"planned is the evaluation that was agreed on, or its to_dict(), got {planned!r:.80}"
        )
    try:
        gain = Spread(**kept["gain"]) if kept is not None else planned.gain
        if kept is not None:
            return Promise(gain, kept.get("rows"), kept.get("threshold"))
    except (KeyError, TypeError):
        raise InputError("planned has no gain with low, likely and high; give to_dict()") from None
    if planned.plan.currency != plan.currency:
        raise InputError(
            f"planned is in {planned.plan.currency} and the plan in {plan.currency}; name one"
        )
    return Promise(gain, planned.n, planned.threshold, planned.policy.score, planned.labels)
