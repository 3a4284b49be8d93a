"""Candidates of several sources, and what is known about each: what a re-ranker looks at.

Sources are the session kNN and six item tables, all of which any shop has:

    linear   the local linear model
    cosine   in the same sessions
    next     what came after, as a share of what came after: near steps count more
    walk     two steps along the linear model: what a neighbour's neighbours speak for
    recent   in the same sessions of the last tenth of the log, what came after doubled
    follow   what came right after, in the sessions as they were, returns to a product included
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.domain import Scored
from thinslice.models.sessions.candidate_kernels import WEIGHED_LAGS, answer, gather_steps
from thinslice.models.sessions.co_occurrence import Counts, count_pairs, sessions_by_product
from thinslice.models.sessions.item_table import ItemTable, lag_weights, read_only
from thinslice.models.sessions.item_to_item import cosine_table
from thinslice.models.sessions.linear import LinearSettings, solve
from thinslice.models.sessions.session_knn import KnnSettings, SessionKnn, learn_session_knn
from thinslice.models.sessions.training import TrainingSessions, training_sessions
from thinslice.models.sessions.trees import Trees

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.domain import SessionLog
    from thinslice.models.sessions.products import ProductCodes

LAG_DECAYS = {"linear": None, "cosine": 2.8, "next": 1.0, "walk": 2.0, "recent": 2.0, "follow": 0.7}
"""The tables in their order; None is chosen with the linear model."""

ROW = 100
"""Neighbours that a table keeps of each product."""

LIMIT = 100
"""Candidates that are described and re-ranked."""

FACTS = ("sessions", "lately", "trend", "views_per_session", "short_trend")
"""What is known about a product whoever asks: see `_facts`."""


def feature_names() -> tuple[str, ...]:
    """The columns of the features, one row per candidate.

    `lag` and `visits` say when and how often the session touched the candidate itself, -1 and 0
    for never; `share_` is a source's score over its largest; `weight_T_0` is what table T says of
    the latest product and the candidate; `latest_` are the facts of the latest product.
    """
    sources = ("knn", *LAG_DECAYS)
    return (
        *("place", "lag", "visits", "events", "products", "neighbours", "days_unseen"),
        *(f"{kind}_{source}" for source in sources for kind in ("share", "score")),
        *(f"weight_{table}_{lag}" for table in LAG_DECAYS for lag in range(WEIGHED_LAGS)),
        *FACTS,
        *(f"latest_{fact}" for fact in FACTS),
    )


class Candidates:
    """The sources over one log, mapped or learned. Cheap to make from their arrays."""

    def __init__(
        self,
        knn: SessionKnn,
        tables: Mapping[str, ItemTable],
        facts: NDArray[np.float32],
        seen_us: NDArray[np.int64],
        linear: LinearSettings,
    ) -> None:
        self.products = knn.products
        self.knn = knn
        self.linear = linear
        self.tables = {name: ItemTable.from_arrays(tables[name].to_arrays()) for name in LAG_DECAYS}
        self.facts = read_only(facts)
        self.seen_us = read_only(seen_us)
        self.last_us = int(seen_us.max()) if len(seen_us) else 0
        limit = knn.settings.max_products
        packed = tuple(
            (
                t.offsets,
                t.neighbours,
                t.weights,
                read_only(lag_weights(d or linear.lag_decay, limit)),
            )
            for t, d in zip(self.tables.values(), LAG_DECAYS.values(), strict=True)
        )
        self.arguments = (knn.arguments, packed, self.facts, self.seen_us)

    @classmethod
    def from_parts(
        cls,
        products: ProductCodes,
        parts: Mapping[str, dict[str, NDArray[Any]]],
        knn: KnnSettings,
        linear: LinearSettings,
    ) -> Candidates:
        """The inverse of `to_parts`."""
        tables = {name: ItemTable.from_arrays(parts[name]) for name in LAG_DECAYS}
        about = parts["about"]
        return cls(
            SessionKnn(products, parts["knn"], knn),
            tables,
            about["facts"],
            about["seen_us"],
            linear,
        )

    def to_parts(self) -> dict[str, dict[str, NDArray[Any]]]:
        """The arrays of every source, by its name, and what is known about the products."""
        tables = {name: table.to_arrays() for name, table in self.tables.items()}
        about = {"facts": self.facts, "seen_us": self.seen_us}
        return {"knn": self.knn.arrays, **tables, "about": about}

    def room(self, limit: int = LIMIT) -> tuple[NDArray[Any], ...]:
        """Arrays that one thread writes to; every call leaves the product-sized ones all zero."""
        n, tables, knn = len(self.products), len(self.tables), self.knn.settings
        return (
            np.zeros((tables + 1, n)),  # scores by source
            np.zeros((tables, WEIGHED_LAGS, n), np.float32),  # weights by table and lag
            np.zeros(n, np.bool_),
            np.zeros(n),  # sums of shares
            np.zeros(n, np.int32),  # candidates found
            np.zeros(n, np.int32),  # of these, by the session kNN
            np.zeros(n, np.int32),  # 1 + lag of the session's products
            np.zeros(knn.sample, np.int32),
            np.zeros(knn.sample),
            np.zeros(knn.neighbours),
            np.zeros(limit, np.int32),  # the best
        )

    def describe(self, steps: Steps, *, keep_missed: bool, repeats: bool) -> Described:
        """The features of every step's candidates."""
        room, width = self.room(), len(feature_names())
        parts = [
            gather_steps(
                steps.offsets,
                steps.codes,
                steps.targets,
                steps.now_us,
                lo,
                hi,
                keep_missed,
                repeats,
                self.knn.settings.max_products,
                *self.arguments,
                LIMIT,
                room,
                width,
            )  # fmt: skip
            for lo, hi in _pieces(len(steps.targets), 2000)
        ]
        return Described(*(np.concatenate([p[i] for p in parts]) for i in range(3)))


