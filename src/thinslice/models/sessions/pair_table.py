"""What came right after two products in a row: a Markov chain of the second order.

With n(a, b, c) how often c came right after b, which came right after a, and q(b, c) the share of
what came after b, whatever was before it (`follow` in `candidates.py`),

    score(c) = (n(a, b, c) + SMOOTHING * q(b, c)) / (sum over x of n(a, b, x) + SMOOTHING)

which says what q says where the two were never seen in this order. Repeats are no steps.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from thinslice.models.sessions.item_table import read_only

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.domain import SessionLog

ARRAYS = ("offsets", "before", "after", "counts")

SMOOTHING = 3.0


@dataclass(frozen=True, eq=False)
class PairTable:
    """After `before[x]` and product j came `after[x]`, `counts[x]` times, for x from `offsets[j]`
    to `offsets[j+1]`, by `before` and then `after`.

    Shapes: `offsets` (P+1,) int64, the others (T,), int32 and `counts` float32.
    """

    offsets: NDArray[np.int64]
    before: NDArray[np.int32]
    after: NDArray[np.int32]
    counts: NDArray[np.float32]

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, NDArray[Any]]) -> PairTable:
        return cls(*(read_only(arrays[name]) for name in ARRAYS))

    def to_arrays(self) -> dict[str, NDArray[Any]]:
        return {name: getattr(self, name) for name in ARRAYS}


def learn_pairs(log: SessionLog) -> PairTable:
    """Count every three products in a row, returns to a product included."""
    n = max(len(log.products), 1)
    codes, session_of = steps_in_a_row(log)
    three = session_of[2:] == session_of[:-2]
    a, b, c = (codes[x : len(codes) - 2 + x][three].astype(np.int64) for x in range(3))
    pairs, pair_of = np.unique(b * n + a, return_inverse=True)
    triples, counts = np.unique(pair_of * np.int64(n) + c, return_counts=True)
    later, before = np.divmod(pairs[triples // n], n)
    offsets = np.concatenate([[0], np.cumsum(np.bincount(later, minlength=len(log.products)))])
    return PairTable(
        offsets.astype(np.int64),
        before.astype(np.int32),
        (triples % n).astype(np.int32),
        counts.astype(np.float32),
    )


def steps_in_a_row(log: SessionLog) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The log's codes without consecutive repeats, and the session of each."""
    session_of = np.repeat(np.arange(log.n_sessions), np.diff(log.offsets))
    new = np.ones(len(log.codes), bool)
    new[1:] = (log.codes[1:] != log.codes[:-1]) | (session_of[1:] != session_of[:-1])
    return log.codes[new], session_of[new]


@numba.njit(cache=True, nogil=True)
def find_pair(touched_codes: Any, n_touched_codes: int, pairs: Any) -> Any:
    """The latest known product, where the table has what came after it and the one before it, and
    how often the two came in a row. The codes are latest first, -1 for unknown, not all of them.
    """
    offsets, before, _, counts = pairs
    latest, previous = -1, -1
    for x in range(n_touched_codes):
        code = touched_codes[x]
        if latest < 0:
            latest = code
        elif code >= 0 and code != latest:
            previous = code
            break
    first, last = offsets[latest], offsets[latest + 1]
    lo = first + np.searchsorted(before[first:last], np.int32(previous))
    hi, total = lo, 0.0
    while hi < last and before[hi] == previous:
        total += counts[hi]
        hi += 1
    return latest, lo, hi, total
