"""Candidates of several sources, and what is known about each: what a re-ranker looks at.

Sources are the session kNN, eight item tables and one of pairs, all of which any shop has:

    linear   the local linear model
    cosine   in the same sessions
    next     what came after, as a share of what came after: near steps count more
    walk     two steps along the linear model: what a neighbour's neighbours speak for
    recent   in the same sessions of the last tenth of the log, what came after doubled
    follow   what came right after, in the sessions as they were, returns to a product included
    back     what this came right after, as a share of what came after that
    fresh    what came right after, in the newest three tenths of the sessions
    pair     what came right after the latest two products in a row, or `follow` where nothing did

The last three say again what `follow` says, in other ways: trees make something of that, while in
a sum of shares it would count four times. They name candidates, and have no part in the sum.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.models.sessions.candidate_kernels import WEIGHED_LAGS, gather_steps
from thinslice.models.sessions.co_occurrence import Counts, count_pairs, sessions_by_product
from thinslice.models.sessions.item_table import ItemTable, lag_weights, read_only
from thinslice.models.sessions.item_to_item import cosine_table
from thinslice.models.sessions.linear import LinearSettings, solve
from thinslice.models.sessions.pair_table import SMOOTHING, PairTable, learn_pairs, steps_in_a_row
from thinslice.models.sessions.session_knn import KnnSettings, SessionKnn, learn_session_knn
from thinslice.models.sessions.steps import Described
from thinslice.models.sessions.training import TrainingSessions, training_sessions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.domain import SessionLog
    from thinslice.models.sessions.products import ProductCodes
    from thinslice.models.sessions.steps import Steps

LAG_DECAYS = {
    "linear": None,
    "cosine": 2.8,
    "next": 1.0,
    "walk": 2.0,
    "recent": 2.0,
    "follow": 0.7,
    "back": 0.5,
    "fresh": 0.5,
}
"""The tables in their order; None is chosen with the linear model."""

ROW = 100
"""Neighbours that a table keeps of each product."""

LIMIT = 100
"""Candidates that are described and re-ranked."""

FACTS = ("sessions", "lately", "trend", "views_per_session", "short_trend", "ends")
"""What is known about a product whoever asks: see `_facts`."""


def feature_names() -> tuple[str, ...]:
    """The columns of the features, one row per candidate.

    `lag` and `visits` say when and how often the session touched the candidate itself, -1 and 0
    for never; `in_a_row` how often the latest two products were seen so; `returned` how many
    steps ago the latest product was there before, 0 for never; `share_` is a source's
    score over its largest; `weight_T_0` is what table T says of the latest product and the
    candidate; `latest_` are the facts of the latest product.
    """
    sources = ("knn", *LAG_DECAYS, "pair")
    return (
        *("place", "lag", "visits", "events", "products", "neighbours", "days_unseen"),
        *("in_a_row", "returned"),
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
        pairs: PairTable,
        facts: NDArray[np.float32],
        seen_us: NDArray[np.int64],
        linear: LinearSettings,
    ) -> None:
        self.products = knn.products
        self.knn = knn
        self.linear = linear
        self.tables = {name: ItemTable.from_arrays(tables[name].to_arrays()) for name in LAG_DECAYS}
        self.pairs = PairTable.from_arrays(pairs.to_arrays())
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
        rows = tuple(self.pairs.to_arrays().values())
        self.arguments = (knn.arguments, packed, rows, self.facts, self.seen_us)

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
            PairTable.from_arrays(parts["pair"]),
            about["facts"],
            about["seen_us"],
            linear,
        )

    def to_parts(self) -> dict[str, dict[str, NDArray[Any]]]:
        """The arrays of every source, by its name, and what is known about the products."""
        tables = {name: table.to_arrays() for name, table in self.tables.items()}
        about = {"facts": self.facts, "seen_us": self.seen_us}
        return {
            "knn": self.knn.arrays,
            **tables,
            "pair": self.pairs.to_arrays(),
            "about": about,
        }

    def room(self, limit: int = LIMIT) -> tuple[NDArray[Any], ...]:
        """Arrays that one thread writes to; every call leaves all but the last five zero.

        The first two take memory for as many candidates as there ever were for one list.
        """
        n, tables, knn = len(self.products), len(self.tables), self.knn.settings
        return (
            np.zeros((tables + 2, n)),  # scores by source and candidate
            np.zeros((tables, WEIGHED_LAGS, n), np.float32),  # weights by table, lag and candidate
            np.zeros(n, np.int32),  # 1 + number of the candidate
            np.zeros(n),  # sums of shares
            np.zeros(n, np.int32),  # candidates found
            np.zeros(n),  # votes of the session kNN
            np.zeros(n, np.int32),  # products that have one
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
    counts = linear.counted(sessions)
    solved = solve(counts, linear, ROW)
    tables = {
        "linear": solved,
        "cosine": cosine_table(counts, ROW),
        "next": _next_table(counts),
        "walk": solved.two_steps(20, ROW),
        "recent": _recent_table(sessions),
        **_follow_tables(log),
    }
    seen_us = np.zeros(len(products), np.int64)
    np.maximum.at(seen_us, log.codes, log.times_us)
    return Candidates(
        learn_session_knn(sessions, products, knn),
        tables,
        learn_pairs(log),
        _facts(log),
        seen_us,
        linear,
    )


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


def _follow_tables(log: SessionLog) -> dict[str, ItemTable]:
    """What came right after a product, as a share of what did; the same backwards, and lately."""
    n = len(log.products)
    codes, session_of = steps_in_a_row(log)
    steps = session_of[1:] == session_of[:-1]
    before, after = codes[:-1][steps], codes[1:][steps]
    rows, targets, shares = _shares(before, after, n)
    newest = np.searchsorted(session_of[1:][steps], int(0.7 * log.n_sessions))
    return {
        "back": ItemTable.strongest(targets, rows, shares, n, ROW),
        "fresh": ItemTable.strongest(*_shares(before[newest:], after[newest:], n), n, ROW),
        "follow": ItemTable.strongest(rows, targets, shares, n, ROW),
    }


def _shares(
    before: NDArray[np.int32], after: NDArray[np.int32], n: int
) -> tuple[NDArray[np.int32], NDArray[np.int32], NDArray[np.float64]]:
    """Every different step, and its share of the steps that left the same product."""
    pairs, counts = np.unique(before.astype(np.int64) * n + after, return_counts=True)
    rows, targets = np.divmod(pairs, max(n, 1))
    left = np.bincount(before, minlength=n)
    return rows.astype(np.int32), targets.astype(np.int32), counts / (left[rows] + SMOOTHING)


def _facts(log: SessionLog) -> NDArray[np.float32]:
    """Per product: ln(1 + sessions), ln(1 + events of the last 5 %), how much more it is looked at
    in these than before, events per session, the same trend against the 15 % before, and how
    often it ended a session, per event.
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
        np.bincount(log.codes[log.offsets[1:] - 1], minlength=n) / (all_of + 1),
    )
    return np.stack(facts, axis=1).astype(np.float32)


def _pieces(n: int, size: int) -> Iterator[tuple[int, int]]:
    for lo in range(0, max(n, 1), size):
        yield lo, min(n, lo + size)
