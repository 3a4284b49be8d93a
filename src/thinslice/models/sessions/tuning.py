"""Which settings and which of the list makers serve a shop best? Its own last days decide.

    earlier sessions | the first two thirds of the later ones | the last third
    sources learn    | settings are chosen, trees are grown   | the list maker is chosen

Nothing is chosen on a session that a source has learned from, and the list maker is not chosen on
sessions that its settings or trees were chosen on. The measure is the geometric mean of HitRate@20
and MRR@20 over the steps.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from thinslice.domain import DAY_US
from thinslice.models.sessions.candidate_kernels import different, read_session
from thinslice.models.sessions.candidates import (
    Candidates,
    Described,
    Steps,
    learn_candidates,
    steps_of,
)
from thinslice.models.sessions.choice import BLEND, KNN, LINEAR, POPULAR, RERANKED, Choice
from thinslice.models.sessions.co_occurrence import count_pairs
from thinslice.models.sessions.item_table import ItemTable, lag_weights
from thinslice.models.sessions.linear import LinearSettings, solve
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.reranker import NoLightGBMError, learn_trees
from thinslice.models.sessions.selection import select_best
from thinslice.models.sessions.session_knn import KnnSettings, SessionKnn, learn_session_knn
from thinslice.models.sessions.session_knn_kernels import vote
from thinslice.models.sessions.training import training_sessions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.domain import Interval, SessionLog

LENGTH = 20
"""The length of the lists that are compared."""

Compare = Callable[["NDArray[np.float64]", "NDArray[np.float64]"], "Interval"]
"""The range of sum(sums) / sum(counts), given both by session."""

Progress = Callable[[int, int | None], None]


def choose(
    earlier: SessionLog,
    later: SessionLog,
    compare: Compare,
    *,
    seconds: float,
    start: Choice | None = None,
    may_repeat: bool = False,
    progress: Progress | None = None,
    seed: int = 0,
) -> Choice:
    """Choose on the later sessions what to make of the earlier ones, in about `seconds`.

    `start` is where the search begins; hand over what is served, since it is kept where it is
    proven better than what was found. `may_repeat` lets the product at hand compete, if that pays.
    """
    return _Tuning(earlier, later, compare, seconds, start, may_repeat, progress, seed).choose()


class _Tuning:
    def __init__(
        self,
        earlier: SessionLog,
        later: SessionLog,
        compare: Compare,
        seconds: float,
        start: Choice | None,
        may_repeat: bool,
        progress: Progress | None,
        seed: int,
    ) -> None:
        self.earlier = earlier
        self.products = ProductCodes(earlier.products)
        self.compare = compare
        self.start = start or Choice()
        self.seconds = seconds
        self.seed = seed
        self.progress = progress
        self.may_repeat = may_repeat
        self.began = time.monotonic()
        at_most = int(np.clip(seconds * 400, 2_000, 45_000))
        self.steps = steps_of(later, self.products, repeats=may_repeat, at_most=at_most)
        self.tried = 0

    def choose(self) -> Choice:
        first, last = self._cut()
        if len(last.targets) < _FEWEST:
            why = f"too few later steps to choose on: {len(last.targets)}, and {_FEWEST} are needed"
            return replace(self.start, report={"why": why})
        sample = _evenly(first, 3_000)
        self._compile(sample.some(0, 1))
        knn, repeats = self._choose_knn(sample, until=0.15)
        linear = self._choose_linear(sample, until=0.35)
        chosen = Choice(knn, linear, repeats=repeats)
        candidates = learn_candidates(self.earlier, self.products, knn, linear)
        return self._choose_tier(chosen, candidates, first, last)

    def _compile(self, step: Steps) -> None:
        """Start the clock when the loops are compiled, which happens once on a machine."""
        seconds, self.seconds = self.seconds, 0.0
        self._choose_knn(step, until=0.0)
        self._choose_linear(step, until=0.0)
        self.seconds, self.began = seconds, time.monotonic()

    def _choose_knn(self, steps: Steps, until: float) -> tuple[KnnSettings, bool]:
        largest = max(_SAMPLES[-1], self.start.knn.sample)
        sessions = training_sessions(self.earlier, self.start.knn.max_products)
        whole = learn_session_knn(sessions, self.products, replace(self.start.knn, sample=largest))

        def score(knn: KnnSettings, repeats: bool) -> float:
            return _measure(
                knn_places(SessionKnn(self.products, whole.arrays, knn), steps, repeats)
            )

        repeats = self.may_repeat and score(self.start.knn, True) > score(self.start.knn, False)
        best = self._descend(
            self.start.knn, lambda knn: score(knn, repeats), self._knn_grid(), until
        )
        return best, repeats

    def _choose_linear(self, steps: Steps, until: float) -> LinearSettings:
        sessions = training_sessions(self.earlier, self.start.knn.max_products)
        limit = self.start.knn.max_products
        known: dict[LinearSettings, ItemTable] = {}

        def score(linear: LinearSettings) -> float:
            key = replace(linear, lag_decay=1.0)
            if key not in known:
                known.clear()
                counts = count_pairs(
                    sessions, decay=linear.step_decay, half_life_days=linear.half_life_days
                )
                known[key] = solve(counts, linear)
            return _measure(table_places(known[key], lag_weights(linear.lag_decay, limit), steps))

        return self._descend(self.start.linear, score, self._linear_grid(), until)

    def _descend(
        self,
        best: Any,
        score: Callable[[Any], float],
        grid: Mapping[str, Iterable[Any]],
        until: float,
    ) -> Any:
        """One setting after the other, each to its best value, while there is time."""
        highest = score(best)
        for name, values in grid.items():
            for value in values:
                if self._elapsed() > until * self.seconds:
                    return best
                tried = replace(best, **{name: value})
                if tried == best:
                    continue
                self.tried += 1
                if (found := score(tried)) > highest * 1.0005:
                    best, highest = tried, found
        return best

    def _choose_tier(
        self, chosen: Choice, candidates: Candidates, first: Steps, last: Steps
    ) -> Choice:
        repeats, limit = chosen.repeats, chosen.knn.max_products
        candidates.describe(last.some(0, 1), keep_missed=True, repeats=repeats)  # compiles
        began = time.monotonic()
        later = candidates.describe(last, keep_missed=True, repeats=repeats)
        described_s = time.monotonic() - began
        places = {
            KNN: knn_places(candidates.knn, last, repeats),
            LINEAR: table_places(
                candidates.tables["linear"], lag_weights(chosen.linear.lag_decay, limit), last
            ),
            BLEND: places_as_listed(later),
            POPULAR: self._popular_places(last),
        }
        as_before = self._places_as_before(last)
        lean, no_trees = (KNN, LINEAR, BLEND, POPULAR), ""
        best = max(lean, key=lambda tier: _measure(places[tier]))
        trees = None
        try:
            affordable = self._affordable(len(first.targets), len(last.targets), described_s)
            first = first.some(len(first.targets) - affordable, len(first.targets))
            earlier = candidates.describe(first, keep_missed=False, repeats=repeats)
            self._tell()
            trees = learn_trees(earlier, seed=self.seed)
            places[RERANKED] = places_in_order(trees.score(later.features), later)
            self._tell()
        except NoLightGBMError as error:
            no_trees = str(error)
        if RERANKED in places and self._pays(places[RERANKED], places[best], last):
            best = RERANKED
            trees = learn_trees(_joined(earlier, later), seed=self.seed)
        report = self._report(best, places, len(first.targets), last, no_trees)
        if self._pays(as_before, places[best], last):
            report["why"] = f"{self.start.tier} as before was proven better than {best}"
            return replace(self.start, report=report)
        return replace(chosen, tier=best, trees=trees if best == RERANKED else None, report=report)

    def _places_as_before(self, last: Steps) -> NDArray[np.int64]:
        """What the search began with, learned from the same earlier sessions."""
        start = self.start
        if start.tier == POPULAR:
            return self._popular_places(last)
        if start.tier == KNN:
            sessions = training_sessions(self.earlier, start.knn.max_products)
            knn = learn_session_knn(sessions, self.products, start.knn)
            return knn_places(knn, last, start.repeats)
        found = learn_candidates(self.earlier, self.products, start.knn, start.linear)
        if start.tier == LINEAR:
            weights = lag_weights(start.linear.lag_decay, start.knn.max_products)
            return table_places(found.tables["linear"], weights, last)
        described = found.describe(last, keep_missed=True, repeats=start.repeats)
        if start.trees is None:
            return places_as_listed(described)
        return places_in_order(start.trees.score(described.features), described)

    def _pays(self, new: NDArray[np.int64], old: NDArray[np.int64], steps: Steps) -> bool:
        """Whether the new lists are proven better on one measure and not worse on the other."""
        ranges = [self._difference(new, old, steps, measure) for measure in (_hit, _reciprocal)]
        return any(r.low > 0 for r in ranges) and all(
            r.high > 0 and r.estimate >= 0 for r in ranges
        )

    def _difference(
        self,
        new: NDArray[np.int64],
        old: NDArray[np.int64],
        steps: Steps,
        measure: Callable[[NDArray[np.int64]], NDArray[np.float64]],
    ) -> Interval:
        _, session = np.unique(steps.session_of, return_inverse=True)
        gained = np.bincount(session, measure(new) - measure(old)).astype(np.float64)
        return self.compare(gained, np.bincount(session).astype(np.float64))

    def _affordable(self, wanted: int, described: int, described_s: float) -> int:
        """The newest steps that there is time to learn from, given how long describing takes here.

        Never fewer than it takes to learn a good order: on a busy machine the time runs over.

        Describing a step, growing trees on it, and growing them once more at the end takes about
        nine times as long as describing it.
        """
        left = self.seconds - self._elapsed()
        return int(np.clip(left / (9 * described_s / described), min(_ENOUGH, wanted), wanted))

    def _report(
        self,
        best: str,
        places: Mapping[str, NDArray[np.int64]],
        n_first: int,
        last: Steps,
        no_trees: str,
    ) -> dict[str, Any]:
        report: dict[str, Any] = {
            "why": f"{best} was best on {len(last.targets):,} later steps",
            "settings_tried": self.tried,
            "seconds": round(self._elapsed(), 1),
            "steps": {"learned": n_first, "judged": len(last.targets)},
            "validation": {
                tier: {
                    f"HitRate@{LENGTH}": round(float(_hit(found).mean()), 4),
                    f"MRR@{LENGTH}": round(float(_reciprocal(found).mean()), 4),
                }
                for tier, found in places.items()
            },
        }
        if no_trees:
            report["reranker"] = f"not available: {no_trees}"
        return report

    def _popular_places(self, steps: Steps) -> NDArray[np.int64]:
        """Popularity of the last week, the same for everyone but for the product at hand."""
        age_days = (self.earlier.times_us.max() - self.earlier.times_us) / DAY_US
        counts = np.bincount(
            self.earlier.codes, 0.5 ** (age_days / 7.0), minlength=len(self.products)
        )
        rank = np.empty(len(counts), np.int64)
        rank[np.argsort(-counts, kind="stable")] = np.arange(1, len(counts) + 1)
        latest = steps.codes[steps.offsets[1:] - 1]
        places = np.where(steps.targets >= 0, rank[steps.targets], 0)
        places -= (latest >= 0) & (rank[latest] < places)
        return np.where(places <= LENGTH, places, 0)

    def _cut(self) -> tuple[Steps, Steps]:
        """The first two thirds of the steps, and the rest, without cutting a session in two."""
        steps = self.steps
        n = len(steps.targets)
        if n == 0:
            return steps, steps
        cut = int(np.searchsorted(steps.session_of, steps.session_of[2 * n // 3]))
        return steps.some(0, cut), steps.some(cut, n)

    def _knn_grid(self) -> dict[str, Iterable[Any]]:
        return {
            "half_life_days": self._half_lives(),
            "position_decay": (0.75, 3.0, 6.0, 12.0),
            "distance_decay": (1.0, 2.0, 4.0, 8.0),
            "backward": (0.4, 0.7, 1.0),
            "idf_weight": (0.0, 0.5, 1.5, 4.0),
            "step_decay": (1.5, 3.0, 6.0, 12.0),
            "neighbours": (100, 200, 500, 1000),
            "sample": _SAMPLES,
            "cosine": (False, True),
        }

    def _linear_grid(self) -> dict[str, Iterable[Any]]:
        return {
            "lag_decay": (1.0, 1.4, 3.0, 4.0),
            "whole_share": (0.8, 0.2),
            "half_life_days": self._half_lives(),
            "step_decay": (2.0, 0.5),
            "ridge": (3.0, 30.0),
        }

    def _half_lives(self) -> tuple[float | None, ...]:
        """None, and shares of the time that the log spans: what suits a week suits no year."""
        days = float(np.ptp(self.earlier.times_us)) / DAY_US
        return (None, *(max(days * share, 1e-3) for share in (0.5, 0.25, 0.125)))

    def _elapsed(self) -> float:
        self._tell()
        return time.monotonic() - self.began

    def _tell(self) -> None:
        if self.progress:
            self.progress(
                min(int(time.monotonic() - self.began), int(self.seconds)), int(self.seconds)
            )


_FEWEST, _ENOUGH = 300, 10_000
"""Steps to judge on, without which nothing is chosen; steps that trees are grown on at least."""
_SAMPLES = (1000, 2500, 5000)


def _measure(places: NDArray[np.int64]) -> float:
    """The geometric mean of HitRate and MRR."""
    return float(np.sqrt(_hit(places).mean() * _reciprocal(places).mean()))


def _hit(places: NDArray[np.int64]) -> NDArray[np.float64]:
    return (places > 0).astype(np.float64)


def _reciprocal(places: NDArray[np.int64]) -> NDArray[np.float64]:
    return np.where(places > 0, 1.0 / np.maximum(places, 1), 0.0)


def places_in_order(scores: NDArray[np.float64], described: Described) -> NDArray[np.int64]:
    """Per step the place of what came next when candidates are ordered by score, 0 below the list.

    Ties go by the order of the rows.
    """
    step_of = np.repeat(np.arange(len(described.sizes)), described.sizes)
    order = np.lexsort((np.arange(len(scores)), -scores, step_of))
    starts = np.concatenate([[0], np.cumsum(described.sizes)[:-1]])
    rank = np.empty(len(scores), np.int64)
    rank[order] = np.arange(len(scores)) - starts[step_of] + 1
    places = np.zeros(len(described.sizes), np.int64)
    hits = np.flatnonzero((described.came_next == 1) & (rank <= LENGTH))
    places[step_of[hits]] = rank[hits]
    return places


def places_as_listed(described: Described) -> NDArray[np.int64]:
    """The same where candidates stay in the order in which they were found."""
    return places_in_order(np.zeros(len(described.came_next)), described)


def knn_places(knn: SessionKnn, steps: Steps, repeats: bool) -> NDArray[np.int64]:
    """Per step the place of what came next in the list of the session kNN, 0 below the list."""
    n, chosen = len(knn.products), knn.settings
    return _knn_places(
        steps.offsets, steps.codes, steps.targets, steps.now_us, repeats, chosen.max_products,
        knn.arguments, np.zeros(n), np.zeros(n, np.int32), np.zeros(n, np.int32),
        np.zeros(chosen.sample, np.int32), np.zeros(chosen.sample), np.zeros(chosen.neighbours),
    )  # fmt: skip


def table_places(
    table: ItemTable, lag_weights: NDArray[np.float64], steps: Steps
) -> NDArray[np.int64]:
    """Per step the place of what came next in the list of an item table, 0 below the list."""
    return _table_places(
        steps.offsets, steps.codes, steps.targets, table.offsets, table.neighbours, table.weights,
        lag_weights,
    )  # fmt: skip


def _evenly(steps: Steps, at_most: int) -> Steps:
    """Whole runs of steps, evenly over the time."""
    n = len(steps.targets)
    kept = np.unique(np.linspace(0, n - 1, min(n, at_most)).astype(np.int64)) if n else np.arange(0)
    lengths = np.diff(steps.offsets)[kept]
    offsets = np.concatenate([[0], np.cumsum(lengths)])
    places = np.repeat(steps.offsets[kept] - offsets[:-1], lengths) + np.arange(offsets[-1])
    return Steps(
        offsets.astype(np.int64),
        steps.codes[places],
        steps.targets[kept],
        steps.now_us[kept],
        steps.session_of[kept],
    )


def _joined(a: Described, b: Described) -> Described:
    return Described(
        np.concatenate([a.features, b.features]),
        np.concatenate([a.came_next, b.came_next]),
        np.concatenate([a.sizes, b.sizes]),
    )


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
