"""A shop's models as one thing: learned together, published together, swapped together."""

from __future__ import annotations

import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import thinslice
from thinslice.errors import NotEnoughDataError, StorageError, ThinsliceError
from thinslice.models.co_occurrence import count_pairs
from thinslice.models.item_table import ItemTable
from thinslice.models.item_to_item import ItemToItem, cosine_table
from thinslice.models.popularity import Popularity, learn_popularity
from thinslice.models.products import ProductCodes
from thinslice.models.session_knn import KnnSettings, SessionKnn, learn_session_knn
from thinslice.models.training import training_sessions
from thinslice.models.versions import CURRENT, current, read_version, versions, write_version

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


class CurrentBundle:
    """The version that CURRENT names, looked at again every `check_seconds`.

    A new version is loaded in a thread of its own while the old one answers, and then one
    reference is replaced. `problem` says why a version named by CURRENT is not the one served.
    """

    def __init__(self, folder: Path, check_seconds: float = 0.2) -> None:
        self.folder = Path(folder)
        self.problem: str | None = None
        self._check_seconds = check_seconds
        self._retry_seconds = max(5.0, check_seconds)
        self._bundle: Bundle | None = None
        self._refused: tuple[str, float] = ("", 0.0)
        self._looked_at = 0.0
        self._loading = threading.Lock()

    def get(self) -> Bundle | None:
        """The bundle to answer with; None while no version was ever published."""
        if self._bundle is None:
            return self.refresh()
        if time.monotonic() - self._looked_at >= self._check_seconds:
            self._looked_at = time.monotonic()
            if self._is_news(self._named()) and not self._loading.locked():
                threading.Thread(target=self.refresh, name="load-model", daemon=True).start()
        return self._bundle

    def refresh(self) -> Bundle | None:
        """Look at CURRENT now, load what it names, and return the bundle to answer with."""
        with self._loading:
            version = self._named()
            if version is not None and self._is_news(version):
                self._load(version)
            self._looked_at = time.monotonic()
            return self._bundle

    def _named(self) -> str | None:
        """What CURRENT names; None, with the problem told, where it cannot be read."""
        try:
            version = current(self.folder)
        except OSError as error:
            self.problem = f"{self.folder / CURRENT} cannot be read: {error}"
            return None
        if self._bundle is not None and version == self._bundle.version:
            self.problem = None
        return version

    def _is_news(self, version: str | None) -> bool:
        if version is None or (self._bundle is not None and version == self._bundle.version):
            return False
        refused, until = self._refused
        return version != refused or time.monotonic() >= until

    def _load(self, version: str) -> None:
        try:
            self._bundle = _ready(self.folder, version)
            self.problem = None
        except ThinsliceError as error:
            self._refused = (version, time.monotonic() + self._retry_seconds)
            if self._bundle is None:
                self._bundle = self._newest_intact(before=version)
            instead = self._bundle.version if self._bundle else "no model"
            self.problem = f"{error}; until then {instead} is served"

    def _newest_intact(self, before: str) -> Bundle | None:
        for version in reversed([v for v in versions(self.folder) if v != before]):
            try:
                return _ready(self.folder, version)
            except ThinsliceError:
                continue
        return None


def _ready(folder: Path, version: str) -> Bundle:
    bundle = Bundle.load(folder, version)
    bundle.warm_up()
    return bundle


def _part(arrays: dict[str, NDArray[np.generic]], name: str) -> dict[str, NDArray[np.generic]]:
    prefix = f"{name}."
    return {
        key.removeprefix(prefix): array for key, array in arrays.items() if key.startswith(prefix)
    }
