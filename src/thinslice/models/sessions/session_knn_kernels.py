"""The loops of session kNN, compiled. `session_knn.py` has the formula."""

from __future__ import annotations

import math
from typing import Any

import numba
import numpy as np

from thinslice.models.sessions.selection import kth_largest, select_best


@numba.njit(cache=True)
def build_postings(offsets: Any, codes: Any, n_products: int, limit: int) -> Any:
    """Per product its `limit` newest sessions, newest first, and in how many sessions it is.

    Sessions lie in the order in which they ended, so that a higher number is a newer session.
    """
    counts = np.zeros(n_products, np.int64)
    for j in range(len(codes)):
        counts[codes[j]] += 1
    starts = np.zeros(n_products + 1, np.int64)
    for i in range(n_products):
        starts[i + 1] = starts[i] + min(counts[i], limit)
    postings = np.empty(starts[n_products], np.int32)
    end = starts[:-1].copy()
    for s in range(len(offsets) - 2, -1, -1):
        for j in range(offsets[s], offsets[s + 1]):
            i = codes[j]
            if end[i] < starts[i + 1]:
                postings[end[i]] = s
                end[i] += 1
    return starts, postings, counts


@numba.njit(cache=True, nogil=True)
def vote(
    query: Any,  # (max_products,) int32: different products of the running session, latest first
    n_query: int,
    last: int,  # code that must not be recommended, -1 for none
    now_us: int,
    k: int,
    m: int,
    cosine: bool,
    half_life_s: float,  # 0 for no decay
    position_weights: Any,
    step_weights: Any,
    ahead_weights: Any,
    behind_weights: Any,
    offsets: Any,
    codes: Any,
    ended_s: Any,
    posting_offsets: Any,
    postings: Any,
    idf_factors: Any,
    sessions: Any,
    similarities: Any,
    heap: Any,
    scores: Any,
    lag_of: Any,
    touched: Any,
) -> Any:
    """Let the neighbours vote: fill `scores` at `touched`, return how many and the neighbours.

    `lag_of` must hold 1 + lag of the query's products and 0 elsewhere.
    """
    n_found = _newest_sessions(
        query, n_query, m, position_weights, posting_offsets, postings, sessions, similarities
    )
    for a in range(n_found):
        s = sessions[a]
        if cosine:
            similarities[a] /= math.sqrt(offsets[s + 1] - offsets[s])
        if half_life_s > 0:
            age_s = max(0.0, now_us / 1e6 - ended_s[s])
            similarities[a] *= 0.5 ** (age_s / half_life_s)
    n_found = _keep_most_similar(sessions, similarities, n_found, k, heap)
    n_touched = _add_up(
        sessions, similarities, n_found, step_weights, ahead_weights, behind_weights,
        offsets, codes, idf_factors, last, scores, lag_of, touched,
    )  # fmt: skip
    return n_touched, n_found


@numba.njit(cache=True)
def recommend(
    query: Any, n_query: int, last: int, n: int, now_us: int, k: int, m: int, cosine: bool,
    half_life_s: float, position_weights: Any, step_weights: Any, ahead_weights: Any,
    behind_weights: Any, offsets: Any, codes: Any, ended_s: Any, posting_offsets: Any,
    postings: Any, idf_factors: Any, sessions: Any, similarities: Any, heap: Any, scores: Any,
    lag_of: Any, touched: Any, place_of: Any, credits: Any, best: Any, best_scores: Any,
    because: Any,
) -> int:  # fmt: skip
    """Write the n best products, their scores and who spoke for them; return how many."""
    for lag in range(n_query):
        lag_of[query[lag]] = lag + 1
    n_touched, n_found = vote(
        query, n_query, last, now_us, k, m, cosine, half_life_s, position_weights, step_weights,
        ahead_weights, behind_weights, offsets, codes, ended_s, posting_offsets, postings,
        idf_factors, sessions, similarities, heap, scores, lag_of, touched,
    )  # fmt: skip
    found = select_best(scores, touched, n_touched, n, best)
    for place in range(found):
        best_scores[place] = scores[best[place]]
    for a in range(n_touched):
        scores[touched[a]] = 0.0
    _credit(
        query, n_query, sessions, similarities, n_found, position_weights, step_weights,
        ahead_weights, behind_weights, offsets, codes, lag_of, place_of, credits,
        best, found, because,
    )  # fmt: skip
    for lag in range(n_query):
        lag_of[query[lag]] = 0
    return found


@numba.njit(cache=True)
def _newest_sessions(
    query: Any,
    n_query: int,
    m: int,
    position_weights: Any,
    posting_offsets: Any,
    postings: Any,
    sessions: Any,
    similarities: Any,
) -> int:
    """The m newest sessions that share a product, newest first, by merging the posting lists."""
    nexts = np.empty(n_query, np.int64)
    heads = np.empty(n_query, np.int32)
    for lag in range(n_query):
        nexts[lag] = posting_offsets[query[lag]]
        empty = nexts[lag] == posting_offsets[query[lag] + 1]
        heads[lag] = -1 if empty else postings[nexts[lag]]
    found = 0
    while found < m:
        newest = -1
        for lag in range(n_query):
            newest = max(newest, heads[lag])
        if newest < 0:
            break
        similarity = 0.0
        for lag in range(n_query):
            if heads[lag] == newest:
                similarity += position_weights[lag]
                nexts[lag] += 1
                at_end = nexts[lag] == posting_offsets[query[lag] + 1]
                heads[lag] = -1 if at_end else postings[nexts[lag]]
        sessions[found] = newest
        similarities[found] = similarity
        found += 1
    return found


