"""A sparse table from product to product: per product its neighbours, the strongest first."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from thinslice.domain import Scored
from thinslice.models.sessions.co_occurrence import in_threads, split_evenly
from thinslice.models.sessions.selection import select_best

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.models.sessions.products import ProductCodes

ARRAYS = ("offsets", "neighbours", "weights")


@dataclass(frozen=True, eq=False)
class ItemTable:
    """Product j speaks for `neighbours[offsets[j]:offsets[j+1]]`, by as much as `weights` say.

    Shapes: `offsets` (P+1,) int64, `neighbours` (W,) int32, `weights` (W,) float32, positive and
    falling within a row.
    """

    offsets: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    weights: NDArray[np.float32]

    @classmethod
    def strongest(
        cls,
        rows: NDArray[np.integer[Any]],
        neighbours: NDArray[np.int32],
        weights: NDArray[np.floating[Any]],
        n_products: int,
        length: int,
    ) -> ItemTable:
        """The `length` strongest positive entries of each row, ties by code, of different entries
        (row, neighbour, weight) in any order. Linear in the entries; threads share the work.
        """
        starts, neighbours, weights = _by_row(
            rows, neighbours, np.asarray(weights, np.float64), n_products
        )

        def best_of(lo: int, hi: int) -> Any:
            return _best_of_rows(lo, hi, starts, neighbours, weights, n_products, length)

        return cls._joined(in_threads(best_of, split_evenly(starts)))

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> ItemTable:
        return cls(*(read_only(arrays[name]) for name in ARRAYS))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in ARRAYS}

    def rows(self) -> NDArray[np.int32]:
        """The row of every entry."""
        return np.repeat(np.arange(len(self.offsets) - 1, dtype=np.int32), np.diff(self.offsets))

    def two_steps(self, width: int, length: int) -> ItemTable:
        """Where two steps along the `width` strongest entries lead, and how strongly in all."""
        ends = np.minimum(self.offsets[1:], self.offsets[:-1] + width)

        def walk(lo: int, hi: int) -> Any:
            return _walk(lo, hi, self.offsets, ends, self.neighbours, self.weights, length)

        return self._joined(
            in_threads(walk, split_evenly(self.offsets * min(width, 20), 40_000_000))
        )

    @classmethod
    def _joined(cls, parts: list[Any]) -> ItemTable:
        """One table of consecutive rows' (lengths, neighbours, weights)."""
        lengths, neighbours, weights = (np.concatenate([p[i] for p in parts]) for i in range(3))
        offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
        return cls(offsets, neighbours, weights)


class TableRecommender:
    """Adds up what the running session's products speak for, the latest loudest.

    score(i) = sum over the session's different products j: exp(-lag(j) / lag_decay) * weight(j, i)
    """

    def __init__(
        self, name: str, products: ProductCodes, table: ItemTable, lag_decay: float, limit: int = 50
    ) -> None:
        self.name = name
        self.products = products
        self.table = ItemTable.from_arrays(table.to_arrays())
        self._limit = limit
        self._lag_weights = read_only(lag_weights(lag_decay, limit))
        self._local = threading.local()

    def recommend(
        self, session: Sequence[str], n: int, *, now_us: int | None = None
    ) -> list[Scored]:
        """The n best products for a session (oldest first); see `interfaces.Recommender`."""
        query = self.products.distinct_latest_first(session, self._limit)
        if not query or n < 1:
            return []
        last = self.products.of(session[-1])
        best, scores, because = _add_rows(
            np.array(query, np.int32), -1 if last is None else last, n, self._lag_weights,
            self.table.offsets, self.table.neighbours, self.table.weights, *self._scratch(),
        )  # fmt: skip
        ids = self.products.ids
        return [
            Scored(ids[code], score, None if reason < 0 else ids[reason])
            for code, score, reason in zip(
                best.tolist(), scores.tolist(), because.tolist(), strict=True
            )
        ]

    def _scratch(self) -> tuple[NDArray[Any], ...]:
        """Arrays that one thread writes to; every call leaves them all zero."""
        if not hasattr(self._local, "scratch"):
            size = len(self.products)
            kinds = (np.float64, np.float64, np.int32, np.int32)
            self._local.scratch = tuple(np.zeros(size, kind) for kind in kinds)
        return self._local.scratch