def learn_candidates(
    log: SessionLog, products: ProductCodes, knn: KnnSettings, linear: LinearSettings
) -> Candidates:
    """Index the sessions, count the pairs once, and derive every source from them."""
    sessions = training_sessions(log, knn.max_products)
    counts = count_pairs(sessions, decay=linear.step_decay, half_life_days=linear.half_life_days)
    solved = solve(counts, linear, ROW)
    tables = {
        "linear": solved,
        "cosine": cosine_table(counts, ROW),
        "next": _next_table(counts),
        "walk": solved.two_steps(20, ROW),
        "recent": _recent_table(sessions),
        "follow": _follow_table(log),
    }
    seen_us = np.zeros(len(products), np.int64)
    np.maximum.at(seen_us, log.codes, log.times_us)
    return Candidates(
        learn_session_knn(sessions, products, knn), tables, _facts(log), seen_us, linear
    )


@dataclass(frozen=True, eq=False)
class Steps:
    """Moments of past sessions: step s had seen `codes[offsets[s]:offsets[s+1]]`, oldest first.

    `targets` is the code that came next, -2 for one that is unknown; unknown codes seen are -1.
    `session_of` numbers the session that a step belongs to.
    """

    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    targets: NDArray[np.int32]
    now_us: NDArray[np.int64]
    session_of: NDArray[np.int64]

    def some(self, first: int, end: int) -> Steps:
        """Steps `first` to `end`."""
        return replace(
            self,
            offsets=self.offsets[first : end + 1],
            targets=self.targets[first:end],
            now_us=self.now_us[first:end],
            session_of=self.session_of[first:end],
        )


@dataclass(frozen=True, eq=False)
class Described:
    """Candidates of many steps, one step after the other, `sizes` rows each."""

    features: NDArray[np.float32]
    came_next: NDArray[np.uint8]
    sizes: NDArray[np.int32]


def steps_of(
    log: SessionLog, products: ProductCodes, *, repeats: bool, at_most: int, max_products: int = 50
) -> Steps:
    """Every step of the log's sessions but the first, in the codes of `products`.

    Consecutive repeats are one step unless `repeats`. Of more than `at_most`, whole sessions are
    left out, evenly over the time.
    """
    code_of = np.array([c if (c := products.of(p)) is not None else -1 for p in log.products])
    lengths = np.diff(log.offsets)
    share = min(1.0, at_most / max(1, int(np.maximum(lengths - 1, 0).sum())))
    kept = np.flatnonzero(np.diff(np.floor(np.arange(log.n_sessions + 1) * share)) > 0)
    seen: list[NDArray[np.int64]] = []
    targets: list[int] = []
    times: list[int] = []
    session_of: list[int] = []
    for s in kept.tolist():
        codes = log.codes[log.offsets[s] : log.offsets[s + 1]]
        at = log.times_us[log.offsets[s] : log.offsets[s + 1]]
        if not repeats:
            changed = np.flatnonzero(np.diff(codes, prepend=-1))
            codes, at = codes[changed], at[changed]
        known = code_of[codes]
        for step in range(1, len(known)):
            seen.append(known[max(0, step - max_products) : step])
            targets.append(int(known[step]) if known[step] >= 0 else -2)
            times.append(int(at[step - 1]))
            session_of.append(s)
    offsets = np.concatenate([[0], np.cumsum([len(codes) for codes in seen])])
    flat = np.concatenate(seen) if seen else np.zeros(0)
    return Steps(
        offsets.astype(np.int64),
        flat.astype(np.int32),
        np.array(targets, np.int32),
        np.array(times, np.int64),
        np.array(session_of, np.int64),
    )


