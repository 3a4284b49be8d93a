"""The photo pages: a picture in, products out, each with why; nothing of the picture is kept."""

from __future__ import annotations

import html
import io
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image, ImageDraw

from thinslice.config import Settings
from thinslice.domain import Product, Shop
from thinslice.engine import Engine
from thinslice.models.photos.encoder import ImageEncoder
from thinslice.server.access import link_token
from thinslice.server.pages.photo_form import PhotoForm, from_field, to_field
from thinslice.server.pages.photo_words import colour_chips, headline
from thinslice.shelf.photos.gallery import PhotoWish

COLOURS = {"red": (200, 40, 40), "blue": (40, 80, 200), "green": (40, 150, 60)}
KINDS = ("ball", "box", "tower")
OWN = {"sec-fetch-site": "same-origin"}
SCRIPT = OWN | {"accept": "application/json"}


def drawn(kind: str, colour: str, nth: int = 0, size: int = 160) -> Image.Image:
    picture = Image.new("RGB", (size, size), (244, 244, 240))
    pen, unit = ImageDraw.Draw(picture), size / 160
    shift = nth * 3 * unit
    box = {
        "ball": (30 * unit, 30 * unit, 130 * unit - shift, 130 * unit - shift),
        "box": (15 * unit, 60 * unit, 145 * unit - shift, 110 * unit),
        "tower": (60 * unit, 8 * unit, 100 * unit - shift / 2, 150 * unit - shift),
    }[kind]
    (pen.ellipse if kind == "ball" else pen.rectangle)(box, fill=COLOURS[colour])
    return picture


def as_bytes(picture: Image.Image, kind: str = "JPEG", **how: Any) -> bytes:
    out = io.BytesIO()
    picture.save(out, kind, **how)
    return out.getvalue()


def catalogue() -> dict[str, tuple[Product, Image.Image]]:
    found = {}
    for kind in KINDS:
        for colour in COLOURS:
            for nth in range(4):
                name = f"{kind}-{colour}-{nth}"
                product = Product(
                    name,
                    f"{colour.capitalize()} {kind} no {nth} <b>",
                    f"Toys > {kind.capitalize()}s",
                    colour=colour,
                    price_minor=1000 + 100 * nth,
                    stock=nth,
                )
                found[name] = product, drawn(kind, colour, nth)
    return found


@pytest.fixture(scope="module")
def shops(start_service: Callable[..., Any], tmp_path_factory: Any) -> Iterator[Any]:
    """A shop whose photos are indexed, one with photos, one with products, and an empty one."""
    folder = Path(tmp_path_factory.mktemp("photos"))
    engine = Engine(Settings(data=folder / "data"))
    pictures = folder / "pictures"
    pictures.mkdir()
    for name, (_, picture) in catalogue().items():
        (pictures / f"{name}.jpg").write_bytes(as_bytes(picture, quality=92))
    for shop in ("toys", "unbuilt", "bare", "empty"):
        engine.control.add_shop(Shop(shop, shop.capitalize()))
        if shop != "empty":
            engine.shelf(shop).catalog.upsert(
                [p for p, _ in catalogue().values()] + [Product("plain", "Without a photo", "Toys")]
            )
    for shop in ("toys", "unbuilt"):
        engine.import_photos(shop, pictures)
    engine.photo_search("toys").build()
    service = start_service(folder / "data", workers=1)
    yield SimpleNamespace(service=service, engine=engine, data=folder / "data")
    assert service.stop() == 0


def send(
    shops: Any, photo: bytes = b"", headers: dict[str, str] | None = None, **fields: str
) -> Any:
    """The form as a browser sends it."""
    edge = "edge-of-a-part"
    body = b"".join(
        f'--{edge}\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()
        for name, value in fields.items()
    )
    if photo:
        head = f'--{edge}\r\ncontent-disposition: form-data; name="photo"; filename="p.jpg"\r\n'
        body += f"{head}content-type: image/jpeg\r\n\r\n".encode() + photo + b"\r\n"
    body += f"--{edge}--\r\n".encode()
    sent = (headers or OWN) | {"content-type": f"multipart/form-data; boundary={edge}"}
    return shops.service.call("POST", "/toys/photo", body, headers=sent)


def text_of(answer: Any) -> str:
    return str(answer.body.decode())


def found_in(page: str) -> list[str]:
    """The products of the page, in their order."""
    return re.findall(r'<a class="more-like" href="/toys/photo\?product=([^"&]+)', page)


def asked(shops: Any, photo: bytes, **fields: str) -> Any:
    answer = send(shops, photo, SCRIPT, **fields)
    assert answer.status == 200, answer.body
    return answer.json()


