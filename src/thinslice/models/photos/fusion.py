"""Photo and title together: a product of chances, each raised to how much it is worth.

Chances of two independent witnesses multiply (Hinton 2002, *products of experts*); a witness that
is surer than it is right gets an exponent below 1. The two exponents are what makes held-out
labels most likely.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Chances = NDArray[np.floating[Any]]

STEPS = (0.0, 0.1, 0.2, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0)
"""The exponents that are tried."""

_LEAST = 1e-6


@dataclass(frozen=True, slots=True)
class Fusion:
    """How much a photo and a title count: the exponents of their chances."""

    photo: float
    title: float

    def chances(self, photo: Chances, title: Chances) -> Chances:
        """The chance of each label from both, (n, labels); each of them (n, labels) as well."""
        if photo.shape != title.shape:
            raise InputError(
                "photo and title need a chance for each of the same labels, got "
                f"{photo.shape} and {title.shape}; bring them in one order"
            )
        logs = self.photo * np.log(np.maximum(photo, _LEAST))
        logs += self.title * np.log(np.maximum(title, _LEAST))
        likely = np.exp(logs - logs.max(axis=1, keepdims=True))
        found: Chances = likely / likely.sum(axis=1, keepdims=True)
        return found


def learn_fusion(photo: Chances, title: Chances, labels: NDArray[np.integer[Any]]) -> Fusion:
    """The exponents that make the labels of held-out rows most likely."""
    rows = np.arange(len(labels))

    def surprise(fusion: Fusion) -> float:
        likely = fusion.chances(photo, title)[rows, labels]
        return float(-np.log(np.maximum(likely, _LEAST)).mean())

    tried = (Fusion(a, b) for a in STEPS for b in STEPS if a or b)
    return min(tried, key=surprise)
