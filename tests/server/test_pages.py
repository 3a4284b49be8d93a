"""The pages, asked as a browser asks: a real shop of thirty products, and shops that are odd."""

from __future__ import annotations

import asyncio
import json
import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, unquote, urlencode

import pytest
from starlette.applications import Starlette

from thinslice.config import Settings
from thinslice.domain import Event, EventType, Experiment, Product, Shop, Variant
from thinslice.engine import Engine
from thinslice.profit import Plan, Range
from thinslice.server.access import Pass, Viewer
from thinslice.server.pages.findings import Kept
from thinslice.server.pages.routes import routes
from thinslice.server.pages.site import Site
from thinslice.store.people import Visit

MINUTE_US = 60_000_000
START_US = 1_770_000_000_000_000
KINDS = ("Running shoes", "Table lamps", "Mugs")
HERE = Viewer(local=True)
HOSTILE = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "حذاء رياضي أزرق",
    "\N{ATHLETIC SHOE}\N{FIRE} runner",
    "x" * 500,
    "{{ 7 * 7 }}",
    "",
    " ",
)


@dataclass
class Page:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def headline(self) -> str:
        found = re.search(r"<h1[^>]*>(.*?)</h1>", self.text, re.S)
        return found.group(1) if found else ""


def ask(
    site: Site,
    address: str,
    *,
    form: dict[str, str] | None = None,
    viewer: Viewer = HERE,
    **headers: str,
) -> Page:
    """One request, as the gate hands it to the pages."""
    path, _, query = address.partition("?")
    scope = {
        "type": "http",
        "method": "GET" if form is None else "POST",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(k.replace("_", "-").encode(), v.encode()) for k, v in headers.items()],
        "server": ("localhost", 80),
        "scheme": "http",
        "root_path": "",
        "thinslice.viewer": viewer,
    }
    body = urlencode(form or {}).encode()
    sent: list[dict] = []

    async def receive() -> dict:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: dict) -> None:
        sent.append(message)

    asyncio.run(Starlette(routes=routes(site))(scope, receive, send))
    content = b"".join(m.get("body", b"") for m in sent[1:])
    return Page(
        sent[0]["status"],
        {k.decode(): v.decode() for k, v in sent[0]["headers"]},
        content.decode("utf-8", "replace"),
    )


def add_shop(engine: Engine, shop: str, products: list[Product], **more: object) -> None:
    engine.control.add_shop(Shop(shop, shop.capitalize(), **more))
    engine.shelf(shop).catalog.upsert(products)


def view(visitor: str, product: str, minute: int) -> Event:
    return Event(
        message_id=f"{visitor}-{minute}",
        type=EventType.PRODUCT_VIEWED,
        time_us=START_US + minute * MINUTE_US,
        visitor=visitor,
        product=product,
    )


def shoppers_of_one_kind(n: int) -> list[Event]:
    """Shoppers of one kind look at one kind of product; lamps are the most popular by far."""
    events = []
    for shopper in range(n):
        kind = (0, 1, 1, 1, 2)[shopper % 5]
        for step in range(4):
            product = f"k{kind}-{(shopper * 3 + step * 7) % 10}"
            events.append(view(f"v{shopper}", product, shopper * 60 + step))
    return events


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    engine = Engine(Settings(data=tmp_path_factory.mktemp("pages")))
    products = [
        Product(
            f"k{k}-{n}", f"{kind[:-1]} {n}", f"Shop > {kind}", price_minor=1000 * (n + 1), stock=n
        )
        for k, kind in enumerate(KINDS)
        for n in range(10)
    ]
    add_shop(engine, "small", products, generated=True)
    engine.log.append("small", shoppers_of_one_kind(150))
    engine.build("small")
    odd = [Product(f"odd,{n}/..~?&#", t, f"<b>{t[:9]}") for n, t in enumerate(HOSTILE)]
    add_shop(engine, "odd", odd)
    add_shop(engine, "one", [Product("only", "The only product")])
    add_shop(engine, "empty", [])
    return Site(engine)


# The storefront


