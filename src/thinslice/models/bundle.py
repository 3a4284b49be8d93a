"""A shop's models as one thing: learned together, published together, swapped together."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import thinslice
from thinslice.errors import NotEnoughDataError, StorageError
from thinslice.models.co_occurrence import count_pairs
from thinslice.models.current import Current
from thinslice.models.item_table import ItemTable
from thinslice.models.item_to_item import ItemToItem, cosine_table
from thinslice.models.popularity import Popularity, learn_popularity
from thinslice.models.products import ProductCodes
from thinslice.models.session_knn import KnnSettings, SessionKnn, learn_session_knn
from thinslice.models.training import training_sessions
from thinslice.models.versions import read_version, write_version

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from thinslice.config import Settings
    from thinslice.domain import SessionLog
    from thinslice.interfaces import Recommender


def learn(log: SessionLog, settings: Settings, *, rng_seed: int = 0) -> Bundle:
    """Learn every list maker from the sessions. The same log gives the same bundle.

    Raises NotEnoughDataError for a log without a session. `rng_seed` is recorded for the models
    that draw; those here do not.
    """
    if log.n_sessions == 0:
        raise NotEnoughDataError(
            "a model needs at least one session with a product, got none; "
            "import events first: thinslice import EVENTS.csv"
        )
    products = ProductCodes(log.products)
    knn = KnnSettings(
        neighbours=settings.neighbours,
        sample=settings.sample,
        max_products=settings.session_max_products,
    )
    sessions = training_sessions(log, settings.session_max_products)
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
        "settings": {
            **knn.to_dict(),
            "popularity_half_life_days": settings.popularity_half_life_days,
        },
    }
    return Bundle(
        products,
        learn_session_knn(sessions, products, knn),
        ItemToItem(products, cosine_table(count_pairs(sessions), 50)),
        learn_popularity(log, products, settings.popularity_half_life_days),
        meta,
    )


@dataclass(eq=False)
class Bundle:
    """The list makers of one version. `version` is None until it is published.

    `meta` says what it was learned from: counts, data span, settings, seed and code version.
    """

    products: ProductCodes
    session: SessionKnn
    item_to_item: ItemToItem
    popular: Popularity
    meta: dict[str, Any]
    version: str | None = None
    recommenders: dict[str, Recommender] = field(init=False)

    def __post_init__(self) -> None:
        self.recommenders = {
            model.name: model for model in (self.session, self.item_to_item, self.popular)
        }

    def publish(self, folder: Path, *, now_us: int | None = None) -> str:
        """Write a new version to the folder and serve it; return its name."""
        now_us = time.time_ns() // 1000 if now_us is None else now_us
        self.meta["built_us"] = now_us
        self.version = write_version(folder, self._arrays(), self.meta, now_us=now_us)
        self.meta["version"] = self.version
        return self.version

    @classmethod
    def load(cls, folder: Path, version: str) -> Bundle:
        """Map a version into memory after checking every byte of it.

        Raises NotFoundError when there is no such version, StorageError when it is damaged.
        """
        arrays, meta = read_version(folder, version)
        try:
            products = ProductCodes.from_arrays(_part(arrays, "products"))
            knn = KnnSettings.from_dict(meta["settings"])
            return cls(
                products,
                SessionKnn(products, _part(arrays, "session"), knn),
                ItemToItem(products, ItemTable.from_arrays(_part(arrays, "item_to_item"))),
                Popularity(products, _part(arrays, "popular")),
                meta,
                version,
            )
        except (KeyError, ValueError, TypeError) as error:
            raise StorageError(
                f"version {version} of the model lacks a part ({error}); "
                "build a new one: thinslice build"
            ) from error

    def warm_up(self) -> None:
        """Answer one query with every list maker, so that no visitor waits for a compiler."""
        for recommender in self.recommenders.values():
            recommender.recommend(self.products.ids[:2], 2, now_us=self.meta["span"]["last_us"])

    def sentence(self) -> str:
        """What was learned from, in one sentence."""
        counts = self.meta["counts"]
        return (
            f"Learned from {counts['sessions']:,} sessions with {counts['events']:,} events "
            f"on {counts['products']:,} products."
        )

    def _arrays(self) -> dict[str, NDArray[np.generic]]:
        parts = {
            "products": self.products.to_arrays(),
            "session": self.session.arrays,
            "item_to_item": self.item_to_item.table.to_arrays(),
            "popular": self.popular.arrays,
        }
        return {
            f"{part}.{name}": array
            for part, arrays in parts.items()
            for name, array in arrays.items()
        }


class CurrentBundle(Current[Bundle]):
    """The bundle that CURRENT names, ready to answer; `current.py` says how it is kept so."""

    def load(self, version: str) -> Bundle:
        bundle = Bundle.load(self.folder, version)
        bundle.warm_up()
        return bundle


def _part(arrays: dict[str, NDArray[np.generic]], name: str) -> dict[str, NDArray[np.generic]]:
    prefix = f"{name}."
    return {
        key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)
    }
