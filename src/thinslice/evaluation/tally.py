"""What one list maker did in every prediction, summed by session."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from thinslice.evaluation.intervals import jackknife_interval
from thinslice.evaluation.metrics import (
    gini,
    list_diversity,
    mrr,
    ndcg,
    popularity_percentiles,
    recall,
    surprise_bits,
)
from thinslice.evaluation.slices import SLICES, seen_slice, target_slice

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.domain import Interval, SessionLog
    from thinslice.interfaces import Recommender

PAIRED = ("HitRate", "MRR", "Recall", "NDCG")
"""Averages over predictions, of which two list makers' differences are stated."""
SLICED = ("HitRate", "MRR")
GROUPS = 20
"""Groups of consecutive sessions that are left out in turn for the range of a Gini coefficient."""

TestSession = tuple[list[str], list[int]]
"""Products and times, oldest first."""


@dataclass(frozen=True, eq=False)
class Known:
    """What a training log says of its products, and the catalogue of their categories."""

    percentiles: Mapping[str, float]
    surprise: Mapping[str, float]
    most_surprise: float
    categories: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, train: SessionLog, categories: Mapping[str, str]) -> Known:
        counts = np.bincount(train.codes, minlength=len(train.products))
        percentiles = popularity_percentiles(counts).tolist()
        surprise = surprise_bits(counts).tolist()
        return cls(
            dict(zip(train.products, percentiles, strict=True)),
            dict(zip(train.products, surprise, strict=True)),
            max(surprise, default=0.0),
            categories,
        )


@dataclass(frozen=True, eq=False)
class Tally:
    """One list maker's sums by session: shapes (sessions,), `sums` one such array per metric.

    `sliced` has per metric, and `slice_sizes` alone, one such row for each of `SLICES`. `lists`
    counts those with two or more products of known category, of which `diversity` is the sum.
    """

    predictions: NDArray[np.float64]
    answered: NDArray[np.float64]
    sums: Mapping[str, NDArray[np.float64]]
    shown: NDArray[np.float64]
    percentiles: NDArray[np.float64]
    surprise: NDArray[np.float64]
    diversity: NDArray[np.float64]
    lists: NDArray[np.float64]
    slice_sizes: NDArray[np.float64]
    sliced: Mapping[str, NDArray[np.float64]]
    coverage: Interval
    gini: Interval


def predict(
    recommender: Recommender,
    sessions: Sequence[TestSession],
    n: int,
    remove_current: bool,
    known: Known,
    at_session: Callable[[int], None],
) -> Tally:
    """Ask for a list at every step but the last of every session, and compare."""
    size = len(sessions)
    sums = {metric: np.zeros(size) for metric in PAIRED}
    sliced = {metric: np.zeros((len(SLICES), size)) for metric in SLICED}
    slice_sizes = np.zeros((len(SLICES), size))
    predictions, answered, shown_count, popularity, surprise, diversity, lists = (
        np.zeros(size) for _ in range(7)
    )
    exposed = _Exposed(size)
    for s, (products, times) in enumerate(sessions):
        predictions[s] = len(products) - 1
        for step in range(1, len(products)):
            shown = shown_list(recommender, products[:step], times[step - 1], n, remove_current)
            to_come = set(products[step:])
            if remove_current:
                to_come.discard(products[step - 1])
            place = mrr(shown, products[step])
            sums["HitRate"][s] += place > 0
            sums["MRR"][s] += place
            sums["Recall"][s] += recall(shown, to_come)
            sums["NDCG"][s] += ndcg(shown, to_come, n)
            for at in (seen_slice(step), target_slice(known.percentiles.get(products[step]))):
                slice_sizes[at, s] += 1
                sliced["HitRate"][at, s] += place > 0
                sliced["MRR"][at, s] += place
            answered[s] += bool(shown)
            shown_count[s] += len(shown)
            found = list_diversity([known.categories.get(product, "") for product in shown])
            if found is not None:
                diversity[s] += found
                lists[s] += 1
            for product in shown:
                popularity[s] += known.percentiles.get(product, 0.0)
                surprise[s] += known.surprise.get(product, known.most_surprise)
                if product in known.percentiles:
                    exposed.add(product, s)
        at_session(s + 1)
    return Tally(
        *(predictions, answered, sums, shown_count, popularity, surprise, diversity, lists),
        *(slice_sizes, sliced, exposed.coverage(known), exposed.gini(known)),
    )


def test_sessions(log: SessionLog, *, collapse: bool) -> list[TestSession]:
    """The sessions of two products or more; `collapse` makes repeats in a row one step."""
    products, codes, times = log.products, log.codes.tolist(), log.times_us.tolist()
    return [
        ([products[codes[j]] for j in kept], [times[j] for j in kept])
        for kept in steps_kept(log, collapse=collapse)
    ]


def steps_kept(log: SessionLog, *, collapse: bool) -> list[list[int]]:
    """The same as places in the log: for each session the events that are its steps."""
    codes, sessions = log.codes.tolist(), []
    for start, end in zip(log.offsets[:-1].tolist(), log.offsets[1:].tolist(), strict=True):
        kept = [
            j for j in range(start, end) if not collapse or j == start or codes[j] != codes[j - 1]
        ]
        if len(kept) > 1:
            sessions.append(kept)
    return sessions


def shown_list(
    recommender: Recommender, seen: list[str], now_us: int, n: int, remove_current: bool
) -> list[str]:
    """The list as a visitor would see it: no product twice, at most n."""
    products = dict.fromkeys(s.product for s in recommender.recommend(seen, n + 1, now_us=now_us))
    if remove_current:
        products.pop(seen[-1], None)
    return list(products)[:n]


class _Exposed:
    """Which products were shown, how often, and whether in one session only."""

    def __init__(self, n_sessions: int) -> None:
        self._n = n_sessions
        self._groups = min(GROUPS, n_sessions)
        self._only_in: dict[str, int] = {}
        self._times: dict[str, NDArray[np.int64]] = {}

    def add(self, product: str, session: int) -> None:
        if self._only_in.setdefault(product, session) != session:
            self._only_in[product] = -1
        if product not in self._times:
            self._times[product] = np.zeros(self._groups, np.int64)
        self._times[product][session * self._groups // self._n] += 1

    def coverage(self, known: Known) -> Interval:
        """The share of the products that appear in any list."""
        total = len(known.percentiles)
        if total == 0:
            return jackknife_interval(0.0, np.zeros(0))
        alone = np.array([s for s in self._only_in.values() if s >= 0], np.int64)
        only_here = np.bincount(alone, minlength=self._n)
        without = (len(self._only_in) - only_here) / total
        return jackknife_interval(len(self._only_in) / total, without)

    def gini(self, known: Known) -> Interval:
        """How unequally the products are shown, those of training that never are included."""
        total = len(known.percentiles)
        times = np.zeros((max(total, 1), self._groups), np.int64)
        if self._times:
            times[: len(self._times)] = np.stack(list(self._times.values()))
        every = times.sum(axis=1)
        without = np.array([gini(every - times[:, g]) for g in range(self._groups)])
        return jackknife_interval(gini(every), without)