def test_the_headline_says_what_changed_because_of_what(site: Site) -> None:
    page = ask(site, "/small/shop?trail=k0-1,k0-8")
    assert re.fullmatch(
        r"(All eight|\w+ of eight) products changed because this visitor looked at running shoes\.",
        page.headline,
    )


def test_the_three_lists_stand_side_by_side_with_their_reasons(site: Site) -> None:
    site.engine.shelf("small").catalog.set_list("incumbent", {"k0-1": ["k2-3"]})
    page = ask(site, "/small/shop?trail=k0-1")
    for words in ("This visitor sees", "Everyone sees", "The shop shows today", "new for you"):
        assert words in page.text
    assert "Because you viewed Running shoe 1" in page.text


def test_a_shop_without_an_incumbent_is_told_how_to_add_one(site: Site) -> None:
    assert "thinslice import --incumbent LISTS.csv" in ask(site, "/one/shop?trail=only").text


def test_a_click_appends_to_the_visit_and_all_of_it_is_in_the_address(site: Site) -> None:
    page = ask(site, "/small/shop?trail=k0-1")
    assert re.search(r'href="/small/shop\?trail=k0-1,k0-\d"', page.text)


def test_an_empty_visit_begins_with_what_is_popular(site: Site) -> None:
    page = ask(site, "/small/shop")
    assert page.headline == "Open a product, and watch what this visitor is shown."
    assert "Table lamp" in page.text


def test_a_search_finds_every_word_and_keeps_the_visit(site: Site) -> None:
    page = ask(site, "/small/shop?q=LAMP+3&trail=k0-1")
    assert page.headline == "One product with “LAMP 3”."
    assert 'href="/small/shop?trail=k0-1,k1-3"' in page.text


def test_a_category_holds_those_below_it(site: Site) -> None:
    assert ask(site, "/small/shop?browse=Shop").headline == "30 products in Shop."


def test_a_price_band_is_kept_by_every_link_and_obeyed(site: Site) -> None:
    page = ask(site, "/small/shop?trail=k1-5&low=20&high=40,00")
    mine = page.text.split('class="panel mine"')[1].split("</section>")[0]
    shown = {int(p) for p in re.findall(r"€\xa0(\d+)\.00", mine)}
    assert shown and shown <= {20, 30, 40}
    assert "trail=k1-5,k1-2&amp;low=20&amp;high=40,00" in page.text


def test_a_filter_that_nothing_passes_is_said(site: Site) -> None:
    assert (
        ask(site, "/small/shop?trail=k1-5&low=9999").headline == "No product passes these filters."
    )


def test_a_visit_of_products_that_do_not_exist_is_still_a_page(site: Site) -> None:
    page = ask(site, "/small/shop?trail=nope")
    assert page.status == 200
    assert "Not in the catalogue" in page.text


def test_one_product_and_no_products_are_pages_too(site: Site) -> None:
    one = ask(site, "/one/shop?trail=only")
    assert one.headline == "There is no other product to show beside this one."
    assert ask(site, "/empty/shop").headline == "This shop has no products yet."


def test_when_popularity_wins_looking_back_the_storefront_says_so(site: Site) -> None:
    site.engine.evaluate("small", n=10)
    judgement = site.engine.judge_offline("small")
    assert judgement is not None
    said = "Looking back:" in ask(site, "/small/shop?trail=k0-1").text
    assert said == (judgement.to_dict()["verdict"] != "worth testing")


@pytest.mark.parametrize("title", HOSTILE)
def test_hostile_titles_are_text(site: Site, title: str) -> None:
    id_ = f"odd,{HOSTILE.index(title)}/..~?&#"
    trail = quote(id_.replace("~", "~0").replace(",", "~1"), safe="")
    for address in (f"/odd/shop?trail={trail}", f"/odd/shop?q={quote(title[:20])}", "/odd/shop"):
        page = ask(site, address)
        assert page.status == 200
        assert "<script>alert" not in page.text
        assert "<img src=x" not in page.text
        assert not re.search(r'\son\w+="|\sstyle="|<script(?! src="/static/)', page.text)


