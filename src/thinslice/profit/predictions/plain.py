"""An evaluation as plain values, for JSON and pages."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thinslice.profit.predictions.evaluation import Evaluation


def plain_values(e: Evaluation) -> dict[str, Any]:
    """Everything that was found; a threshold that is not finite is None."""
    return {
        "question": e.plan.question,
        "plan": e.plan.to_dict(),
        "verdict": e.verdict.value,
        "sentence": e.sentence,
        "reason": e.reason,
        "currency": e.plan.currency,
        "rows": e.n,
        "labels": [str(label) for label in e.labels],
        "counts": e.counts(),
        "money": e.money(),
        "profit": e.profit.to_dict(),
        "gain": e.gain._asdict(),
        "p_beats": e.p_beats,
        "baseline": e.baseline,
        "baselines": {name: rival.to_dict() for name, rival in e.rivals.items()},
        "simplest": _simplest(e),
        "decided_by": e.policy.how,
        "constraints": [kept.to_dict() for kept in e.constraints],
        "threshold": _finite(e.threshold),
        "optimism": e.optimism,
        "curve": e.policy.curve.points() if e.policy.curve else None,
        "break_even": e.break_even().to_dict(),
        "tornado": [bar.to_dict() for bar in e.tornado()],
        "warnings": e.warnings,
        "assumptions": e.assumptions,
        "seed": e.seed,
    }


def _simplest(e: Evaluation) -> dict[str, Any] | None:
    if e.simplest is None:
        return None
    words, rival = e.simplest
    return {"words": words, **rival.to_dict()}


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
