"""What choosing one objective over another costs, on visits that nothing was learned from.

A list is credited with what visitors looked at next of their own accord: one click, and what a look
at that product is worth in orders and in margin, as learned from earlier visits; and with what they
went on to buy, which is worth nothing here but shows whether an objective foresees it. That is
foresight, not effect: only an experiment says what showing the list would bring.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.domain import BROWSING, CLICKS, EventType, Interval
from thinslice.evaluation.intervals import relative_interval
from thinslice.evaluation.tally import shown_list, steps_kept, test_sessions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.domain import SessionLog
    from thinslice.interfaces import Recommender

BOUGHT = "bought"
_VIEWED = BROWSING.index(EventType.PRODUCT_VIEWED)
_BOUGHT = BROWSING.index(EventType.ORDER_COMPLETED)

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
    """Per objective, the relative change of clicks, of each worth, and of the steps whose list has
    a product that was `bought` later, against ranking for clicks.

    One list of `depth` is asked for at each step, and each objective shows its own n of it. The
    ranges are paired and over sessions; a change is None where there is nothing to compare with.
    """
    sessions = steps_kept(log, collapse=True)
    measures = (CLICKS, BOUGHT, *worth)
    sums = {o: {m: np.zeros(len(sessions)) for m in measures} for o in (CLICKS, *orders)}
    for s, kept in enumerate(sessions):
        for shown, following, to_buy in _steps(maker, log, kept, depth):
            for objective in sums:
                places = orders[objective](shown) if objective in orders else range(len(shown))
                listed = [shown[place] for place in places[:n]]
                sums[objective][BOUGHT][s] += not to_buy.isdisjoint(listed)
                if following in listed:
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


def _steps(
    maker: Recommender, log: SessionLog, kept: Sequence[int], depth: int
) -> Iterator[tuple[list[str], str, set[str]]]:
    """At each step but the last the list, what was looked at next, and what was bought later that
    was neither at hand nor in the cart by then.
    """
    session = slice(kept[0], _end(log, kept[0]))
    products = [log.products[code] for code in log.codes[session].tolist()]
    types = log.types[session].tolist()
    at = [event - kept[0] for event in kept]
    for here, following in zip(at[:-1], at[1:], strict=True):
        seen = [products[event] for event in at if event <= here]
        now_us = int(log.times_us[kept[0] + here])
        had = {p for p, kind in zip(products[:following], types, strict=False) if kind != _VIEWED}
        later = zip(products[following:], types[following:], strict=True)
        to_buy = {p for p, kind in later if kind == _BOUGHT} - had - {products[here]}
        yield shown_list(maker, seen, now_us, depth, True), products[following], to_buy


def _end(log: SessionLog, event: int) -> int:
    """Where the session of an event ends."""
    return int(log.offsets[np.searchsorted(log.offsets, event, side="right")])


def _plain(interval: Interval | None) -> dict[str, Any] | None:
    return None if interval is None else asdict(interval)
