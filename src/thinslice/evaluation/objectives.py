"""What choosing one objective over another costs, on visits that nothing was learned from.

A list is credited with what visitors looked at next of their own accord: one click, and what a look
at that product is worth in orders and in margin, as learned from earlier visits. That is foresight,
not effect: only an experiment says what showing the list would bring.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.domain import CLICKS, Interval
from thinslice.evaluation.intervals import relative_interval
from thinslice.evaluation.tally import TestSession, shown_list, test_sessions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.domain import SessionLog
    from thinslice.interfaces import Recommender

Order = Callable[[Sequence[str]], Sequence[int]]
"""From products, best first, to their places in the order of an objective."""


def place_chances(maker: Recommender, log: SessionLog, depth: int) -> list[float]:
    """How often the product at each place was looked at next, made to fall from place to place.

    Half a look is added to each place, so that none is without a chance. Pooling adjacent
    violators (Ayer et al., 1955) gives the falling curve that is nearest to the counts.
    """
    hits, lists = np.zeros(depth), np.zeros(depth)
    for products, times in test_sessions(log, collapse=True):
        for step in range(1, len(products)):
            shown = shown_list(maker, products[:step], times[step - 1], depth, True)
            lists[: len(shown)] += 1
            if products[step] in shown:
                hits[shown.index(products[step])] += 1
    return falling((hits + 0.5) / (lists + 1), lists + 1)


def falling(values: NDArray[np.float64], weights: NDArray[np.float64]) -> list[float]:
    """The curve that never rises and is nearest to the values, by weighted squares.

    >>> falling(np.array([0.5, 0.1, 0.3]), np.ones(3))
    [0.5, 0.2, 0.2]
    """
    blocks: list[tuple[float, float, int]] = []  # mean, weight, length
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        block = (value, weight, 1)
        while blocks and blocks[-1][0] < block[0]:
            mean, before, length = blocks.pop()
            total = before + block[1]
            block = ((mean * before + block[0] * block[1]) / total, total, length + block[2])
        blocks.append(block)
    return [mean for mean, _, length in blocks for _ in range(length)]


def compare_objectives(
    maker: Recommender,
    log: SessionLog,
    orders: Mapping[str, Order],
    worth: Mapping[str, Callable[[str], float]],
    *,
    n: int,
    depth: int,
) -> list[dict[str, Any]]:
    """Per objective, the relative change of clicks and of each worth against ranking for clicks.

    One list of `depth` is asked for at each step, and each objective shows its own n of it. The
    ranges are paired and over sessions; a change is None where there is nothing to compare with.
    """
    sessions = test_sessions(log, collapse=True)
    measures = (CLICKS, *worth)
    sums = {o: {m: np.zeros(len(sessions)) for m in measures} for o in (CLICKS, *orders)}
    for s, session in enumerate(sessions):
        for shown, following in _steps(maker, session, depth):
            for objective in sums:
                places = orders[objective](shown) if objective in orders else range(len(shown))
                if following in [shown[place] for place in places[:n]]:
                    sums[objective][CLICKS][s] += 1
                    for measure, of in worth.items():
                        sums[objective][measure][s] += of(following)
    return [
        {
            "objective": objective,
            **{m: _plain(relative_interval(sums[objective][m], sums[CLICKS][m])) for m in measures},
        }
        for objective in orders
    ]


def _steps(maker: Recommender, session: TestSession, depth: int) -> list[tuple[list[str], str]]:
    products, times = session
    return [
        (shown_list(maker, products[:i], times[i - 1], depth, True), products[i])
        for i in range(1, len(products))
    ]


def _plain(interval: Interval | None) -> dict[str, Any] | None:
    return None if interval is None else asdict(interval)
