"""The loops over the window of live sessions, compiled. `live.py` has the formula.

Touches are numbered from 1 and stand at their number modulo the size of the window. A link to a
touch that has left the window is told by its number. Whoever runs here holds the interpreter's
lock, so that nobody reads what is half written.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from thinslice.models.sessions.selection import select_best


@numba.njit(cache=True)
def add_touches(window: Any, count: int, codes: Any, before: Any) -> None:
    """Append touches after the `count` there were; `before` numbers each one's last in its session.

    0 begins a session. The oldest touches make room.
    """
    code_at, older, earlier, later, newest, touched = window
    size = len(code_at)
    for a in range(len(codes)):
        number = count + a + 1
        at, code = number % size, codes[a]
        if number > size:
            touched[code_at[at]] -= 1
        code_at[at] = code
        older[at] = newest[code]
        newest[code] = number
        touched[code] += 1
        earlier[at] = before[a]
        later[at] = 0
        if before[a] > number - size:
            later[before[a] % size] = number


@numba.njit(cache=True)
def speak(
    window: Any,
    count: int,
    query: Any,  # (different products,) int32: codes, the latest first, -1 for none in the window
    known: Any,  # (different products,) float64: sessions of the model that have them
    is_new: Any,  # (products,) bool: those that the model does not know
    lag_weights: Any,
    near_weights: Any,
    backward: float,
    look_at: int,
    trust: float,
    doubt: float,
    best: Any,  # (n,) int32, to be written
    scores: Any,  # product-sized, all zero before and after
    most: Any,
    spoke: Any,
    found: Any,
) -> Any:
    """Let the newest touches of the session's products vote.

    All but the product at hand may be spoken for. Returns how many of `best` were written, their
    votes, the place in the query that spoke most for each, and the weight of the window against
    the model.
    """
    code_at, older, earlier, later, newest, _ = window
    n_found, weight, in_all = 0, 0.0, lag_weights[: len(query)].sum()
    for lag in range(len(query)):
        if query[lag] < 0:
            continue
        heard = _with_company(query[lag], older, earlier, later, newest, count, look_at)
        if heard == 0:
            continue
        share = lag_weights[lag] * trust * heard / (trust * heard + known[lag])
        share_of_new = lag_weights[lag] * heard / (heard + doubt)
        weight += share
        number = newest[query[lag]]
        looked = 0
        while number > count - len(code_at) and number > 0 and looked < look_at:
            for forward in range(2):
                links = later if forward else earlier
                strength = (1.0 if forward else backward) / heard / in_all
                beside = links[number % len(code_at)]
                for step in range(len(near_weights)):
                    if beside <= count - len(code_at) or beside == 0:
                        break
                    i = code_at[beside % len(code_at)]
                    if i != query[0]:
                        own = max(share, share_of_new) if is_new[i] else share
                        value = strength * near_weights[step] * own
                        if scores[i] == 0.0:
                            found[n_found] = i
                            n_found += 1
                        scores[i] += value
                        if value > most[i]:
                            most[i] = value
                            spoke[i] = lag
                    beside = links[beside % len(code_at)]
            number = older[number % len(code_at)]
            looked += 1
    n = select_best(scores, found, n_found, len(best), best)
    votes, because = scores[best[:n]], spoke[best[:n]]
    for a in range(n_found):
        scores[found[a]] = most[found[a]] = 0.0
    return n, votes, because, weight / in_all


@numba.njit(cache=True)
def _with_company(
    code: int, older: Any, earlier: Any, later: Any, newest: Any, count: int, look_at: int
) -> int:
    """The newest touches of a product, at most `look_at`, that have another beside them."""
    size, heard, looked = len(older), 0, 0
    number = newest[code]
    while number > count - size and number > 0 and looked < look_at:
        at = number % size
        heard += earlier[at] > max(count - size, 0) or later[at] > 0
        number = older[at]
        looked += 1
    return heard


@numba.njit(cache=True)
def empty_window(n_touches: int, n_products: int) -> Any:
    """The arrays of a window with room for so many."""
    return (
        np.zeros(n_touches, np.int32),  # the product of each touch
        np.zeros(n_touches, np.int64),  # the same product's touch before
        np.zeros(n_touches, np.int64),  # the touch before in the session
        np.zeros(n_touches, np.int64),  # the touch after in the session
        np.zeros(n_products, np.int64),  # each product's newest touch
        np.zeros(n_products, np.int32),  # each product's touches in the window
    )