def test_an_endless_visit_is_cut_to_its_latest_products(site: Site) -> None:
    page = ask(site, "/small/shop?trail=" + ",".join(["k0-1", "k1-1"] * 500))
    assert page.text.count('class="take-out"') == 20


# The other pages


@pytest.mark.parametrize("shop", ["small", "odd", "one", "empty"])
@pytest.mark.parametrize(
    "page",
    ["", "rules", "shop", "replay", "audit", "plan", "evaluate", "readout", "report", "feedback"],
)
def test_every_page_answers_in_every_shop(site: Site, shop: str, page: str) -> None:
    answer = ask(site, f"/{shop}/{page}")
    assert answer.status == 200
    assert answer.headline
    assert ("Generated data." in answer.text) == (shop == "small")


def test_the_first_page_leads_through_seven_steps_and_names_the_next_command(site: Site) -> None:
    add_shop(site.engine, "fresh", [])
    page = ask(site, "/fresh/")
    assert page.text.count('class="step ') == 7
    assert page.text.count('class="step next"') == 1
    assert "thinslice audit" in page.text


def test_a_replay_marks_what_the_visitor_opened_next(site: Site) -> None:
    pages = [ask(site, f"/small/replay?session={n}&step=1") for n in range(1, 30)]
    hits = [p for p in pages if "of this list next" in p.headline]
    assert hits
    assert all("opened next</span>" in p.text for p in hits)


def test_a_replay_beyond_the_last_step_or_visit_stays_at_the_last(site: Site) -> None:
    page = ask(site, "/small/replay?session=999999&step=77")
    assert page.status == 200
    assert page.headline == "Here the visit ended."


def test_a_plan_is_shown_with_what_must_not_get_worse(site: Site) -> None:
    site.engine.agree_plan("one", Plan(question="Does it sell more?", order_value=Range(8, 12, 18)))
    page = ask(site, "/one/plan")
    assert "Does it sell more?" in page.text
    assert "at most 2% worse" in page.headline.replace("\xa0", "")


def test_an_experiment_is_read_on_its_own_page(site: Site) -> None:
    arms = (Variant("today", "popular"), Variant("new", "session"))
    experiment = Experiment("lists", "small", "Does the visit help?", arms, "salt", START_US)
    site.engine.control.start_experiment(experiment)
    fresh = Site(site.engine)
    assert "Does the visit help?" in ask(fresh, "/small/readout").text
    assert ask(fresh, "/small/readout?experiment=no").status == 404


def test_the_report_brings_its_own_policy(site: Site) -> None:
    page = ask(site, "/small/report?download")
    assert "sha256-" in page.headers["content-security-policy"]
    assert page.headers["content-disposition"].startswith("attachment")


def test_what_is_slow_is_computed_once_for_all_who_ask_at_once() -> None:
    calls = []
    kept = Kept(lambda shop: calls.append(shop) or {"shop": shop})

    async def crowd() -> list[dict]:
        return await asyncio.gather(*(kept.get("small") for _ in range(20)))

    assert asyncio.run(crowd()) == [{"shop": "small"}] * 20
    assert calls == ["small"]


# Feedback


def test_feedback_is_kept_with_the_address_and_thanked_for(site: Site) -> None:
    address = "/small/shop?trail=k0-1,k0-8"
    form = {"right": "no", "expected": "Socks <b>", "address": address}
    anna = Viewer(passes=(Pass("small", "Anna", 2**40),))
    answer = ask(site, "/small/feedback", form=form, viewer=anna)
    assert (answer.status, answer.headers["location"]) == (303, f"{address}#thanks")
    page = ask(site, "/small/feedback")
    for words in ("Socks &lt;b&gt;", "Anna", 'href="/small/shop?trail=k0-1,k0-8"', "Not right"):
        assert words in page.text


@pytest.mark.parametrize(
    "address",
    [
        "https://evil.example/",
        "//evil.example/small/",
        "/other/shop",
        "/small\\..\\x",
        "",
        "//[/small/",
    ],
)
def test_feedback_leads_back_to_a_page_of_this_shop_only(site: Site, address: str) -> None:
    answer = ask(site, "/small/feedback", form={"right": "yes", "address": address})
    assert answer.headers["location"] == "/small/#thanks"


