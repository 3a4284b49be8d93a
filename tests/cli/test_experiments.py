from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from thinslice.config import Settings
from thinslice.domain import DAY_US, Event, EventType, Product, Shop
from thinslice.engine import Engine, clock_us
from thinslice.server.preview import read_preview

Run = Callable[..., str]


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    engine = Engine(Settings(data=tmp_path / "data"))
    engine.control.add_shop(Shop("lamps", "Lamps"))
    catalog = engine.shelf("lamps").catalog
    catalog.upsert(Product(f"p{n}", f"Lamp {n}") for n in range(3))
    for name in ("incumbent", "editors"):
        catalog.set_list(name, {"p0": ("p1", "p2")})
    return engine


@pytest.fixture
def run(run_command: Run) -> Run:
    """Run `thinslice experiment …`."""
    return partial(run_command, "experiment")


def test_how_long_it_takes_is_said_at_the_start(run: Run, engine: Engine) -> None:
    """200 visitors in twenty days, of whom 40 bought; a tenth of them takes part."""
    now_us = clock_us()
    for n in range(200):
        at_us = now_us - (20 - n % 20) * DAY_US
        bought = Event(
            *(f"b{n}", EventType.ORDER_COMPLETED, at_us + 1, f"v{n}"),
            order_id=f"o{n}",
            revenue_minor=900,
        )
        looked = Event(f"a{n}", EventType.PRODUCT_VIEWED, at_us, f"v{n}", product="p1")
        engine.log.append("lamps", [looked, bought] if n < 40 else [looked])
    started = run("start", "autumn", "--treatment", "list:editors", "--traffic", "0.1")
    assert "visitors to find a change of 10%; at the 1 a day of the weeks before" in started


def test_an_experiment_is_run_from_the_command_line(run: Run, engine: Engine) -> None:
    started = run("start", "autumn", "--treatment", "list:editors", "--traffic", "0.05")
    assert "5% of the visitors" in started
    assert "50%" in run("ramp", "autumn", "0.5", "--why", "all is well")
    assert "only rises" in run("ramp", "autumn", "0.1")
    assert "paused" in run("pause", "autumn")
    assert run("list") == "autumn: list:editors against list:incumbent, paused"
    assert "everyone sees the list “editors”" in run("stop", "autumn", "--ship")
    assert "everyone sees today's list" in run("kill", "autumn", "--why", "it does harm")
    assert run("learned", "autumn", "Editors know best.") == "Kept."
    (experiment,) = engine.control.experiments("lamps")
    assert experiment.sequential
    assert experiment.learned == "Editors know best."
    kept = [c.what for c in experiment.changes]
    assert kept == ["started", "ramped", "paused", "stopped", "killed", "learned"]
    assert all(c.who for c in experiment.changes)


def test_a_preview_is_a_text_that_opens_one_variant(run: Run, engine: Engine) -> None:
    run("start", "autumn", "--treatment", "list:editors", "--once")
    token = run("preview", "autumn", "the list “editors”")
    secret = engine.control.signing_secret()
    shown = read_preview(token.replace(" ", ""), secret, "lamps", trusted=False)
    assert shown == ("autumn", "the list “editors”")
    assert "has the variants" in run("preview", "autumn", "neither")


def test_a_holdout_is_set_from_the_command_line(run: Run, engine: Engine) -> None:
    assert "5.0% of the visitors of lamps" in run("holdout", "0.05")
    assert engine.control.holdout("lamps") == 0.05
    assert "from 0 to 0.5" in run("holdout", "0.9")
