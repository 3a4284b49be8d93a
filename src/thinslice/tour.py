"""The demo: all seven steps on the generated shop, through the real service over HTTP.

A shop is invented, its visitors are simulated, and everything they do goes through the same API,
store, models and statistics as a real shop's. Since the visitors' tastes are known, so is the true
effect of every experiment, and it is shown beside what the experiment says.
"""

from __future__ import annotations

import shutil
import signal
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape

from thinslice.config import Settings
from thinslice.demo.catalogue import CURRENCY, SHOP_ID, SHOP_NAME
from thinslice.demo.client import ShopClient
from thinslice.demo.experiments import TRIALS, Trial, run_trial, true_effect
from thinslice.demo.messages import product_bodies
from thinslice.demo.pictures import draw_pictures
from thinslice.demo.service import Service, free_port, running_service
from thinslice.demo.shoppers import LIST_LENGTH
from thinslice.demo.world import make_world, send_history
from thinslice.domain import (
    DAY_US,
    MICROSECONDS,
    SESSION,
    Experiment,
    Query,
    Shop,
    Variant,
    Verdict,
    policy_name,
)
from thinslice.engine import Engine, clock_us
from thinslice.errors import InputError
from thinslice.profit import Plan, Range
from thinslice.report.page import page

MARKER = "made-by-thinslice-demo"
SEED = 7
HISTORY_SESSIONS = 8_000
HISTORY_DAYS = 28
TRIAL_DAYS = 14
TRUTH_SESSIONS = 3_000
NOTICE_SECONDS = 1.2
"""A worker looks once a second which experiments run."""

SHOP = Shop(*(SHOP_ID, SHOP_NAME, CURRENCY, "UTC"), generated=True, vat_rate=0.19, margin_share=0.4)

PLAN = Plan(
    question="Do recommendations from the running visit sell more than what we show today?",
    kpi="conversion",
    guardrails={"bounce_rate": 0.05},
    baseline="incumbent",
    currency=CURRENCY,
    order_value=Range(8, 12, 18),
    sessions_per_month=8_000,
    must_beat=10_000,
    fixed_cost=6_000,
)


def tour(settings: Settings, *, once: bool, console: Console) -> None:
    """Walk the seven steps, print each one's answer, leave the pages open until Ctrl-C."""
    make_room(settings.data)
    settings = settings.model_copy(update=left_open(settings))
    began = time.perf_counter()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # through the finally below
    with running_service(settings) as service:
        Tour(settings, service, console).walk()
        console.print(f"\n[bold]Open[/bold] {service.url}/{SHOP_ID}", highlight=False)
        console.print(f"Seven steps in {time.perf_counter() - began:.0f} seconds.")
        if not once:
            console.print("Ctrl-C ends it.")
            service.wait()


def left_open(settings: Settings) -> dict[str, int]:
    """What was not asked for: a port that is free, and a processor left over for the shoppers."""
    chosen = {
        "port": free_port(settings.host, settings.port),
        "workers": max(1, settings.workers - 1),
    }
    return {name: v for name, v in chosen.items() if name not in settings.model_fields_set}


