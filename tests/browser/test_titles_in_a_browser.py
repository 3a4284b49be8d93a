"""The title pages in chromium: an answer while someone types, a table, decisions by keyboard."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from thinslice.config import Settings
from thinslice.domain import Product, Shop
from thinslice.engine import Engine

pytestmark = pytest.mark.browser

STYLES = "red blue green plain striped dotted small large".split()
NOUNS = {"lamp": "Home > Lamps", "mug": "Home > Mugs", "boot": "Wear > Boots"}
ODD = ("strange zork", "<b>curious</b> blip " + "w" * 300, "unheard quux \N{FIRE}")


@pytest.fixture(scope="module")
def home(start_service: Callable[..., Any], tmp_path_factory: Any) -> Iterator[str]:
    folder = Path(tmp_path_factory.mktemp("titles")) / "data"
    engine = Engine(Settings(data=folder))
    engine.control.add_shop(Shop("shop", "Shop"))
    products = [
        Product(f"p{i}", f"{STYLES[i % 8]} {STYLES[i // 8 % 8]} {noun} {i}", NOUNS[noun])
        for i in range(180)
        for noun in (list(NOUNS)[i % 3],)
    ]
    odd = [Product(f"o{i}", title) for i, title in enumerate(ODD)]
    engine.shelf("shop").catalog.upsert([*products, *odd])
    engine.titles("shop").learn()
    service = start_service(folder, workers=2)
    yield f"{service.address.rstrip('/')}/shop/title"
    assert service.stop() == 0


def test_the_answer_follows_what_is_typed(open_page: Callable[..., Any]) -> None:
    page = open_page()
    for title, category in (("large green boot", "Boots"), ("<i>small</i> mug", "Mugs")):
        page.fill("#title", title)
        page.wait_for_function(
            "(name) => document.querySelector('h1').textContent.endsWith(name)", arg=category
        )
    page.fill("#title", "zork blip")
    page.wait_for_selector("#answer >> text=Ask a person")
    assert "zork" not in page.url


def test_the_category_stands_as_a_headline_on_the_page_itself(
    open_page: Callable[..., Any],
) -> None:
    page = open_page(color_scheme="dark")
    page.fill("#title", "large green boot")
    page.wait_for_selector("#answer h1 >> text=Boots")
    drawn = page.eval_on_selector(
        "#answer h1", "h => [getComputedStyle(h).backgroundColor, h.clientHeight, h.clientWidth]"
    )
    assert drawn[0] == "rgba(0, 0, 0, 0)"
    assert drawn[1] < drawn[2]  # one line, not a box


def test_a_dropped_table_comes_back_and_can_be_saved(
    open_page: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "neu.csv").write_bytes("Titel;Nr\nrote lamp;1\nfür zork;2\n".encode("cp1252"))
    page = open_page()
    page.set_input_files("[name=file]", tmp_path / "neu.csv")
    with page.expect_download() as download:
        page.click("text=Save the table")
    assert download.value.suggested_filename == "neu-with-categories.csv"
    lines = Path(download.value.path()).read_text("utf-8-sig").splitlines()
    assert lines[0].startswith("Titel;Nr;category")
    assert lines[1].startswith("für zork;2")
    page.set_input_files("[name=file]", [])
    page.fill("#rows", "one\ttwo\n1\t2")
    page.click("text=Classify the table")
    page.wait_for_selector("#table-wrong >> text=no column looks like titles")


def test_titles_are_decided_by_keyboard_and_undone(open_page: Callable[..., Any]) -> None:
    page = open_page("/review?list=waiting")
    first = page.text_content(".asked")
    page.keyboard.press("s")
    page.wait_for_function("(t) => document.querySelector('.asked').textContent !== t", arg=first)
    second = page.text_content(".asked")
    page.keyboard.press("1")
    page.wait_for_selector("#turn >> text=Filed under")
    assert page.text_content(".asked") != second
    page.keyboard.press("u")
    page.wait_for_selector("#turn >> text=Taken back")
    page.keyboard.press("n")
    page.wait_for_selector(".notice >> text=No category fits")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "another"
    page.keyboard.type("Home > Mugs")
    page.keyboard.press("Enter")
    page.wait_for_selector("#turn >> text=Filed under Home > Mugs")
    page.wait_for_selector("#status >> text=are learned")


@pytest.mark.parametrize("path", ["", "/review?list=waiting", "/bar"])
def test_a_phone_never_scrolls_sideways_in_either_theme(
    open_page: Callable[..., Any], path: str
) -> None:
    for theme in ("light", "dark"):
        page = open_page(path, viewport={"width": 390, "height": 844}, color_scheme=theme)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_without_script_a_title_is_asked_and_decided(open_page: Callable[..., Any]) -> None:
    page = open_page(java_script_enabled=False)
    page.fill("#title", "blue striped boot")
    page.click("#ask-title button")
    assert page.text_content("h1").endswith("Boots")
    page.click("text=Review")
    page.click(".choice >> nth=0")
    assert "Filed under" in page.inner_text("#turn")
    page.click("text=Undo")
    assert "Taken back" in page.inner_text("#turn")
