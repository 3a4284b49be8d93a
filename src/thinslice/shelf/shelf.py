"""What one shop has in force: catalogue, photos, models, list makers, experiments.

Together with `engine.py` the only file that knows two stages; it keeps what a request needs at
hand, and notices by itself when something newer is in force.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thinslice.domain import (
    POPULAR,
    SESSION,
    Experiment,
    ListRules,
    SessionLog,
    Shop,
)
from thinslice.errors import InputError, NotFoundError, ThinsliceError
from thinslice.evaluation.splits import split_by_time
from thinslice.models.sessions.bundle import Bundle, CurrentBundle
from thinslice.models.sessions.live import LiveSessions
from thinslice.models.sessions.live_lists import compile_lists, lists_without_model
from thinslice.outcomes.counting.rules import ProductFacts
from thinslice.ranking.lists import ListRecommender
from thinslice.ranking.ranker import Ranker
from thinslice.shelf.newcomers import NewcomerSearch, WithNewcomers
from thinslice.shelf.objectives import PAYOFFS, ServedObjectives
from thinslice.shelf.photo_titles import PhotoTitles
from thinslice.shelf.photos.search import PhotoSearch
from thinslice.shelf.reviews import Reviews
from thinslice.shelf.titles.titles import Titles
from thinslice.store.catalog import ShopCatalog
from thinslice.store.control import ControlPlane
from thinslice.store.directory import DataDirectory
from thinslice.store.exports.staging import ImportReport
from thinslice.store.log.event_log import EventLog
from thinslice.store.log.tail import LogPosition, Touch
from thinslice.store.photos import PhotoStore
from thinslice.store.results import Results

if TYPE_CHECKING:
    from thinslice.interfaces import Recommender

_TWINS = "photo-twins"
MOST_TWINS = 10_000
"""Pairs of all but the same photo that are looked for."""


class Shelf:
    """What one shop has to show. Cheap to keep; notices new versions by itself."""

    def __init__(
        self,
        shop: Shop,
        directory: DataDirectory,
        control: ControlPlane,
        log: EventLog,
        live: LiveSessions,
    ) -> None:
        self.shop = shop
        self.live = live
        self._directory = directory
        self._control = control
        self._log = log
        self._experiments: tuple[float, list[Experiment], float] = (-1e9, [], 0.0)
        self._rules: tuple[float, ListRules] = (-1e9, ListRules())
        self._sessions: tuple[float, str | None, SessionLog | None] = (-1e9, None, None)
        self._ranker: Ranker | None = None
        self._in_force: tuple[object, ...] = (None,) * 6
        self._forgotten: str | None = None

    @cached_property
    def catalog(self) -> ShopCatalog:
        return ShopCatalog(self._directory.catalog_file(self.shop.id), self.shop.currency)

    @cached_property
    def photos(self) -> PhotoStore:
        return PhotoStore(self._directory.photos(self.shop.id))

    @cached_property
    def results(self) -> Results:
        return Results(self._directory.results(self.shop.id))

    @cached_property
    def model(self) -> CurrentBundle:
        return CurrentBundle(self._directory.models(self.shop.id))

    @cached_property
    def held_back(self) -> CurrentBundle:
        """The model of the latest evaluation, which has not seen the sessions it predicted."""
        return CurrentBundle(self._directory.held_back(self.shop.id))

    @cached_property
    def titles(self) -> Titles:
        """The title classifier, and what people say to it."""
        return Titles(self._directory.titles(self.shop.id), self.catalog, self.results)

    @cached_property
    def photo_search(self) -> PhotoSearch:
        """The photos of the catalogue, to be searched by photo and tagged."""
        folder = self._directory.photo_search(self.shop.id)
        return PhotoSearch(folder, self.catalog, self.photos, self.results)

    @cached_property
    def photo_titles(self) -> PhotoTitles:
        """Photo and title of a product, read together."""
        return PhotoTitles(self.photo_search, self.titles, self.results)

    @cached_property
    def reviews(self) -> Reviews:
        """The titles and photos that wait for a person, and what people said of them."""
        return Reviews(self.titles, self.photo_search, self.photo_titles)

    @cached_property
    def objectives(self) -> ServedObjectives:
        """What session lists can be ranked for, as the latest evaluation learned it."""
        return ServedObjectives(self.results, self.catalog)

    @cached_property
    def newcomers(self) -> NewcomerSearch:
        """What products look like that no session of the model has."""
        return NewcomerSearch(lambda product, n: self.photo_search.nearest(product, n))

    def ranker(self) -> Ranker:
        """The list makers, catalogue and rules in force, made anew when one of them changes."""
        bundle, products, lists = self.model.get(), self.catalog.all(), self.catalog.lists()
        rules = self.list_rules()
        makes = self.objectives.maker_of(rules.objective)
        heard = 0 if bundle else len(self.live).bit_length()  # anew when it has doubled
        in_force = (bundle, products, lists, rules, makes, heard)
        if self._ranker is None or any(
            a is not b for a, b in zip(in_force, self._in_force, strict=True)
        ):
            makers = {**self._learned(bundle), **self.list_recommenders()}
            if makes and SESSION in makers:
                makers[SESSION] = makes(makers[SESSION])
            self._ranker = Ranker(
                makers,
                products,
                version=bundle.version if bundle else None,
                rules=rules,
                twins=self._known_twins() if rules.no_near_duplicates else None,
            )
            self._in_force = in_force
        return self._ranker

    def _learned(self, bundle: Bundle | None) -> dict[str, Recommender]:
        """The model's list makers, with what visitors do just now and what is new mixed in.

        Before there is a model, what visitors do just now, as soon as anyone did.
        """
        if not bundle and not len(self.live):
            return {}
        makers = bundle.with_live(self.live) if bundle else lists_without_model(self.live)
        return {
            name: maker
            if maker is makers[POPULAR]
            else WithNewcomers(name, maker, lambda: self.newcomers.found)
            for name, maker in makers.items()
        }

    def find_newcomers(self) -> None:
        """Look at some products that the model does not know, while nobody waits."""
        bundle = self.model.get()
        if bundle:
            self.newcomers.look(self.catalog.all(), bundle.knows, bundle.version)

    def take_up(self, touches: Sequence[Touch]) -> None:
        """What visitors did just now speaks in the lists, unless the model has learned from it."""
        if not len(self.live) and not self.model.get():
            compile_lists()
        self.live.add(touches)
        position = self._learned_until()
        if position and any(t.line <= position.until(t.file) for t in touches):
            self.live.forget(position.until)

    def forget_learned(self) -> None:
        """Let go of what a model that is newly in force has learned."""
        bundle = self.model.get()
        if bundle and bundle.version != self._forgotten:
            self._forgotten = bundle.version
            if position := self._learned_until():
                self.live.forget(position.until)

    def _learned_until(self) -> LogPosition | None:
        bundle = self.model.get()
        read = bundle.meta.get("log") if bundle else None
        return LogPosition.from_dict(read) if read else None

    def list_recommenders(self) -> dict[str, ListRecommender]:
        """The lists kept by name, of which one may be what the shop shows today."""
        return {
            f"list:{name}": ListRecommender(f"list:{name}", entries)
            for name, entries in self.catalog.lists().items()
        }

    def list_rules(self) -> ListRules:
        """What every list of the shop has to keep to, as of at most a second ago."""
        looked_at, rules = self._rules
        if time.monotonic() - looked_at > 1.0:
            found = self._control.list_rules(self.shop.id)
            rules = rules if found == rules else found
            self._rules = (time.monotonic(), rules)
        return rules

    def change_rules(
        self, change: Callable[[ListRules], ListRules], *, who: str = "", why: str = ""
    ) -> ListRules:
        """Change the rules of the shop's lists; a product that they name has to exist.

        Those that were named before may have left the catalogue since: then they wait for its
        return.
        """
        known = self.catalog.all()

        def checked(before: ListRules) -> ListRules:
            after = change(before)
            new = {*after.pinned, *after.buried} - {*before.pinned, *before.buried}
            if unknown := sorted(new - known.keys()):
                raise InputError(
                    f"a rule names products of the catalogue, there is no {unknown[0][:200]!r}; "
                    "look its id up on the page Try it"
                )
            if after.objective in PAYOFFS and after.objective != before.objective:
                self.objectives.check(after.objective)
            return after

        rules = self._control.change_rules(self.shop.id, checked, who=who, why=why)
        self._rules = (-1e9, self._rules[1])
        if rules.no_near_duplicates and self.photo_search.is_built():
            with suppress(ThinsliceError):  # titles are compared whatever becomes of the photos
                self.photo_twins()
        return rules

    def photo_twins(self) -> list[list[str]]:
        """Pairs of product ids whose photos are all but the same, kept until a photo changes."""
        served = self.photo_search.served()
        state = [served.folder.name, served.index.revision]
        kept = self.results.load(_TWINS)
        if kept is None or kept["state"] != state:
            found = self.photo_search.near_duplicates(MOST_TWINS)
            kept = {"state": state, "pairs": [[a.id, b.id] for a, b, _ in found]}
            self.results.save(_TWINS, kept)
        pairs: list[list[str]] = kept["pairs"]
        return pairs

    def _known_twins(self) -> dict[str, set[str]]:
        """Per product those with all but the same photo, as they were found last."""
        twins: dict[str, set[str]] = {}
        for a, b in (self.results.load(_TWINS) or {}).get("pairs", ()):
            twins.setdefault(a, set()).add(b)
            twins.setdefault(b, set()).add(a)
        return twins

    def experiments(self) -> tuple[list[Experiment], float]:
        """The shop's experiments and its holdout, as of at most a second ago: read per request."""
        looked_at, experiments, holdout = self._experiments
        if time.monotonic() - looked_at > 1.0:
            experiments = self._control.experiments(self.shop.id)
            holdout = self._control.holdout(self.shop.id)
            self._experiments = (time.monotonic(), experiments, holdout)
        return experiments, holdout

    def experiment(self, experiment_id: str) -> Experiment:
        """One experiment by its id."""
        known = {e.id: e for e in self._control.experiments(self.shop.id)}
        if experiment_id not in known:
            raise NotFoundError(
                f"shop {self.shop.id!r} has no experiment {experiment_id!r}; "
                f"it has {', '.join(known) or 'none yet'}"
            )
        return known[experiment_id]

    def sessions_to_replay(self) -> SessionLog:
        """Sessions that the replayed model has not learned from, as of at most ten minutes ago.

        All of them before the first evaluation, which is what holds some back.
        """
        held_back = self.held_back.get()
        version = held_back.version if held_back else None
        looked_at, known_version, log = self._sessions
        if log is None or version != known_version or time.monotonic() - looked_at > 600:
            log = self._log.sessions(self.shop.id)
            if held_back:
                log = split_by_time(log, cut_us=held_back.meta["cut_us"]).test
            self._sessions = (time.monotonic(), version, log)
        return log

    def replay_ranker(self) -> Ranker:
        """The list makers that learned from the earlier sessions only, where there are such."""
        held_back = self.held_back.get()
        if held_back is None:
            return self.ranker()
        makers = {**held_back.recommenders, **self.list_recommenders()}
        return Ranker(makers, self.catalog.all(), version=held_back.version)

    def keep_import(self, source: Path, report: ImportReport) -> None:
        """Keep an import's report where a person can look at what was skipped and why."""
        self.results.save(f"import-{source.name}", report.to_dict())
        if report.problems_file and report.problems_file.exists():
            self.results.keep_file(f"skipped-{source.name}.csv", report.problems_file)

    def product_facts(self) -> ProductFacts:
        """What readouts use of the catalogue."""
        products = self.catalog.all().values()
        return ProductFacts(
            {p.id: p.category for p in products if p.category},
            {p.id: p.cost_minor for p in products if p.cost_minor is not None},
        )

    def describe(self) -> dict[str, Any]:
        """The shop in plain values, for a page."""
        bundle = self.model.get()
        return {
            **asdict(self.shop),
            "products": len(self.catalog.all()),
            "lists": list(self.catalog.list_names()),
            "model": bundle.meta if bundle else None,
        }