def lag_weights(decay: float, limit: int) -> NDArray[np.float64]:
    return np.exp(-np.arange(limit) / decay)


def read_only(array: NDArray[Any]) -> NDArray[Any]:
    """A plain read-only view: mapped or not, a kernel is compiled for one type only."""
    view = np.asarray(array).view()
    view.flags.writeable = False
    return view


@numba.njit(cache=True, nogil=True)
def _add_rows(
    query: Any, last: int, n: int, lag_weights: Any, offsets: Any, neighbours: Any, weights: Any,
    scores: Any, most: Any, spoke: Any, touched: Any,
) -> Any:  # fmt: skip
    n_touched = 0
    for lag in range(len(query)):
        j = query[lag]
        for p in range(offsets[j], offsets[j + 1]):
            i = neighbours[p]
            if i == last:
                continue
            if scores[i] == 0.0:
                touched[n_touched] = i
                n_touched += 1
            value = lag_weights[lag] * weights[p]
            scores[i] += value
            if value > most[i]:
                most[i] = value
                spoke[i] = j
    best = np.empty(min(n, n_touched), np.int32)
    select_best(scores, touched, n_touched, len(best), best)
    best_scores, because = scores[best], spoke[best]
    for a in range(n_touched):
        scores[touched[a]] = most[touched[a]] = 0.0
    return best, best_scores, because


@numba.njit(cache=True, nogil=True)
def _by_row(rows: Any, neighbours: Any, weights: Any, n_products: int) -> Any:
    """The positive entries, row after row, and where each row starts."""
    starts = np.zeros(n_products + 1, np.int64)
    for a in range(len(rows)):
        if weights[a] > 0.0:
            starts[rows[a] + 1] += 1
    for row in range(n_products):
        starts[row + 1] += starts[row]
    end = starts[:-1].copy()
    grouped, values = np.empty(starts[-1], np.int32), np.empty(starts[-1])
    for a in range(len(rows)):
        if weights[a] > 0.0:
            place = end[rows[a]]
            end[rows[a]] += 1
            grouped[place] = neighbours[a]
            values[place] = weights[a]
    return starts, grouped, values


@numba.njit(cache=True, nogil=True)
def _best_of_rows(
    lo: int, hi: int, starts: Any, neighbours: Any, weights: Any, n_products: int, length: int
) -> Any:
    lengths = np.zeros(hi - lo, np.int64)
    room = 0
    for j in range(lo, hi):
        room += min(length, starts[j + 1] - starts[j])
    out_neighbours, out_weights = np.empty(room, np.int32), np.empty(room, np.float32)
    scores = np.zeros(n_products)
    end = 0
    for j in range(lo, hi):
        first, last = starts[j], starts[j + 1]
        for p in range(first, last):
            scores[neighbours[p]] = weights[p]
        best = out_neighbours[end : end + min(length, last - first)]
        found = select_best(scores, neighbours[first:last], last - first, len(best), best)
        for place in range(found):
            out_weights[end + place] = scores[best[place]]
        lengths[j - lo] = found
        end += found
    return lengths, out_neighbours, out_weights


@numba.njit(cache=True, nogil=True)
def _walk(
    lo: int, hi: int, offsets: Any, ends: Any, neighbours: Any, weights: Any, length: int
) -> Any:
    n_products = len(offsets) - 1
    lengths = np.zeros(hi - lo, np.int64)
    out_neighbours = np.empty((hi - lo) * length, np.int32)
    out_weights = np.empty((hi - lo) * length, np.float32)
    scores = np.zeros(n_products)
    touched = np.empty(n_products, np.int32)
    best = np.empty(length, np.int32)
    end = 0
    for j in range(lo, hi):
        n_touched = 0
        for p in range(offsets[j], ends[j]):
            middle = neighbours[p]
            for x in range(offsets[middle], ends[middle]):
                i = neighbours[x]
                if i == j:
                    continue
                if scores[i] == 0.0:
                    touched[n_touched] = i
                    n_touched += 1
                scores[i] += np.float64(weights[p]) * weights[x]
        found = select_best(scores, touched, n_touched, length, best)
        for place in range(found):
            out_neighbours[end] = best[place]
            out_weights[end] = scores[best[place]]
            end += 1
        lengths[j - lo] = found
        for a in range(n_touched):
            scores[touched[a]] = 0.0
    return lengths, out_neighbours[:end].copy(), out_weights[:end].copy()