def test_the_page_opens_with_products_to_start_from_of_every_kind(shops: Any) -> None:
    page = text_of(shops.service.call("GET", "/toys/photo"))
    starts = re.findall(r'<a class="title" dir="auto" href="/toys/photo\?product=([^"]+)"', page)
    assert len(starts) == 12
    assert {name.split("-")[0] for name in starts[:3]} == set(KINDS)
    assert 'capture="environment"' in page
    assert "nothing of it is kept" in page


def test_a_picture_finds_its_product_first_and_every_product_says_why(shops: Any) -> None:
    page = text_of(send(shops, as_bytes(drawn("tower", "red", 1), quality=60)))
    found = found_in(page)
    assert found[0] == "tower-red-1"
    assert {name.split("-")[0] for name in found[:8]} == {"tower"}
    assert page.count('<span class="why">') == len(found)
    assert '"/toys/shop?trail=tower-red-1"' in page
    assert "Red tower no 1 &lt;b&gt;" in page


def test_a_product_of_the_catalogue_is_asked_for_by_its_address(shops: Any) -> None:
    page = text_of(shops.service.call("GET", "/toys/photo?product=ball-blue-2"))
    found = found_in(page)
    assert "ball-blue-2" not in found
    assert {name.split("-")[0] for name in found[:5]} == {"ball"}


def test_like_this_but_red_keeps_the_kind_and_changes_the_colour(shops: Any) -> None:
    address = "/toys/photo?product=ball-blue-2&colour=red"
    page = text_of(shops.service.call("GET", address))
    found = found_in(page)[:4]
    assert found_in(text_of(shops.service.call("GET", f"{address}&balance=1")))[:4] == found
    assert {tuple(name.split("-")[:2]) for name in found} == {("ball", "red")}
    assert re.search(r'value="red" checked', page)


def test_the_slider_goes_from_shape_to_colour(shops: Any) -> None:
    address = "/toys/photo?product=ball-blue-2&balance="
    shape = found_in(text_of(shops.service.call("GET", address + "0")))
    colour = found_in(text_of(shops.service.call("GET", address + "1")))
    assert {name.split("-")[0] for name in shape[:8]} == {"ball"}
    assert {name.split("-")[1] for name in colour[:8]} == {"blue"}


@pytest.mark.parametrize(
    ("narrow", "passes"),
    [
        ("category=Toys+%3E+Boxs", lambda p: p.category == "Toys > Boxs"),
        ("low=11&high=12", lambda p: 1100 <= p.price_minor <= 1200),
        ("stock=in", lambda p: p.stock > 0),
        ("words=green+tower", lambda p: p.title.startswith("Green tower")),
    ],
)
def test_what_is_found_passes_the_filters(
    shops: Any, narrow: str, passes: Callable[[Product], bool]
) -> None:
    found = found_in(text_of(shops.service.call("GET", f"/toys/photo?product=box-red-3&{narrow}")))
    products = {name: product for name, (product, _) in catalogue().items()}
    assert found
    assert all(passes(products[name]) for name in found)


def test_a_filter_that_nothing_passes_is_told_and_not_an_error(shops: Any) -> None:
    answer = shops.service.call("GET", "/toys/photo?product=box-red-3&words=unicorn")
    assert answer.status == 200
    assert "No product passes these filters." in text_of(answer)


def test_words_alone_find_products_and_have_an_address(shops: Any) -> None:
    page = text_of(shops.service.call("GET", "/toys/photo?text=red+towers"))
    assert {tuple(name.split("-")[:2]) for name in found_in(page)[:4]} == {("tower", "red")}
    assert "fit “red towers”." in page
    assert "by its colour" in page
    assert re.search(r'id="text"[^>]*value="red towers"', page)
    assert found_in(text_of(send(shops, text="red towers"))) == found_in(page)
    told = asked(shops, b"", text="red towers", colour="blue")
    assert {n.split("-")[1] for n in found_in(told["parts"]["found"])} == {"blue"}
    assert told["link"] == "/toys/photo?text=red%20towers&colour=blue"
    none = text_of(shops.service.call("GET", "/toys/photo?text=unicorn"))
    assert "No product has these words." in none
    assert "Try fewer or other ones" in none


def test_words_beside_a_picture_change_what_it_finds(shops: Any) -> None:
    blue = asked(shops, as_bytes(drawn("tower", "green", 2)), text="but in blue please")
    found = found_in(blue["parts"]["found"])[:4]
    assert {tuple(name.split("-")[:2]) for name in found} == {("tower", "blue")}
    assert "like it, with “but in blue please”" in blue["parts"]["top"]
    assert blue["link"] == "/toys/photo"
    page = text_of(shops.service.call("GET", "/toys/photo?product=ball-blue-2&text=no+3"))
    assert found_in(page)[0] == "ball-blue-3"
    assert "“no 3” by its title" in page


