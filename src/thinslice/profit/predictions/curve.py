"""What every threshold earns: exact, over all of them, ties included."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError


@dataclass(frozen=True, eq=False)
class Curve:
    """The money of acting on every score of at least `thresholds[k]`, from nobody to everybody.

    `thresholds` (K,) falls from infinity (nobody); `acted` (K,) is how many rows that is and
    `profit` (K,) what all rows earn. Rows with the same score always stand together.
    """

    thresholds: NDArray[np.float64]
    acted: NDArray[np.int64]
    profit: NDArray[np.float64]

    def __len__(self) -> int:
        return len(self.thresholds)

    def best(self, capacity: float | None = None, allowed: NDArray[np.bool_] | None = None) -> int:
        """The place of the highest profit; the one that acts least among equals.

        Of those within the capacity that are `allowed` (K,); nobody where none is.
        """
        end = len(self) if capacity is None else int(np.searchsorted(self.acted, capacity, "right"))
        if allowed is None:
            return int(np.argmax(self.profit[:end]))
        return int(np.argmax(np.where(allowed[:end], self.profit[:end], -np.inf)))

    def at(self, threshold: float) -> float:
        """What acting on every score of at least `threshold` earns."""
        place = int(np.searchsorted(-self.thresholds, -threshold, side="right")) - 1
        return float(self.profit[max(place, 0)])

    def points(self, most: int = 200) -> list[dict[str, Any]]:
        """At most `most` points for a chart, both ends and the best among them."""
        some = np.linspace(0, len(self) - 1, min(most, len(self))).round().astype(int)
        places = sorted({*some.tolist(), self.best()})
        return [
            {
                "threshold": None if np.isinf(self.thresholds[k]) else float(self.thresholds[k]),
                "acted": int(self.acted[k]),
                "profit": float(self.profit[k]),
            }
            for k in places
        ]


def profit_curve(score: NDArray[Any], act: NDArray[Any], none: Any = 0.0) -> Curve:
    """Sort once, then add up. `act` and `none` (n,) are what acting or not earns in each row."""
    order = np.argsort(score)[::-1]
    running = np.cumsum((act - none if np.ndim(none) or none else act)[order])
    ordered = score[order]
    last = np.empty(len(ordered), bool)  # the last row of each group of equal scores
    np.not_equal(ordered[1:], ordered[:-1], out=last[:-1])
    last[-1] = True
    base = float(np.sum(none)) if np.ndim(none) else float(none) * len(score)
    ends = np.flatnonzero(last)
    thresholds, acted, profit = np.empty(len(ends) + 1), np.empty(len(ends) + 1, np.int64), None
    profit = np.empty(len(ends) + 1)
    thresholds[0], acted[0], profit[0] = np.inf, 0, base
    if len(ends) == len(ordered):
        thresholds[1:], profit[1:] = ordered, running
    else:
        thresholds[1:], profit[1:] = ordered[ends], running[ends]
    acted[1:] = ends
    acted[1:] += 1
    if base:
        profit[1:] += base
    return Curve(thresholds, acted, profit)


def resample_best(
    score: NDArray[Any],
    act: NDArray[Any],
    none: Any = 0.0,
    amounts: NDArray[np.float64] | None = None,
    *,
    replicates: int = 2000,
    seed: int = 0,
    resample: bool = True,
) -> NDArray[np.float64]:
    """The highest profit over all thresholds in each of many resamples of the rows, shape (R,).

    A Poisson bootstrap, exact over all thresholds: sorted once, every row counts 0, 1, 2 ... times
    (Poisson with mean 1), and totals are scaled to n rows. The in-sample optimum is what it
    spreads, so it is optimistic; the headline of an evaluation never comes from it. `act` and
    `none` are money (n,), or features (n, M) whose `amounts` (R, M) differ by replicate. Without
    `resample` every row counts once.
    """
    if len(score) < 2:
        raise InputError(f"a bootstrap needs at least 2 rows, got {len(score)}")
    if amounts is None:
        act, amounts = act[:, None], np.ones((replicates, 1))
        none = none[:, None] if np.ndim(none) else none
    order = np.argsort(score)[::-1]
    gain = (act - none)[order]
    rest = np.broadcast_to(np.asarray(none, np.float64), act.shape)[order]
    ordered = score[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    table = _poisson_table() if resample else np.ones(65536)
    found: NDArray[np.float64] = _kernel()(
        np.ascontiguousarray(gain), np.ascontiguousarray(rest), last, amounts, seed, table
    )
    return found


def _poisson_table() -> NDArray[np.float64]:
    """Counts of a Poisson variable with mean 1 for 65,536 equal steps of probability."""
    import math

    below = np.cumsum([math.exp(-1) / math.factorial(k) for k in range(12)])
    return np.searchsorted(below, (np.arange(65536) + 0.5) / 65536).astype(np.float64)


@cache
def _kernel() -> Any:
    import numba

    return numba.njit(cache=True)(_resampled)


def _resampled(
    gain: Any, rest: Any, last: Any, amounts: Any, seed: int, table: Any
) -> Any:  # pragma: no cover - compiled
    found = np.empty(len(amounts))
    state = np.uint64(seed) * np.uint64(2) + np.uint64(0x9E3779B97F4A7C15)
    for r in range(len(amounts)):
        running, best, base, rows = 0.0, 0.0, 0.0, 0.0
        bits = np.uint64(0)
        for i in range(len(gain)):
            if i % 4 == 0:  # splitmix64: 64 bits, 16 for each of four rows
                state += np.uint64(0x9E3779B97F4A7C15)
                bits = state
                bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                bits = bits ^ (bits >> np.uint64(31))
            count = table[bits & np.uint64(0xFFFF)]
            bits = bits >> np.uint64(16)
            rows += count
            for k in range(gain.shape[1]):
                base += count * amounts[r, k] * rest[i, k]
                running += count * amounts[r, k] * gain[i, k]
            if last[i] and running > best:
                best = running
        found[r] = (base + best) * len(gain) / rows if rows else 0.0
    return found
