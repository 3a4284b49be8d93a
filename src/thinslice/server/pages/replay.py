"""Would it have worked? A real anonymous visit from the log, step by step."""

from __future__ import annotations

import asyncio
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import numpy as np
from starlette.requests import Request
from starlette.responses import Response

from thinslice.domain import INCUMBENT, Product
from thinslice.server.pages.address import View, photo_address
from thinslice.server.pages.cards import Card, card, named
from thinslice.server.pages.words import count, shorten

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.domain import SessionLog
    from thinslice.engine import Engine
    from thinslice.evaluation.replay import Replay, Step
    from thinslice.server.pages.site import Site
    from thinslice.shelf.shelf import Shelf

POLICIES = {
    "session": "Chosen for this visit",
    "popular": "What everyone sees",
    f"list:{INCUMBENT}": "What the shop shows today",
}
_KEPT = 64
"""Visits kept ready, so that stepping through one costs nothing."""
_MAX_STEPS = 50
_TELLING = 3
"""Clicks from which on a visit is replayed; two are enough where no visit has more."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where in the log the reader is: visit 1 is the latest, step 1 its first product."""

    shop: str
    visit: int = 1
    step: int = 1
    policy: str = "session"

    @property
    def href(self) -> str:
        fields = {"session": self.visit, "step": self.step}
        policy = {"policy": self.policy} if self.policy != "session" else {}
        return f"/{self.shop}/replay?{urlencode(fields | policy)}"


class ReplayPage:
    """The replay of all shops; the visits looked at last are kept."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._replays: OrderedDict[tuple[Any, ...], Replay] = OrderedDict()
        self._worth_it: dict[str, tuple[SessionLog, NDArray[np.int64]]] = {}

    async def __call__(self, request: Request) -> Response:
        query = request.query_params
        asked = Place(
            str(request.path_params["shop"]),
            _number(query.get("session")),
            _number(query.get("step")),
            query.get("policy", "session"),
        )
        values = await asyncio.to_thread(self._values, asked)
        return self._site.page(request, "replay.html", **values)

    def _values(self, asked: Place) -> dict[str, Any]:
        engine = self._site.engine
        shelf = engine.shelf(asked.shop)
        visits = self._visits(asked.shop, shelf.sessions_to_replay())
        if len(visits) == 0:
            return {"headline": "There is no visit of two products to replay yet.", "step": None}
        policies = [p for p in POLICIES if p != f"list:{INCUMBENT}" or _has_incumbent(shelf)]
        visit = min(asked.visit, len(visits))
        policy = asked.policy if asked.policy in policies else "session"
        replay = self._replay(asked.shop, int(visits[-visit]), policy)
        place = Place(asked.shop, visit, min(asked.step, _last_step(replay)), policy)
        return values_of(shelf, place, replay, policies, len(visits))

    def _visits(self, shop: str, log: SessionLog) -> NDArray[np.int64]:
        """The positions of the visits that show something, the latest last."""
        known = self._worth_it.get(shop)
        if known is None or known[0] is not log:
            lengths = np.diff(log.offsets)
            telling = np.flatnonzero(lengths >= _TELLING)
            found = telling if len(telling) else np.flatnonzero(lengths >= 2)
            known = self._worth_it[shop] = (log, found)
        return known[1]

    def _replay(self, shop: str, index: int, policy: str) -> Replay:
        engine: Engine = self._site.engine
        version = engine.shelf(shop).replay_ranker().version
        name = engine.shelf(shop).sessions_to_replay().ids[index]
        key = (shop, name, index, policy, version)
        if key not in self._replays:
            self._replays[key] = engine.replay(shop, index, policy)
            while len(self._replays) > _KEPT:
                self._replays.popitem(last=False)
        return self._replays[key]


def values_of(
    shelf: Shelf, place: Place, replay: Replay, policies: list[str], n_visits: int
) -> dict[str, Any]:
    """Everything that the page shows of one step of one visit."""
    products = shelf.catalog.all()
    step = replay.steps[place.step - 1]
    last = _last_step(replay)

    def at(visit: int, number: int, policy: str = place.policy) -> str:
        return Place(place.shop, visit, number, policy).href

    return {
        "headline": headline(step),
        "step": step,
        "place": place,
        "steps": last,
        "hits": sum(s.rank is not None for s in replay.steps[:last]),
        "chances": sum(s.came_next is not None for s in replay.steps[:last]),
        "visits": n_visits,
        "time_us": step.time_us,
        "learned_from_it": _learned_from(shelf, step),
        "opened": _card(place.shop, products, step.seen[-1]),
        "came_next": _card(place.shop, products, step.came_next) if step.came_next else None,
        "cards": [
            _card(place.shop, products, r.product, r.reason, number == step.rank)
            for number, r in enumerate(step.exposure.recommendations, start=1)
        ],
        "trail": [
            {
                "title": shorten(named(products, s.seen[-1]).title, 40),
                "href": at(place.visit, number),
                "photo": photo_address(place.shop, s.seen[-1]),
                "hit": s.rank is not None,
                "current": number == place.step,
            }
            for number, s in enumerate(replay.steps[:last], start=1)
        ],
        "previous_step": at(place.visit, place.step - 1) if place.step > 1 else "",
        "next_step": at(place.visit, place.step + 1) if place.step < last else "",
        "newer": at(place.visit - 1, 1) if place.visit > 1 else "",
        "older": at(place.visit + 1, 1) if place.visit < n_visits else "",
        "lists": [
            {"name": POLICIES[p], "href": at(place.visit, place.step, p), "on": p == place.policy}
            for p in policies
        ],
        "currency": shelf.shop.currency,
        "go_on": View(place.shop, step.seen[-20:]).href,
    }


def headline(step: Step) -> str:
    """Whether the list at this step had what the visitor opened next."""
    n = len(step.exposure.recommendations)
    if step.came_next is None:
        return "Here the visit ended."
    if step.rank == 1:
        return "The visitor opened the first product of this list next."
    if step.rank is not None:
        return f"The visitor opened number {step.rank} of this list next."
    if n == 0:
        return "There was nothing to show here."
    return f"What the visitor opened next is not among these {count(n)}."


def _card(
    shop: str,
    products: Mapping[str, Product],
    product_id: str,
    reason: str = "",
    hit: bool = False,
) -> Card:
    return card(
        shop,
        named(products, product_id),
        View(shop, (product_id,)).href,
        reason,
        "opened next" if hit else "",
        "hit" if hit else "",
    )


def _learned_from(shelf: Shelf, step: Step) -> bool:
    """Whether the model has seen this visit already, and so does better here than it would."""
    bundle = shelf.held_back.get() or shelf.model.get()
    return bundle is not None and step.time_us <= int(bundle.meta["span"]["last_us"])


def _has_incumbent(shelf: Shelf) -> bool:
    return INCUMBENT in shelf.catalog.list_names()


def _last_step(replay: Replay) -> int:
    return min(len(replay.steps), _MAX_STEPS)


def _number(text: str | None) -> int:
    """A number of the address, counted from 1; anything else is 1."""
    return max(1, int(text)) if text and text.isascii() and text.isdigit() and len(text) < 12 else 1