@numba.njit(cache=True)
def _keep_most_similar(sessions: Any, similarities: Any, n: int, k: int, heap: Any) -> int:
    """Move the k most similar to the front, equal ones by newness; they stay newest first."""
    if n <= k:
        return n
    threshold = kth_largest(similarities, n, k, heap)
    ties = k
    for a in range(n):
        if similarities[a] > threshold:
            ties -= 1
    kept = 0
    for a in range(n):
        if similarities[a] < threshold:
            continue
        if similarities[a] == threshold:
            if ties == 0:
                continue
            ties -= 1
        sessions[kept] = sessions[a]
        similarities[kept] = similarities[a]
        kept += 1
    return kept


@numba.njit(cache=True)
def _latest_shared(codes: Any, start: int, end: int, lag_of: Any) -> int:
    """Where a past session has the product that the running session touched last."""
    where, smallest = -1, 0
    for j in range(start, end):
        lag = lag_of[codes[j]]
        if lag > 0 and (smallest == 0 or lag < smallest):
            smallest = lag
            where = j
    return where


@numba.njit(cache=True)
def _add_up(
    sessions: Any, similarities: Any, n_sessions: int, step_weights: Any, ahead_weights: Any,
    behind_weights: Any, offsets: Any, codes: Any, idf_factors: Any, last: int, scores: Any,
    lag_of: Any, touched: Any,
) -> int:  # fmt: skip
    """Let every neighbour vote; return how many products have a score now."""
    n_touched = 0
    for a in range(n_sessions):
        start, end = offsets[sessions[a]], offsets[sessions[a] + 1]
        shared = _latest_shared(codes, start, end, lag_of)
        vote = similarities[a] * step_weights[lag_of[codes[shared]] - 1]
        for j in range(start, end):
            i = codes[j]
            if i == last:
                continue
            weight = ahead_weights[j - shared] if j >= shared else behind_weights[shared - j]
            value = vote * weight * idf_factors[i]
            if value <= 0.0:
                continue
            if scores[i] == 0.0:
                touched[n_touched] = i
                n_touched += 1
            scores[i] += value
    return n_touched


@numba.njit(cache=True)
def _credit(
    query: Any, n_query: int, sessions: Any, similarities: Any, n_sessions: int,
    position_weights: Any, step_weights: Any, ahead_weights: Any, behind_weights: Any,
    offsets: Any, codes: Any, lag_of: Any, place_of: Any, credits: Any, best: Any, found: int,
    because: Any,
) -> None:  # fmt: skip
    """Which product of the running session spoke most for each of the best, itself excepted."""
    for place in range(found):
        place_of[best[place]] = place + 1
        because[place] = -1
        for lag in range(n_query):
            credits[place, lag] = 0.0
    credit_votes(
        n_query, sessions, similarities, n_sessions, position_weights, step_weights,
        ahead_weights, behind_weights, offsets, codes, lag_of, place_of, credits,
    )  # fmt: skip
    for place in range(found):
        most = 0.0
        for lag in range(n_query):
            if query[lag] != best[place] and credits[place, lag] > most:
                most = credits[place, lag]
                because[place] = query[lag]
        place_of[best[place]] = 0


@numba.njit(cache=True, nogil=True)
def credit_votes(
    n_query: int, sessions: Any, similarities: Any, n_sessions: int, position_weights: Any,
    step_weights: Any, ahead_weights: Any, behind_weights: Any, offsets: Any, codes: Any,
    lag_of: Any, place_of: Any, credits: Any,
) -> None:  # fmt: skip
    """Add to `credits[place, lag]` what a product of the running session did for a candidate.

    A neighbour's vote is split over the products it shares in the proportion in which they made
    it similar. `place_of` is 1 + the place of the candidates that are asked about, 0 elsewhere.
    """
    shared_lags = np.empty(n_query, np.int32)
    for a in range(n_sessions):
        start, end = offsets[sessions[a]], offsets[sessions[a] + 1]
        n_shared, latest, total = 0, start, 0.0
        for j in range(start, end):
            lag = lag_of[codes[j]] - 1
            if lag >= 0:
                if n_shared == 0 or lag < lag_of[codes[latest]] - 1:
                    latest = j
                shared_lags[n_shared] = lag
                n_shared += 1
                total += position_weights[lag]
        if total <= 0.0:
            continue
        vote = similarities[a] * step_weights[lag_of[codes[latest]] - 1] / total
        for j in range(start, end):
            place = place_of[codes[j]] - 1
            if place < 0:
                continue
            weight = ahead_weights[j - latest] if j >= latest else behind_weights[latest - j]
            for b in range(n_shared):
                credits[place, shared_lags[b]] += vote * weight * position_weights[shared_lags[b]]
