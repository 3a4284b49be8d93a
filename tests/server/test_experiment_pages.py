from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from thinslice.config import Settings
from thinslice.domain import Event, EventType, Product, Shop
from thinslice.engine import Engine, clock_us
from thinslice.server.access import link_token

MINUTE_US = 60_000_000


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop with two lists and an experiment that forty visitors of each group saw."""
    data = Path(tmp_path_factory.mktemp("experiments")) / "data"
    engine = Engine(Settings(data=data))
    engine.control.add_shop(Shop("lamps", "Lamps"))
    catalog = engine.shelf("lamps").catalog
    catalog.upsert(Product(f"p{n}", f"Lamp {n}", "Home > Lamps") for n in range(6))
    for name in ("incumbent", "editors"):
        catalog.set_list(name, {f"p{n}": ("p1", "p2") for n in range(6)})
    start = clock_us() - 3 * 24 * 60 * MINUTE_US
    known = engine.start_experiment(
        "lamps", "old", treatment="list:editors", placement="old", now_us=start, who="anna"
    )
    engine.log.append(
        "lamps",
        [
            Event(
                f"x{n}",
                EventType.RECOMMENDATION_SERVED,
                start + n * MINUTE_US,
                f"v{n}",
                experiment="old",
                variant=known.variants[n % 2].name,
                exposure_id=f"x{n}",
            )
            for n in range(80)
        ],
    )
    return data


@pytest.fixture(scope="module")
def service(shop: Path, start_service: Callable[..., Any]) -> Iterator[Any]:
    service = start_service(shop, workers=2, watch_minutes=0)
    yield service
    assert service.stop() == 0


def send(service: Any, headers: dict[str, str] | None = None, **form: str) -> Any:
    own = {"Origin": service.address, "Sec-Fetch-Site": "same-origin"}
    body = urlencode(form).encode()
    return service.call("POST", "/lamps/experiments", body, headers={**own, **(headers or {})})


def text(answer: Any) -> str:
    return str(answer.body.decode())


def read(service: Any, page: str) -> str:
    answer = service.call("GET", f"/lamps/{page}")
    assert answer.status == 200, answer.body
    return text(answer)


def start(service: Any, name: str, **more: str) -> Any:
    lists = {"control": "list:incumbent", "treatment": "list:editors", "placement": name}
    return send(
        service, act="start", id=name, traffic="5", question=f"Why {name}?", **lists, **more
    )


def test_an_experiment_is_run_from_its_page_from_start_to_conclusion(service: Any) -> None:
    assert start(service, "walk").status == 303
    page = read(service, "readout?experiment=walk")
    assert "Why walk?" in page
    assert "5% of the visitors take part" in page
    assert "No visitor has joined yet" in page
    assert "how well the offline figure foretells the KPI" in page
    for form in (
        {"act": "ramp", "traffic": "50"},
        {"act": "pause"},
        {"act": "ramp", "traffic": "50,0"},
        {"act": "stop", "after": "ship", "why": "It <sells>"},
        {"act": "learned", "text": "Editors know best.\nAnd <b>cost</b> more."},
    ):
        assert send(service, experiment="walk", **form).status == 303, form
    page = read(service, "readout?experiment=walk")
    assert "everyone sees the list “editors”" in page
    assert "It &lt;sells&gt;" in page
    assert "Paused: everyone sees the list of before" in page
    log = read(service, "experiments")
    assert "And &lt;b&gt;cost&lt;/b&gt; more." in log


def test_the_day_it_will_be_known_is_said_before_anyone_has_joined(
    service: Any, shop: Path
) -> None:
    """Ten visitors a day of whom two buy would take years at 5 %; with everyone it has a day."""
    now_us = clock_us()
    events = []
    for n in range(200):
        at_us = now_us - (20 - n % 20) * 24 * 60 * MINUTE_US
        visitor = f"before-{n}"
        events.append(Event(f"b{n}", EventType.PRODUCT_VIEWED, at_us, visitor, product="p1"))
        if n < 40:
            order = {"order_id": f"bo{n}", "revenue_minor": 900}
            late_us = at_us + MINUTE_US
            events.append(
                Event(f"c{n}", EventType.ORDER_COMPLETED, late_us, visitor, **order)  # type: ignore[arg-type]
            )
    Engine(Settings(data=shop)).log.append("lamps", events)
    assert start(service, "foreseen").status == 303
    page = read(service, "readout?experiment=foreseen")
    assert "No visitor has joined yet. About 1 a day could have in the weeks before" in page
    send(service, experiment="foreseen", act="ramp", traffic="100")
    page = read(service, "readout?experiment=foreseen")
    assert "About 10 a day could have in the weeks before" in page


def test_a_kill_from_the_page_brings_everyone_back(service: Any) -> None:
    start(service, "kill-me")
    assert send(service, act="kill", experiment="kill-me").status == 303
    page = read(service, "readout?experiment=kill-me")
    assert "Killed: everyone back" in page
    assert "Kill switch" not in page


def test_a_second_tab_that_starts_the_same_is_told(service: Any) -> None:
    assert start(service, "twice").status == 303
    again = start(service, "twice")
    assert again.status == 400
    assert "an experiment id must be new" in text(again)
    assert 'value="twice"' in text(again)


@pytest.mark.parametrize(
    "form",
    [
        {},
        {"act": "destroy", "experiment": "old"},
        {"act": "ramp", "experiment": "old", "traffic": "a lot"},
        {"act": "ramp", "experiment": "old", "traffic": "nan"},
        {"act": "ramp", "experiment": "old", "traffic": "-5"},
        {"act": "start", "id": "<b>", "traffic": "5"},
        {"act": "start", "id": "x" * 9000, "traffic": "5", "control": "", "treatment": "\0"},
        {"act": "holdout", "share": "99"},
    ],
)
def test_garbage_in_a_form_is_answered_in_a_sentence(service: Any, form: dict[str, str]) -> None:
    answer = send(service, **form)
    assert answer.status == 400
    assert "Not done." in text(answer)


def test_an_experiment_that_does_not_exist_cannot_be_killed(service: Any) -> None:
    assert send(service, act="kill", experiment="nobody").status == 404


def test_a_form_of_another_site_does_nothing(service: Any) -> None:
    start(service, "foreign")
    for headers in ({"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}):
        assert send(service, headers, act="kill", experiment="foreign").status == 403
    assert "Kill switch" in read(service, "readout?experiment=foreign")


def test_a_link_reads_but_runs_nothing(service: Any, shop: Path) -> None:
    control = Engine(Settings(data=shop)).control
    token = link_token(control, "lamps", "a colleague", 1)
    opened = service.call("GET", f"/lamps/experiments?key={token}", host="127.0.0.1")
    cookie = opened.headers["set-cookie"].split(";")[0]
    away = {"Cookie": cookie, "X-Forwarded-For": "10.0.0.9"}
    page = service.call("GET", "/lamps/experiments", headers=away)
    assert page.status == 200
    assert "Start one" not in text(page)
    assert send(service, away, act="kill", experiment="old").status == 403


def test_the_log_has_every_experiment_and_says_when_there_are_too_few(service: Any) -> None:
    log = read(service, "experiments")
    assert "Too few experiments to say how well the offline figure foretells the KPI" in log
    assert "80 visitors" in log


def test_a_holdout_is_set_from_the_page(service: Any) -> None:
    assert send(service, act="holdout", share="5").status == 303
    assert "5% of the visitors see today's list whatever is tried" in read(
        service, "experiments"
    ).replace("&#39;", "'")
    send(service, act="holdout", share="0")
