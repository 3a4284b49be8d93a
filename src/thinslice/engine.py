"""The story: what happened, what can be learned, what to show, did it work, what is it worth.

    serve     event -> store -> models -> ranking -> server (API, pages)
                                            | every list shown is recorded as an exposure
    measure   outcome -> store -> experiment -> profit -> report
    offline   held-out sessions -> evaluation -> profit -> what to test next

This file picks the implementations and hands data from one stage to the next. It is the only one
that knows two stages; it computes nothing itself.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import asdict, replace
from functools import cached_property
from pathlib import Path
from typing import Any
from uuid import uuid4

from thinslice.config import Settings
from thinslice.domain import (
    DAY_US,
    INCUMBENT,
    Experiment,
    Exposure,
    Filters,
    Query,
    SessionLog,
    Shop,
    Variant,
    policy_name,
)
from thinslice.errors import NotEnoughDataError, NotFoundError
from thinslice.evaluation.offline import Evaluation, evaluate
from thinslice.evaluation.replay import Replay, replay_session
from thinslice.evaluation.splits import split_by_time
from thinslice.models.bundle import Bundle, CurrentBundle, learn
from thinslice.outcomes.assignment import assign
from thinslice.outcomes.experiment import Readout, read_out
from thinslice.profit.plan import Plan
from thinslice.profit.worth import Judgement, judge_experiment, judge_offline
from thinslice.ranking.lists import ListRecommender
from thinslice.ranking.ranker import Ranker
from thinslice.report.page import page
from thinslice.store.audit import Audit, audit_events
from thinslice.store.catalog import ShopCatalog
from thinslice.store.control import ControlPlane
from thinslice.store.directory import DataDirectory
from thinslice.store.exports.columns import ColumnMap
from thinslice.store.exports.staging import ImportReport, read_lists, read_products, stage_events
from thinslice.store.incumbent import lists_shown
from thinslice.store.log.event_log import EventLog
from thinslice.store.photos import PhotoStore, read_photos
from thinslice.store.results import Results

Progress = Callable[[int, int | None], None]
"""Called with (bytes or rows done, total or None)."""


class Engine:
    """Everything thinslice can do with one data directory."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.directory = DataDirectory(settings.data)
        self.control = ControlPlane(self.directory.control)
        self.log = EventLog(self.directory, settings)
        self._shelves: dict[str, Shelf] = {}

    def shelf(self, shop_id: str) -> Shelf:
        """What one shop has to show: its catalogue, photos, model and experiments."""
        if shop_id not in self._shelves:
            self._shelves[shop_id] = Shelf(self, self.control.shop(shop_id))
        return self._shelves[shop_id]

    # 1. Do we have the data?

    def audit_export(
        self,
        source: Path,
        columns: ColumnMap | None = None,
        *,
        currency: str = "EUR",
        time_zone: str = "UTC",
        progress: Progress | None = None,
    ) -> Audit:
        """Look at an export without keeping it."""
        with self.directory.scratch() as folder:
            staged = stage_events(
                source, columns, folder, currency=currency, time_zone=time_zone, progress=progress
            )
            return self._audited(staged.path, time_zone, report=staged.report)

    def audit_shop(self, shop_id: str) -> Audit:
        """Look at what a shop has in the log, and keep the answer."""
        shelf = self.shelf(shop_id)
        lists = shelf.catalog.lists().get(INCUMBENT, {})
        audit = self._audited(
            self.log.events(shop_id), shelf.shop.time_zone, lists_imported=len(lists)
        )
        shelf.results.save("audit", audit.to_dict())
        return audit

    def _audited(self, events: Any, time_zone: str, **known: Any) -> Audit:
        gap_minutes = self.settings.session_gap_minutes
        return audit_events(events, gap_minutes=gap_minutes, time_zone=time_zone, **known)

    # 2. What would count as success?

    def agree_plan(self, shop_id: str, plan: Plan, now_us: int | None = None) -> Plan:
        """Date and hash the plan and keep it; a later change is a new plan and shows as one."""
        self.control.shop(shop_id)
        agreed = plan.agree(now_us or clock_us())
        self.control.agree_plan(shop_id, agreed.to_yaml(), agreed.digest, agreed.agreed_us)
        return agreed

    def plan(self, shop_id: str) -> Plan | None:
        """The plan in force, None before one is agreed."""
        text = self.control.plan(shop_id)
        return Plan.from_yaml(text) if text else None

    # 3. What can be learned from it?

    def import_events(
        self,
        shop_id: str,
        source: Path,
        columns: ColumnMap | None = None,
        *,
        progress: Progress | None = None,
    ) -> ImportReport:
        """Take an export's events into the log; importing the same file again adds nothing."""
        shelf = self.shelf(shop_id)
        with self.directory.scratch() as folder:
            staged = stage_events(
                source,
                columns,
                folder,
                currency=shelf.shop.currency,
                time_zone=shelf.shop.time_zone,
                progress=progress,
            )
            report = staged.report.with_new(self.log.adopt(shop_id, staged.path))
            shelf.catalog.add_missing(staged.products)
            shelf.keep_import(source, report)
        return report

    def import_products(
        self, shop_id: str, source: Path, columns: ColumnMap | None = None
    ) -> ImportReport:
        """Take an export's products into the catalogue, replacing those with the same id."""
        shelf = self.shelf(shop_id)
        products, report = read_products(source, columns, currency=shelf.shop.currency)
        shelf.catalog.upsert(products)
        shelf.keep_import(source, report)
        return report

    def import_photos(
        self, shop_id: str, source: Path, progress: Progress | None = None
    ) -> ImportReport:
        """Take photos named by product id, from a folder or a zip, into the catalogue."""
        shelf = self.shelf(shop_id)
        photos, report = read_photos(source, shelf.catalog.all(), progress=progress)
        shelf.catalog.mark_photos(shelf.photos.put_all(photos, report))
        shelf.keep_import(source, report)
        return report

    def import_lists(
        self,
        shop_id: str,
        source: Path,
        columns: ColumnMap | None = None,
        *,
        name: str = INCUMBENT,
    ) -> ImportReport:
        """Take lists of products per product, such as what the shop shows today."""
        shelf = self.shelf(shop_id)
        lists, report = read_lists(source, columns)
        shelf.catalog.set_list(name, lists)
        shelf.keep_import(source, report)
        return report

    def build(self, shop_id: str) -> Bundle:
        """Learn from all sessions and publish the result as a new version, then serve it."""
        self.control.shop(shop_id)
        log = self.log.sessions(shop_id)
        if log.n_sessions == 0:
            raise NotEnoughDataError(
                f"a model needs at least one session with a product, and shop {shop_id!r} has "
                "none; import events first: thinslice import EVENTS.csv"
            )
        bundle = learn(log, self.settings)
        bundle.publish(self.directory.models(shop_id))
        return bundle

    # 4. Would it have worked?

    def evaluate(self, shop_id: str, *, n: int = 20, test_share: float = 0.2) -> Evaluation:
        """Learn from the earlier sessions, predict the later ones, beside every rival we have.

        What was learned from the earlier ones alone is kept, for the replay of the later ones.
        """
        shelf = self.shelf(shop_id)
        split = split_by_time(self.log.sessions(shop_id), test_share=test_share)
        learned = learn(split.train, self.settings)
        learned.meta["cut_us"] = split.cut_us
        learned.publish(self.directory.held_back(shop_id))
        rivals = {
            **learned.recommenders,
            **self._incumbent_of_the_log(shop_id, split.cut_us),
            **shelf.list_recommenders(),
        }
        evaluation = evaluate(rivals, split, n=n)
        shelf.results.save("evaluation", evaluation.to_dict())
        return evaluation

    def _incumbent_of_the_log(self, shop_id: str, until_us: int) -> dict[str, ListRecommender]:
        """What the shop showed before a moment, where the log has it and no list was imported."""
        shown = lists_shown(self.log.events(shop_id, until_us=until_us))
        name = f"list:{INCUMBENT}"
        return {name: ListRecommender(name, shown)} if shown else {}

    def judge_offline(self, shop_id: str) -> Judgement | None:
        """Whether the latest evaluation makes the model worth testing; None before there is one."""
        found = self.shelf(shop_id).results.load("evaluation")
        return judge_offline(found, self.plan(shop_id)) if found else None

    def replay(self, shop_id: str, index: int, policy: str = "session") -> Replay:
        """Step through a real anonymous session; an evaluated model has never seen it."""
        shelf = self.shelf(shop_id)
        ranker = shelf.replay_ranker()
        everything = Filters(in_stock=False)

        def recommend(seen: tuple[str, ...]) -> Exposure:
            query = Query(items=seen, n=8, policy=policy, filters=everything)
            return self._exposure(shop_id, query, ranker, policy, clock_us())

        return replay_session(shelf.sessions_to_replay(), index, recommend)

    # 5. What does a visitor see?

    def recommend(self, shop_id: str, query: Query, now_us: int | None = None) -> Exposure:
        """One explained list, as an exposure that is yet to be recorded."""
        shelf = self.shelf(shop_id)
        now = now_us or clock_us()
        experiment = shelf.running_experiment(query.placement)
        variant = (
            assign(experiment, query.visitor)
            if experiment and query.visitor and query.policy is None
            else None
        )
        policy = query.policy or (variant.policy if variant else "session")
        exposure = self._exposure(shop_id, query, shelf.ranker(), policy, now)
        if experiment is None or variant is None:
            return exposure
        return replace(exposure, experiment=experiment.id, variant=variant.name)

    def _exposure(
        self, shop_id: str, query: Query, ranker: Ranker, policy: str, now_us: int
    ) -> Exposure:
        recommendations, note = ranker.rank(query, policy, now_us=now_us)
        return Exposure(
            id=uuid4().hex,
            shop=shop_id,
            time_us=now_us,
            visitor=query.visitor,
            session=query.session,
            placement=query.placement,
            policy=policy,
            model_version=ranker.version,
            recommendations=recommendations,
            note=note,
        )

    # 6. Did it work, and did it hurt anything?

    def start_experiment(
        self,
        shop_id: str,
        experiment_id: str,
        *,
        control: str = f"list:{INCUMBENT}",
        treatment: str = "session",
        question: str = "",
        placement: str = "product",
        now_us: int | None = None,
        salt: str = "",
    ) -> Experiment:
        """Split the visitors between two list makers from now on; the same salt, the same split."""
        shelf = self.shelf(shop_id)
        shelf.ranker().check_policies(control, treatment)
        again = " again" if treatment == control else ""
        variants = (
            Variant(policy_name(control), control),
            Variant(policy_name(treatment) + again, treatment),
        )
        experiment = Experiment(
            id=experiment_id,
            shop=shop_id,
            question=question or f"Is {policy_name(treatment)} better than {policy_name(control)}?",
            variants=variants,
            salt=salt or uuid4().hex,
            started_us=now_us or clock_us(),
            placement=placement,
        )
        self.control.start_experiment(experiment)
        return experiment

    def stop_experiment(self, shop_id: str, experiment_id: str, now_us: int | None = None) -> None:
        """Stop an experiment; from now on everyone gets the session list."""
        experiment = self.shelf(shop_id).experiment(experiment_id)
        self.control.stop_experiment(shop_id, experiment.id, now_us or clock_us())

    def readout(self, shop_id: str, experiment_id: str) -> Readout:
        """What an experiment says about the KPI and the guardrail of the plan."""
        shelf = self.shelf(shop_id)
        experiment = shelf.experiment(experiment_id)
        readout = read_out(
            experiment,
            self.log.sessionised(
                shop_id,
                # A day more, so that sessions which were running at the start are whole.
                since_us=experiment.started_us - DAY_US,
                until_us=experiment.stopped_us,
            ),
            plan=(self.plan(shop_id) or Plan()).terms(),
            currency=shelf.shop.currency,
            time_zone=shelf.shop.time_zone,
        )
        shelf.results.save(f"readout-{experiment_id}", readout.to_dict())
        return readout

    # 7. What is it worth?

    def judge(self, shop_id: str, readout: Readout) -> Judgement:
        """An experiment's effect as money with a range, against what the plan asked for."""
        return judge_experiment(readout.to_dict(), self.plan(shop_id))

    def report(self, shop_id: str) -> str:
        """One self-contained page: the question, what was found, the verdict, the money."""
        return page(self.findings(shop_id))

    def findings(self, shop_id: str) -> dict[str, Any]:
        """All that is known about a shop so far, as plain values that a page can show."""
        shelf = self.shelf(shop_id)
        plan = self.plan(shop_id)
        readouts = [self.readout(shop_id, e.id) for e in self.control.experiments(shop_id)]
        return {
            "shop": shelf.describe(),
            "plan": plan.to_dict() if plan else None,
            "plans": [agreed.digest for agreed in self.control.plans(shop_id)],
            "audit": shelf.results.load("audit"),
            "evaluation": shelf.results.load("evaluation"),
            "offline": offline.to_dict() if (offline := self.judge_offline(shop_id)) else None,
            "readouts": [
                {**r.to_dict(), "judgement": self.judge(shop_id, r).to_dict()} for r in readouts
            ],
        }


