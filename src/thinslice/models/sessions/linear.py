"""A linear model from product to product, solved where it matters.

SLIST (Choi et al., "Session-aware linear item-item models for session-based recommendation", WWW
2021) looks for the matrix B that predicts sessions from themselves and what follows from what
came before, with X the sessions (rows of sum one), S and T the earlier and later products:

    B = (a X'WX + (1 - a) S'WS + ridge I)^-1 (a X'WX_binary + (1 - a) S'WT)

with W the weights of sessions, which fade with age. That takes an inverse of all products by all
products. Here each column of B is solved for the product's `neighbours` with the largest
right-hand side alone: as accurate, in a hundredth of the time, and without the square matrix.

    score(i) = sum over the running session's products j: exp(-lag(j) / lag_decay) * B[j, i]
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from thinslice.models.sessions.co_occurrence import Counts, count_pairs, in_threads, split_evenly
from thinslice.models.sessions.item_table import ItemTable
from thinslice.models.sessions.selection import select_best

if TYPE_CHECKING:
    from collections.abc import Mapping

    from thinslice.models.sessions.training import TrainingSessions


@dataclass(frozen=True, slots=True)
class LinearSettings:
    """What the formula leaves open; `whole_share` is its a, `step_decay` and `lag_decay` count
    products. `cart_weight` is what a product that a session put in the cart or bought says in it
    beside one that it only viewed.
    """

    neighbours: int = 50
    whole_share: float = 0.5
    ridge: float = 10.0
    step_decay: float = 1.0
    half_life_days: float | None = None
    lag_decay: float = 2.0
    cart_weight: float = 1.0

    def counted(self, sessions: TrainingSessions) -> Counts:
        """The pairs of the sessions, counted as these settings have it."""
        return count_pairs(
            sessions,
            decay=self.step_decay,
            half_life_days=self.half_life_days,
            cart_weight=self.cart_weight,
        )

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LinearSettings:
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})


def solve(counts: Counts, settings: LinearSettings, length: int = 100) -> ItemTable:
    """The `length` strongest positive weights of every row of B."""
    n = len(counts.sessions)

    def part(lo: int, hi: int) -> Any:
        return _solve(
            lo, hi, counts.offsets, counts.neighbours, counts.within, counts.share, counts.before,
            counts.own_within, counts.leading, settings.neighbours, settings.whole_share,
            settings.ridge,
        )  # fmt: skip

    parts = in_threads(part, split_evenly(counts.offsets))
    lengths, inputs, weights = (np.concatenate([p[i] for p in parts]) for i in range(3))
    targets = np.repeat(np.arange(n, dtype=np.int32), lengths)
    return ItemTable.strongest(inputs, targets, weights, n, length)


@numba.njit(cache=True, nogil=True)
def _solve(
    lo: int, hi: int, offsets: Any, neighbours: Any, within: Any, share: Any, before: Any,
    own_within: Any, leading: Any, k: int, alpha: float, ridge: float,
) -> Any:  # fmt: skip
    n_products = len(offsets) - 1
    lengths = np.zeros(hi - lo, np.int64)
    inputs = np.empty((hi - lo) * k, np.int32)
    weights = np.empty((hi - lo) * k, np.float32)
    matrix, right = np.empty((k, k), np.float32), np.empty(k, np.float32)
    targets = np.zeros(n_products, np.float64)
    place_of = np.full(n_products, -1, np.int32)
    best = np.empty(k, np.int32)
    end = 0
    for j in range(lo, hi):
        for p in range(offsets[j], offsets[j + 1]):
            targets[neighbours[p]] = alpha * share[p] + (1.0 - alpha) * before[p]
        size = select_best(
            targets, neighbours[offsets[j] : offsets[j + 1]], offsets[j + 1] - offsets[j], k, best
        )
        for a in range(size):
            place_of[best[a]] = a
            right[a] = targets[best[a]]
            matrix[a, :size] = 0.0
        for a in range(size):
            i = best[a]
            for p in range(offsets[i], offsets[i + 1]):
                b = place_of[neighbours[p]]
                if b >= a:
                    matrix[a, b] = alpha * within[p]
            matrix[a, a] = alpha * own_within[i] + (1.0 - alpha) * leading[i] + ridge
        for a in range(size):
            place_of[best[a]] = -1
        _eliminate(matrix, right, size)
        for a in range(size):
            inputs[end] = best[a]
            weights[end] = right[a]
            end += 1
        lengths[j - lo] = size
    return lengths, inputs[:end].copy(), weights[:end].copy()


@numba.njit(cache=True, nogil=True)
def _eliminate(matrix: Any, right: Any, size: int) -> None:
    """Solve a symmetric positive definite system in place, from its upper triangle."""
    for k in range(size):
        row = matrix[k]
        inverse = np.float32(1.0) / row[k]
        for i in range(k + 1, size):
            factor = row[i] * inverse
            if factor == 0.0:
                continue
            other = matrix[i]
            for x in range(i, size):
                other[x] -= factor * row[x]
            right[i] -= factor * right[k]
    for k in range(size - 1, -1, -1):
        total = right[k]
        for x in range(k + 1, size):
            total -= matrix[k, x] * right[x]
        right[k] = total / matrix[k, k]
