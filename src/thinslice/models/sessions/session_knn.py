"""Session kNN: past sessions that resemble the running one vote for what comes next.

The family of VMIS-kNN (Kersbergen et al., "Serenade", SIGMOD 2022) and VSTAN (Garg et al., SIGIR
2019; Ludewig et al., "Empirical analysis of session-based recommendation algorithms", UMUAI
2021). With the running session's different products numbered by lag, 0 the latest,

    similarity(n) = sum of position_weight(lag) over products shared with past session n
                    / sqrt(products of n)  if cosine
    score(i)      = sum over the k most similar of the m newest sessions that share a product:
                    similarity(n) * step_weight(lag of the latest shared product)
                    * distance_weight(positions in n between i and that product),
                      times `backward` if i came before it
                    * (1 + idf_weight * ln(sessions / sessions with i))

and each weight is exp(-x / decay). Postings lie newest first, so that the m newest are found by
merging as many lists as the session has products, and older sessions are never looked at.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.domain import DAY_US, MICROSECONDS, Scored
from thinslice.models.sessions.item_table import read_only
from thinslice.models.sessions.session_knn_kernels import build_postings
from thinslice.models.sessions.session_knn_kernels import recommend as recommend_from

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.models.sessions.products import ProductCodes
    from thinslice.models.sessions.training import TrainingSessions


@dataclass(frozen=True, slots=True)
class KnnSettings:
    """What the formula leaves open. Lags, steps and distances count products.

    `backward` is the weight of what came before the shared product in a past session against what
    came after it. The defaults were chosen on validation sessions of three public shop logs, by
    the geometric mean of HitRate@20 and MRR@20; no test session was looked at.
    """

    neighbours: int = 200
    sample: int = 2500
    max_products: int = 50
    position_decay: float = 1.5
    step_decay: float = 6.0
    distance_decay: float = 2.0
    backward: float = 0.7
    idf_weight: float = 0.5
    cosine: bool = False
    half_life_days: float | None = None

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> KnnSettings:
        """The settings among `values`; whatever else is there is of no concern here."""
        return cls(**{f.name: values[f.name] for f in fields(cls) if f.name in values})


class SessionKnn:
    """Recommends what followed in similar sessions. One instance may serve many threads."""

    name = "session"

    def __init__(
        self,
        products: ProductCodes,
        arrays: dict[str, NDArray[np.generic]],
        settings: KnnSettings | None = None,
        *,
        repeats: bool = False,
    ) -> None:
        self.repeats = repeats
        self.products = products
        self.settings = settings or KnnSettings()
        self.arrays = {name: read_only(arrays[name]) for name in ARRAYS}
        self._index = tuple(self.arrays[name] for name in ARRAYS)
        self._weights = _weights(self.settings)
        self._numbers = (
            np.int64(self.settings.neighbours),
            np.int64(self.settings.sample),
            bool(self.settings.cosine),
            (self.settings.half_life_days or 0.0) * DAY_US / MICROSECONDS,
        )
        self._idf = read_only(_idf_factors(self.arrays["idf"], self.settings.idf_weight))
        self.arguments = (
            (*(int(number) for number in self._numbers[:2]), *self._numbers[2:]),
            self._weights,
            (*self._index[:-1], self._idf),
        )
        self._local = threading.local()

    def recommend(
        self, session: Sequence[str], n: int, *, now_us: int | None = None
    ) -> list[Scored]:
        """The n best products for a session (oldest first); see `interfaces.Recommender`."""
        query = self.products.distinct_latest_first(session, self.settings.max_products)
        if not query or n < 1:
            return []
        n = min(n, len(self.products), self.settings.neighbours * self.settings.max_products)
        scratch = self._scratch(n)
        scratch.query[: len(query)] = query
        last = self.products.of(session[-1])
        found = recommend_from(
            scratch.query,
            len(query),
            -1 if last is None or self.repeats else last,
            n,
            now_us or 0,
            *self._numbers,
            *self._weights,
            *self._index[:-1],
            self._idf,
            *scratch.arrays,
        )
        ids = self.products.ids
        return [
            Scored(ids[code], score, None if because < 0 else ids[because])
            for code, score, because in zip(
                scratch.best[:found].tolist(),
                scratch.best_scores[:found].tolist(),
                scratch.because[:found].tolist(),
                strict=True,
            )
        ]

    def _scratch(self, n: int) -> _Scratch:
        scratch: _Scratch | None = getattr(self._local, "scratch", None)
        if scratch is None or scratch.room < n:
            scratch = _Scratch(max(n, 64), len(self.products), self.settings)
            self._local.scratch = scratch
        return scratch


ARRAYS = ("offsets", "codes", "ended_s", "posting_offsets", "postings", "idf")
"""The arrays of a learned model: sessions, and per product its newest sessions."""


def learn_session_knn(
    sessions: TrainingSessions, products: ProductCodes, settings: KnnSettings | None = None
) -> SessionKnn:
    """Index the sessions by product. Linear in the events, about 9 bytes for each.

    When a session ended is kept in seconds, in half the memory: no half-life is that short.
    """
    settings = settings or KnnSettings()
    posting_offsets, postings, counts = build_postings(
        sessions.offsets, sessions.codes, sessions.n_products, settings.sample
    )
    arrays: dict[str, NDArray[np.generic]] = {
        "offsets": _narrow(sessions.offsets),
        "codes": sessions.codes,
        "ended_s": np.maximum(sessions.ended_us // MICROSECONDS, 0).astype(np.uint32),
        "posting_offsets": posting_offsets,
        "postings": postings,
        "idf": np.log(max(sessions.n_sessions, 1) / np.maximum(counts, 1)).astype(np.float32),
    }
    return SessionKnn(products, arrays, settings)


def _narrow(offsets: NDArray[np.int64]) -> NDArray[np.integer[Any]]:
    """In half the memory, where there are fewer than 2 ** 31 events."""
    fits = offsets[-1] <= np.iinfo(np.int32).max
    return offsets.astype(np.int32) if fits else offsets


class _Scratch:
    """Arrays that one thread writes to; every call leaves the product-sized ones all zero."""

    def __init__(self, room: int, n_products: int, settings: KnnSettings) -> None:
        self.room = room
        self.query = np.zeros(settings.max_products, np.int32)
        self.best = np.zeros(room, np.int32)
        self.best_scores = np.zeros(room, np.float64)
        self.because = np.zeros(room, np.int32)
        self.arrays = (
            np.zeros(settings.sample, np.int32),  # candidate sessions, newest first
            np.zeros(settings.sample, np.float64),  # their similarities
            np.zeros(settings.neighbours, np.float64),  # a heap of similarities
            np.zeros(n_products, np.float64),  # scores
            np.zeros(n_products, np.int32),  # 1 + lag of the running session's products
            np.zeros(n_products, np.int32),  # products touched
            np.zeros(n_products, np.int32),  # 1 + place of the best products
            np.zeros((room, settings.max_products), np.float64),  # who spoke for whom
            self.best,
            self.best_scores,
            self.because,
        )


def _weights(settings: KnnSettings) -> tuple[NDArray[np.float64], ...]:
    lags = np.arange(settings.max_products, dtype=np.float64)
    ahead = np.exp(-lags / settings.distance_decay)
    return tuple(
        read_only(weights)
        for weights in (
            np.exp(-lags / settings.position_decay),
            np.exp(-lags / settings.step_decay),
            ahead,
            ahead * settings.backward,
        )
    )


def _idf_factors(idf: NDArray[Any], weight: float) -> NDArray[np.float64]:
    return 1.0 + weight * np.asarray(idf, np.float64)