def test_feedback_that_is_too_long_is_refused_in_plain_words(site: Site) -> None:
    answer = ask(site, "/small/feedback", form={"expected": "x" * 30_000})
    assert answer.status == 413
    assert answer.headline == "That was too much text."


def test_nothing_said_is_not_kept(site: Site) -> None:
    answer = ask(site, "/empty/feedback", form={"expected": "  ", "address": "/empty/"})
    assert answer.headers["location"] == "/empty/#feedback"
    assert ask(site, "/empty/feedback").headline == "Nobody has said anything yet."


def test_who_opened_what_stands_beside_what_was_said(site: Site) -> None:
    visit = Visit("shop", "/one/shop?trail=only", "Board <i>", START_US)
    site.engine.control.add_visits([("one", visit)])
    page = ask(site, "/one/feedback")
    assert "Board &lt;i&gt;" in page.text
    assert "What a visitor sees" in page.text


# Files, errors, who sees what


def test_a_product_without_a_photo_gets_the_same_stand_in_every_time(site: Site) -> None:
    first, second = (ask(site, "/small/photos/k0-1") for _ in range(2))
    assert first.headers["content-type"].startswith("image/svg+xml")
    assert first.text == second.text
    again = ask(site, "/small/photos/k0-1", if_none_match=first.headers["etag"])
    assert again.status == 304


def test_a_stand_in_for_an_odd_id_is_found_by_its_address(site: Site) -> None:
    page = ask(site, "/odd/shop")
    for photo in set(re.findall(r'src="(/odd/photos/[^"]*)"', page.text)):
        answer = ask(site, photo.replace("&amp;", "&"))
        assert answer.status == 200
        assert "<script" not in answer.text


def test_the_style_is_kept_for_as_long_as_it_is_the_same(site: Site) -> None:
    page = ask(site, "/small/")
    (address,) = re.findall(r'href="(/static/thinslice\.css\?v=\w+)"', page.text)
    assert "immutable" in ask(site, address).headers["cache-control"]
    assert ask(site, "/static/nothing.css").status == 404


def test_a_shop_that_does_not_exist_is_said_in_plain_words(site: Site) -> None:
    page = ask(site, "/nope/shop")
    assert (page.status, page.headline) == (404, "There is no such page.")


def test_one_who_sees_one_shop_is_led_to_it_and_learns_of_no_other(site: Site) -> None:
    anna = Viewer(passes=(Pass("small", "Anna", 2**40),))
    assert ask(site, "/", viewer=anna).headers["location"] == "/small/"
    everything = ask(site, "/")
    assert all(f'href="/{shop}/"' in everything.text for shop in ("small", "odd", "one", "empty"))


def test_only_those_who_may_change_things_can_have_the_data_looked_at_again(site: Site) -> None:
    anna = Viewer(passes=(Pass("small", "Anna", 2**40),))
    assert ask(site, "/small/audit", form={}, viewer=anna).status == 403
    assert ask(site, "/small/audit", form={}).status == 303


def test_no_page_holds_a_visitor_of_the_log(site: Site) -> None:
    for page in ("shop?trail=k0-1", "replay?session=3&step=2", "audit", "feedback", ""):
        assert not re.search(r"\bv\d+-\d+|>v\d+<", ask(site, f"/small/{page}").text)


def test_state_in_results_is_json_so_that_nothing_is_unpickled(site: Site) -> None:
    folder = Path(site.engine.directory.results("small"))
    assert all(json.loads(f.read_text()) for f in folder.glob("*.json"))


def test_a_link_is_made_by_those_who_may_and_named_after_a_person(site: Site) -> None:
    anna = Viewer(passes=(Pass("small", "Anna", 2**40),))
    assert ask(site, "/small/share", form={"label": "Ben"}, viewer=anna).status == 403
    page = ask(site, "/small/share", form={"label": "Ben <b>"})
    assert page.headline == "Here is the link for Ben &lt;b&gt;."
    assert "/small/?key=" in page.text and "<svg" in page.text
    assert [link.label for link in site.engine.control.links("small")] == ["Ben <b>"]