def test_the_script_sends_the_picture_once_and_asks_again_without_it(shops: Any) -> None:
    first = asked(shops, as_bytes(drawn("tower", "green", 2)))
    again = asked(shops, b"", seen=first["seen"], colour="blue")
    assert found_in(first["parts"]["found"])[0] == "tower-green-2"
    found = found_in(again["parts"]["found"])[:4]
    assert {tuple(name.split("-")[:2]) for name in found} == {("tower", "blue")}
    assert again["parts"]["told"] == first["parts"]["told"]
    assert again["seen"] == first["seen"]
    assert len(first["seen"]) < 4000


def test_what_the_page_remembers_is_only_good_for_the_encoder_that_made_it(shops: Any) -> None:
    seen = asked(shops, as_bytes(drawn("box", "red")))["seen"]
    maker, _, rest = seen.partition(".")
    for wrong, said in (
        (f"{'0' * len(maker)}.{rest}", "indexed anew"),
        (f"{maker}.{rest[:-8]}", "damaged"),
        (f"{maker}.!!", "damaged"),
        (f"{maker}.{rest[: len(rest) // 4 * 4 - 400]}{'_' * 400}", "damaged"),
    ):
        assert said in asked(shops, b"", seen=wrong)["wrong"], wrong[:30]


def test_vectors_survive_the_field_of_a_page() -> None:
    encoder = ImageEncoder()
    rng = np.random.default_rng(0)
    made = {part: rng.normal(size=n).astype(np.float32) for part, n in encoder.dimensions.items()}
    made = {part: v / np.linalg.norm(v) for part, v in made.items()}
    read = from_field(to_field(made, encoder), encoder)
    assert all(float(made[part] @ read[part]) > 0.999 for part in made)


@pytest.mark.parametrize(
    "photo",
    [
        as_bytes(drawn("ball", "red").convert("CMYK")),
        as_bytes(drawn("ball", "red").convert("L")),
        as_bytes(drawn("ball", "red").convert("RGBA"), "PNG"),
        as_bytes(drawn("ball", "red").convert("P"), "PNG"),
        as_bytes(drawn("ball", "red"), "WEBP"),
        as_bytes(drawn("ball", "red"), "WEBP", save_all=True, append_images=[drawn("box", "blue")]),
        as_bytes(drawn("ball", "red").resize((16, 16))),
        as_bytes(drawn("ball", "red", size=4000)),
    ],
    ids=["cmyk", "grey", "transparent", "palette", "webp", "animated", "tiny", "large"],
)
def test_a_picture_of_any_make_finds_balls(shops: Any, photo: bytes) -> None:
    found = found_in(text_of(send(shops, photo)))
    assert [name.split("-")[0] for name in found[:3]].count("ball") >= 2


@pytest.mark.parametrize(
    ("photo", "said"),
    [
        (b"GIF89a" + b"\0" * 200, "JPEG, PNG or WebP"),
        (as_bytes(drawn("ball", "red"))[:900], "JPEG, PNG or WebP"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "JPEG, PNG or WebP"),
        (as_bytes(drawn("ball", "red").resize((4, 4)), "PNG"), "at least 8 pixels"),
        (as_bytes(Image.new("1", (9000, 9000)), "PNG"), "million pixels"),
        (b"", "Choose a picture first"),
    ],
    ids=["gif", "cut off", "svg", "four pixels", "81 million pixels", "none"],
)
def test_a_picture_that_cannot_be_read_is_told_beside_the_form(
    shops: Any, photo: bytes, said: str
) -> None:
    page = send(shops, photo)
    wrong = re.search(r'id="photo-wrong"[^>]*>(.*?)</p>', text_of(page), re.S)
    assert page.status == 422
    assert wrong is not None and said in html.unescape(wrong[1])
    assert "Start from one of these" in text_of(page)
    told = send(shops, photo, SCRIPT).json()["wrong"]
    assert said in told
    assert "object at" not in told


def test_nothing_of_a_picture_stays_on_disk(shops: Any) -> None:
    def files() -> list[tuple[Path, int]]:
        return sorted((p, p.stat().st_size) for p in shops.data.rglob("*") if p.suffix == ".jpg")

    before = files()
    send(shops, as_bytes(drawn("ball", "green", 3), "PNG"))
    assert files() == before


