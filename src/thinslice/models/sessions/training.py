"""Sessions as a model learns from them: every product once, the latest ones, oldest first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from thinslice.domain import BROWSING, EventType

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.domain import SessionLog


@dataclass(frozen=True, eq=False)
class TrainingSessions:
    """Sessions of at least two different products, in the order in which they ended.

    Session `s` has the different products `codes[offsets[s]:offsets[s+1]]`, each where it was
    touched last. Shapes: `offsets` (S+1,) int64, `codes` (E,) int32, `ended_us` (S,) int64,
    `wanted` (E,) bool, whether the session put it in the cart or bought it; None where none did.
    """

    n_products: int
    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    ended_us: NDArray[np.int64]
    wanted: NDArray[np.bool_] | None = None

    @property
    def n_sessions(self) -> int:
        return len(self.offsets) - 1

    def newest(self, share: float) -> TrainingSessions:
        """The newest sessions, that share of all."""
        first = int(self.n_sessions * (1 - share))
        start = self.offsets[first]
        return TrainingSessions(
            self.n_products,
            self.offsets[first:] - start,
            self.codes[start:],
            self.ended_us[first:],
            None if self.wanted is None else self.wanted[start:],
        )


def training_sessions(log: SessionLog, max_products: int) -> TrainingSessions:
    """Drop repeats within a session, keep its last `max_products` products, and drop singles.

    A session of one product says nothing about what goes with what; the cap keeps a robot's
    session of ten thousand products from owning the model.
    """
    offsets, codes, kept = _distinct(
        np.asarray(log.offsets, np.int64),
        np.asarray(log.codes, np.int32),
        len(log.products),
        max_products,
    )
    ended = np.asarray(log.times_us, np.int64)[np.asarray(log.offsets, np.int64)[kept + 1] - 1]
    wanted = _wanted(log, kept, offsets, codes)
    return TrainingSessions(len(log.products), offsets, codes, ended, wanted)


def _wanted(
    log: SessionLog, kept: NDArray[np.int64], offsets: NDArray[np.int64], codes: NDArray[np.int32]
) -> NDArray[np.bool_] | None:
    """(E,) for each product of the kept sessions whether one of its events was more than a view."""
    more = np.flatnonzero(log.types != BROWSING.index(EventType.PRODUCT_VIEWED))
    if len(more) == 0:
        return None
    session_of = np.searchsorted(log.offsets, more, side="right") - 1
    n = len(log.products)
    return np.isin(np.repeat(kept, np.diff(offsets)) * n + codes, session_of * n + log.codes[more])


def sessions_with_each(sessions: TrainingSessions) -> NDArray[np.int32]:
    """(P,) in how many sessions each product is."""
    return np.bincount(sessions.codes, minlength=sessions.n_products).astype(np.int32)


@numba.njit(cache=True)
def _distinct(offsets: Any, codes: Any, n_products: int, max_products: int) -> Any:
    n_sessions = len(offsets) - 1
    out_codes = np.empty(len(codes), np.int32)
    out_offsets = np.zeros(n_sessions + 1, np.int64)
    kept = np.empty(n_sessions, np.int64)
    seen_in = np.full(n_products, -1, np.int64)
    n_kept, end = 0, 0
    for s in range(n_sessions):
        start = end
        for j in range(offsets[s + 1] - 1, offsets[s] - 1, -1):
            if seen_in[codes[j]] != s:
                seen_in[codes[j]] = s
                out_codes[end] = codes[j]
                end += 1
                if end - start == max_products:
                    break
        if end - start < 2:
            end = start
            continue
        out_codes[start:end] = out_codes[start:end][::-1].copy()
        kept[n_kept] = s
        n_kept += 1
        out_offsets[n_kept] = end
    return out_offsets[: n_kept + 1].copy(), out_codes[:end].copy(), kept[:n_kept].copy()
