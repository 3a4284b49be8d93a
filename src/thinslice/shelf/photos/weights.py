"""How much does each part of a photo count? As usual, as a slider says, or as somebody names it."""

from __future__ import annotations

from collections.abc import Mapping

from thinslice.errors import InputError
from thinslice.index.vector_index import VectorIndex

BITS = {"style": 256, "identity": 256, "shape": 128, "colour": 128}
WEIGHTS = {"style": 1.0, "identity": 2.0, "shape": 0.5, "colour": 0.35}
"""How much each part counts unless somebody moves the slider, of those that an encoder has. Chosen
on photos that were kept aside: identity finds the very item, kinds are seen to by `order.py`."""


def weights_for(index: VectorIndex, wished: Mapping[str, float] | None = None) -> dict[str, float]:
    """How much each part of an index counts: as wished, else as usual; an encoder without an
    identity of its own is searched by the others."""
    weights = {**WEIGHTS, **(wished or {})}
    return {part: w for part, w in weights.items() if part in index.bits or part not in WEIGHTS}


def balanced(colour: float) -> dict[str, float]:
    """Weights for a slider from 0, shape alone, over 0.5, as usual, to 1, colour alone."""
    if not 0 <= colour <= 1:
        raise InputError(
            f"shape against colour is from 0 (shape) to 1 (colour), got {colour}; 0.5 is as usual"
        )
    others = min(1.0, 2 - 2 * colour)
    weights = {part: weight * others for part, weight in WEIGHTS.items()}
    towards = max(0.0, 2 * colour - 1)
    return {
        **weights,
        "colour": WEIGHTS["colour"] * min(1.0, 2 * colour) * (1 - towards) + towards,
    }
