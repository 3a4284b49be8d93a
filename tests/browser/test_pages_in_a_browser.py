"""The pages in chromium: by mouse, by keyboard, on a phone, in the dark, and without script."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

from thinslice.config import Settings
from thinslice.domain import Event, EventType, Product, Shop
from thinslice.engine import Engine
from thinslice.server.access import link_token

pytestmark = pytest.mark.browser

MINUTE_US = 60_000_000
START_US = 1_770_000_000_000_000
PAGES = (
    "",
    "rules?q=o",
    "shop",
    "shop?trail=p1",
    "shop?q=o",
    "replay?session=2",
    "audit",
    "plan",
    "evaluate",
)
PAGES += ("photo", "photo/review", "readout", "experiments", "report", "money", "feedback")
HOSTILE = (
    "<script>document.title='broken in'</script>",
    '"><img src=x onerror=alert(1)>',
    "'-alert(1)-'",
    "</title><svg onload=alert(1)>",
    "حذاء رياضي أزرق",
    "\N{ATHLETIC SHOE}\N{FIRE} runner",
    "x" * 500,
    "{{ 7 * 7 }}",
    "A title of many words that goes on and on " * 9,
)

CONTRASTS = """() => {
  const channels = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = (c) => {
    const [r, g, b] = c.slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const c = channels(getComputedStyle(e).backgroundColor);
      if (c.length === 3 || c[3] === 1) return c;
    }
    return [255, 255, 255];
  };
  const found = [];
  for (const element of document.body.querySelectorAll("*")) {
    const text = [...element.childNodes].filter((n) => n.nodeType === 3)
      .map((n) => n.data.trim()).join("");
    const style = getComputedStyle(element);
    const dimmed = element.closest("[aria-disabled], .out") !== null;
    if (!text || dimmed || !element.getClientRects().length || element.closest("svg")) continue;
    const [a, b] = [light(channels(style.color)), light(behind(element))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    const where = `${element.tagName}.${element.className}`;
    if (ratio < 4.5) found.push(`${where} ${ratio.toFixed(2)} ${text.slice(0, 30)}`);
  }
  return found;
}"""

UNNAMED = """() => [
  ...[...document.querySelectorAll("input:not([type=hidden]), select, textarea")]
    .filter((f) => !f.labels.length && !f.ariaLabel),
  ...[...document.querySelectorAll("a, button")]
    .filter((l) => !(l.textContent.trim() || l.ariaLabel)),
  ...document.querySelectorAll("img:not([alt])"),
].map((e) => e.outerHTML.slice(0, 120))"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop of hostile titles and one of plain ones, with a model each."""
    folder = Path(tmp_path_factory.mktemp("browser")) / "data"
    engine = Engine(Settings(data=folder))
    for shop, titles in (("odd", HOSTILE), ("plain", tuple(f"Lamp no {n}" for n in range(12)))):
        engine.control.add_shop(Shop(shop, titles[0], generated=shop == "plain"))
        engine.shelf(shop).catalog.upsert(
            Product(f"p{n}", title, f"Kind > {title[:20]}", price_minor=100 * n, stock=n % 4)
            for n, title in enumerate(titles)
        )
        engine.log.append(
            shop,
            [
                Event(
                    message_id=f"{v}-{step}",
                    type=EventType.PRODUCT_VIEWED,
                    time_us=START_US + (v * 60 + step) * MINUTE_US,
                    visitor=f"v{v}",
                    product=f"p{(v + step) % len(titles)}",
                )
                for v in range(60)
                for step in range(4)
            ],
        )
        engine.build(shop)
        engine.evaluate(shop, n=3)
    return folder


@pytest.fixture(scope="module")
def service(data: Path, start_service: Callable[..., Any]) -> Iterator[Any]:
    service = start_service(data, workers=1)
    yield service
    assert service.stop() == 0


@pytest.fixture
def home(service: Any) -> str:
    return str(service.address).rstrip("/")


