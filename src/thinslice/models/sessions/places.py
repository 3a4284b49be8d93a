"""Where a list maker puts what came next: places in lists of 20, and what they are worth.

Places count from 1; 0 is below the list. Each maker of lists has its loop over many steps here,
which gives the places that a visitor would see, without making the lists one by one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from thinslice.domain import DAY_US
from thinslice.models.sessions.candidate_kernels import different, read_session
from thinslice.models.sessions.selection import select_best
from thinslice.models.sessions.session_knn_kernels import vote

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.domain import Interval, SessionLog
    from thinslice.models.sessions.item_table import ItemTable
    from thinslice.models.sessions.session_knn import SessionKnn
    from thinslice.models.sessions.steps import Described, Steps

LENGTH = 20
"""The length of the lists that are compared."""


def measure(places: NDArray[np.int64]) -> float:
    """The geometric mean of HitRate and MRR."""
    return float(np.sqrt(hits(places).mean() * reciprocals(places).mean()))


def hits(places: NDArray[np.int64]) -> NDArray[np.float64]:
    return (places > 0).astype(np.float64)


def reciprocals(places: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(places > 0, 1.0 / np.maximum(places, 1), 0.0)


Compare = Callable[["NDArray[np.float64]", "NDArray[np.float64]"], "Interval"]
"""The range of sum(sums) / sum(counts), given both by session."""


def pays(
    compare: Compare,
    new: NDArray[np.int64],
    old: NDArray[np.int64],
    session_of: NDArray[np.int64],
) -> bool:
    """Whether the new places are proven better on one measure and not worse on the other."""
    _, session = np.unique(session_of, return_inverse=True)
    steps = np.bincount(session).astype(np.float64)
    ranges = [
        compare(np.bincount(session, of(new) - of(old)).astype(np.float64), steps)
        for of in (hits, reciprocals)
    ]
    return any(r.low > 0 for r in ranges) and all(r.high > 0 and r.estimate >= 0 for r in ranges)


def places_in_order(scores: NDArray[np.float64], described: Described) -> NDArray[np.int64]:
    """Per step the place of what came next when candidates are ordered by score, ties by row."""
    step_of = np.repeat(np.arange(len(described.sizes)), described.sizes)
    order = np.lexsort((np.arange(len(scores)), -scores, step_of))
    starts = np.concatenate([[0], np.cumsum(described.sizes)[:-1]])
    rank = np.empty(len(scores), np.int64)
    rank[order] = np.arange(len(scores)) - starts[step_of] + 1
    places = np.zeros(len(described.sizes), np.int64)
    listed = np.flatnonzero((described.came_next == 1) & (rank <= LENGTH))
    places[step_of[listed]] = rank[listed]
    return places


def places_as_listed(described: Described) -> NDArray[np.int64]:
    """The same where candidates stay in the order in which they were found."""
    return places_in_order(np.zeros(len(described.came_next)), described)


def popular_places(log: SessionLog, steps: Steps) -> NDArray[np.int64]:
    """Popularity of the log's last week, the same for everyone but for the product at hand."""
    age_days = (log.times_us.max() - log.times_us) / DAY_US
    counts = np.bincount(log.codes, 0.5 ** (age_days / 7.0), minlength=len(log.products))
    rank = np.empty(len(counts), np.int64)
    rank[np.argsort(-counts, kind="stable")] = np.arange(1, len(counts) + 1)
    latest = steps.codes[steps.offsets[1:] - 1]
    places = np.where(steps.targets >= 0, rank[steps.targets], 0)
    places -= (latest >= 0) & (rank[latest] < places)
    return np.where(places <= LENGTH, places, 0)


def knn_places(knn: SessionKnn, steps: Steps, repeats: bool) -> NDArray[np.int64]:
    """Per step the place of what came next in the list of the session kNN."""
    n, chosen = len(knn.products), knn.settings
    return _knn_places(
        steps.offsets, steps.codes, steps.targets, steps.now_us, repeats, chosen.max_products,
        knn.arguments, np.zeros(n), np.zeros(n, np.int32), np.zeros(n, np.int32),
        np.zeros(chosen.sample, np.int32), np.zeros(chosen.sample), np.zeros(chosen.neighbours),
    )  # fmt: skip


def table_places(
    table: ItemTable, lag_weights: NDArray[np.float64], steps: Steps
) -> NDArray[np.int64]:
    """Per step the place of what came next in the list of an item table."""
    return _table_places(
        steps.offsets, steps.codes, steps.targets, table.offsets, table.neighbours, table.weights,
        lag_weights,
    )  # fmt: skip


@numba.njit(cache=True, nogil=True)
def _knn_places(
    offsets: Any, codes: Any, targets: Any, now_us: Any, repeats: bool, max_products: int,
    knn: Any, scores: Any, lag_of: Any, touched: Any, sessions: Any, similar: Any, heap: Any,
) -> Any:  # fmt: skip
    numbers, decays, index = knn
    places = np.zeros(len(targets), np.int64)
    latest_first, query = np.empty(max_products, np.int32), np.empty(max_products, np.int32)
    best = np.empty(LENGTH, np.int32)
    for s in range(len(targets)):
        n = read_session(codes[offsets[s] : offsets[s + 1]], latest_first)
        n_query = different(latest_first, n, query)
        if n_query == 0:
            continue
        for lag in range(n_query):
            lag_of[query[lag]] = lag + 1
        n_touched, _ = vote(
            query, n_query, -1 if repeats else latest_first[0], now_us[s], numbers[0], numbers[1],
            numbers[2], numbers[3], decays[0], decays[1], decays[2], decays[3], index[0],
            index[1], index[2], index[3], index[4], index[5], sessions, similar, heap, scores,
            lag_of, touched,
        )  # fmt: skip
        places[s] = _place(targets[s], scores, touched, n_touched, best)
        for lag in range(n_query):
            lag_of[query[lag]] = 0
    return places


@numba.njit(cache=True, nogil=True)
def _table_places(
    offsets: Any, codes: Any, targets: Any, row_offsets: Any, neighbours: Any, weights: Any,
    lag_weights: Any,
) -> Any:  # fmt: skip
    n_products = len(row_offsets) - 1
    places = np.zeros(len(targets), np.int64)
    scores, touched = np.zeros(n_products), np.zeros(n_products, np.int32)
    limit = len(lag_weights)
    latest_first, query = np.empty(limit, np.int32), np.empty(limit, np.int32)
    best = np.empty(LENGTH, np.int32)
    for s in range(len(targets)):
        n = read_session(codes[offsets[s] : offsets[s + 1]], latest_first)
        n_query = different(latest_first, n, query)
        n_touched = 0
        for lag in range(n_query):
            for p in range(row_offsets[query[lag]], row_offsets[query[lag] + 1]):
                i = neighbours[p]
                if i == latest_first[0]:
                    continue
                if scores[i] == 0.0:
                    touched[n_touched] = i
                    n_touched += 1
                scores[i] += lag_weights[lag] * weights[p]
        places[s] = _place(targets[s], scores, touched, n_touched, best)
    return places


@numba.njit(cache=True, nogil=True)
def _place(target: int, scores: Any, touched: Any, n_touched: int, best: Any) -> int:
    """The target's place among the best, 0 below them; the scores are cleared."""
    found = select_best(scores, touched, n_touched, LENGTH, best)
    for a in range(n_touched):
        scores[touched[a]] = 0.0
    for place in range(found):
        if best[place] == target:
            return place + 1
    return 0
