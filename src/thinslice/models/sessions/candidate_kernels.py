"""The loops over candidates, compiled: who is a candidate, and what is known about each.

`candidates.py` says what the features are. Arguments that belong together travel in tuples: `knn`
holds the arrays and numbers of the session kNN, `tables` one (offsets, neighbours, weights, weights
of lags) per item table, `pairs` the arrays of the pair table, `room` the arrays that are written
to. The pair table falls back to `tables[FOLLOW]`, what came right after a product.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from thinslice.models.sessions.pair_table import SMOOTHING, find_pair
from thinslice.models.sessions.selection import select_best
from thinslice.models.sessions.session_knn_kernels import vote

WEIGHED_LAGS = 2
"""For the latest so many products of the session, each table's own weight is a feature."""

OWN = 20
"""So many of the session's own products are candidates whatever the sources say: in a sparse log a
return to one of them is often what comes next, and no source may have seen it.
"""

FOLLOW = 5
SUMMED = 2 + FOLLOW
"""The place of that table, and how many sources have a part in the sum of shares: the session kNN
and the tables so far.
"""

FAINT = 1e-3
"""The weight of a lag from which on the session's earlier products are not looked at."""


@numba.njit(cache=True, nogil=True)
def gather(
    touched_codes: Any,  # the session as it was, latest first, repeats included, -1 for unknown
    n_touched_codes: int,
    query: Any,  # its different known products, latest first
    n_query: int,
    last: int,  # code that is no candidate, -1 for none
    now_us: int,
    knn: Any,
    tables: Any,
    pairs: Any,
    facts: Any,  # (products, facts) float32
    seen_us: Any,  # (products,) int64
    limit: int,
    room: Any,
    features: Any,  # (described, features) float32
) -> Any:
    """Find the best `limit` candidates, and fill `features` for as many as it has rows.

    Returns how many there are, how many sessions voted, and each source's largest score. The
    candidates' codes stand in the last array of `room`, the largest sum of shares first; a share
    is a source's score divided by its largest, and the sums stand in the fourth array.

    What is known of a candidate lies together, by the order in which candidates are found, so that
    thousands of them stay in the cache however many products there are.
    """
    (
        scores, weights, slot_of, shares, found, votes, voted, lag_of, sessions, similar, heap,
        best,
    ) = room  # fmt: skip
    numbers, decays, index = knn
    for lag in range(n_query):
        lag_of[query[lag]] = lag + 1
    n_voted, n_neighbours = vote(
        query, n_query, last, now_us, numbers[0], numbers[1], numbers[2], numbers[3], decays[0],
        decays[1], decays[2], decays[3], index[0], index[1], index[2], index[3], index[4],
        index[5], sessions, similar, heap, votes, lag_of, voted,
    )  # fmt: skip
    n_found = 0
    for a in range(n_voted):
        slot, n_found = _slot(voted[a], slot_of, found, n_found)
        scores[0, slot] = votes[voted[a]]
        votes[voted[a]] = 0.0
    for t in range(len(tables)):
        n_found = _add_table(
            t, tables[t], query, n_query, last, scores, weights, slot_of, found, n_found
        )
    pair = find_pair(touched_codes, n_touched_codes, pairs)
    n_found = _add_pair(pair, pairs, tables[FOLLOW], last, scores, slot_of, found, n_found)
    n_own = min(n_query, OWN)
    for lag in range(n_own):
        if query[lag] != last:
            _, n_found = _slot(query[lag], slot_of, found, n_found)
    largest = _share(scores, found, n_found, shares)
    n = _best_and_own(shares, found, n_found, limit, query, n_own, last, best)
    returned = 0
    for b in range(n_touched_codes - 1, 0, -1):
        if touched_codes[b] == touched_codes[0]:
            returned = b
    for a in range(min(n, len(features))):
        slot = slot_of[best[a]] - 1
        _describe(
            features[a], best[a], a, touched_codes, n_touched_codes, query[0], n_query, now_us,
            n_neighbours, pair[3], returned, scores[:, slot], largest, weights[:, :, slot], facts,
            seen_us,
        )  # fmt: skip
    for a in range(n_found):
        slot_of[found[a]] = 0
    scores[:, :n_found] = 0.0
    weights[:, :, :n_found] = 0.0
    for lag in range(n_query):
        lag_of[query[lag]] = 0
    return n, n_neighbours, largest


