"""Which vectors lie all but on top of one another? Pairs, the nearest first."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thinslice.index.vector_index import VectorIndex

NEAREST = 6
"""Neighbours that are looked at per product: of more copies than this each is still in a pair."""

RESCORED = 32
"""Sketches of all but equal vectors differ in few bits, so that few rows are scored exactly: a
hundred thousand products take a minute, less than half of what a usual search for each takes."""


def near_duplicates(
    index: VectorIndex,
    at_least: float,
    *,
    weights: Mapping[str, float] | None = None,
    among: Collection[str] | None = None,
) -> list[tuple[str, str, float]]:
    """Pairs of products with a score of `at_least`, as (product, product, score), best first.

    `among` leaves out products that are not in it.
    """
    pairs: dict[tuple[str, str], float] = {}
    for product in index.ids:
        vectors = index.vectors_of(product)
        if vectors is None or (among is not None and product not in among):
            continue
        for near in index.search(vectors, NEAREST, weights=weights, rescored=RESCORED):
            if near.product == product or near.score < at_least:
                continue
            if among is None or near.product in among:
                first, second = sorted((product, near.product))
                pairs[first, second] = near.score
    ranked = sorted(pairs.items(), key=lambda pair: (-pair[1], pair[0]))
    return [(first, second, score) for (first, second), score in ranked]
