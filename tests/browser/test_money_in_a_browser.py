"""The money page in chromium: a slider moves the verdict, a file stays in the page."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from thinslice.config import Settings
from thinslice.domain import Product, Shop
from thinslice.engine import Engine

pytestmark = pytest.mark.browser

ROWS = "churned;score;worth\n" + "".join(
    f"{'yes' if k % 10 >= 6 and k % 2 else 'no'};0,{k % 10};{k % 7 + 1},25\n" for k in range(400)
)


@pytest.fixture(scope="module")
def home(start_service: Callable[..., Any], tmp_path_factory: Any) -> Iterator[str]:
    folder = Path(tmp_path_factory.mktemp("money")) / "data"
    engine = Engine(Settings(data=folder))
    engine.control.add_shop(Shop("lamps", "Lamps"))
    engine.shelf("lamps").catalog.upsert([Product("p1", "Lamp")])
    service = start_service(folder, workers=2)
    yield f"{service.address.rstrip('/')}/lamps/money"
    assert service.stop() == 0


def changed(page: Any, before: str) -> str:
    page.wait_for_function("(old) => document.querySelector('h1').textContent !== old", arg=before)
    return str(page.text_content("h1"))


def test_a_slider_moved_by_keyboard_moves_the_verdict_and_the_link(
    open_page: Callable[..., Any],
) -> None:
    page = open_page()
    before = page.text_content("h1")
    slider = page.locator(".slider").first
    slider.focus()
    page.keyboard.press("End")
    after = changed(page, before)
    assert "acting on everyone" in after  # so much for each right call pays for calling everyone
    page.wait_for_url("**tp=*")
    assert page.input_value("[name=tp]") != "30"
    assert "C00001" not in page.url
    page.reload(wait_until="networkidle")
    assert page.text_content("h1") == after


def test_a_german_file_becomes_rows_and_an_expression_counts_them(
    open_page: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "vorhersagen.csv").write_bytes(ROWS.encode("cp1252"))
    page = open_page()
    before = page.text_content("h1")
    page.click("#own summary")
    page.set_input_files("[name=file]", tmp_path / "vorhersagen.csv")
    changed(page, before)
    assert page.input_value("[name=rows]").startswith("churned,score,worth\nno,0,1.25\n")
    assert page.locator("#made-up").is_hidden()
    assert "semicolon" in page.inner_text("#rows")
    page.click("[data-outcome=tp] summary")
    page.fill("[name=tp_by]", "worth * 100")
    page.wait_for_function(
        "() => document.querySelector('#people').innerText.includes('on average')"
    )


def test_a_mistake_is_told_where_it_was_made_and_what_was_known_stays(
    open_page: Callable[..., Any],
) -> None:
    page = open_page()
    before = page.text_content("h1")
    page.click("[data-outcome=tp] summary")
    page.fill("[name=tp_by]", "yearly_valu * 2")
    page.wait_for_function("() => document.querySelector('[data-wrong=tp]').textContent !== ''")
    assert "did you mean 'yearly_value'?" in page.inner_text("[data-wrong=tp]")
    assert page.text_content("h1") == before
    assert page.locator("#money-wrong").is_visible()
    page.fill("[name=tp_by]", "yearly_value * 2")
    changed(page, before)
    assert page.inner_text("[data-wrong=tp]") == ""
    assert page.locator("#money-wrong").is_hidden()


def test_more_than_can_be_sent_is_told_before_it_is_sent(
    open_page: Callable[..., Any], tmp_path: Path
) -> None:
    (tmp_path / "large.csv").write_text("y,score\n" + "1,0.5\n" * 700_000)
    page = open_page()
    page.click("#own summary")
    page.set_input_files("[name=file]", tmp_path / "large.csv")
    page.wait_for_function("() => document.querySelector('[data-wrong=rows]').textContent !== ''")
    assert "At most" in page.inner_text("[data-wrong=rows]")


def test_without_script_the_button_does_the_same(open_page: Callable[..., Any]) -> None:
    page = open_page(java_script_enabled=False)
    assert page.locator(".slider").first.is_hidden()
    page.fill("[name=tp_low]", "900")
    page.fill("[name=tp]", "1000")
    page.fill("[name=tp_high]", "1100")
    page.click("#reckon")
    page.wait_for_load_state()
    assert "ship" in page.inner_text("h1")
    assert page.input_value("[name=tp]") == "1000"
    with page.expect_download() as found:
        page.click("[name=take]")
    assert found.value.suggested_filename == "money.html"
