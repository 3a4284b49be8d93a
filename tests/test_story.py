"""Read this first: what thinslice does, twice, from the first event to the answer in money.

1. Over HTTP, on a generated shop: event, recommendation, purchase, readout, report.
2. With a stranger's export, by hand: audit, plan, import, build, evaluate, replay, report.
   `pytest tests/test_story.py --data DIR` tells it again with the real logs found there.
"""

import time
from pathlib import Path

import numpy as np
import pytest

from thinslice.config import Settings
from thinslice.demo.client import ShopClient
from thinslice.demo.messages import messages_of, product_bodies
from thinslice.demo.service import free_port, running_service
from thinslice.demo.shoppers import Shown
from thinslice.demo.tastes import Taste
from thinslice.demo.world import make_world, send_history
from thinslice.domain import DAY_US, MICROSECONDS, Query, Shop, Verdict
from thinslice.engine import Engine, clock_us
from thinslice.errors import ColumnError
from thinslice.profit import Plan, Range
from thinslice.report.numbers import prose

PLAN = Plan(
    question="Does a list made from the running visit sell more than what is shown today?",
    kpi="conversion",
    guardrails={"bounce_rate": 0.05},
    baseline="popular",
    order_value=Range(8, 12, 18),
)

# 1. Over HTTP, on a generated shop

VISITS_BEFORE = 2_000
VISITS_IN_THE_EXPERIMENT = 500
FAN = Taste(kind=5, style=2, band=1)
"""Who likes dotted mugs of a middling price."""


def test_from_the_first_event_over_http_to_the_report(tmp_path):
    world = make_world(seed=1)
    settings = Settings(data=tmp_path, port=free_port("127.0.0.1", 0), workers=1)
    engine = Engine(settings)
    now_us = clock_us()
    before_us, start_us, end_us = now_us - 42 * DAY_US, now_us - 14 * DAY_US, now_us - DAY_US // 24

    # A shop opens and gets a key.
    engine.control.add_shop(Shop("mugs", "The generated shop", generated=True))
    key = engine.control.create_key("mugs", "secret")
    with running_service(settings) as service, ShopClient(service.url, key) as shop:
        service.wait_until_ready()

        # It sends its products and what its visitors did.
        shop.put_products(product_bodies(world.catalogue))
        engine.shelf("mugs").catalog.set_list("incumbent", world.lists["incumbent"])
        visits = world.visits(VISITS_BEFORE, before_us, start_us)
        sent = send_history(world, visits, lambda: ShopClient(service.url, key))
        assert engine.log.events("mugs").num_rows >= sent

        # A model learns, and who looks at dotted mugs is shown what fans of dotted mugs like.
        engine.agree_plan("mugs", PLAN, start_us)
        engine.build("mugs")
        seen = products_of(world, FAN)[:2]
        for_fan = shop.recommend(items=seen, n=6)
        for_anyone = shop.recommend(items=[], n=6, policy="popular")
        assert liking(world, FAN, for_fan) > 3 * liking(world, FAN, for_anyone)
        new_to_them = [p for p in for_fan["products"] if p["product_id"] not in seen]
        assert new_to_them[0]["reason"].startswith("Because you viewed")
        assert for_fan["model_version"]

        # An experiment splits the visitors; some click, some buy.
        engine.start_experiment("mugs", "session-list", now_us=start_us, salt="story")
        wait_until_noticed(shop, seen, start_us)
        bought = 0
        for visit in world.visits(VISITS_IN_THE_EXPERIMENT, start_us, end_us, number=1):
            acts = world.shoppers.live(visit, lambda page, v=visit: ask(shop, v, page))
            shop.send(list(messages_of(visit, acts, world.catalogue)))
            bought += acts[-1].type == "Order Completed"
        engine.stop_experiment("mugs", "session-list")

    # Every purchase is counted once, and the readout has its range.
    readout = engine.readout("mugs", "session-list")
    counted = readout.to_dict()["variants"]
    assert sum(v["visitors"] for v in counted) == pytest.approx(VISITS_IN_THE_EXPERIMENT, rel=0.2)
    assert sum(v["orders"] for v in counted) == bought
    conversion = readout.row("conversion").relative
    assert conversion.low < conversion.estimate < conversion.high
    assert readout.verdict in (Verdict.SHIP, Verdict.NOT_PROVEN)

    # The report says so on one page, and that the shop is generated.
    page = engine.report("mugs")
    assert PLAN.question in page
    assert prose(readout.sentence) in page
    assert "generated" in page.lower()


def products_of(world, taste):
    catalogue = world.catalogue
    pairs = zip(catalogue.products, catalogue.traits, strict=True)
    return [p.id for p, t in pairs if (t.kind, t.style) == (taste.kind, taste.style)]


def liking(world, taste, answer):
    """How well a list fits a taste, on the mean: known, since the tastes are simulated."""
    fit = world.tastes.fit[taste.number]
    return np.mean([fit[world.catalogue.positions[p["product_id"]]] for p in answer["products"]])


