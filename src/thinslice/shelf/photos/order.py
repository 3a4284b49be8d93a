"""In which order? What looks most alike first, what is likely of the photo's kind before others.

A weighted mean of cosines says what looks alike; heads and neighbours together say better of which
kind a photo is (`kind.py`). The category of a product is listed, so that both can be weighed.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from thinslice.domain import Product
from thinslice.index.search import Near
from thinslice.shelf.photos.weights import WEIGHTS

LOOKED_AT = 100
"""At least so many of the nearest are brought in order."""

KIND_COUNTS = 0.015
"""A kind that is e times less likely counts as a score that is lower by this. By a fitted encoder,
on photos that it was not fitted to: at 0, .770 of the ten nearest are of the kind and .888 of
distorted photos find their own product first; at 0.01, .807 and .881; at 0.02, .825 and .865."""

UNLIKELY = 0.02
"""Added to every chance of a kind: one that is ruled out, or listed nowhere, is still shown."""


def in_order(
    near: Sequence[Near],
    kinds: Mapping[str, float],
    products: Mapping[str, Product],
    weights: Mapping[str, float],
) -> list[Near]:
    """What was found, best first, by score and kind; `kinds` are chances by category.

    The kind counts as style does: not at all where `weights` ask for colours alone.
    """
    counts = KIND_COUNTS * min(1.0, weights.get("style", 0.0) / WEIGHTS["style"])

    def worth(one: Near) -> float:
        likely = kinds.get(products[one.product].category, 0.0)
        return one.score + counts * math.log(likely + UNLIKELY)

    return sorted(near, key=worth, reverse=True)
