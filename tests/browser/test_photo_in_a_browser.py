"""The photo page in chromium: a picture becomes products, by mouse, by keyboard, on a phone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw
from tests.browser.test_pages_in_a_browser import CONTRASTS, UNNAMED

from thinslice.config import Settings
from thinslice.domain import Product, Shop
from thinslice.engine import Engine

pytestmark = pytest.mark.browser

COLOURS = {"red": (200, 40, 40), "blue": (40, 80, 200)}
COUNT_SENT = """
  window.sent = [];
  const ask = window.fetch;
  window.fetch = (address, how) => {
    window.sent.push(how.body.get("photo")?.size ?? 0);
    return ask(address, how);
  };
"""
"""Notes how many bytes of a picture go along with each question."""
PHONE = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}


def drawn(kind: str, colour: str, nth: int) -> Image.Image:
    picture = Image.new("RGB", (160, 160), (244, 244, 240))
    pen = ImageDraw.Draw(picture)
    if kind == "ball":
        pen.ellipse((30, 30, 130 - 4 * nth, 130 - 4 * nth), fill=COLOURS[colour])
    else:
        pen.rectangle((60, 8, 100, 150 - 4 * nth), fill=COLOURS[colour])
    return picture


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: Any) -> Path:
    """Photos of two kinds in two colours, and files that are not as they should be."""
    folder = Path(tmp_path_factory.mktemp("pictures"))
    for kind in ("ball", "tower"):
        for colour in COLOURS:
            for nth in range(8):
                drawn(kind, colour, nth).save(folder / f"{kind}-{colour}-{nth}.png")
    both = Image.new("RGB", (320, 160), (244, 244, 240))
    both.paste(drawn("ball", "red", 0), (0, 0))
    both.paste(drawn("tower", "blue", 0), (160, 0))
    both.save(folder / "both.png")
    grain = np.random.default_rng(0).integers(0, 60, (3000, 4000, 3), dtype=np.uint8)
    large = np.asarray(drawn("ball", "red", 0).resize((4000, 3000))) - grain.clip(0, 39)
    Image.fromarray(large).save(folder / "large.jpg", quality=97)
    (folder / "broken.jpg").write_bytes((folder / "large.jpg").read_bytes()[:300])
    return folder


@pytest.fixture(scope="module")
def home(start_service: Callable[..., Any], tmp_path_factory: Any, pictures: Path) -> Iterator[str]:
    folder = Path(tmp_path_factory.mktemp("by-photo")) / "data"
    engine = Engine(Settings(data=folder))
    engine.control.add_shop(Shop("toys", "Toys"))
    engine.shelf("toys").catalog.upsert(
        Product(
            f.stem, f"A {f.stem}", f.stem.split("-")[0].capitalize(), colour=f.stem.split("-")[1]
        )
        for f in sorted(pictures.glob("*-*.png"))
    )
    engine.import_photos("toys", pictures)
    engine.photo_search("toys").build()
    service = start_service(folder, workers=1)
    yield f"{service.address.rstrip('/')}/toys/photo"
    assert service.stop() == 0


@pytest.fixture
def init_script() -> str:
    return COUNT_SENT


def first(page: Any, kind: str) -> None:
    """Wait until the first product that was found is of a kind."""
    page.wait_for_function(
        "(kind) => document.querySelector('.alike .title')?.textContent.startsWith('A ' + kind)",
        arg=kind,
    )


def test_a_picture_is_searched_and_not_sent_again_when_a_slider_moves(
    open_page: Callable[..., Any], pictures: Path
) -> None:
    page = open_page()
    page.set_input_files(".choose input", pictures / "tower-blue-3.png")
    first(page, "tower-blue-3")
    assert page.locator("#picture canvas").is_visible()
    page.focus("#balance")
    page.keyboard.press("End")
    page.wait_for_function("() => !document.querySelector('.waiting')")
    page.click("label:has([name=colour][value=red])")
    first(page, "tower-red")
    first_sent, *later = page.evaluate("sent")
    assert first_sent > 1_000
    assert later and max(later) == 0


def test_words_are_searched_while_they_are_typed_and_change_what_a_picture_finds(
    open_page: Callable[..., Any], pictures: Path
) -> None:
    page = open_page(**PHONE)
    page.type("#text", "red tower")
    first(page, "tower-red")
    page.wait_for_url("**text=red%20tower")
    assert page.locator("#picture").is_hidden()
    assert page.locator("#balance").is_hidden()
    page.reload(wait_until="networkidle")
    first(page, "tower-red")
    page.set_input_files(".camera input", pictures / "ball-red-0.png")
    page.fill("#text", "in blue")
    first(page, "ball-blue")
    box = page.locator("#text").bounding_box()
    assert box["width"] > 300
    assert page.locator("#picture canvas").is_visible()
    assert page.locator("#balance").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_a_twelve_megapixel_photo_leaves_the_phone_small(
    open_page: Callable[..., Any], pictures: Path
) -> None:
    page = open_page(**PHONE)
    page.set_input_files(".camera input", pictures / "large.jpg")
    first(page, "ball-red")
    assert page.evaluate("sent")[0] < 600_000 < (pictures / "large.jpg").stat().st_size
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.locator(".alike li").first.bounding_box()["y"] < 844


def test_a_part_of_the_picture_is_chosen_by_mouse_and_by_keyboard(
    open_page: Callable[..., Any], pictures: Path
) -> None:
    page = open_page()
    page.set_input_files(".choose input", pictures / "both.png")
    page.wait_for_selector(".alike li")
    box = page.locator("#picture").bounding_box()
    page.mouse.move(box["x"] + 0.56 * box["width"], box["y"] + 5)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.97 * box["width"], box["y"] + box["height"] - 5, steps=5)
    page.mouse.up()
    first(page, "tower-blue")
    page.click("#part")
    assert page.locator(".region").count() == 0
    page.click("#part")
    page.wait_for_selector(".region:focus")
    for _ in range(12):
        page.keyboard.press("ArrowLeft")
    first(page, "ball-red")
    page.keyboard.press("Escape")
    assert page.locator(".region").count() == 0
    assert page.evaluate("document.activeElement.id") == "part"


def test_a_product_of_the_catalogue_is_explored_and_can_be_linked_to(
    open_page: Callable[..., Any],
) -> None:
    page = open_page()
    page.click(".start-from li:first-child a")
    page.wait_for_selector(".alike li")
    page.click("label:has([name=colour][value=blue])")
    page.wait_for_url("**colour=blue")
    page.reload(wait_until="networkidle")
    assert page.is_checked("[name=colour][value=blue]")
    page.click(".more-like >> nth=0")
    page.wait_for_url("**product=*-blue-*")


def test_what_cannot_be_read_is_told_beside_the_buttons_and_a_pasted_one_helps(
    open_page: Callable[..., Any], pictures: Path
) -> None:
    page = open_page()
    page.set_input_files(".choose input", pictures / "broken.jpg")
    page.wait_for_function("() => document.getElementById('photo-wrong').textContent !== ''")
    assert "JPEG, PNG or WebP" in page.inner_text("#photo-wrong")
    page.evaluate(
        """async () => {
          const canvas = document.createElement("canvas");
          canvas.width = canvas.height = 160;
          const pen = canvas.getContext("2d");
          pen.fillStyle = "#f4f4f0"; pen.fillRect(0, 0, 160, 160);
          pen.fillStyle = "rgb(40, 80, 200)"; pen.fillRect(60, 8, 40, 142);
          const blob = await new Promise((done) => canvas.toBlob(done, "image/png"));
          const data = new DataTransfer();
          data.items.add(new File([blob], "pasted.png", { type: "image/png" }));
          document.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data }));
        }"""
    )
    first(page, "tower-blue")
    assert page.inner_text("#photo-wrong") == ""


def test_without_script_the_button_does_the_same(
    open_page: Callable[..., Any], pictures: Path
) -> None:
    page = open_page(java_script_enabled=False)
    page.set_input_files(".choose input", pictures / "ball-blue-2.png")
    page.click("button.send")
    page.wait_for_selector(".alike li")
    assert page.inner_text(".alike .title >> nth=0") == "A ball-blue-2"
    page.click("label:has([name=colour][value=red])")
    with page.expect_navigation():
        page.click(".apply button")
    assert page.inner_text(".alike .title >> nth=0").startswith("A ball-red")
    assert page.locator("#shown").is_visible()


@pytest.mark.parametrize(
    "query",
    ["", "?product=tower-red-1", "?product=nothing", "?text=red+tower", "?text=unicorn", "/review"],
)
def test_the_pages_read_well_in_both_themes_on_a_phone(
    open_page: Callable[..., Any], query: str
) -> None:
    page = open_page(query, **PHONE)
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate("document.querySelectorAll('h1').length") == 1
    assert page.evaluate(UNNAMED) == []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert page.evaluate(CONTRASTS) == []
