"""Kinds of predictions that one average hides: early or late in a visit, popular or rare next.

A slice is told from what the list maker could not choose: how much of the session was seen, and how
popular the product was that came next, counted in the training sessions.
"""

from __future__ import annotations

BY = {
    "seen": "By how much of the visit was seen",
    "target": "By how popular the next product was",
}
SEEN = ("1 product", "2 or 3 products", "4 to 7 products", "8 products or more")
TARGET = ("popular", "middling", "rare", "new")
"""The most viewed tenth of the products of the training sessions, the next four tenths, the less
viewed half, and those that training never saw."""

SLICES = tuple(("seen", name) for name in SEEN) + tuple(("target", name) for name in TARGET)


def seen_slice(n_seen: int) -> int:
    """The position in `SLICES` for a prediction after so many products.

    >>> [SLICES[seen_slice(n)][1] for n in (1, 3, 8)]
    ['1 product', '2 or 3 products', '8 products or more']
    """
    return (n_seen > 1) + (n_seen > 3) + (n_seen > 7)


def target_slice(percentile: float | None) -> int:
    """The same for a next product with this popularity percentile, None if training lacks it.

    >>> [SLICES[target_slice(p)][1] for p in (0.95, 0.6, 0.2, None)]
    ['popular', 'middling', 'rare', 'new']
    """
    if percentile is None:
        return len(SEEN) + 3
    return len(SEEN) + (percentile < 0.9) + (percentile < 0.5)
