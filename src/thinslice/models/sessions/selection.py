"""The n best of many scores, ties by code: a bounded heap, compiled.

It is compiled into its callers, whose caches on disk do not notice a change here: after one,
`./run` removes them.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np


@numba.njit(cache=True)
def select_best(scores: Any, candidates: Any, n_candidates: int, n: int, best: Any) -> int:
    """Write the n best candidates to `best`, highest score first, equal scores by code.

    `scores` is indexed by code; `candidates[:n_candidates]` are different codes; `best` has room
    for n. Returns how many were written. Takes O(n_candidates * log n), and less where the scores
    are spread out.
    """
    if n_candidates > 4 * n:
        candidates, n_candidates = _worth_sorting(scores, candidates, n_candidates, n)
    size = 0
    for a in range(n_candidates):
        code = candidates[a]
        if size < n:
            best[size] = code
            _sift_up(scores, best, size)
            size += 1
        elif _is_worse(scores, best[0], code):
            best[0] = code
            _sift_down(scores, best, size)
    for end in range(size - 1, 0, -1):
        best[0], best[end] = best[end], best[0]
        _sift_down(scores, best, end)
    return size


@numba.njit(cache=True)
def _worth_sorting(scores: Any, candidates: Any, n_candidates: int, n: int) -> Any:
    """The candidates that may be among the n best, by counting how many score about what."""
    largest = 0.0
    for a in range(n_candidates):
        if scores[candidates[a]] > largest:
            largest = scores[candidates[a]]
    if not 0.0 < largest < np.inf:
        return candidates, n_candidates
    counts = np.zeros(_STEPS, np.int32)
    scale = (_STEPS - 1) / largest
    for a in range(n_candidates):
        counts[max(int(scores[candidates[a]] * scale), 0)] += 1
    lowest, above = _STEPS - 1, counts[_STEPS - 1]
    while above < n:
        lowest -= 1
        above += counts[lowest]
    kept = np.empty(above, np.int32)
    n_kept = 0
    for a in range(n_candidates):
        if max(int(scores[candidates[a]] * scale), 0) >= lowest:
            kept[n_kept] = candidates[a]
            n_kept += 1
    return kept, n_kept


_STEPS = 512
"""Into so many equal steps the scores are sorted at first."""


@numba.njit(cache=True, inline="always")
def _is_worse(scores: Any, a: int, b: int) -> bool:
    return scores[a] < scores[b] or (scores[a] == scores[b] and a > b)


@numba.njit(cache=True)
def _sift_up(scores: Any, heap: Any, child: int) -> None:
    while child > 0:
        parent = (child - 1) // 2
        if not _is_worse(scores, heap[child], heap[parent]):
            return
        heap[child], heap[parent] = heap[parent], heap[child]
        child = parent


@numba.njit(cache=True)
def _sift_down(scores: Any, heap: Any, size: int) -> None:
    parent = 0
    while True:
        child = 2 * parent + 1
        if child >= size:
            return
        if child + 1 < size and _is_worse(scores, heap[child + 1], heap[child]):
            child += 1
        if not _is_worse(scores, heap[child], heap[parent]):
            return
        heap[child], heap[parent] = heap[parent], heap[child]
        parent = child


@numba.njit(cache=True)
def kth_largest(values: Any, n: int, k: int, heap: Any) -> float:
    """The k-th largest of `values[:n]`, 1 <= k <= n; `heap` has room for k."""
    for a in range(k):
        heap[a] = values[a]
        child = a
        while child > 0 and heap[child] < heap[(child - 1) // 2]:
            parent = (child - 1) // 2
            heap[child], heap[parent] = heap[parent], heap[child]
            child = parent
    for a in range(k, n):
        if values[a] <= heap[0]:
            continue
        heap[0] = values[a]
        parent = 0
        while True:
            child = 2 * parent + 1
            if child >= k:
                break
            if child + 1 < k and heap[child + 1] < heap[child]:
                child += 1
            if heap[child] >= heap[parent]:
                break
            heap[child], heap[parent] = heap[parent], heap[child]
            parent = child
    return heap[0]
