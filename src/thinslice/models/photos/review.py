"""Where a photo and its listed category disagree: held-out answers in, suspected products out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.models.calibration import calibrated, chances

if TYPE_CHECKING:
    from thinslice.models.photos.classifier import Head, HeldOut

SURE = 0.5
MOST = 500


@dataclass(frozen=True, slots=True)
class Disagreement:
    """A product whose photo looks like another category than the one it is listed under.

    `confidence` is how often such an answer is right, by photos that the model had not seen.
    """

    product: str
    listed: str
    seen: str
    confidence: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def disagreements(head: Head, held: HeldOut, ids: Sequence[str]) -> list[Disagreement]:
    """Products of which a model that had not seen their photo is sure of another label, the surest
    first; `ids` by row of the photos that the head learned from."""
    likely = chances(held.scores, head.temperature)
    best, sure = likely.argmax(axis=1), calibrated(likely.max(axis=1), head.knots)
    rows = np.flatnonzero((best != held.labels) & (sure >= SURE))
    return [
        Disagreement(
            ids[held.rows[row]],
            head.labels[held.labels[row]],
            head.labels[best[row]],
            float(sure[row]),
        )
        for row in rows[np.argsort(-sure[rows], kind="stable")][:MOST]
    ]
