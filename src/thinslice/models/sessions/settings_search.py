"""Settings of the session kNN and of the linear model, one after the other, on later steps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.domain import DAY_US
from thinslice.models.sessions.choice import Choice
from thinslice.models.sessions.item_table import ItemTable, lag_weights
from thinslice.models.sessions.linear import LinearSettings, solve
from thinslice.models.sessions.places import knn_places, measure, table_places
from thinslice.models.sessions.session_knn import KnnSettings, SessionKnn, learn_session_knn
from thinslice.models.sessions.training import training_sessions

if TYPE_CHECKING:
    from thinslice.domain import SessionLog
    from thinslice.models.sessions.clock import Clock
    from thinslice.models.sessions.products import ProductCodes
    from thinslice.models.sessions.steps import Steps

SAMPLES = (1000, 2500, 5000)


class SettingsSearch:
    """Chooses what to learn from the earlier sessions; `tried` counts the settings it looked at."""

    def __init__(
        self,
        earlier: SessionLog,
        products: ProductCodes,
        start: Choice,
        clock: Clock,
        *,
        may_repeat: bool,
    ) -> None:
        self.products = products
        self.start = start
        self.clock = clock
        self.may_repeat = may_repeat
        self.tried = 0
        self._days = float(np.ptp(earlier.times_us)) / DAY_US
        self._sessions = training_sessions(earlier, start.knn.max_products)

    def choose(self, steps: Steps) -> Choice:
        """Settings for both models, and whether the product at hand may be recommended."""
        self._compile(steps.some(0, 1))
        knn, repeats = self._choose_knn(steps, until=0.15)
        linear = self._choose_linear(steps, until=0.35)
        return Choice(knn, linear, repeats=repeats)

    def _compile(self, step: Steps) -> None:
        """Start the clock when the loops are compiled, which happens once on a machine."""
        self._choose_knn(step, until=-1.0)
        self._choose_linear(step, until=-1.0)
        self.clock.restart()

    def _choose_knn(self, steps: Steps, until: float) -> tuple[KnnSettings, bool]:
        largest = max(SAMPLES[-1], self.start.knn.sample)
        whole = learn_session_knn(
            self._sessions, self.products, replace(self.start.knn, sample=largest)
        )

        def score(knn: KnnSettings, repeats: bool) -> float:
            return measure(knn_places(SessionKnn(self.products, whole.arrays, knn), steps, repeats))

        repeats = self.may_repeat and score(self.start.knn, True) > score(self.start.knn, False)
        best = self._descend(
            self.start.knn, lambda knn: score(knn, repeats), self._knn_grid(), until
        )
        return best, repeats

    def _choose_linear(self, steps: Steps, until: float) -> LinearSettings:
        limit = self.start.knn.max_products
        known: dict[LinearSettings, ItemTable] = {}

        def score(linear: LinearSettings) -> float:
            key = replace(linear, lag_decay=1.0)
            if key not in known:
                known.clear()
                known[key] = solve(linear.counted(self._sessions), linear)
            return measure(table_places(known[key], lag_weights(linear.lag_decay, limit), steps))

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
                if self.clock.is_past(until):
                    return best
                tried = replace(best, **{name: value})
                if tried == best:
                    continue
                self.tried += 1
                if (found := score(tried)) > highest * 1.0005:
                    best, highest = tried, found
        return best

    def _knn_grid(self) -> dict[str, Iterable[Any]]:
        return {
            "half_life_days": self._half_lives(),
            "position_decay": (0.75, 3.0, 6.0, 12.0),
            "distance_decay": (1.0, 2.0, 4.0, 8.0),
            "backward": (0.4, 0.7, 1.0),
            "idf_weight": (0.0, 0.5, 1.5, 4.0),
            "step_decay": (1.5, 3.0, 6.0, 12.0),
            "neighbours": (100, 200, 500, 1000),
            "sample": SAMPLES,
            "cosine": (False, True),
        }

    def _linear_grid(self) -> dict[str, Iterable[Any]]:
        return {
            "lag_decay": (1.0, 1.4, 3.0, 4.0),
            "whole_share": (0.8, 0.2),
            "half_life_days": self._half_lives(),
            "step_decay": (2.0, 0.5),
            "ridge": (3.0, 30.0),
            "cart_weight": (2.0, 4.0) if self._sessions.wanted is not None else (),
        }

    def _half_lives(self) -> tuple[float | None, ...]:
        """None, and shares of the time that the log spans: what suits a week suits no year."""
        return (None, *(max(self._days * share, 1e-3) for share in (0.5, 0.25, 0.125)))
