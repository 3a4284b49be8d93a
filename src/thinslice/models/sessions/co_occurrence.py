"""What goes with what, counted once for every model: which products share sessions, and in what
order.

For a product j and each neighbour i that shares a session with it, summed over these sessions,
each of weight w (older ones fade) and of `len` different products:

    count    1                                            for the cosine
    within   w / len^2                                    the normal equations of the linear model
    share    w / len                                      its right-hand side
    before   w * exp(-(steps from i to j - 1) / decay)    where i came before j

w is multiplied by `cart_weight` for each of the two that the session put in the cart or bought, so
that a view and a cart count more together than two views, and two carts most.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from thinslice.domain import DAY_US
from thinslice.models.sessions.session_knn_kernels import build_postings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.models.sessions.training import TrainingSessions


@dataclass(frozen=True, eq=False)
class Counts:
    """The neighbours of product j are at `offsets[j]:offsets[j+1]`, in no order.

    Shapes: `offsets` (P+1,) int64; `neighbours` (C,) int32; the four sums (C,) float32; `sessions`
    (P,) int64, how many a product is in; `leading` (P,) float32, the weighted sessions in which
    something follows it.
    """

    offsets: NDArray[np.int64]
    neighbours: NDArray[np.int32]
    count: NDArray[np.float32]
    within: NDArray[np.float32]
    share: NDArray[np.float32]
    before: NDArray[np.float32]
    own_within: NDArray[np.float32]
    sessions: NDArray[np.int64]
    leading: NDArray[np.float32]


def count_pairs(
    sessions: TrainingSessions,
    *,
    decay: float = 1.0,
    half_life_days: float | None = None,
    cart_weight: float = 1.0,
) -> Counts:
    """Count every pair of products that share a session. A session's age is seen from the newest.

    Takes the sum over sessions of the square of their products, which the cap on a session's
    products bounds; threads share the work.
    """
    weights = session_weights(sessions.ended_us, half_life_days)
    strengths = None
    if cart_weight != 1.0 and sessions.wanted is not None:
        strengths = np.where(sessions.wanted, cart_weight, 1.0).astype(np.float32)
    starts, postings, counts = build_postings(
        sessions.offsets, sessions.codes, sessions.n_products, max(sessions.n_sessions, 1)
    )
    steps = np.exp(-np.arange(_STEPS) / decay).astype(np.float32)
    lengths = np.diff(sessions.offsets)
    per_session = np.concatenate([[0], np.cumsum(lengths[postings])])
    pairs_until = per_session[starts]

    def part_of(lo: int, hi: int) -> Any:
        room = int(pairs_until[hi] - pairs_until[lo])
        return _count(
            lo, hi, room, sessions.offsets, sessions.codes, starts, postings, weights,
            strengths, steps, sessions.n_products,
        )  # fmt: skip

    parts = in_threads(part_of, split_evenly(pairs_until))
    lengths, neighbours, count, within, share, before, own_within, leading = (
        np.concatenate([part[i] for part in parts]) for i in range(8)
    )
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    return Counts(offsets, neighbours, count, within, share, before, own_within, counts, leading)


def session_weights(
    ended_us: NDArray[np.int64], half_life_days: float | None
) -> NDArray[np.float32]:
    """0.5 ** (age / half life), with the age seen from the newest session."""
    if half_life_days is None or len(ended_us) == 0:
        return np.ones(len(ended_us), np.float32)
    age_days = (ended_us.max() - ended_us) / DAY_US
    return (0.5 ** (age_days / half_life_days)).astype(np.float32)


def in_threads(work: Any, ranges: list[tuple[int, int]]) -> list[Any]:
    """The result of each range, in their order; the work must let go of the interpreter."""
    if len(ranges) == 1:
        return [work(*ranges[0])]
    with ThreadPoolExecutor(min(os.cpu_count() or 1, 8)) as pool:
        return list(pool.map(lambda r: work(*r), ranges))


def split_evenly(work_until: NDArray[np.int64], at_most: int = 4_000_000) -> list[tuple[int, int]]:
    """Ranges of products with about the same work each, given the work before every product."""
    total, n = int(work_until[-1]), len(work_until) - 1
    pieces = 1 if total < 100_000 else max(2 * min(os.cpu_count() or 1, 8), total // at_most)
    cuts = np.searchsorted(work_until, np.linspace(0, total, pieces + 1)[1:-1])
    edges = sorted({0, n, *cuts.tolist()})
    return list(zip(edges[:-1], edges[1:], strict=True)) or [(0, 0)]


@numba.njit(cache=True, nogil=True)
def sessions_by_product(offsets: Any, codes: Any, n_products: int) -> Any:
    """In how many sessions each product is."""
    counts, seen_in = np.zeros(n_products, np.int64), np.full(n_products, -1, np.int64)
    for s in range(len(offsets) - 1):
        for j in range(offsets[s], offsets[s + 1]):
            if seen_in[codes[j]] != s:
                seen_in[codes[j]] = s
                counts[codes[j]] += 1
    return counts


_STEPS = 64
"""Steps after which a product that came before counts nothing."""


@numba.njit(cache=True, nogil=True)
def _count(
    lo: int, hi: int, room: int, offsets: Any, codes: Any, starts: Any, postings: Any,
    weights: Any, strengths: Any, steps: Any, n_products: int,
) -> Any:  # fmt: skip
    lengths = np.zeros(hi - lo, np.int64)
    neighbours = np.empty(room, np.int32)
    count, within = np.empty(room, np.float32), np.empty(room, np.float32)
    share, before = np.empty(room, np.float32), np.empty(room, np.float32)
    own_within, leading = np.zeros(hi - lo, np.float32), np.zeros(hi - lo, np.float32)
    place_of = np.full(n_products, -1, np.int64)
    end = 0
    for j in range(lo, hi):
        begin = end
        for p in range(starts[j], starts[j + 1]):
            s = postings[p]
            first, last = offsets[s], offsets[s + 1]
            weight, length = weights[s], np.float32(last - first)
            where = first
            while codes[where] != j:
                where += 1
            if strengths is None:  # known to the compiler: views alone cost nothing more
                own_within[j - lo] += weight / (length * length)
            else:
                weight *= strengths[where]
                own_within[j - lo] += weight * strengths[where] / (length * length)
            if where < last - 1:
                leading[j - lo] += weight
            for x in range(first, last):
                i = codes[x]
                if i == j:
                    continue
                place = place_of[i]
                if place < 0:
                    place = end
                    end += 1
                    place_of[i] = place
                    neighbours[place] = i
                    count[place] = within[place] = share[place] = before[place] = 0.0
                both = weight if strengths is None else weight * strengths[x]
                count[place] += 1.0
                within[place] += both / (length * length)
                share[place] += both / length
                if x < where and where - x <= len(steps):
                    before[place] += both * steps[where - x - 1]
        for place in range(begin, end):
            place_of[neighbours[place]] = -1
        lengths[j - lo] = end - begin
    return (
        lengths, neighbours[:end].copy(), count[:end].copy(), within[:end].copy(),
        share[:end].copy(), before[:end].copy(), own_within, leading,
    )  # fmt: skip
