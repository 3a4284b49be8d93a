"""The tier that a shop's session list is made by: what did best on later steps, trees included."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.models.sessions.candidates import Candidates, learn_candidates
from thinslice.models.sessions.choice import BLEND, KNN, LINEAR, POPULAR, RERANKED, Choice
from thinslice.models.sessions.item_table import lag_weights
from thinslice.models.sessions.lessons import lessons
from thinslice.models.sessions.places import (
    LENGTH,
    hits,
    knn_places,
    measure,
    pays,
    places_as_listed,
    places_in_order,
    popular_places,
    reciprocals,
    table_places,
)
from thinslice.models.sessions.reranker import NoLightGBMError, learn_trees
from thinslice.models.sessions.session_knn import learn_session_knn
from thinslice.models.sessions.steps import Described
from thinslice.models.sessions.training import training_sessions

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.domain import SessionLog
    from thinslice.models.sessions.clock import Clock
    from thinslice.models.sessions.places import Compare
    from thinslice.models.sessions.steps import Steps


class TierChoice:
    """Judges the tiers over sources that learned from the earlier sessions, and `start`, which is
    what is served so far.
    """

    def __init__(
        self,
        earlier: SessionLog,
        candidates: Candidates,
        start: Choice,
        compare: Compare,
        clock: Clock,
        seed: int,
    ) -> None:
        self.earlier = earlier
        self.candidates = candidates
        self.start = start
        self.compare = compare
        self.clock = clock
        self.seed = seed

    def choose(self, chosen: Choice, first: Steps, last: Steps, *, tried: int) -> Choice:
        """Grow trees on the first steps, and judge all tiers on the last."""
        candidates, repeats, limit = self.candidates, chosen.repeats, chosen.knn.max_products
        candidates.describe(last.some(0, 1), keep_missed=True, repeats=repeats)  # compiles
        began = time.monotonic()
        later = candidates.describe(last, keep_missed=True, repeats=repeats)
        step_s = (time.monotonic() - began) / len(last)
        places = {
            KNN: knn_places(candidates.knn, last, repeats),
            LINEAR: table_places(
                candidates.tables["linear"], lag_weights(chosen.linear.lag_decay, limit), last
            ),
            BLEND: places_as_listed(later),
            POPULAR: popular_places(self.earlier, last),
        }
        as_before = self._places_as_before(last)
        report: dict[str, Any] = {"settings_tried": tried}
        best = max(places, key=lambda tier: measure(places[tier]))
        trees = None
        try:
            learned, n = lessons(
                self.earlier, candidates, first, affordable(self.clock, step_s), self.clock,
                repeats=repeats, seed=self.seed,
            )  # fmt: skip
            report["steps"] = {"learned": n, "judged": len(last)}
            trees = learn_trees(learned, seed=self.seed)
            places[RERANKED] = places_in_order(trees.score(later.features), later)
            self.clock.tell()
            if self._pays(places[RERANKED], places[best], last):
                best = RERANKED
                trees = learn_trees(Described.joined([learned, later]), seed=self.seed)
        except NoLightGBMError as error:
            report["reranker"] = f"not available: {error}"
        report |= self._report(best, places, last)
        if self._pays(as_before, places[best], last):
            report["why"] = f"{self.start.tier} as before was proven better than {best}"
            return replace(self.start, report=report)
        return replace(chosen, tier=best, trees=trees if best == RERANKED else None, report=report)

    def _places_as_before(self, last: Steps) -> NDArray[np.int64]:
        """What the search began with, learned from the same earlier sessions."""
        start, products = self.start, self.candidates.products
        if start.tier == POPULAR:
            return popular_places(self.earlier, last)
        if start.tier == KNN:
            sessions = training_sessions(self.earlier, start.knn.max_products)
            return knn_places(learn_session_knn(sessions, products, start.knn), last, start.repeats)
        found = learn_candidates(self.earlier, products, start.knn, start.linear)
        if start.tier == LINEAR:
            weights = lag_weights(start.linear.lag_decay, start.knn.max_products)
            return table_places(found.tables["linear"], weights, last)
        described = found.describe(last, keep_missed=True, repeats=start.repeats)
        if start.trees is None:
            return places_as_listed(described)
        return places_in_order(start.trees.score(described.features), described)

    def _pays(self, new: NDArray[np.int64], old: NDArray[np.int64], steps: Steps) -> bool:
        return pays(self.compare, new, old, steps.session_of)

    def _report(
        self, best: str, places: Mapping[str, NDArray[np.int64]], last: Steps
    ) -> dict[str, Any]:
        return {
            "why": f"{best} was best on {len(last):,} later steps",
            "seconds": round(self.clock.elapsed_s, 1),
            "validation": {
                tier: {
                    f"HitRate@{LENGTH}": round(float(hits(found).mean()), 4),
                    f"MRR@{LENGTH}": round(float(reciprocals(found).mean()), 4),
                }
                for tier, found in places.items()
            },
        }


def affordable(clock: Clock, step_s: float) -> int:
    """Steps that there is time to learn from, given how long describing one takes here.

    They have half of the budget whatever went before, so that on a busy machine the time runs over
    by that at most; only what teaches nothing at all is given more.

    Describing a step, growing trees on it, and growing them once more at the end takes about
    fifteen times as long as describing it.
    """
    seconds = max(clock.left_s, clock.seconds / 2)
    return max(int(seconds / (15 * step_s)), _LEAST)


_LEAST = 1_500
"""Steps that trees are grown on at least, where there are so many."""