class Shelf:
    """What one shop has to show. Cheap to keep; notices new versions by itself."""

    def __init__(self, engine: Engine, shop: Shop) -> None:
        self._engine = engine
        self.shop = shop
        self._experiments: tuple[float, list[Experiment]] = (-1e9, [])
        self._sessions: tuple[float, str | None, SessionLog | None] = (-1e9, None, None)
        self._ranker: Ranker | None = None
        self._in_force: tuple[object, ...] = (None, None, None)

    @cached_property
    def catalog(self) -> ShopCatalog:
        return ShopCatalog(self._engine.directory.catalog_file(self.shop.id), self.shop.currency)

    @cached_property
    def photos(self) -> PhotoStore:
        return PhotoStore(self._engine.directory.photos(self.shop.id))

    @cached_property
    def results(self) -> Results:
        return Results(self._engine.directory.results(self.shop.id))

    @cached_property
    def model(self) -> CurrentBundle:
        return CurrentBundle(self._engine.directory.models(self.shop.id))

    @cached_property
    def held_back(self) -> CurrentBundle:
        """The model of the latest evaluation, which has not seen the sessions it predicted."""
        return CurrentBundle(self._engine.directory.held_back(self.shop.id))

    def ranker(self) -> Ranker:
        """The list makers in force over the catalogue in force, made anew when either changes."""
        bundle, products, lists = self.model.get(), self.catalog.all(), self.catalog.lists()
        in_force = (bundle, products, lists)
        if self._ranker is None or any(
            a is not b for a, b in zip(in_force, self._in_force, strict=True)
        ):
            makers = {**(bundle.recommenders if bundle else {}), **self.list_recommenders()}
            self._ranker = Ranker(makers, products, version=bundle.version if bundle else None)
            self._in_force = in_force
        return self._ranker

    def list_recommenders(self) -> dict[str, ListRecommender]:
        """The lists kept by name, of which one may be what the shop shows today."""
        return {
            f"list:{name}": ListRecommender(f"list:{name}", entries)
            for name, entries in self.catalog.lists().items()
        }

    def experiments(self) -> list[Experiment]:
        """The shop's experiments, as of at most a second ago: assignment reads them per request."""
        looked_at, experiments = self._experiments
        if time.monotonic() - looked_at > 1.0:
            experiments = self._engine.control.experiments(self.shop.id)
            self._experiments = (time.monotonic(), experiments)
        return experiments

    def running_experiment(self, placement: str) -> Experiment | None:
        """The experiment that decides what this placement shows, None where there is none."""
        running = (
            e for e in self.experiments() if e.stopped_us is None and e.placement == placement
        )
        return next(running, None)

    def experiment(self, experiment_id: str) -> Experiment:
        """One experiment by its id."""
        known = {e.id: e for e in self._engine.control.experiments(self.shop.id)}
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
            log = self._engine.log.sessions(self.shop.id)
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

    def describe(self) -> dict[str, Any]:
        """The shop in plain values, for a page."""
        bundle = self.model.get()
        return {
            **asdict(self.shop),
            "products": len(self.catalog.all()),
            "lists": list(self.catalog.list_names()),
            "model": bundle.meta if bundle else None,
        }


def clock_us() -> int:
    """Now, in microseconds since 1970 UTC."""
    return time.time_ns() // 1000
