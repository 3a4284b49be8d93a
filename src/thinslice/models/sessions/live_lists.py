"""A model's lists with what visitors do right now mixed in: the same list makers, a second later.

`live.py` has the formula and the window; here it meets the model.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from heapq import merge
from itertools import islice
from typing import TYPE_CHECKING

from thinslice.domain import DAY_US, ITEM_TO_ITEM, POPULAR, SESSION, Scored
from thinslice.models.sessions.live import Known, LiveSessions, with_live_visit

if TYPE_CHECKING:
    from thinslice.interfaces import Recommender
    from thinslice.models.sessions.live import Spoken
    from thinslice.models.sessions.popularity import Popularity

HEAD = 64
"""Products of the model's list, and of the window's, that are mixed; the rest follows as it is."""

MOST_WEIGHT = 0.98
"""What is left to the model where only the window knows the session: its list fills up."""

ONCE_MORE_S = 0.5
"""How often at most what is popular is put in order anew."""

MOST_TOUCHED = 100
"""Products whose touches in the window count for popularity."""

MOST_HALF_LIVES = 20.0
"""An age of the model beyond which its popularity says nothing."""


class LiveRecommender:
    """A list maker over a model's, None where there is no model yet, and the window."""

    def __init__(
        self,
        name: str,
        model: Recommender | None,
        live: LiveSessions,
        known: Known,
        *,
        latest_only: bool = False,
        over_trees: bool = False,
    ) -> None:
        self.name = name
        self.repeats = bool(getattr(model, "repeats", False))
        self._model = model
        self._live = live
        self._known = known
        self._latest_only = latest_only
        self._loud = live.settings.loud_over_trees if over_trees else live.settings.loud

    def recommend(
        self, session: Sequence[str], n: int, *, now_us: int | None = None
    ) -> list[Scored]:
        """The n best products for a session (oldest first); see `interfaces.Recommender`."""
        asked = session[-1:] if self._latest_only else session
        spoken = self._live.speak_for(asked, HEAD, self._known) if n > 0 else None
        if spoken is None:
            return self._model.recommend(session, n, now_us=now_us) if self._model else []
        listed = self._model.recommend(session, max(n, HEAD), now_us=now_us) if self._model else []
        return mixed(listed, spoken, self._loud)[:n]


def mixed(listed: list[Scored], spoken: Spoken, loud: float) -> list[Scored]:
    """A model's list and what the window says as one list, on the model's scale of scores.

    Only the head is put in a new order, so that a longer list begins like a shorter one.
    """
    weight = min(spoken.weight, MOST_WEIGHT) if listed else 1.0
    scale = listed[0].score if listed else 1.0
    head = {s.product: ((1 - weight) * s.score, s.because) for s in listed[:HEAD]}
    for product, votes, because in zip(spoken.products, spoken.votes, spoken.because, strict=True):
        score, known_because = head.get(product, (0.0, None))
        gained = loud * scale * votes
        head[product] = (score + gained, because if gained > score else known_because)
    ordered = sorted(head.items(), key=lambda item: (-item[1][0], item[0]))
    found = [Scored(product, score, because) for product, (score, because) in ordered]
    lowest = found[-1].score
    found += [
        Scored(s.product, min(lowest, (1 - weight) * s.score), s.because)
        for s in islice(listed, HEAD, None)
        if s.product not in head
    ]
    return found


class LivePopularity:
    """What most people look at, with the touches of the window counted in."""

    name = "popular"

    def __init__(
        self, model: Popularity | None, live: LiveSessions, learned_us: int, half_life_days: float
    ) -> None:
        self._model = model
        self._live = live
        self._learned_us = learned_us
        self._half_life_us = half_life_days * DAY_US
        self._counted: tuple[float, int, list[Scored]] = (-1e9, -1, [])

    def recommend(
        self, session: Sequence[str], n: int, *, now_us: int | None = None
    ) -> list[Scored]:
        """The n most popular products except the session's last."""
        touched = self._touched()
        if not touched or n < 1:
            return self._model.recommend(session, n, now_us=now_us) if self._model else []
        known = {s.product for s in touched}
        listed = self._model.recommend((), n + len(touched) + 1) if self._model else []
        others = (s for s in listed if s.product not in known)
        last = session[-1] if session else None
        both = merge(touched, others, key=lambda s: -s.score)
        return list(islice((s for s in both if s.product != last), n))

    def _touched(self) -> list[Scored]:
        """The most touched products with their scores, put in order at most once a second."""
        counted_at, generation, touched = self._counted
        if generation != self._live.generation and time.monotonic() - counted_at >= ONCE_MORE_S:
            generation, touched = self._live.generation, self._count()
            self._counted = (time.monotonic(), generation, touched)
        return touched

    def _count(self) -> list[Scored]:
        """A touch counts 1 now, when what the model learned from has faded since."""
        age = max(0, self._live.newest_us - self._learned_us) / self._half_life_us
        worth = 2.0 ** min(age, MOST_HALF_LIVES)
        score_of = self._model.score_of if self._model else (lambda _: 0.0)
        found = [
            Scored(product, score_of(product) + worth * touches, None)
            for product, touches in self._live.most_touched(MOST_TOUCHED)
        ]
        return sorted(found, key=lambda s: (-s.score, s.product))


def lists_without_model(live: LiveSessions) -> dict[str, Recommender]:
    """What visitors do just now, for a shop for which nothing is learned yet."""
    nothing = Known(None, None)
    return {
        SESSION: LiveRecommender(SESSION, None, live, nothing),
        ITEM_TO_ITEM: LiveRecommender(ITEM_TO_ITEM, None, live, nothing, latest_only=True),
        POPULAR: LivePopularity(None, live, learned_us=0, half_life_days=1.0),
    }


def compile_lists() -> None:
    """Answer once from a window of its own, so that no visitor waits for a compiler."""
    for maker in lists_without_model(with_live_visit(("a", "b"), 0)).values():
        maker.recommend(("a",), 1)
