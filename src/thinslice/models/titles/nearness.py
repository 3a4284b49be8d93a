"""Which titles are alike? The cosine of the features of two titles, rare features counting more.

    weight of a feature = ln(titles / titles that have it)

A feature that more than a twentieth of the titles have says little and is left out, so that a
question reads short lists only. Needs no categories and no learning: the titles are all of it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from thinslice.models.titles.features import clean, features_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

COMMON = 0.05
"""The share of the titles above which a feature that they share is left out."""

FEWEST = 20
"""Titles that may share a feature however few titles there are."""


class TitleNearness:
    """The titles of products, to be asked which are nearest to another. Cheap to ask.

    >>> near = TitleNearness(["red table lamp", "blue sofa", "green table lamp"])
    >>> [place for place, _ in near.nearest("table lamp, red", 2)]
    [0, 2]
    """

    def __init__(self, titles: Sequence[str]) -> None:
        self.n = len(titles)
        hashes, starts = features_of([clean(title) for title in titles])
        self._features, column, counts = np.unique(hashes, return_inverse=True, return_counts=True)
        weights = np.log(max(self.n, 2) / counts)
        weights[counts > max(FEWEST, COMMON * self.n)] = 0.0
        title_of = np.repeat(np.arange(self.n, dtype=np.int32), np.diff(starts))
        lengths = np.sqrt(np.bincount(title_of, weights[column] ** 2, minlength=self.n))
        self._lengths = np.maximum(lengths, 1e-9)
        order = np.argsort(column, kind="stable")
        self._titles = title_of[order]
        self._offsets = np.concatenate([[0], np.cumsum(counts)])
        self._weights = weights

    def nearest(self, title: str, n: int) -> list[tuple[int, float]]:
        """The n nearest titles by their place, with their cosines, the nearest first.

        Fewer where fewer share a feature that counts.
        """
        hashes, _ = features_of([clean(title)])
        places = np.searchsorted(self._features, hashes)
        known = places < len(self._features)
        known[known] = self._features[places[known]] == hashes[known]
        features = places[known]
        features = features[self._weights[features] > 0]
        length = float(np.sqrt((self._weights[features] ** 2).sum()))
        if length == 0.0:
            return []
        scores = _add_up(features, self._offsets, self._titles, self._weights, self.n)
        scores /= self._lengths * length
        best = np.argsort(-scores, kind="stable")[:n]
        return [(int(place), float(scores[place])) for place in best if scores[place] > 0]


@numba.njit(cache=True, nogil=True)
def _add_up(
    features: Any, offsets: Any, titles: Any, weights: Any, n_titles: int
) -> NDArray[np.float64]:
    scores = np.zeros(n_titles)
    for feature in features:
        for p in range(offsets[feature], offsets[feature + 1]):
            scores[titles[p]] += weights[feature] * weights[feature]
    return scores
