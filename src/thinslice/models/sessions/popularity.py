"""Popularity: what most people look at these days, the same for everyone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from thinslice.domain import DAY_US, Scored

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.domain import SessionLog
    from thinslice.models.sessions.products import ProductCodes


class Popularity:
    """Every product the model knows, the most popular first. Needs no session."""

    name = "popular"

    def __init__(self, products: ProductCodes, arrays: dict[str, NDArray[np.generic]]) -> None:
        self.products = products
        self.arrays = {name: arrays[name] for name in ("order", "scores")}
        self._ids = [products.ids[code] for code in arrays["order"].tolist()]
        self._scores = arrays["scores"].tolist()
        self._score_of_code = np.empty(len(products))
        self._score_of_code[arrays["order"]] = arrays["scores"]

    @classmethod
    def counted(
        cls, log: SessionLog, products: ProductCodes, weights: NDArray[np.float64]
    ) -> Popularity:
        """From the events of a log, each with its weight; ties in the order of the codes."""
        counts = np.bincount(log.codes, weights, minlength=len(products))
        order = np.argsort(-counts, kind="stable").astype(np.int32)
        return cls(products, {"order": order, "scores": counts[order]})

    def score_of(self, product: str) -> float:
        """How popular a product is, 0 for one that the model does not know."""
        code = self.products.of(product)
        return 0.0 if code is None else float(self._score_of_code[code])

    def recommend(
        self, session: Sequence[str], n: int, *, now_us: int | None = None
    ) -> list[Scored]:
        """The n most popular products except the session's last."""
        last = session[-1] if session else None
        best = [
            Scored(product, score, None)
            for product, score in zip(self._ids[: n + 1], self._scores, strict=False)
            if product != last
        ]
        return best[: max(n, 0)]


def learn_popularity(
    log: SessionLog, products: ProductCodes, half_life_days: float = 7.0
) -> Popularity:
    """Count events, each worth `0.5 ** (age / half life)`."""
    return Popularity.counted(log, products, faded(log.times_us, half_life_days))


def faded(times_us: NDArray[np.int64], half_life_days: float) -> NDArray[np.float64]:
    """What events are worth by their age.

    The age is measured from the last one, so that the same log gives the same order whenever it is
    learned from.
    """
    times = np.asarray(times_us, np.float64)
    age_days = (times.max() - times) / DAY_US if len(times) else times
    worth: NDArray[np.float64] = 0.5 ** (age_days / half_life_days)
    return worth