@pytest.mark.parametrize(
    "address", [f"/{shop}/{page}" for shop in ("odd", "plain") for page in PAGES]
)
def test_a_page_keeps_its_policy_reads_well_in_both_themes_and_fits_a_phone(
    open_page: Callable[..., Any], address: str
) -> None:
    page = open_page(address, viewport={"width": 390, "height": 844})
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate("document.querySelectorAll('h1').length") == 1
    assert page.title() != "broken in"
    assert page.evaluate(UNNAMED) == []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert page.evaluate(CONTRASTS) == []


def test_a_click_moves_the_visit_and_back_undoes_it(open_page: Callable[..., Any]) -> None:
    page = open_page("/plain/shop?trail=p1")
    page.click(".mine .product a")
    page.wait_for_url("**/plain/shop?trail=p1,*")
    assert page.locator(".visit-trail li").count() == 2
    page.go_back()
    assert page.locator(".visit-trail li").count() == 1


def test_a_visit_can_be_made_with_the_keyboard_alone(open_page: Callable[..., Any]) -> None:
    page = open_page("/plain/shop")
    page.keyboard.press("/")
    page.keyboard.type("lamp no 7")
    page.keyboard.press("Enter")
    page.wait_for_url("**q=lamp*")
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.classList.contains('title')"):
            break
    page.keyboard.press("Enter")
    page.wait_for_url("**trail=p7*")
    assert "p7" in page.url


def test_arrow_keys_step_through_a_replay(open_page: Callable[..., Any]) -> None:
    page = open_page("/plain/replay?session=2&step=1")
    page.keyboard.press("ArrowRight")
    page.wait_for_url("**step=2")
    page.keyboard.press("ArrowLeft")
    page.wait_for_url("**step=1")


def test_everything_works_without_script(open_page: Callable[..., Any]) -> None:
    page = open_page("/plain/shop?trail=p1,p2", java_script_enabled=False)
    page.click("details.fold summary")
    page.fill("input[name=low]", "3")
    page.click("form.filters button")
    page.wait_for_url("**low=3**")
    page.check("input[name=right][value=no]")
    page.fill("textarea[name=expected]", "<b>Socks</b>")
    page.click(".ask button")
    page.wait_for_url("**#thanks")
    assert page.locator("#thanks").is_visible()
    page.click("#thanks a")
    assert page.locator(".said blockquote").first.inner_text() == "<b>Socks</b>"
    page.click(".said a")
    assert "low=3" in page.url


@pytest.mark.parametrize("shop", ["odd", "plain"])
def test_an_experiment_is_started_paused_and_killed_without_script(
    open_page: Callable[..., Any], shop: str
) -> None:
    page = open_page(
        f"/{shop}/experiments", java_script_enabled=False, viewport={"width": 390, "height": 844}
    )
    page.fill("input[name=id]", "by-hand")
    page.fill("input[name=question]", HOSTILE[0])
    page.select_option("select[name=control]", "popular")
    page.select_option("select[name=treatment]", "session")
    page.click("button:has-text('Start')")
    page.wait_for_url("**/readout?experiment=by-hand")
    assert page.locator(".question").first.inner_text().endswith(HOSTILE[0])
    page.click("button:has-text('Pause')")
    assert page.locator("strong:has-text('Paused.')").is_visible()
    page.click("button:has-text('Kill switch')")
    assert page.locator("button:has-text('Kill switch')").count() == 0
    page.fill("textarea[name=text]", HOSTILE[1])
    page.click("button:has-text('Keep it')")
    assert page.locator(".learned .written").inner_text() == HOSTILE[1]
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    assert page.evaluate(UNNAMED) == []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        assert page.evaluate(CONTRASTS) == []


def test_a_link_opens_one_shop_and_leaves_no_key_in_the_address(
    open_page: Callable[..., Any], data: Path, service: Any
) -> None:
    control = Engine(Settings(data=data)).control
    token = link_token(control, "plain", "Anna <b>", 1)
    page = open_page(f"/plain/shop?trail=p1&key={quote(token)}")
    assert page.url.endswith("/plain/shop?trail=p1")
