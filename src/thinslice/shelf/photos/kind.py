"""The same in another colour: of which kind is the photo, and which other photos fit?

Asked for in another colour, a photo keeps its kind: products of the likeliest kind come first. The
two witnesses err on different photos. On 579 held-out photos of a public fashion catalogue, eight
in ten of what was found in another colour were of the kind with both (.823), fewer with the heads
where they were sure alone (.804), half without either (.491).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

NEIGHBOURS = 20
"""Nearest products, in whatever colour, whose kind counts."""

SHARPNESS = 20.0
"""A neighbour whose score is lower by 1 / SHARPNESS counts e times less."""

UNHEARD = 0.02
"""The share of a kind that no neighbour has: neighbours may be wrong, too."""

KIND_COUNTS = 0.1
"""How much the kind counts beside the colour where a photo alone tells of both. By the shipped
encoder, on 367 photos kept for choosing: .802 of ten in the colour and .780 of the kind; at 0.2,
.790 and .807; by the likeliest colour alone, .568 and .788."""

HARDLY = 0.1
"""A chance of a colour below this is not shown as that colour."""


def kind_chances(seen: Mapping[str, float], near: Iterable[tuple[str, float]]) -> dict[str, float]:
    """How likely a photo is of each category: `seen` are the heads' chances, empty where nothing
    was learned, and `near` the category and score of each neighbour. Empty where neither knows of
    one.

    >>> chances = kind_chances({"Bags": 0.4, "Belts": 0.5}, [("Bags", 0.9), ("Bags", 0.8)])
    >>> max(chances, key=chances.get)
    'Bags'
    >>> kind_chances({}, [("", 0.9), ("Belts", 0.8)])
    {'Belts': 1.0}
    """
    known = [(category, score) for category, score in near if category]
    best = max((score for _, score in known), default=0.0)
    votes: dict[str, float] = defaultdict(float)
    for category, score in known:
        votes[category] += float(np.exp(SHARPNESS * (score - best)))
    total = sum(votes.values()) or 1.0
    kinds = {**dict.fromkeys(votes, 0.0), **seen}
    worth = {
        kind: (seen.get(kind, UNHEARD) if seen else 1.0) * (votes[kind] / total + UNHEARD)
        for kind in sorted(kinds)
    }
    together = sum(worth.values()) or 1.0
    return {kind: one / together for kind, one in worth.items()}


def likeliest_rows(
    in_colour: NDArray[np.floating[Any]],
    of_kind: NDArray[np.floating[Any]],
    allowed: NDArray[np.bool_],
    n: int,
) -> NDArray[np.bool_]:
    """The n allowed rows that are likeliest in a colour and, which counts KIND_COUNTS times as
    much, of a kind; both chances (rows,). Rows that are hardly in the colour are left out."""
    worth = np.log(np.maximum(in_colour, 1e-4))
    worth += KIND_COUNTS * np.log(np.maximum(of_kind, 1e-4))
    rows = np.flatnonzero(allowed & (in_colour >= HARDLY))
    best = rows[np.argsort(-worth[rows], kind="stable")[:n]]
    mask = np.zeros(len(allowed), bool)
    mask[best] = True
    return mask
