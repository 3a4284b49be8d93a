"""The story: what happened, what can be learned, what to show, did it work, what is it worth.

    serve     event -> store -> models -> ranking -> server (API, pages)
                                            | every list shown is recorded as an exposure
    measure   outcome -> store -> experiment -> profit -> report
    offline   held-out sessions -> evaluation -> profit -> what to test next

This file picks the implementations and hands data from one stage to the next. With
`shelf/`, what one shop has in force, it is the only place that knows two stages; it computes
nothing itself.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from thinslice.config import Settings
from thinslice.domain import (
    DAY_US,
    INCUMBENT,
    SESSION,
    Experiment,
    Exposure,
    Filters,
    Planned,
    Query,
    Ruling,
    SessionLog,
    Variant,
    policy_name,
)
from thinslice.durable import locked, try_lock
from thinslice.errors import NotEnoughDataError
from thinslice.evaluation.intervals import ratio_interval
from thinslice.evaluation.offline import Evaluation, evaluate
from thinslice.evaluation.replay import Replay, replay_session
from thinslice.evaluation.splits import Split, split_by_time
from thinslice.models.sessions.bundle import Bundle, learn, untuned
from thinslice.models.sessions.choice import Choice
from thinslice.models.sessions.entries import EntrySettings
from thinslice.models.sessions.live import LiveSessions
from thinslice.models.sessions.tuning import choose
from thinslice.outcomes.assignment import Placed, place
from thinslice.outcomes.counting.attribution import HISTORY_US, REFUND_US
from thinslice.outcomes.counting.rules import RULES, Rules
from thinslice.outcomes.readouts.alarms import alarms
from thinslice.outcomes.readouts.foresight import BEFORE_US, foresee
from thinslice.outcomes.readouts.outlook import Outlook, outlook
from thinslice.outcomes.readouts.readout import Readout, read_out
from thinslice.outcomes.readouts.track_record import foretold, track_record
from thinslice.profit import Judgement, Plan, judge_experiment, judge_offline
from thinslice.profit.predictions.table import JudgedTable, judge_table
from thinslice.ranking.lists import ListRecommender
from thinslice.ranking.ranker import Ranker
from thinslice.report.page import page
from thinslice.shelf.following import Follower
from thinslice.shelf.objectives import Objectives
from thinslice.shelf.photos.search import PhotoSearch
from thinslice.shelf.shelf import Shelf
from thinslice.shelf.titles.titles import Titles
from thinslice.store.audit import Audit, audit_events
from thinslice.store.control import ControlPlane
from thinslice.store.directory import DataDirectory
from thinslice.store.exports.columns import ColumnMap
from thinslice.store.exports.staging import ImportReport, read_lists, read_products, stage_events
from thinslice.store.exports.whole_tables import WholeTable, read_whole
from thinslice.store.incumbent import lists_shown
from thinslice.store.log.event_log import EventLog
from thinslice.store.log.tail import LogPosition
from thinslice.store.photos import read_photos

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
            shop = self.control.shop(shop_id)
            live = LiveSessions(
                gap_us=round(self.settings.session_gap_minutes * 60_000_000),
                session_products=self.settings.session_max_products,
            )
            self._shelves[shop_id] = Shelf(shop, self.directory, self.control, self.log, live)
        return self._shelves[shop_id]

    def follow(self) -> Follower:
        """What takes up, from now on, what any process acknowledges; start it, and close it."""
        return Follower(self.log.tail(), self.shelf, lambda: list(self._shelves.values()))

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
        """Take photos named by product id, from a folder or a zip, into the catalogue.

        Where photos are searched already, these are found at once.
        """
        shelf = self.shelf(shop_id)
        photos, report = read_photos(source, shelf.catalog.all(), progress=progress)
        kept = shelf.photos.put_all(photos, report)
        shelf.catalog.mark_photos(kept)
        shelf.photo_search.add(kept)
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

    def build(
        self, shop_id: str, *, minutes: float = 0, progress: Progress | None = None
    ) -> Bundle:
        """Learn from all sessions and publish the result as a new version, then serve it.

        What serves the shop best is chosen on its own latest sessions in about `minutes`; with
        none, what is served now is learned anew.
        """
        self.control.shop(shop_id)
        with locked(self._building(shop_id)):
            bundle = self._learn(shop_id, minutes, progress)
        if (titles := self.titles(shop_id)).can_learn():
            titles.learn()
        if (photos := self.photo_search(shop_id)).can_build():
            photos.build()
            if self.control.list_rules(shop_id).no_near_duplicates:
                self.shelf(shop_id).photo_twins()
        self.shelf(shop_id).photo_titles.learn()
        return bundle

    def fold_in(self, shop_id: str) -> Bundle | None:
        """Learn what is served anew, from all sessions; None where there are none to add.

        It takes the place of the version that was folded last, so that the one to go back to is
        still the one that was built. Does nothing while somebody builds.
        """
        served = self.shelf(shop_id).model.refresh()
        read = served.meta.get("log") if served else None
        if not read or not self.log.has_more(shop_id, LogPosition.from_dict(read)):
            return None
        lock = try_lock(self._building(shop_id))
        if lock is None:
            return None
        try:
            return self._learn(shop_id, minutes=0, folded=True)
        finally:
            os.close(lock)

    def _building(self, shop_id: str) -> Path:
        return self.directory.models(shop_id) / ".building"

    def _learn(
        self,
        shop_id: str,
        minutes: float,
        progress: Progress | None = None,
        *,
        folded: bool = False,
    ) -> Bundle:
        """Learn from the log as it is now, publish, and note how far it was read."""
        position = self.log.position()
        log = self.log.sessions(shop_id)
        if log.n_sessions == 0:
            raise NotEnoughDataError(
                f"a model needs at least one session with a product, and shop {shop_id!r} has "
                "none; import events first: thinslice import EVENTS.csv. Titles and photos are "
                "learned without: thinslice build --titles, thinslice build --photos"
            )
        served = self.shelf(shop_id).model.refresh()
        choice = self._choice(log, minutes, served.choice if served else None, progress)
        bundle = learn(log, self.settings, choice)
        bundle.meta |= {"log": position.to_dict(), "folded": folded}
        before = served.version if folded and served and served.meta.get("folded") else None
        bundle.publish(self.directory.models(shop_id), replaces=before)
        return bundle

    def titles(self, shop_id: str) -> Titles:
        """The shop's categories by title: learn, classify, correct, review; `shelf/titles/`."""
        return self.shelf(shop_id).titles

    def photo_search(self, shop_id: str) -> PhotoSearch:
        """The shop's photos, to be searched by photo and tagged; see `shelf/photos/`."""
        return self.shelf(shop_id).photo_search

    def _choice(
        self, log: SessionLog, minutes: float, served: Choice | None, progress: Progress | None
    ) -> Choice:
        """What is best on the latest tenth of the sessions, learned from those before."""
        start = served or untuned(self.settings)
        if minutes <= 0:
            return start
        try:
            split = split_by_time(log, test_share=0.1)
        except NotEnoughDataError as error:
            return replace(start, report={"why": str(error)})
        return choose(
            split.train,
            split.test,
            partial(ratio_interval, low=-1.0),
            seconds=60 * minutes,
            start=start,
            may_repeat=self.settings.may_repeat,
            popularity=EntrySettings(self.settings.popularity_half_life_days),
            progress=progress,
        )

    # 4. Would it have worked?

    def evaluate(
        self,
        shop_id: str,
        *,
        n: int = 20,
        test_share: float = 0.2,
        minutes: float = 0,
        protocol: str = "honest",
        progress: Progress | None = None,
    ) -> Evaluation:
        """Learn from the earlier sessions, predict the later ones, beside every rival we have.

        In `minutes`, what to learn is chosen on the earlier ones too. What was learned from them
        is kept, for the replay of the later ones. By the `literature` protocol the figures are to
        be held beside published ones: they are kept apart, and decide nothing.
        """
        shelf = self.shelf(shop_id)
        split = split_by_time(self.log.sessions(shop_id), test_share=test_share)
        choice = self._choice(split.train, minutes, None, progress)
        learned = learn(split.train, self.settings, choice)
        learned.meta["cut_us"] = split.cut_us
        learned.publish(self.directory.held_back(shop_id))
        rivals = {
            **learned.recommenders,
            **self._incumbent_of_the_log(shop_id, split.cut_us),
            **shelf.list_recommenders(),
        }
        categories = {p.id: p.category for p in shelf.catalog.all().values() if p.category}
        evaluation = evaluate(rivals, split, n=n, protocol=protocol, categories=categories)
        if protocol != "honest":
            shelf.results.save(f"evaluation-{protocol}", evaluation.to_dict())
            return evaluation
        found = evaluation.to_dict()
        found["objectives"] = self._objectives(shelf, split, learned, choice, n)
        shelf.results.save("evaluation", found)
        return evaluation

    def _objectives(
        self, shelf: Shelf, split: Split, learned: Bundle, choice: Choice, n: int
    ) -> dict[str, Any] | None:
        """What ranking for orders or margin would cost; its chances are learned on the training.

        None where a part of the training is too little to learn from.
        """
        try:
            inner = split_by_time(split.train, test_share=0.1)
        except NotEnoughDataError:
            return None
        products, counting = shelf.catalog.all(), self.rules(shelf.shop.id)
        earlier = learn(inner.train, self.settings, choice).recommenders[SESSION]
        known = Objectives.learn(earlier, inner.test, split.train, products, counting)
        shelf.objectives.keep(known)
        return known.compare(learned.recommenders[SESSION], split, known.worths(products), n)

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
        """One explained list, as an exposure that is yet to be recorded.

        It says which experiment and variant it is part of, and why it does not count if it does
        not. A request that one of the variants has nothing of its own for counts for none of
        them: who is counted may not depend on which variant they are in.
        """
        shelf = self.shelf(shop_id)
        ranker, now = shelf.ranker(), now_us or clock_us()
        placed = self._placed(shelf, query)
        shown = all(ranker.has_own(query, policy, now_us=now) for policy in placed.compared)
        left_out = placed.left_out if shown else "could_not_show"
        return self._exposure(
            *(shop_id, query, ranker, placed.policy, now),
            experiment=placed.experiment,
            variant=placed.variant,
            left_out=left_out,
        )

    def _placed(self, shelf: Shelf, query: Query) -> Placed:
        experiments, holdout = shelf.experiments()
        return place(experiments, query, shop=shelf.shop.id, holdout=holdout)

    def _exposure(
        self,
        shop_id: str,
        query: Query,
        ranker: Ranker,
        policy: str,
        now_us: int,
        **as_part_of: Any,
    ) -> Exposure:
        trace: list[Ruling] | None = [] if query.trace else None
        recommendations, note = ranker.rank(query, policy, now_us=now_us, trace=trace)
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
            trace=tuple(trace or ()),
            **as_part_of,
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
        traffic: float = 1.0,
        sequential: bool = True,
        now_us: int | None = None,
        salt: str = "",
        who: str = "",
    ) -> Experiment:
        """Split a share of the visitors, the `traffic`, between two list makers from now on.

        The others see the control's list. `sequential` makes ranges that hold however often one
        looks; without it they are narrower and hold for one look at the end, which is then to be
        kept to. The same salt gives the same split.
        """
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
            traffic=traffic,
            sequential=sequential,
        )
        experiment = replace(experiment, planned=self._foreseen(shelf, experiment))
        started = self.control.start_experiment(experiment, who)
        if known := shelf.results.load("evaluation"):  # what was foretold, as it was then
            shelf.results.save(f"offline-{experiment_id}", known)
        return started

    def _foreseen(self, shelf: Shelf, experiment: Experiment) -> Planned | None:
        """What the experiment will take, judged by the weeks before it."""
        planned = foresee(
            experiment,
            partial(
                self.log.ask,
                shelf.shop.id,
                since_us=experiment.started_us - BEFORE_US - DAY_US,
                until_us=experiment.started_us,
            ),
            **self._counting(shelf),
        )
        held_out = self.control.holdout(shelf.shop.id)
        return planned and replace(planned, per_day=planned.per_day * (1 - held_out))

    def stop_experiment(
        self,
        shop_id: str,
        experiment_id: str,
        now_us: int | None = None,
        *,
        ship: bool = False,
        who: str = "",
        why: str = "",
    ) -> None:
        """Stop an experiment; from now on everyone sees the control's list, or the treatment's."""
        experiment = self.shelf(shop_id).experiment(experiment_id)
        after = experiment.variants[1] if ship else experiment.control
        self.control.stop_experiment(
            shop_id, experiment.id, now_us or clock_us(), after=after.name, who=who, why=why
        )

    def readout(self, shop_id: str, experiment_id: str) -> Readout:
        """What an experiment says about the KPI and the guardrail of the plan."""
        shelf = self.shelf(shop_id)
        readout = self._read(shelf, shelf.experiment(experiment_id))
        shelf.results.save(f"readout-{experiment_id}", readout.to_dict())
        return readout

    def outlook(self, readout: Readout) -> Outlook | None:
        """When an experiment that runs will be known; None where it is."""
        return outlook(readout, clock_us())

    def _read(self, shelf: Shelf, experiment: Experiment) -> Readout:
        shop_id, stopped_us = shelf.shop.id, experiment.stopped_us
        return read_out(
            experiment,
            partial(
                self.log.ask,
                shop_id,
                since_us=experiment.started_us - HISTORY_US,
                until_us=None if stopped_us is None else stopped_us + REFUND_US,
            ),
            time_zone=shelf.shop.time_zone,
            now_us=clock_us(),
            **self._counting(shelf),
        )

    def _counting(self, shelf: Shelf) -> dict[str, Any]:
        """What is asked of a shop's experiments, and how it is counted."""
        return {
            "plan": (self.plan(shelf.shop.id) or Plan()).terms(),
            "currency": shelf.shop.currency,
            "rules": self.rules(shelf.shop.id),
            "products": shelf.product_facts(),
        }

    def rules(self, shop_id: str) -> Rules:
        """How a shop's outcomes are counted: by its own tax and margin, else by the settings'."""
        shop = self.control.shop(shop_id)
        own = {"vat_rate": shop.vat_rate, "margin_share": shop.margin_share}
        settings = {name: getattr(self.settings, name) for name in RULES}
        return Rules(**settings | {name: rate for name, rate in own.items() if rate is not None})

    def watch(self, shop_id: str, experiment_id: str) -> None:
        """Look at an experiment; what is broken is kept once, as a notice to be sent.

        However often one looks: the ranges are always those that hold at every look. Where the
        settings ask for it, an experiment that breaks a guardrail is stopped.
        """
        shelf = self.shelf(shop_id)
        watched = replace(shelf.experiment(experiment_id), sequential=True)
        for alarm in alarms(self._read(shelf, watched)):
            self.control.notice(shop_id, experiment_id, alarm.about, alarm.text)
            if alarm.is_guardrail and self.settings.stop_on_broken_guardrail:
                self.control.stop_experiment(
                    *(shop_id, experiment_id), who="thinslice", why=alarm.text, killed=True
                )

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
        evaluation = shelf.results.load("evaluation")
        readouts = [self._read_out(shelf, e, evaluation) for e in self.control.experiments(shop_id)]
        return {
            "shop": shelf.describe(),
            "plan": plan.to_dict() if plan else None,
            "plans": [agreed.digest for agreed in self.control.plans(shop_id)],
            "audit": shelf.results.load("audit"),
            "evaluation": evaluation,
            "offline": offline.to_dict() if (offline := self.judge_offline(shop_id)) else None,
            "readouts": readouts,
            "track_record": track_record(foretold(readouts)).to_dict(),
        }

    def _read_out(
        self, shelf: Shelf, experiment: Experiment, evaluation: dict[str, Any] | None
    ) -> dict[str, Any]:
        """A readout with what it is worth, how it is run, and what was foretold."""
        readout = self.readout(shelf.shop.id, experiment.id)
        expected = self.outlook(readout)
        return {
            **readout.to_dict(),
            **experiment.running(),
            "judgement": self.judge(shelf.shop.id, readout).to_dict(),
            "outlook": expected.to_dict() if expected else None,
            "offline": shelf.results.load(f"offline-{experiment.id}") or evaluation,
        }


def read_predictions(source: Path | bytes, *, most_rows: int | None = None) -> WholeTable:
    """A model's predictions from a file or from memory, whole: CSV, Parquet, JSON lines or XLSX."""
    return read_whole(source, most_rows=most_rows)


def judge_predictions(table: WholeTable, plan: Plan, **columns: str) -> JudgedTable:
    """What acting on them is worth by the plan; `columns` not named are guessed, and said."""
    return judge_table(table.columns, plan, **columns)


def clock_us() -> int:
    """Now, in microseconds since 1970 UTC."""
    return time.time_ns() // 1000