def test_without_script_the_small_picture_goes_along_with_the_next_question(shops: Any) -> None:
    page = text_of(send(shops, as_bytes(drawn("box", "green", 1))))
    look = re.search(r'name="look" value="([^"]+)"', page)
    seen = re.search(r'name="seen" value="([^"]+)"', page)
    assert look is not None and seen is not None
    assert f'src="data:image/jpeg;base64,{look[1]}"' in page
    again = text_of(send(shops, look=look[1], seen=seen[1], colour="blue"))
    assert look[1] in again
    assert {tuple(name.split("-")[:2]) for name in found_in(again)[:4]} == {("box", "blue")}
    for forged in ('"><script>', "bm8gcGljdHVyZQ==", "x" * 9000):
        assert 'name="look" value=""' in text_of(send(shops, look=forged, seen=seen[1]))


@pytest.mark.parametrize("product", ["plain", "nobody", "x" * 5000, "<script>"])
def test_a_product_without_a_photo_is_told_and_where_to_begin_instead(
    shops: Any, product: str
) -> None:
    page = text_of(shops.service.call("GET", f"/toys/photo?product={quote(product)}"))
    assert "must have a photo" in html.unescape(page)
    assert "<script>alert" not in page
    assert "Start from one of these" in page


def test_odd_fields_are_as_if_they_were_not_there(shops: Any) -> None:
    form = PhotoForm.of({"balance": "nan", "others": "²", "low": "x" * 50, "colour": 7})
    assert (form.balance, form.others, form.low, form.colour) == (0.5, 0, "x" * 20, "")
    answer = shops.service.call("GET", "/toys/photo?product=box-red-1&colour=octarine")
    assert "choose one of" in html.unescape(text_of(answer))


@pytest.mark.parametrize(
    ("shop", "said"),
    [
        ("unbuilt", "thinslice build --photos"),
        ("bare", "thinslice import --photos"),
        ("empty", "thinslice import --products"),
    ],
)
def test_what_is_missing_is_told_with_the_next_step(shops: Any, shop: str, said: str) -> None:
    for page in ("photo", "photo/review"):
        answer = shops.service.call("GET", f"/{shop}/{page}")
        assert answer.status == 200
        assert said in text_of(answer)


def test_the_page_of_a_product_has_a_row_of_what_looks_like_it(shops: Any) -> None:
    page = text_of(shops.service.call("GET", "/toys/shop?trail=tower-blue-1"))
    row = page.partition('id="alike"')[2].partition("</section>")[0]
    shown = re.findall(r"trail=tower-blue-1,([^\"&]+)", row)
    assert len(shown) == 8
    assert {name.split("-")[0] for name in shown[:4]} == {"tower"}
    assert not any(name.endswith("-0") for name in shown)  # sold out
    assert row.count('class="why"') == 8
    for without in ("/toys/shop?trail=plain", "/toys/shop", "/unbuilt/shop?trail=box-red-1"):
        assert 'id="alike"' not in text_of(shops.service.call("GET", without))


def test_photos_that_need_a_look_are_listed(shops: Any) -> None:
    engine: Engine = shops.engine
    page = text_of(shops.service.call("GET", "/toys/photo/review"))
    assert "The same photo twice" in page
    assert len(engine.photo_search("toys").near_duplicates()) == 0 or "twins" in page


def test_a_link_opens_the_pages_and_a_stranger_sees_nothing(shops: Any) -> None:
    far = {"host": "shop.example"}
    assert shops.service.call("GET", "/toys/photo", headers=far).status == 403
    key = link_token(shops.engine.control, "toys", "Anna", 1)
    opened = shops.service.call("GET", f"/toys/photo?key={quote(key)}", headers=far)
    cookie = opened.headers["set-cookie"].partition(";")[0]
    answer = shops.service.call("GET", "/toys/photo", headers=far | {"cookie": cookie})
    assert answer.status == 200
    assert "script-src 'self'" in answer.headers["content-security-policy"]


def test_a_body_beyond_the_cap_or_from_elsewhere_is_refused_before_it_is_read(shops: Any) -> None:
    long = OWN | {"content-length": "13000000"}
    assert shops.service.call("POST", "/toys/photo", b"x", headers=long).status == 413
    assert send(shops, headers={"sec-fetch-site": "cross-site"}).status == 403


def test_the_headline_promises_no_more_than_is_known() -> None:
    assert headline(PhotoForm(), None, None, None).startswith("Show it a picture")
    assert headline(PhotoForm(), None, None, [1, 2]) == "These two look most like your picture."
    red = PhotoForm(product="p", colour="red")
    assert headline(red, Product("p", "A blue hat"), None, [1]) == "Like “A blue hat”, but red."


def test_the_colours_that_the_shop_has_most_of_come_first() -> None:
    products = {p.id: p for p in (Product("1", "", colour="blue"), Product("2", "", colour="blue"))}
    chips = colour_chips(("amber", "blue"), products)
    assert [chip["value"] for chip in chips["first"]] == ["blue", "amber"]
    assert PhotoWish().n == 24