class Tour:
    """One walk along the path."""

    def __init__(
        self, settings: Settings, service: Service, console: Console, seed: int = SEED
    ) -> None:
        self.engine = Engine(settings)
        self.service = service
        self.console = console
        self.world = make_world(seed)
        self.trials_until_us = clock_us() - 3600 * MICROSECONDS
        self.trials_since_us = self.trials_until_us - TRIAL_DAYS * DAY_US
        self.history_since_us = self.trials_since_us - HISTORY_DAYS * DAY_US

    def walk(self) -> None:
        """All the steps, in the order of the path."""
        self.open_shop()
        self.audit()
        self.agree_plan()
        self.build()
        self.start_experiments()
        self.evaluate()
        self.recommend()
        self.run_experiments()
        self.report()

    def open_shop(self) -> None:
        """A shop with products, photos and four weeks of visits."""
        world, engine = self.world, self.engine
        engine.control.add_shop(SHOP)
        self.key = engine.control.create_key(SHOP_ID, "secret")
        with engine.directory.scratch() as folder:
            for product_id, picture in draw_pictures(world.catalogue):
                (folder / f"{product_id}.jpg").write_bytes(picture)
            self.service.wait_until_ready()
            with self.open_client() as client:
                client.put_products(product_bodies(world.catalogue))
            engine.import_photos(SHOP_ID, folder)
        for name, lists in world.lists.items():
            engine.shelf(SHOP_ID).catalog.set_list(name, lists)
        visits = world.visits(HISTORY_SESSIONS, self.history_since_us, self.trials_since_us)
        events = send_history(world, visits, self.open_client)
        self.say(
            "A shop",
            f"{SHOP_NAME}: {len(world.catalogue.products)} products with drawn pictures, and "
            f"{events:,} events of {len(visits):,} simulated visits, sent through the API. "
            "All of it is made up.",
        )

    def audit(self) -> None:
        audit = self.engine.audit_shop(SHOP_ID)
        self.say("1 Do we have the data?", *audit.can[:2])

    def agree_plan(self) -> None:
        plan = self.engine.agree_plan(SHOP_ID, PLAN, self.trials_since_us - DAY_US)
        guarded = " and ".join(
            f"the {name.replace('_', ' ')} may be at most {share:.0%} worse"
            for name, share in (plan.guardrails or {}).items()
        )
        self.say(
            "2 What would count as success?",
            f"{plan.question} Agreed on {plan.agreed_on}, before the experiments: the {plan.kpi} "
            f"decides, and {guarded}.",
        )

    def build(self) -> None:
        bundle = self.engine.build(SHOP_ID)
        self.say("3 What can be learned from it?", bundle.sentence())

    def evaluate(self) -> None:
        evaluation = self.engine.evaluate(SHOP_ID)
        judgement = self.engine.judge_offline(SHOP_ID)
        self.say(
            "4 Would it have worked?",
            evaluation.sentence(),
            judgement.sentence if judgement else "",
        )

    def recommend(self) -> None:
        """Ask over HTTP what the session list has after two products of one kind and style."""
        traits = self.world.catalogue.traits
        seen = [i for i, t in enumerate(traits) if (t.kind, t.style) == (5, 2)][:2]
        products = self.world.catalogue.products
        ids = [products[i].id for i in seen]
        with self.open_client() as client:
            answer = client.recommend(items=ids, n=3, filters={"exclude": ids}, policy=SESSION)
        self.say(
            "5 What does a visitor see?",
            f"After {' and '.join(products[i].title for i in seen)}: "
            + "; ".join(f"{p['title']} ({p['reason']})" for p in answer["products"]),
        )

    def start_experiments(self) -> None:
        """Start all three, with the true effect that only a simulation can know."""
        shelf = self.engine.shelf(SHOP_ID)
        since, until = self.trials_since_us, self.trials_until_us
        visits = self.world.visits(TRUTH_SESSIONS, since, until, number=999)
        for i, trial in enumerate(TRIALS):
            shelf.ranker().check_policies(trial.control, trial.treatment)
            truth = true_effect(trial, self.world.shoppers, visits, self.make_list)
            started_us = since - i  # pages show the latest first
            self.engine.control.start_experiment(experiment_of(trial, started_us, truth))
        self.experiments_noticed = time.monotonic() + NOTICE_SECONDS

    def make_list(self, policy: str, items: tuple[str, ...]) -> Sequence[str]:
        """The list that the service would answer."""
        query = Query(items=items, n=LIST_LENGTH, policy=policy)
        exposure = self.engine.recommend(SHOP_ID, query, self.trials_since_us)
        return [r.product for r in exposure.recommendations]

    def run_experiments(self) -> None:
        """Send simulated visitors through the shop and read what the experiments say."""
        time.sleep(max(0.0, self.experiments_noticed - time.monotonic()))
        for trial in TRIALS:
            visits = self.world.trial_visits(trial, self.trials_since_us, self.trials_until_us)
            run_trial(trial, self.world.shoppers, visits, self.open_client)
            self.engine.stop_experiment(SHOP_ID, trial.id, clock_us())
        self.findings = self.engine.findings(SHOP_ID)
        readouts = {r["experiment"]: r for r in self.findings["readouts"]}
        for name, readout in readouts.items():
            if readout["judgement"]["verdict"] == Verdict.SHIP:
                why = "It ships: everyone sees it from now on."
                self.engine.stop_experiment(SHOP_ID, name, ship=True, who="the demo", why=why)
        self.say(
            "6 Did it work, and did it hurt anything?",
            *(verdict_of(readouts[trial.id]) for trial in TRIALS),
        )
        self.worth = readouts[TRIALS[0].id]["judgement"]["sentence"]

    def report(self) -> None:
        path = self.engine.settings.data / "report.html"
        path.write_text(page(self.findings), encoding="utf-8")
        self.say("7 What is it worth?", escape(self.worth), f"The report: {escape(str(path))}")

    def open_client(self) -> ShopClient:
        return ShopClient(self.service.url, self.key)

    def say(self, heading: str, *lines: str) -> None:
        self.console.print(f"\n[bold]{heading}[/bold]", highlight=False)
        for line in lines:
            if line:
                self.console.print(f"  {line}", highlight=False, soft_wrap=True)


def experiment_of(trial: Trial, started_us: int, truth: float | None) -> Experiment:
    """A trial as an experiment of the shop; the salt is the trial's, so a demo can be repeated."""
    return Experiment(
        id=trial.id,
        shop=SHOP_ID,
        question=trial.question,
        variants=(
            Variant(policy_name(trial.control), trial.control),
            Variant(f"the {trial.id.replace('-', ' ')}", trial.treatment),
        ),
        salt=f"demo {trial.id}",
        started_us=started_us,
        placement=trial.placement,
        known_effect=truth,
    )


def verdict_of(readout: Mapping[str, Any]) -> str:
    """An experiment's verdict and sentence, and beside them the truth."""
    truth = readout["known_effect"]
    effect = f"{truth:+.0%}" if truth else "none"
    return (
        f"{readout['experiment']}: [bold]{readout['verdict'] or 'no verdict'}[/bold]. "
        f"{escape(readout['sentence'])} "
        f"The true effect is {effect}, known because the shoppers are simulated."
    )


def make_room(folder: Path) -> None:
    """Empty the demo's folder; one that holds anything else is left alone."""
    marker = folder / MARKER
    if folder.exists() and any(folder.iterdir()):
        if not marker.is_file():
            raise InputError(
                f"the demo writes into a new folder or one it made itself, and {folder} holds "
                "something else; choose another with --data"
            )
        shutil.rmtree(folder)
    folder.mkdir(parents=True, exist_ok=True)
    marker.write_text("thinslice demo made this folder and empties it when it runs again.\n")
