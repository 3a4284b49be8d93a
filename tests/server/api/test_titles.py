from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thinslice.config import Settings
from thinslice.domain import Product, Shop
from thinslice.engine import Engine

STYLES = "red blue green plain striped dotted small large".split()


@pytest.fixture(scope="module")
def shop(start_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    data = Path(tmp_path_factory.mktemp("titles")) / "data"
    engine = Engine(Settings(data=data))
    engine.control.add_shop(Shop("shop", "Shop"))
    engine.shelf("shop").catalog.upsert(
        Product(f"p{i}", f"{STYLES[i % 8]} {STYLES[i // 8 % 8]} {noun} {i}", category=noun)
        for i in range(120)
        for noun in (("lamp", "mug", "boot")[i % 3],)
    )
    engine.titles("shop").learn()
    service = start_service(data)
    return service, engine.control.create_key("shop", "secret")


def post(shop: Any, path: str, body: dict[str, Any]) -> Any:
    service, key = shop
    return service.call("POST", path, body, key=key)


def test_one_title_gets_its_category(shop: Any) -> None:
    answer = post(shop, "/v1/classify/title", {"title": "green small lamp"})
    (found,) = answer.json()["answers"]
    assert found["likeliest"] == "lamp"
    assert found["words"][-1]["word"] == "lamp"
    assert len(found["alternatives"]) == 2


def test_many_titles_get_their_categories_in_order(shop: Any) -> None:
    titles = ["red mug", "", "🎉", "<b>boot</b>", *["plain lamp"] * 50]
    answers = post(shop, "/v1/classify/title", {"titles": titles}).json()["answers"]
    assert [a["likeliest"] for a in answers[::4][:1]] == ["mug"]
    assert [a["verdict"] for a in answers[1:3]] == ["no words", "no words"]
    assert answers[3]["likeliest"] == "boot"
    assert len(answers) == 54


@pytest.mark.parametrize(
    "body", [{}, {"title": "x" * 10_001}, {"titles": ["a"] * 1001}, {"tilte": "a"}, {"title": 5}]
)
def test_a_body_that_breaks_a_rule_is_told_which(shop: Any, body: dict[str, Any]) -> None:
    answer = post(shop, "/v1/classify/title", body)
    assert answer.status == 400
    assert answer.json()["error"]["rule"]


def test_without_the_secret_key_nothing_is_answered(shop: Any) -> None:
    service, _ = shop
    assert service.call("POST", "/v1/classify/title", {"title": "lamp"}).status == 401


def test_a_correction_is_answered_when_kept_and_learned_soon(shop: Any) -> None:
    said = {"corrections": [{"title": "odd torch", "category": "lamp"}], "who": "Ada"}
    assert post(shop, "/v1/corrections/title", said).json() == {"kept": 1}
    until = time.monotonic() + 60
    while time.monotonic() < until:
        answer = post(shop, "/v1/classify/title", {"title": "ODD torch"})
        assert answer.status == 200
        if answer.json()["answers"][0]["verdict"] == "decided":
            break
        time.sleep(0.2)
    assert answer.json()["answers"][0]["category"] == "lamp"


def test_corrections_are_kept_all_or_none(shop: Any) -> None:
    said = [{"title": "good lamp", "category": "lamp"}, {"title": "🎉", "category": "lamp"}]
    answer = post(shop, "/v1/corrections/title", {"corrections": said})
    assert answer.status == 400
    assert "must have words" in json.dumps(answer.json())
