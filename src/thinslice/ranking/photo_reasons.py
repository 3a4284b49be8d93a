"""Why does this look alike? What two photos share beyond what any two of the shop do, in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

REASONS = {
    "style": "the same kind of thing",
    "identity": "alike in its details",
    "shape": "the same outline",
    "colour": "the same colours",
}
STRONG = 1.5
"""Standard deviations above two photos drawn at random, from which a part is a reason."""


def usual_cosines(
    vectors: Mapping[str, NDArray[np.floating[Any]]], pairs: int = 2000
) -> dict[str, tuple[float, float]]:
    """Mean and spread of the cosine of two photos drawn at random, by part."""
    rng = np.random.default_rng(0)
    n = len(next(iter(vectors.values())))
    a, b = rng.integers(0, n, (2, pairs))
    found = {}
    for part, rows in vectors.items():
        first, second = (rows[of[a != b]].astype(np.float32) for of in (a, b))
        cosines = (first * second).sum(axis=1)
        found[part] = (float(cosines.mean()), float(cosines.std())) if len(cosines) else (0.0, 1.0)
    return found


def why(
    by_part: Mapping[str, float],
    usual: Mapping[str, Sequence[float]],
    *,
    colour: str | None = None,
) -> str:
    """One or two reasons, the strongest first, and the `colour` that was asked for.

    >>> usual = {"style": (0.2, 0.1), "colour": (0.5, 0.2)}
    >>> why({"style": 0.6, "colour": 0.95}, usual)
    'the same kind of thing and the same colours'
    >>> why({"style": 0.2, "colour": 0.1}, usual)
    'the nearest there is'
    """
    above = {
        part: (cosine - usual[part][0]) / max(usual[part][1], 1e-6)
        for part, cosine in by_part.items()
        if part in usual
    }
    if colour is not None:
        above.pop("colour", None)
    strong = [part for part in sorted(above, key=lambda p: -above[p]) if above[part] > STRONG]
    reasons = [REASONS[part] for part in strong[:2]]
    if colour is not None:
        reasons.append(f"in {colour}")
    return " and ".join(reasons) or "the nearest there is"
