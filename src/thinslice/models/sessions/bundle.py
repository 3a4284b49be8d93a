"""A shop's models as one thing: learned together, published together, swapped together."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import thinslice
from thinslice.domain import ITEM_TO_ITEM, SESSION
from thinslice.domain import POPULAR as POPULAR_LIST
from thinslice.errors import NotEnoughDataError, StorageError
from thinslice.models.current import Current
from thinslice.models.sessions.candidates import ROW, Candidates, learn_candidates
from thinslice.models.sessions.choice import BLEND, KNN, LINEAR, POPULAR, RERANKED, Choice
from thinslice.models.sessions.entries import ByVisit, learn_entries
from thinslice.models.sessions.item_table import ItemTable, TableRecommender
from thinslice.models.sessions.item_to_item import ItemToItem, cosine_table
from thinslice.models.sessions.linear import solve
from thinslice.models.sessions.live import Known, with_live_visit
from thinslice.models.sessions.live_lists import LivePopularity, LiveRecommender
from thinslice.models.sessions.popularity import Popularity, learn_popularity
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.ranked_candidates import RankedCandidates
from thinslice.models.sessions.session_knn import KnnSettings, SessionKnn, learn_session_knn
from thinslice.models.sessions.training import sessions_with_each, training_sessions
from thinslice.models.sessions.trees import Trees
from thinslice.models.versions import read_version, write_version

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from thinslice.config import Settings
    from thinslice.domain import SessionLog
    from thinslice.interfaces import Recommender
    from thinslice.models.sessions.live import LiveSessions


def learn(
    log: SessionLog, settings: Settings, choice: Choice | None = None, *, rng_seed: int = 0
) -> Bundle:
    """Learn every list maker from the sessions. The same log and choice give the same bundle.

    Without a choice the session list is that of the session kNN, untuned. Raises
    NotEnoughDataError for a log without a session. `rng_seed` is recorded for the models that
    draw; those here do not.
    """
    if log.n_sessions == 0:
        raise NotEnoughDataError(
            "a model needs at least one session with a product, got none; "
            "import events first: thinslice import EVENTS.csv"
        )
    choice = choice or untuned(settings)
    products = ProductCodes(log.products)
    sessions = training_sessions(log, choice.knn.max_products)
    meta = {
        "code_version": thinslice.__version__,
        "seed": rng_seed,
        "counts": {
            "sessions": log.n_sessions,
            "sessions_with_two_products": sessions.n_sessions,
            "events": log.n_events,
            "products": len(log.products),
        },
        "span": {"first_us": int(log.times_us.min()), "last_us": int(log.times_us.max())},
        "settings": {"popularity_half_life_days": settings.popularity_half_life_days},
        "choice": choice.to_dict(),
    }
    parts: Parts = {
        "products": products.to_arrays(),
        "popular": learn_popularity(log, products, settings.popularity_half_life_days).arrays,
        "known": {"sessions": sessions_with_each(sessions)},
    }
    if choice.entries is not None:
        usual_days = settings.popularity_half_life_days
        parts["entries"] = learn_entries(log, products, choice.entries, usual_days).arrays
    if choice.tier in (BLEND, RERANKED):
        parts |= learn_candidates(log, products, choice.knn, choice.linear).to_parts()
    else:
        counts = choice.linear.counted(sessions)
        parts["cosine"] = cosine_table(counts, ROW).to_arrays()
        if choice.tier == LINEAR:
            parts["linear"] = solve(counts, choice.linear, ROW).to_arrays()
        elif choice.tier == KNN:
            parts["knn"] = learn_session_knn(sessions, products, choice.knn).arrays
    if choice.trees is not None:
        parts["trees"] = choice.trees.to_arrays()
    return Bundle(products, parts, choice, meta)


def untuned(settings: Settings) -> Choice:
    """The session kNN as the settings have it: what is served before anything is tuned."""
    return Choice(
        KnnSettings(
            neighbours=settings.neighbours,
            sample=settings.sample,
            max_products=settings.session_max_products,
        )
    )


Parts = dict[str, "dict[str, NDArray[Any]]"]
"""Arrays by the part of the model that they belong to, and by name."""


@dataclass(eq=False)
class Bundle:
    """The list makers of one version, over its arrays. `version` is None until it is published.

    `meta` says what it was learned from: counts, data span, settings, seed and code version; what
    was chosen, and why.
    """

    products: ProductCodes
    parts: Parts
    choice: Choice
    meta: dict[str, Any]
    version: str | None = None
    recommenders: dict[str, Recommender] = field(init=False)
    known: Known = field(init=False)

    def __post_init__(self) -> None:
        self.known = Known(self.products, self.parts["known"]["sessions"])
        popular = self._popular(lambda made, half_life_days: made)
        near = ItemToItem(self.products, ItemTable.from_arrays(self.parts["cosine"]))
        self.recommenders = {
            SESSION: self._session(popular),
            near.name: near,
            popular.name: popular,
        }

    def _popular(self, serve: Callable[[Popularity, float], Recommender]) -> Recommender:
        """What is popular, as it is served; visits that begin have their own where that pays."""
        usual_days = self.meta["settings"]["popularity_half_life_days"]
        popular = serve(Popularity(self.products, self.parts["popular"]), usual_days)
        if self.choice.entries is None:
            return popular
        begun = Popularity(self.products, self.parts["entries"])
        return ByVisit(serve(begun, self.choice.entries.half_life_days), popular)

    def _session(self, popular: Recommender) -> Recommender:
        """What the choice says."""
        choice, products, parts = self.choice, self.products, self.parts
        if choice.tier == POPULAR:
            return popular
        if choice.tier == LINEAR:
            table = ItemTable.from_arrays(parts["linear"])
            limit = choice.knn.max_products
            return TableRecommender(SESSION, products, table, choice.linear.lag_decay, limit)
        if choice.tier == KNN:
            return SessionKnn(products, parts["knn"], choice.knn, repeats=choice.repeats)
        candidates = Candidates.from_parts(products, parts, choice.knn, choice.linear)
        return RankedCandidates(candidates, choice.trees, repeats=choice.repeats)

    def knows(self, product: str) -> bool:
        """Whether a session that was learned from has it."""
        return self.products.of(product) is not None

    def with_live(self, live: LiveSessions) -> dict[str, Recommender]:
        """The same list makers with what visitors do since then mixed in."""
        popular = self.recommenders[POPULAR_LIST]
        learned_us = self.meta["span"]["last_us"]
        live_popular = self._popular(
            lambda made, half_life_days: LivePopularity(made, live, learned_us, half_life_days)
        )
        found = {
            name: LiveRecommender(
                name,
                maker,
                live,
                self.known,
                latest_only=name == ITEM_TO_ITEM,
                over_trees=name == SESSION and self.choice.tier == RERANKED,
            )
            for name, maker in self.recommenders.items()
            if maker is not popular
        }
        return {name: found.get(name, live_popular) for name in self.recommenders}

    def publish(
        self, folder: Path, *, now_us: int | None = None, replaces: str | None = None
    ) -> str:
        """Write a new version to the folder and serve it, in the place of another or beside it."""
        now_us = time.time_ns() // 1000 if now_us is None else now_us
        self.meta["built_us"] = now_us
        arrays = {
            f"{part}.{name}": array
            for part, named in self.parts.items()
            for name, array in named.items()
        }
        self.version = write_version(folder, arrays, self.meta, now_us=now_us, replaces=replaces)
        self.meta["version"] = self.version
        return self.version

    def chosen(self) -> str:
        """How the session list is made, and why, in one sentence."""
        made = {
            KNN: "from past sessions like the running one",
            LINEAR: "by the linear model",
            BLEND: "from all sources together",
            RERANKED: "from all sources, put in order by learned trees",
            POPULAR: "from what is popular",
        }[self.choice.tier]
        said = f"The session list is made {made}: {self.choice.report['why']}."
        begun = "Who has viewed nothing yet gets what visits begin with."
        return f"{said} {begun}" if self.choice.entries else said

    @classmethod
    def load(cls, folder: Path, version: str) -> Bundle:
        """Map a version into memory after checking every byte of it.

        Raises NotFoundError when there is no such version, StorageError when it is damaged.
        """
        arrays, meta = read_version(folder, version)
        try:
            parts = _parts(arrays)
            trees = Trees.from_arrays(parts["trees"]) if "trees" in parts else None
            choice = Choice.from_dict(meta["choice"], trees)
            return cls(ProductCodes.from_arrays(parts["products"]), parts, choice, meta, version)
        except (KeyError, ValueError, TypeError) as error:
            raise StorageError(
                f"version {version} of the model lacks a part ({error}); "
                "build a new one: thinslice build"
            ) from error

    def warm_up(self) -> None:
        """Answer one query with every list maker, so that no visitor waits for a compiler."""
        live = with_live_visit(self.products.ids[:2], self.meta["span"]["last_us"])
        for recommender in (*self.recommenders.values(), *self.with_live(live).values()):
            recommender.recommend(self.products.ids[:2], 2, now_us=self.meta["span"]["last_us"])

    def sentence(self) -> str:
        """What was learned from, in one sentence."""
        counts = self.meta["counts"]
        return (
            f"Learned from {counts['sessions']:,} sessions with {counts['events']:,} events "
            f"on {counts['products']:,} products."
        )


class CurrentBundle(Current[Bundle]):
    """The bundle that CURRENT names, ready to answer; `current.py` says how it is kept so."""

    def load(self, version: str) -> Bundle:
        bundle = Bundle.load(self.folder, version)
        bundle.warm_up()
        return bundle


def _parts(arrays: dict[str, NDArray[Any]]) -> Parts:
    parts: Parts = {}
    for key, array in arrays.items():
        part, name = key.split(".")
        parts.setdefault(part, {})[name] = array
    return parts