@numba.njit(cache=True, nogil=True)
def _slot(i: int, slot_of: Any, found: Any, n_found: int) -> Any:
    """Where product i stands among the candidates, as a new one if need be, and how many it has."""
    is_new = slot_of[i] == 0
    if is_new:
        found[n_found] = i
        slot_of[i] = n_found + 1
    return slot_of[i] - 1, n_found + is_new


@numba.njit(cache=True, nogil=True)
def _add_table(
    t: int, table: Any, query: Any, n_query: int, last: int, scores: Any, weights: Any,
    slot_of: Any, found: Any, n_found: int,
) -> int:  # fmt: skip
    offsets, neighbours, strengths, lag_weights = table
    for lag in range(n_query):
        if lag_weights[lag] < FAINT:
            break
        j = query[lag]
        for p in range(offsets[j], offsets[j + 1]):
            i = neighbours[p]
            if i == last:
                continue
            if slot_of[i] == 0:  # `_slot` written out, which a compiler makes five times as fast
                found[n_found] = i
                n_found += 1
                slot_of[i] = n_found
            slot = slot_of[i] - 1
            scores[t + 1, slot] += lag_weights[lag] * strengths[p]
            if lag < WEIGHED_LAGS:
                weights[t, lag, slot] = strengths[p]
    return n_found


@numba.njit(cache=True, nogil=True)
def _add_pair(
    pair: Any, pairs: Any, follow: Any, last: int, scores: Any, slot_of: Any, found: Any,
    n_found: int,
) -> int:  # fmt: skip
    """What came after the pair, leaning on what came after its latest product."""
    latest, lo, hi, total = pair
    _, _, after, counts = pairs
    offsets, neighbours, shares, _ = follow
    source = len(scores) - 1
    for p in range(offsets[latest], offsets[latest + 1]):
        if neighbours[p] != last:
            slot, n_found = _slot(neighbours[p], slot_of, found, n_found)
            scores[source, slot] = SMOOTHING / (total + SMOOTHING) * shares[p]
    for x in range(lo, hi):
        if after[x] != last:
            slot, n_found = _slot(after[x], slot_of, found, n_found)
            scores[source, slot] += counts[x] / (total + SMOOTHING)
    return n_found


@numba.njit(cache=True, nogil=True)
def _share(scores: Any, found: Any, n_found: int, shares: Any) -> Any:
    """Write the candidates' sums of shares; return each source's largest score."""
    largest, sums = np.zeros(len(scores)), np.zeros(n_found)
    for source in range(len(scores)):
        most = 0.0
        for slot in range(n_found):
            if scores[source, slot] > most:
                most = scores[source, slot]
        if source < SUMMED and most > 0.0:
            for slot in range(n_found):
                sums[slot] += scores[source, slot] / most
        largest[source] = most
    for slot in range(n_found):
        shares[found[slot]] = sums[slot]
    return largest


@numba.njit(cache=True, nogil=True)
def _best_and_own(
    shares: Any, found: Any, n_found: int, limit: int, query: Any, n_own: int, last: int, best: Any
) -> int:
    """The session's own products and the best others, in the order of their shares."""
    if n_found <= limit:
        return select_best(shares, found, n_found, limit, best)
    kept = np.empty(n_own)
    for lag in range(n_own):
        kept[lag] = shares[query[lag]]
        if query[lag] != last:
            shares[query[lag]] = SUMMED + 1.0  # more than any sum of shares
    n = select_best(shares, found, n_found, limit, best)
    for lag in range(n_own):
        shares[query[lag]] = kept[lag]
    return select_best(shares, best[:n].copy(), n, n, best)


