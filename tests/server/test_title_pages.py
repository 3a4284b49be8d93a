"""The pages about titles: asked as a browser asks, over a real service and over the handlers."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import numpy as np
import pytest

from thinslice.config import Settings
from thinslice.demo.catalogue import make_catalogue
from thinslice.demo.pictures import draw_pictures
from thinslice.domain import Product, Shop
from thinslice.engine import Engine
from thinslice.profit.asking import AskingTerms
from thinslice.server.access import PAGE_HEADERS, link_token

STYLES = "red blue green plain striped dotted small large".split()
NOUNS = {"lamp": "Home > Lamps", "mug": "Home > Mugs", "boot": "Wear > Boots"}
HOSTILE = (
    "<script>alert(1)</script> lamp",
    '"><img src=x onerror=alert(1)>',
    "\N{ATHLETIC SHOE}\N{FIRE}",
    "حذاء رياضي أزرق",
    "赤いランプ",
    "lamp " * 900,
    "x" * 10_000,
    "{{ 7 * 7 }}",
    "=HYPERLINK(1)",
    "\x00\x07 lamp",
    "",
)


def filed_products() -> list[Product]:
    """Lamps, mugs and boots; every fortieth is filed under mugs, three have no category."""
    found = []
    for i in range(240):
        noun = list(NOUNS)[i % 3]
        path = "Home > Mugs" if i % 40 == 0 else NOUNS[noun]
        title = f"{STYLES[i % 8]} {STYLES[i // 8 % 8]} {noun} {i}"
        found.append(Product(f"p{i}", title, path))
    odd = ("strange zork", "curious blip", "unheard quux")
    return [*found, *(Product(f"o{i}", title) for i, title in enumerate(odd))]


@pytest.fixture(scope="module")
def shop(start_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    data = Path(tmp_path_factory.mktemp("titles")) / "data"
    engine = Engine(Settings(data=data))
    for name in ("shop", "bare"):
        engine.control.add_shop(Shop(name, name.title()))
    engine.shelf("shop").catalog.upsert(filed_products())
    engine.shelf("bare").catalog.upsert([Product("b1", "A thing")])
    engine.titles("shop").learn()
    engine.titles("shop").agree_terms(AskingTerms(precision=0.9))
    service = start_service(data)
    yield service, engine
    assert service.stop() == 0


def get(shop: Any, path: str, **headers: str) -> Any:
    return shop[0].call("GET", path, headers=headers)


def post(shop: Any, path: str, form: dict[str, str], *, accept: str = "text/html") -> Any:
    headers = {
        "Origin": f"http://127.0.0.1:{shop[0].port}",
        "Content-Type": "application/x-www-form-urlencoded",
        "Accept": accept,
    }
    return shop[0].call("POST", path, urlencode(form).encode(), headers=headers)


def send_table(
    shop: Any, data: bytes = b"", *, accept: str = "text/html", name: str = "t.csv", **fields: str
) -> Any:
    mark = "----thinslice"
    parts = [
        f'--{mark}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode()
        for k, v in fields.items()
    ]
    parts.append(
        f'--{mark}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        "Content-Type: text/csv\r\n\r\n".encode()
        + data
        + f"\r\n--{mark}--\r\n".encode()
    )
    headers = {
        "Origin": f"http://127.0.0.1:{shop[0].port}",
        "Content-Type": f"multipart/form-data; boundary={mark}",
        "Accept": accept,
    }
    return shop[0].call("POST", "/shop/title/table", b"".join(parts), headers=headers)


def rows_of(answer: Any, delimiter: str = ",") -> list[list[str]]:
    assert answer.status == 200, answer.body
    assert "attachment" in answer.headers["content-disposition"]
    text = answer.body.decode("utf-8-sig")
    return list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter))


# one title


def test_the_page_opens_with_an_example_of_the_shops_own(shop: Any) -> None:
    page = get(shop, "/shop/title").body.decode()
    assert "An example of your own catalogue" in page
    assert "What spoke for" in page


def test_a_typed_title_is_answered_as_a_page_and_as_a_part(shop: Any) -> None:
    page = post(shop, "/shop/title", {"title": "green small lamp"})
    assert page.status == 200
    assert "Lamps" in page.body.decode().split("<h1>")[1].split("</h1>")[0]
    part = post(shop, "/shop/title", {"title": "green small lamp"}, accept="application/json")
    assert part.json()["answer"].strip() in page.body.decode()


def test_an_unknown_kind_of_product_is_for_a_person(shop: Any) -> None:
    part = post(shop, "/shop/title", {"title": "zork blip quux"}, accept="application/json")
    assert "Ask a person" in part.json()["answer"]
    assert "An unknown kind" in part.json()["answer"]


@pytest.mark.parametrize("title", HOSTILE)
def test_any_title_gets_a_page_that_runs_nothing_of_it(shop: Any, title: str) -> None:
    page = post(shop, "/shop/title", {"title": title})
    assert page.status == 200
    assert "<script>alert" not in page.body.decode()
    assert "<img" not in page.body.decode()
    assert page.headers["content-security-policy"] == PAGE_HEADERS["content-security-policy"]
    linked = get(shop, f"/shop/title?title={quote(title[:1000])}")
    assert linked.status == 200


def test_what_is_typed_is_not_among_the_visits(shop: Any) -> None:
    post(shop, "/shop/title", {"title": "a very secret lamp"})
    get(shop, "/shop/title")
    visits = shop[1].control.visits("shop", 1000)
    assert not [v for v in visits if "secret" in v.state]


def test_a_shop_without_categories_is_told_what_is_needed(shop: Any) -> None:
    for page in ("title", "title/review", "title/bar"):
        answer = get(shop, f"/bare/{page}")
        assert answer.status == 200
        assert "at least 50 products" in answer.body.decode()


# a table


def test_a_german_file_comes_back_with_its_semicolons_and_those_for_a_person_on_top(
    shop: Any,
) -> None:
    data = "Titel;Preis\r\nrote lamp;3,50\r\nzork für blip;1,00\r\n=1+1 mug;2\r\n".encode("cp1252")
    header, first, *rest = rows_of(send_table(shop, data), ";")
    assert header[:4] == ["Titel", "Preis", "category", "confidence"]
    assert first[0] == "zork für blip"
    assert first[4] == "yes"
    assert "'=1+1 mug" in [row[0] for row in rest]


def test_a_workbook_comes_back_as_csv(shop: Any) -> None:
    rows = rows_of(send_table(shop, workbook([["name", "no"], ["blue mug", 5]]), name="neu.xlsx"))
    assert rows[1][:3] == ["blue mug", "5", "Home > Mugs"]


@pytest.mark.parametrize(
    ("pasted", "titles"),
    [
        ("red lamp\nblue mug", {"red lamp", "blue mug"}),
        ("red lamp, small\nblue mug", {"red lamp, small", "blue mug"}),
        ("title\nred lamp\n", {"red lamp"}),
        ("sku\ttitle\n1\tred lamp\n2\tblue mug\n", {"red lamp", "blue mug"}),
        ("sku,title\n1,red lamp\n", {"red lamp"}),
    ],
)
def test_what_is_pasted_is_read_as_it_was_meant(shop: Any, pasted: str, titles: set[str]) -> None:
    header, *rows = rows_of(send_table(shop, rows=pasted), "\t" if "\t" in pasted else ",")
    assert {row[header.index("title")] for row in rows} == titles


@pytest.mark.parametrize(
    ("data", "fields", "words"),
    [
        (b"", {}, "neither chosen nor pasted"),
        (b"a,b\n1,2\n", {}, "no column looks like titles"),
        (b"title,b\n1,2\n", {"column": "nope"}, "no column &#39;nope&#39;"),
        (b"title,b\n", {}, "row below"),
        (b"title,b\n" + b"lamp,1\n" * 50_001, {}, "at most 50,000 rows"),
        (b"PK\x03\x04 broken", {}, "packed"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", {}, ""),
    ],
)
def test_a_table_that_cannot_be_read_is_told_why(
    shop: Any, data: bytes, fields: dict[str, str], words: str
) -> None:
    answer = send_table(shop, data, **fields)
    assert answer.status == 422
    assert words in answer.body.decode()
    streamed = send_table(shop, data, accept="application/x-ndjson", **fields)
    assert streamed.status == 200
    assert streamed.json()["wrong"]


def test_a_larger_file_than_is_taken_is_refused_before_it_is_read(shop: Any) -> None:
    headers = {"Origin": f"http://127.0.0.1:{shop[0].port}", "Content-Length": "10000001"}
    answer = shop[0].call("POST", "/shop/title/table", b"title", headers=headers)
    assert answer.status == 413
    assert b"at most" in answer.body


def test_progress_is_told_line_by_line_and_the_file_comes_last(shop: Any) -> None:
    data = b"title\n" + b"red lamp\n" * 2500
    answer = send_table(shop, data, accept="application/x-ndjson")
    *progress, last = [json.loads(line) for line in answer.body.splitlines()]
    assert [p["done"] for p in progress] == [1000, 2000, 2500]
    assert last["csv"].count("Home > Lamps") == 2500
    assert last["name"] == "t-with-categories.csv"


# who may


def test_a_link_asks_and_reads_but_does_not_decide(shop: Any) -> None:
    service, engine = shop
    token = link_token(engine.control, "shop", "Ada", 1)
    cookie = service.call(
        "GET", f"/shop/title?key={token}", headers={"Host": "shop.example"}
    ).headers["set-cookie"]
    seen = {
        "Host": "shop.example",
        "Origin": "http://shop.example",
        "Cookie": cookie.split(";")[0],
        "Content-Type": "application/x-www-form-urlencoded",
    }
    asked = service.call("POST", "/shop/title", b"title=red+lamp", headers=seen)
    assert asked.status == 200
    assert service.call("GET", "/shop/title/review", headers=seen).status == 200
    for page in ("title/review", "title/bar"):
        body = b"act=file&title=red+lamp&category=Home"
        assert service.call("POST", f"/shop/{page}", body, headers=seen).status == 403
    stranger = {"Host": "shop.example"}
    assert service.call("GET", "/shop/title", headers=stranger).status == 403


def test_a_form_from_elsewhere_is_refused(shop: Any) -> None:
    body = b"act=file&title=red+lamp&category=Home"
    for headers in ({}, {"Origin": "http://evil.example"}):
        assert shop[0].call("POST", "/shop/title/review", body, headers=headers).status == 403


# deciding


def test_a_decision_takes_the_title_off_the_list_and_undo_puts_it_back(
    shop: Any, eventually: Callable[..., Any]
) -> None:
    assert "strange zork" in get(shop, "/shop/title/review").body.decode()
    form = {"act": "file", "title": "strange zork", "product": "o0", "category": "Home > Lamps"}
    after = post(shop, "/shop/title/review", form).body.decode()
    assert "Filed under Home &gt; Lamps" in after
    assert '<h2 class="asked" dir="auto">strange zork' not in after
    titles = shop[1].titles("shop")
    eventually(lambda: titles.classify(["Strange ZORK"])[0].verdict == "decided")
    undone = post(shop, "/shop/title/review", form | {"act": "undo"}).body.decode()
    assert "Taken back" in undone
    eventually(lambda: titles.classify(["Strange ZORK"])[0].verdict != "decided")
    assert "strange zork" in {q.answer.title for q in titles.queue()}
    assert [c.category for c in titles.reviews.corrections()][-1] == ""


def test_no_category_fits_and_can_be_undone(shop: Any) -> None:
    form = {"act": "none", "title": "curious blip", "product": "o1", "list": "waiting"}
    parts = post(shop, "/shop/title/review", form, accept="application/json").json()
    assert "No category fits" in parts["turn"]
    titles = shop[1].titles("shop")
    assert "curious blip" not in {q.answer.title for q in titles.queue()}
    post(shop, "/shop/title/review", form | {"act": "undo"})
    assert "curious blip" in {q.answer.title for q in titles.queue()}


def test_a_product_filed_wrongly_is_moved_with_one_press(shop: Any) -> None:
    page = get(shop, "/shop/title/review?list=doubts").body.decode()
    assert "Filed under Home &gt; Mugs today" in page
    doubt = shop[1].titles("shop").confusions()[0]
    form = {
        "act": "file",
        "list": "doubts",
        "title": doubt["title"],
        "product": doubt["product"],
        "category": doubt["likeliest"],
    }
    post(shop, "/shop/title/review", form)
    said = shop[1].titles("shop").reviews.corrections()[-1]
    assert (said.product, said.category) == (doubt["product"], doubt["likeliest"])
    assert said.who == "this computer"
    decided = get(shop, "/shop/title/review?take=decided")
    assert doubt["title"] in decided.body.decode()


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"act": "file", "title": "odd", "category": "Nowhere"}, "there is no category"),
        ({"act": "file", "title": "odd", "category": ""}, "a title is filed under"),
        ({"act": "file", "title": "", "category": "Home > Mugs"}, "got none"),
        ({"act": "dance", "title": "odd"}, "got &#39;dance&#39;"),
    ],
)
def test_a_decision_that_makes_no_sense_is_told_why(
    shop: Any, form: dict[str, str], words: str
) -> None:
    answer = post(shop, "/shop/title/review", form)
    assert answer.status == 400
    assert words in answer.body.decode()


# the bar


def test_terms_are_tried_without_changing_anything_and_then_put_in_force(shop: Any) -> None:
    money = {"by": "money", "wrong_cost": "10", "look_cost": "0,5"}
    tried = get(shop, f"/shop/title/bar?{urlencode(money)}").body.decode()
    assert "Nothing has changed yet" in tried
    assert shop[1].titles("shop").terms().wrong_cost is None
    answer = post(shop, "/shop/title/bar", money | {"wrong_costs": "Wear > Boots = 40"})
    assert answer.status == 303
    terms = shop[1].titles("shop").terms()
    assert (terms.wrong_cost, terms.look_cost) == (10, 0.5)
    assert terms.wrong_costs == {"Wear > Boots": 40}
    assert "Wear &gt; Boots = 40" in get(shop, "/shop/title/bar").body.decode()
    asked = {"by": "precision", "precision": "90", "unknown_share": "12,5"}
    assert post(shop, "/shop/title/bar", asked).status == 303
    assert shop[1].titles("shop").terms().unknown_share == 0.125
    page = get(shop, "/shop/title/bar").body.decode()
    assert 'value="12.5"' in page
    assert "such a kind in 12.5%" in page.replace("\xa0", "")
    assert post(shop, "/shop/title/bar", {"by": "precision", "precision": "90"}).status == 303


@pytest.mark.parametrize(
    ("form", "words"),
    [
        ({"by": "precision", "precision": "100"}, "from 50 to below 100"),
        ({"by": "precision", "precision": "nan"}, "from 50 to below 100"),
        ({"by": "money", "wrong_cost": "10"}, "both costs are needed"),
        ({"by": "money", "wrong_cost": "ten", "look_cost": "1"}, "is a number, got"),
        ({"by": "money", "wrong_cost": "-1", "look_cost": "1"}, "above 0"),
        ({"by": "money", "wrong_cost": "9", "look_cost": "1", "wrong_costs": "x"}, "is written"),
        ({"by": "precision", "precision": "90", "unknown_share": "70"}, "from 0 to 50"),
    ],
)
def test_terms_that_make_no_sense_are_told_where(
    shop: Any, form: dict[str, str], words: str
) -> None:
    answer = post(shop, "/shop/title/bar", form)
    assert answer.status == 422
    assert words in answer.body.decode()
    assert get(shop, f"/shop/title/bar?{urlencode(form)}").status == 422


def workbook(rows: list[list[object]]) -> bytes:
    """A small workbook, written by hand."""
    import zipfile

    def cell(value: object) -> str:
        if isinstance(value, str):
            return f'<c t="inlineStr"><is><t>{value}</t></is></c>'
        return f"<c><v>{value}</v></c>"

    sheet = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    space = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006"
    relations = (
        f'<Relationships xmlns="{package}/relationships"><Relationship Id="r1" Type="{office}'
    )
    files = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": f'{relations}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{space}" xmlns:r="{office}"><sheets>'
        '<sheet name="A" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'{relations}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{space}"><sheetData>{sheet}'
        "</sheetData></worksheet>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return out.getvalue()


def test_a_photo_whose_colour_is_open_is_decided_with_its_picture_in_sight(
    start_service: Callable[..., Any], tmp_path_factory: Any
) -> None:
    folder = Path(tmp_path_factory.mktemp("colours"))
    engine = Engine(Settings(data=folder / "data"))
    engine.control.add_shop(Shop("shop", "Shop"))
    catalogue = make_catalogue(np.random.default_rng(5), per_cell=2)
    shelf = engine.shelf("shop")
    shelf.catalog.upsert(catalogue.products)
    for product, picture in draw_pictures(catalogue):
        shelf.photos.put(product, picture)
    shelf.catalog.mark_photos([p.id for p in catalogue.products])
    shelf.photo_search.build()
    asked = next(iter(catalogue.products))
    photo = shelf.photos.path(asked.id)
    assert photo is not None
    name = shelf.photo_search.decisions.wait("a.jpg", photo.read_bytes(), ["colour"])
    service = start_service(folder / "data")
    page = service.call("GET", "/shop/title/review").body.decode()
    assert "1 title or photo waits for a person." in page
    assert "Which colour?" in page
    picture = re.search(r'<img src="(/shop/title/review\?take=picture[^"]+)"', page)
    assert picture is not None
    shown = service.call("GET", picture[1].replace("&amp;", "&"))
    assert shown.body.startswith(b"\xff\xd8\xff")
    form = {"title": "a.jpg", "photo": name, "attribute": "colour", "act": "file"}
    wrong = post((service, engine), "/shop/title/review", {**form, "category": "ultraviolet"})
    assert wrong.status == 400
    assert "there is no colour" in wrong.body.decode()
    done = post((service, engine), "/shop/title/review", {**form, "category": asked.colour})
    assert f"Is {asked.colour}" in done.body.decode()
    assert shelf.photo_search.decisions.decided()["colour"] == {name: asked.colour}
    assert [asked.colour in row for row in shelf.photo_search.decisions.rows()] == [True]
    table = service.call("GET", "/shop/title/review?take=decided").body.decode()
    row = next(
        r for r in csv.DictReader(io.StringIO(table.lstrip("\ufeff"))) if r["product"] == name
    )
    assert (row["category"], row["attribute"]) == (asked.colour, "colour")
    undone = post((service, engine), "/shop/title/review", {**form, "act": "undo"})
    assert "Taken back" in undone.body.decode()
    assert service.call("GET", "/shop/title/review?take=picture&photo=asked/none").status == 404
