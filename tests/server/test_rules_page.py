from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from thinslice.config import Settings
from thinslice.domain import Product, Shop
from thinslice.engine import Engine
from thinslice.server.access import link_token


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    data = Path(tmp_path_factory.mktemp("rules")) / "data"
    engine = Engine(Settings(data=data))
    engine.control.add_shop(Shop("lamps", "Lamps"))
    engine.shelf("lamps").catalog.upsert(
        Product(f"p{n}", f"Lamp <{n}>", f"Home > Kind {n % 3}", price_minor=1000 * (n + 1))
        for n in range(12)
    )
    return data


@pytest.fixture(scope="module")
def service(data: Path, start_service: Callable[..., Any]) -> Iterator[Any]:
    service = start_service(data, workers=1, watch_minutes=0)
    yield service
    assert service.stop() == 0


def send(service: Any, headers: dict[str, str] | None = None, **form: str) -> Any:
    own = {"Origin": service.address, "Sec-Fetch-Site": "same-origin"}
    body = urlencode(form).encode()
    return service.call("POST", "/lamps/rules", body, headers={**own, **(headers or {})})


def read(service: Any, page: str) -> str:
    answer = service.call("GET", f"/lamps/{page}")
    assert answer.status == 200, answer.body
    return " ".join(unescape(re.sub("<[^>]*>", " ", answer.body.decode())).split())


def test_a_product_is_found_pinned_and_let_go_by_hand(service: Any, eventually: Any) -> None:
    assert "Lists are shown as they are made." in read(service, "rules")
    assert "Put first" in read(service, "rules?q=lamp+7")
    assert send(service, act="pin", product="p7").status in (200, 303)
    said = read(service, "rules")
    assert "One product comes first." in said
    assert "Pinned Lamp <7>" in said
    assert "this computer" in said
    eventually(lambda: "Chosen by the shop" in read(service, "shop?trail=p1"))
    send(service, act="free", product="p7")
    assert "No longer pins Lamp <7>" in read(service, "rules")


def test_the_storefront_tells_what_the_rules_did_and_puts_a_product_last(
    service: Any, eventually: Any
) -> None:
    assert "Put first in every list" in read(service, "shop?trail=p2")
    send(service, act="bury", product="p2", trail="p2")
    eventually(lambda: "Comes last in every list." in read(service, "shop?trail=p2"))
    eventually(lambda: "Lamp <2> : put behind all others" in read(service, "shop?trail=p1"))
    send(service, act="free", product="p2")


def test_the_mix_is_typed_in_percent_and_kept_with_the_reason(service: Any) -> None:
    send(
        service,
        act="set",
        most_of_category="2",
        least_categories="3",
        price_from="50 %",
        price_to="150",
        no_near_duplicates="yes",
        why="The buyers asked for it",
    )
    said = read(service, "rules")
    assert "Four rules hold for every list." in said
    assert "Prices from 50% to 150% of that of the product at hand" in said
    assert "The buyers asked for it" in said
    send(service, act="set")
    assert "Lists are shown as they are made." in read(service, "rules")


@pytest.mark.parametrize(
    ("form", "rule"),
    [
        ({"act": "pin", "product": "nothing"}, "there is no"),
        ({"act": "set", "most_of_category": "two"}, "is whole"),
        ({"act": "set", "price_from": "cheap"}, "a percentage is a number"),
        ({"act": "set", "price_from": "nan"}, "from 0 to 1"),
        ({"act": "explode"}, "open the page again"),
        ({}, "open the page again"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_sentence(
    service: Any, form: dict[str, str], rule: str
) -> None:
    answer = send(service, **form)
    assert answer.status == 400
    assert rule in unescape(answer.body.decode())


def test_another_sites_form_and_a_link_change_nothing(service: Any, data: Path) -> None:
    assert send(service, {"Origin": "https://evil.example"}, act="pin", product="p1").status == 403
    control = Engine(Settings(data=data)).control
    token = link_token(control, "lamps", "Ben", 1)
    elsewhere = {"Host": "thinslice.example"}
    opened = service.call("GET", f"/lamps/rules?key={token}", headers=elsewhere)
    cookie = {"Cookie": opened.headers["set-cookie"].split(";")[0], **elsewhere}
    page = service.call("GET", "/lamps/rules?q=lamp", headers=cookie)
    assert page.status == 200
    assert "Put first" not in page.body.decode()
    own = {"Origin": "http://thinslice.example", **cookie}
    assert send(service, own, act="pin", product="p1").status == 403
    assert control.list_rules("lamps").pinned == ()