def ask(shop, visit, page):
    """The list on a page, asked for as the shop's server would, at the time of the visit."""
    answer = shop.recommend(
        items=page.items, visitor_id=visit.visitor, n=8, timestamp=page.time_us / MICROSECONDS
    )
    return Shown([p["product_id"] for p in answer["products"]], answer["exposure_id"])


def wait_until_noticed(shop, seen, start_us):
    """Workers look once a second which experiments run; lists from before it do not count."""
    before, until = (start_us - DAY_US) / MICROSECONDS, time.monotonic() + 60
    while not shop.recommend(visitor_id="early", n=1, items=seen, timestamp=before)["experiment"]:
        assert time.monotonic() < until, "no worker noticed the experiment"


# 2. With a stranger's export, by hand

TEA = ("Teekanne-grün", "Tasse", "Sieb")
BIKE = ("Klingel", "Schloss", "Licht")
VISITORS = 240
DAYS = 12
BUYS_EVERY = 4


def write_export(path: Path) -> Path:
    """A shop's log as its till writes it: semicolons, cp1252, one row that makes no sense.

    Who looks at tea things looks at all three of them; who looks at bicycle things likewise.
    """
    rng = np.random.default_rng(0)
    rows = ["Zeitpunkt;Besucher;Artikel;Ereignis;Preis"]
    for visitor in range(VISITORS):
        day, hour = 1 + visitor * DAYS // VISITORS, 8 + visitor % 10
        looked_at = rng.permutation((TEA, BIKE)[visitor % 2])
        for minute, product in enumerate(looked_at):
            rows.append(
                f"2026-03-{day:02} {hour:02}:{minute:02}:00;b{visitor};{product};view;19,90"
            )
        if visitor % BUYS_EVERY == 0:
            last = looked_at[-1]
            rows.append(f"2026-03-{day:02} {hour:02}:09:00;b{visitor};{last};purchase;19,90")
    rows.insert(BROKEN_ROW - 1, "gestern;b7;Tasse;view;19,90")
    path.write_bytes("\r\n".join(rows).encode("cp1252"))
    return path


BROKEN_ROW = 100
"""Its line in the file; the header is line 1."""
ROWS = VISITORS * 3 + VISITORS // BUYS_EVERY


def test_from_a_strangers_export_to_the_report(tmp_path):
    export = write_export(tmp_path / "Umsätze.csv")
    engine = Engine(Settings(data=tmp_path / "data"))

    # Do we have the data?
    audit = engine.audit_export(export)
    assert audit.to_dict()["events"] == ROWS
    assert audit.to_dict()["sessions"] == VISITORS
    assert audit.can

    # What would count as success?
    engine.control.add_shop(Shop("tea", "Tea and bicycles"))
    assert engine.agree_plan("tea", PLAN).digest

    # Everything around the broken row comes in, once.
    report = engine.import_events("tea", export)
    assert (report.kept, report.skipped) == (ROWS, 1)
    assert report.problems[0].number == BROKEN_ROW
    assert report.problems[0].value == "gestern"
    engine.import_events("tea", export)
    assert engine.log.events("tea").num_rows == ROWS

    # What can be learned from it?
    engine.build("tea")
    shown = engine.recommend("tea", Query(items=("Teekanne-grün",), n=2)).recommendations
    assert {r.product for r in shown} == {"Tasse", "Sieb"}

    # Would it have worked?
    evaluation = engine.evaluate("tea", n=2)
    assert evaluation.value("session", "HitRate").estimate == 1
    assert evaluation.difference("session", "popular").low > 0
    assert engine.judge_offline("tea").verdict == Verdict.WORTH_TESTING

    # A visitor's session, as it was lived: tea or bicycles, all the way.
    replay = engine.replay("tea", -1)
    assert replay.hits == replay.chances == 2
    assert set(replay.steps[-1].seen) in (set(TEA), set(BIKE))

    # The report says what was found, and no yearly amount without an experiment.
    page = engine.report("tea")
    assert PLAN.question in page
    assert "worth testing" in page.lower()
    assert "a year" not in engine.judge_offline("tea").sentence


def test_the_same_path_on_a_real_log(real_export, tmp_path):
    engine = Engine(Settings(data=tmp_path / "data"))
    try:
        audit = engine.audit_export(real_export)
    except ColumnError as error:
        pytest.skip(f"not a log of events: {error}")
    engine.control.add_shop(Shop("real", real_export.name))
    engine.agree_plan("real", PLAN)

    report = engine.import_events("real", real_export)
    assert report.kept + report.skipped == report.rows
    assert engine.log.events("real").num_rows == audit.to_dict()["events"]

    assert engine.build("real").meta["counts"]["sessions"] == audit.to_dict()["sessions"]
    evaluation = engine.evaluate("real")
    assert evaluation.difference("session", "popular", "HitRate").estimate > 0
    assert engine.replay("real", 0).steps
    assert str(engine.judge_offline("real").verdict) in engine.report("real").lower()
