"""The candidates of all sources as one list: put in order by trees, or by the sum of shares."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from typing import Any

import numpy as np

from thinslice.domain import Scored
from thinslice.models.sessions.answer_kernels import answer
from thinslice.models.sessions.candidates import LIMIT, Candidates, feature_names
from thinslice.models.sessions.trees import Trees

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
        self._walks = (trees or NO_TREES).walks()
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
            self.repeats, *self.candidates.arguments, self._walks, *self._room(n),
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