NO_TREES = Trees(*(np.zeros(0, kind) for kind in ("i4", "i2", "f4", "i4", "i4", "f4")))


class RankedCandidates:
    """Recommends from all sources together: by trees, or by the sum of their shares without."""

    name = "session"

    def __init__(
        self, candidates: Candidates, trees: Trees | None = None, *, repeats: bool = False
    ) -> None:
        self.candidates = candidates
        self.trees = trees
        self.repeats = repeats
        self._trees = tuple(Trees.from_arrays((trees or NO_TREES).to_arrays()).to_arrays().values())
        self._local = threading.local()

    def recommend(
        self, session: Sequence[str], n: int, *, now_us: int | None = None
    ) -> list[Scored]:
        """The n best products for a session (oldest first); see `interfaces.Recommender`."""
        if n < 1:
            return []
        products = self.candidates.products
        limit = self.candidates.knn.settings.max_products
        codes = [products.of(product, -1) for product in session[-limit:]]
        best, scores, because = answer(
            np.array(codes, np.int32), min(n, len(products)), now_us or self.candidates.last_us,
            self.repeats, *self.candidates.arguments, self._trees, *self._room(n),
        )  # fmt: skip
        ids = products.ids
        return [
            Scored(ids[code], score, None if reason < 0 else ids[reason])
            for code, score, reason in zip(
                best.tolist(), scores.tolist(), because.tolist(), strict=True
            )
        ]

    def _room(self, n: int) -> tuple[Any, ...]:
        known: tuple[Any, ...] | None = getattr(self._local, "room", None)
        if known is None or len(known[0][-1]) < n:
            limit = self.candidates.knn.settings.max_products
            known = (
                self.candidates.room(max(n, LIMIT)),
                np.zeros((LIMIT, len(feature_names())), np.float32),
                np.zeros(limit, np.int32),
                np.zeros(limit, np.int32),
                np.zeros(len(self.candidates.products), np.int32),
            )
            self._local.room = known
        return known


def _next_table(counts: Counts) -> ItemTable:
    """What came after a product, as a share of its sessions in which anything did."""
    targets = np.repeat(np.arange(len(counts.sessions), dtype=np.int32), np.diff(counts.offsets))
    shares = counts.before / (counts.leading[counts.neighbours] + 3.0)
    return ItemTable.strongest(counts.neighbours, targets, shares, len(counts.sessions), ROW)


def _recent_table(sessions: TrainingSessions) -> ItemTable:
    """What came after, and half of what else, in the newest tenth of the sessions."""
    counts = count_pairs(sessions.newest(0.1), decay=2.0)
    targets = np.repeat(np.arange(len(counts.sessions), dtype=np.int32), np.diff(counts.offsets))
    strength = counts.before + 0.5 * counts.count
    strength /= counts.sessions[counts.neighbours] + 1.0
    return ItemTable.strongest(counts.neighbours, targets, strength, len(counts.sessions), ROW)


def _follow_table(log: SessionLog) -> ItemTable:
    """What came right after a product, as a share of its events; repeats are no steps."""
    n = len(log.products)
    same_session = np.ones(max(len(log.codes) - 1, 0), bool)
    same_session[log.offsets[1:-1] - 1] = False
    steps = same_session & (log.codes[1:] != log.codes[:-1])
    pairs, counts = np.unique(
        log.codes[:-1][steps].astype(np.int64) * n + log.codes[1:][steps], return_counts=True
    )
    rows, targets = np.divmod(pairs, max(n, 1))
    left = np.bincount(log.codes[:-1][steps], minlength=n)
    return ItemTable.strongest(rows, targets, counts / (left[rows] + 3.0), n, ROW)


def _facts(log: SessionLog) -> NDArray[np.float32]:
    """Per product: ln(1 + sessions), ln(1 + events of the last 5 %), how much more it is looked at
    in these than before, events per session, and the same trend against the 15 % before.
    """
    n, events = len(log.products), len(log.codes)
    sessions = sessions_by_product(log.offsets, log.codes, n)
    all_of, latest, before = (
        np.bincount(log.codes[int(a * events) : int(b * events)], minlength=n)
        for a, b in ((0.0, 1.0), (0.95, 1.0), (0.8, 0.95))
    )
    facts = (
        np.log1p(sessions),
        np.log1p(latest),
        (latest / 0.05 + 20) / (all_of + 20),
        all_of / np.maximum(sessions, 1),
        (latest / 0.05 + 20) / (before / 0.15 + 20),
    )
    return np.stack(facts, axis=1).astype(np.float32)


def _pieces(n: int, size: int) -> Iterator[tuple[int, int]]:
    for lo in range(0, max(n, 1), size):
        yield lo, min(n, lo + size)
