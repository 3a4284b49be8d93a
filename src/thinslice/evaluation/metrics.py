"""What a list is worth against what really came next. One definition each.

A list is judged by the places of its products and never by their scores, so that equal scores can
flatter nobody. All products compete: none is sampled. Every
value but a surprise lies between 0 and 1.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


def rank_of(shown: Sequence[str], target: str) -> int | None:
    """The place of the target in the list, from 1; None when it is not there."""
    for place, product in enumerate(shown, start=1):
        if product == target:
            return place
    return None


def hit_rate(shown: Sequence[str], target: str) -> float:
    """1 if the product that came next is in the list, else 0. An empty list is a miss.

    >>> hit_rate(["lamp", "sofa"], "sofa"), hit_rate([], "sofa")
    (1.0, 0.0)
    """
    return float(rank_of(shown, target) is not None)


def mrr(shown: Sequence[str], target: str) -> float:
    """1 / place of the product that came next, 0 if it is not in the list.

    >>> mrr(["lamp", "sofa"], "sofa")
    0.5
    """
    place = rank_of(shown, target)
    return 1.0 / place if place else 0.0


def recall(shown: Sequence[str], relevant: Collection[str]) -> float:
    """The share of the different products still to come that the list has.

    With more of them than places in the list, 1 cannot be reached. Nothing still to come is 0.

    >>> recall(["lamp", "sofa"], {"sofa", "rug"})
    0.5
    """
    wanted = set(relevant)
    return len(wanted.intersection(shown)) / len(wanted) if wanted else 0.0


def ndcg(shown: Sequence[str], relevant: Collection[str], n: int) -> float:
    """Discounted gain of the products still to come, against the best list of length n.

    A relevant product at place p counts 1 / log2(p + 1), once. Nothing still to come is 0.

    >>> ndcg(["lamp", "sofa"], {"lamp", "sofa"}, 2), ndcg(["rug"], {"lamp"}, 2)
    (1.0, 0.0)
    """
    wanted = set(relevant)
    if not wanted:
        return 0.0
    gain = 0.0
    for place, product in enumerate(shown, start=1):
        if product in wanted:
            wanted.discard(product)
            gain += 1 / math.log2(place + 1)
    best = sum(1 / math.log2(p + 1) for p in range(1, min(len(set(relevant)), n) + 1))
    return gain / best


def list_diversity(categories: Sequence[str]) -> float | None:
    """The share of a list's pairs of products whose categories differ; 1 is no two alike.

    Products without a category are left out; None with fewer than two others. (Intra-list
    diversity, Ziegler et al., WWW 2005, with the category as distance.)

    >>> list_diversity(["lamps", "lamps", "rugs", "chairs", ""]) == 5 / 6
    True
    """
    counts = Counter(category for category in categories if category)
    n = counts.total()
    if n < 2:
        return None
    return 1 - sum(c * (c - 1) for c in counts.values()) / (n * (n - 1))


def surprise_bits(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Per product -log2 of its share of all views: how little known it is, in bits.

    Its mean over what is shown is novelty (Zhou et al., PNAS 2010). A product without views counts
    as one with one.

    >>> surprise_bits(np.array([4, 2, 1, 1])).tolist()
    [1.0, 2.0, 3.0, 3.0]
    """
    known = np.maximum(counts, 1)
    surprise: NDArray[np.float64] = -np.log2(known / max(counts.sum(), 1))
    return np.maximum(surprise, 0.0)


def gini(times: NDArray[np.int64]) -> float:
    """How unequally products are shown: 0 all alike, near 1 one product takes every place.

    `times` has every product there is, those that were never shown included. Nothing shown is 0.

    >>> gini(np.array([5, 5, 5, 5])), gini(np.array([0, 0, 0, 20]))
    (0.0, 0.75)
    """
    n, total = len(times), int(times.sum())
    if n == 0 or total == 0:
        return 0.0
    ranks = np.arange(1, n + 1)
    return float((2 * ranks - n - 1) @ np.sort(times) / (n * total))


def popularity_percentiles(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Per product the share of products that are less popular, equal ones counted half.

    >>> popularity_percentiles(np.array([10, 1, 1])).round(3).tolist()
    [0.833, 0.333, 0.333]
    """
    ordered = np.sort(counts)
    below = np.searchsorted(ordered, counts, side="left")
    upto = np.searchsorted(ordered, counts, side="right")
    return (below + upto) / (2 * max(len(counts), 1))