@numba.njit(cache=True, nogil=True)
def _describe(
    row: Any, i: int, place: int, touched_codes: Any, n_touched_codes: int, latest: int,
    n_query: int, now_us: int, n_neighbours: int, in_a_row: float, returned: int, scores: Any,
    largest: Any, weights: Any, facts: Any, seen_us: Any,
) -> None:  # fmt: skip
    """One candidate's features, in the order of `candidates.feature_names`."""
    lag, visits = -1, 0
    for b in range(n_touched_codes):
        if touched_codes[b] == i:
            visits += 1
            if lag < 0:
                lag = b
    row[0] = place
    row[1] = lag
    row[2] = visits
    row[3] = n_touched_codes
    row[4] = n_query
    row[5] = n_neighbours
    row[6] = max(0, now_us - seen_us[i]) / 86_400_000_000.0
    row[7] = in_a_row
    row[8] = returned
    column = 9
    for source in range(len(scores)):
        row[column] = scores[source] / largest[source] if largest[source] > 0.0 else 0.0
        row[column + 1] = scores[source]
        column += 2
    for t in range(len(weights)):
        for back in range(WEIGHED_LAGS):
            row[column] = weights[t, back]
            column += 1
    for fact in range(facts.shape[1]):
        row[column] = facts[i, fact]
        row[column + facts.shape[1]] = facts[latest, fact]
        column += 1


@numba.njit(cache=True, nogil=True)
def gather_steps(
    offsets: Any, codes: Any, targets: Any, now_us: Any, lo: int, hi: int, keep_missed: bool,
    allow_latest: bool, max_products: int, knn: Any, tables: Any, pairs: Any,
    facts: Any, seen_us: Any, limit: int, room: Any, n_features: int,
) -> Any:  # fmt: skip
    """`gather` for many steps: features, whether each row came next, and rows per step.

    Step `s` has seen `codes[offsets[s]:offsets[s+1]]`. A step whose target is no candidate teaches
    nothing about order and is left out, unless `keep_missed`.
    """
    most = (hi - lo) * limit
    features = np.empty((most, n_features), np.float32)
    came_next = np.empty(most, np.uint8)
    sizes = np.empty(hi - lo, np.int32)
    touched_codes, query = np.empty(max_products, np.int32), np.empty(max_products, np.int32)
    best = room[-1]
    end, n_steps = 0, 0
    for s in range(lo, hi):
        n_touched_codes = read_session(codes[offsets[s] : offsets[s + 1]], touched_codes)
        n_query = different(touched_codes, n_touched_codes, query)
        n = 0
        if n_query > 0:
            last = -1 if allow_latest else touched_codes[0]
            n, _, _ = gather(
                touched_codes, n_touched_codes, query, n_query, last, now_us[s], knn, tables,
                pairs, facts, seen_us, limit, room, features[end : end + limit],
            )  # fmt: skip
        hit = False
        for a in range(n):
            came_next[end + a] = best[a] == targets[s]
            hit |= best[a] == targets[s]
        if keep_missed or (hit and n > 1):
            sizes[n_steps] = n
            n_steps += 1
            end += n
    return features[:end], came_next[:end], sizes[:n_steps]


@numba.njit(cache=True, nogil=True)
def read_session(codes: Any, latest_first: Any) -> int:
    n = min(len(codes), len(latest_first))
    for a in range(n):
        latest_first[a] = codes[len(codes) - 1 - a]
    return n


@numba.njit(cache=True, nogil=True)
def different(latest_first: Any, n: int, query: Any) -> int:
    """The different known products, in the same order."""
    n_query = 0
    for a in range(n):
        code = latest_first[a]
        is_new = code >= 0
        for b in range(n_query):
            is_new &= query[b] != code
        if is_new:
            query[n_query] = code
            n_query += 1
    return n_query
