"""The loops that make one list of candidates, compiled: their order, and who spoke for each.

Arguments are those of `candidate_kernels.py`; `walks` are the arrays of `trees.Trees.walks`.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from thinslice.models.sessions.candidate_kernels import FAINT, different, gather, read_session
from thinslice.models.sessions.pair_table import SMOOTHING, find_pair
from thinslice.models.sessions.selection import select_best
from thinslice.models.sessions.session_knn_kernels import credit_votes
from thinslice.models.sessions.trees import add_trees


@numba.njit(cache=True, nogil=True)
def answer(
    codes: Any, n: int, now_us: int, allow_latest: bool, knn: Any, tables: Any, pairs: Any,
    facts: Any, seen_us: Any, walks: Any, room: Any, features: Any, touched_codes: Any, query: Any,
    place_of: Any,
) -> Any:  # fmt: skip
    """The n best products of a session (oldest first), their scores, and who spoke for them.

    As many candidates as `features` has rows are put in order by the trees, if there are any; the
    rest follow in the order of their shares.
    """
    n_touched_codes = read_session(codes, touched_codes)
    n_query = different(touched_codes, n_touched_codes, query)
    if n_query == 0:
        return np.empty(0, np.int32), np.empty(0), np.empty(0, np.int32)
    found, n_neighbours, largest = gather(
        touched_codes, n_touched_codes, query, n_query,
        -1 if allow_latest else touched_codes[0], now_us, knn, tables, pairs, facts, seen_us,
        max(n, len(features)), room, features,
    )  # fmt: skip
    shares, best = room[3], room[-1]
    head = min(found, len(features))
    if len(walks[0]) > 0:
        scores = np.zeros(head)
        add_trees(features, head, walks, scores)
        below = shares[best[head]] if found > head else 1.0
        lowest = 1.0
        for a in range(head):
            shares[best[a]] = 1.0 / (1.0 + np.exp(-scores[a]))
            lowest = min(lowest, shares[best[a]])
        ordered = np.empty(head, np.int32)
        select_best(shares, best[:head].copy(), head, head, ordered)
        best[:head] = ordered
        for a in range(head, found):
            shares[best[a]] *= lowest / below
    found = min(found, n)
    because = reasons(
        query, n_query, best, found, largest, n_neighbours, knn, tables, pairs,
        find_pair(touched_codes, n_touched_codes, pairs), room, place_of,
    )  # fmt: skip
    return best[:found].copy(), shares[best[:found]], because


@numba.njit(cache=True, nogil=True)
def reasons(
    query: Any, n_query: int, best: Any, found: int, largest: Any, n_neighbours: int, knn: Any,
    tables: Any, pairs: Any, pair: Any, room: Any, place_of: Any,
) -> Any:  # fmt: skip
    """Per product shown, the session's product whose share of its scores is largest, or -1."""
    numbers, decays, index = knn
    lag_of, sessions, similar = room[7], room[8], room[9]
    credits = np.zeros((found, n_query))
    for place in range(found):
        place_of[best[place]] = place + 1
    for lag in range(n_query):
        lag_of[query[lag]] = lag + 1
    if largest[0] > 0.0:
        credit_votes(
            n_query, sessions, similar, n_neighbours, decays[0], decays[1], decays[2], decays[3],
            index[0], index[1], lag_of, place_of, credits,
        )  # fmt: skip
        for place in range(found):
            factor = index[5][best[place]] / largest[0]
            for lag in range(n_query):
                credits[place, lag] *= factor
    for t in range(len(tables)):
        offsets, neighbours, strengths, lag_weights = tables[t]
        for lag in range(n_query):
            if lag_weights[lag] < FAINT:
                break
            for p in range(offsets[query[lag]], offsets[query[lag] + 1]):
                place = place_of[neighbours[p]] - 1
                if place >= 0 and largest[t + 1] > 0.0:
                    credits[place, lag] += lag_weights[lag] * strengths[p] / largest[t + 1]
    _, _, after, counts = pairs
    _, lo, hi, total = pair
    for x in range(lo, hi):
        place = place_of[after[x]] - 1
        if place >= 0:
            credits[place, 0] += counts[x] / (total + SMOOTHING) / largest[len(tables) + 1]
    because = np.full(found, -1, np.int32)
    for place in range(found):
        most = 0.0
        for lag in range(n_query):
            if query[lag] != best[place] and credits[place, lag] > most:
                most = credits[place, lag]
                because[place] = query[lag]
        place_of[best[place]] = 0
    for lag in range(n_query):
        lag_of[query[lag]] = 0
    return because
