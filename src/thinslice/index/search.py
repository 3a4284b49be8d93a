"""The search itself: count differing bits over all rows, score the nearest few hundred exactly."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.errors import InputError
from thinslice.index.sketch import FINEST, Hyperplanes, nearest_rows

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.index.segment import Segment


@dataclass(frozen=True, slots=True)
class Near:
    """A product that was found. `score` is the weighted mean of the cosines in `by_part`."""

    product: str
    score: float
    by_part: Mapping[str, float]


def weights_of(
    parts: Sequence[str], query: Mapping[str, Any], weights: Mapping[str, float] | None
) -> dict[str, float]:
    """The parts that count and how much, 1 where nothing is said. InputError for odd ones."""
    unknown = [part for part in {**query, **(weights or {})} if part not in parts]
    if unknown:
        raise InputError(f"the index has no part {unknown[0]!r}; it has {', '.join(parts)}")
    wanted = {part: float((weights or {}).get(part, 1.0)) for part in query}
    if any(not weight >= 0 for weight in wanted.values()) or not sum(wanted.values()) > 0:
        raise InputError(
            f"weights are 0 or more and at least one is above 0, got {wanted}; "
            "1 for every part is a good start"
        )
    return {part: weight for part, weight in wanted.items() if weight > 0}


def check_allowed(segments: Sequence[Segment], allowed: NDArray[np.bool_] | None) -> None:
    rows = sum(len(segment.ids) for segment in segments)
    if allowed is not None and len(allowed) != rows:
        raise InputError(
            f"`allowed` has a value per row of the index, {rows}, got {len(allowed)}; "
            "make it in the order of `ids`"
        )


def nearest(
    segments: Sequence[Segment],
    query: Mapping[str, NDArray[np.floating[Any]]],
    weights: Mapping[str, float],
    allowed: NDArray[np.bool_] | None,
    n: int,
    sketches: SketchedQuery | None,
) -> list[Near]:
    """The n nearest over all segments, best first, ties by product; every row without sketches."""
    total = sum(weights.values())
    found: list[Near] = []
    first = 0
    for segment in segments:
        mask = segment.alive
        if allowed is not None:
            mask = mask & allowed[first : first + len(segment.ids)]
        first += len(segment.ids)
        rows = None
        if sketches is None:
            rows = np.flatnonzero(mask)
        elif segment.codes is not None:
            rows = segment.codes.nearest(query, weights, mask, sketches.rescored)
        if rows is None:
            assert sketches is not None
            rows = sketches.nearest(segment, mask)
        cosines = {
            part: segment.vectors[part][rows].astype(np.float32)
            @ np.asarray(query[part], np.float32)
            for part in weights
        }
        scores = np.zeros(len(rows), np.float32)
        for part, weight in weights.items():
            scores += cosines[part] * np.float32(weight / total)
        found += [
            Near(
                segment.ids[rows[i]],
                float(scores[i]),
                {part: float(values[i]) for part, values in cosines.items()},
            )
            for i in np.argsort(-scores, kind="stable")[:n]
        ]
    return sorted(found, key=lambda near: (-near.score, near.product))[:n]


@dataclass(frozen=True)
class SketchedQuery:
    """A query as bits with a weight per word; `rescored` rows of each segment pass."""

    bits: NDArray[np.uint64]
    weights: NDArray[np.uint16]
    rescored: int

    @classmethod
    def of(
        cls,
        query: Mapping[str, NDArray[np.floating[Any]]],
        weights: Mapping[str, float],
        planes: Mapping[str, Hyperplanes],
        rescored: int,
    ) -> SketchedQuery:
        bits, per_word = [], []
        for part, one in planes.items():
            used = part in weights
            vector = np.asarray(query[part], np.float32) if used else one.mean
            bits.append(one.sketch(vector[None])[:, 0])
            per_word += [weights.get(part, 0.0) / one.words] * one.words
        scaled = np.round(np.array(per_word) / max(per_word) * FINEST)
        return cls(np.concatenate(bits), scaled.astype(np.uint16), rescored)

    def nearest(self, segment: Segment, mask: NDArray[np.bool_]) -> NDArray[np.int64]:
        """Rows of a segment worth scoring exactly; all of a small one."""
        if len(segment.ids) <= self.rescored:
            return np.flatnonzero(mask)
        return nearest_rows(segment.bits, self.bits, self.weights, mask, self.rescored)
