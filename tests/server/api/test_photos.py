from __future__ import annotations

import io
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import numpy as np
import pytest
from PIL import Image

from thinslice.config import Settings
from thinslice.demo.catalogue import Catalogue, make_catalogue
from thinslice.demo.pictures import draw_pictures
from thinslice.domain import Shop
from thinslice.engine import Engine


class PhotoShop:
    """A shop with drawn pictures, and the service over it."""

    def __init__(self, service: Any, engine: Engine, catalogue: Catalogue) -> None:
        self.service = service
        self.engine = engine
        self.pictures = dict(draw_pictures(catalogue))
        self.products = {p.id: p for p in catalogue.products}
        self.secret = engine.control.create_key("shop", "secret")
        self.write = engine.control.create_key("shop", "write")

    def search(self, photo: bytes, wish: str = "", **more: Any) -> Any:
        return self.service.call(
            "POST", f"/v1/search/image?{wish}", photo, key=more.pop("key", self.write), **more
        )

    def put_photo(self, folder: Path, product: str, photo: bytes) -> None:
        folder.mkdir(exist_ok=True)
        (folder / f"{quote(product, safe='')}.jpg").write_bytes(photo)
        self.engine.import_photos("shop", folder)


@pytest.fixture(scope="module")
def shop(start_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    folder = Path(tmp_path_factory.mktemp("photos"))
    engine = Engine(Settings(data=folder / "data"))
    engine.control.add_shop(Shop("shop", "Shop"))
    catalogue = make_catalogue(np.random.default_rng(3), per_cell=2)
    shelf = engine.shelf("shop")
    shelf.catalog.upsert(catalogue.products)
    for product, picture in draw_pictures(catalogue):
        shelf.photos.put(product, picture)
    shelf.catalog.mark_photos([p.id for p in catalogue.products])
    shelf.photo_search.build()
    return PhotoShop(start_service(folder / "data"), engine, catalogue)


def test_a_photo_finds_its_product_first_and_says_why(shop: PhotoShop) -> None:
    for product in list(shop.products)[::9]:
        answer = shop.search(shop.pictures[product], "in_stock=false")
        assert answer.status == 200, answer.body
        found = answer.json()["products"]
        assert found[0]["product_id"] == product
        assert found[0]["score"] > 0.99
        assert len(found) == 24
        assert all(one["why"] and set(one["by_part"]) for one in found)
        assert answer.json()["labels"][0]["label"] == shop.products[product].category


def test_a_form_is_taken_as_well_as_a_bare_body(shop: PhotoShop) -> None:
    product = next(iter(shop.products))
    head = (
        b'--cut\r\ncontent-disposition: form-data; name="photo"; filename="a.jpg"\r\n'
        b"content-type: image/jpeg\r\n\r\n"
    )
    form = head + shop.pictures[product] + b"\r\n--cut--\r\n"
    kind = {"content-type": "multipart/form-data; boundary=cut"}
    answer = shop.search(form, "n=1&in_stock=false", headers=kind)
    assert [p["product_id"] for p in answer.json()["products"]] == [product]


def test_what_is_wished_is_kept_to(shop: PhotoShop) -> None:
    product = next(iter(shop.products.values()))
    photo, colours = shop.pictures[product.id], {p.colour for p in shop.products.values()}
    other = sorted(colours - {product.colour})[0]
    found = shop.search(photo, f"n=5&in_stock=false&colour={quote(other)}").json()["products"]
    assert {shop.products[p["product_id"]].colour for p in found} == {other}
    assert found[0]["category"] == product.category
    found = shop.search(photo, "category=Home&price_max=30").json()["products"]
    assert found
    assert all(p["category"].startswith("Home") and p["price"] <= 30 for p in found)
    word = next(iter(shop.products.values())).title.split()[0]
    found = shop.search(photo, f"words={word}&in_stock=false").json()["products"]
    assert all(word in p["title"] or word in p["category"] for p in found)


def test_words_are_searched_without_a_photo_and_with_one(shop: PhotoShop) -> None:
    product = next(iter(shop.products.values()))
    kind, colour = product.category.split(" > ")[-1], product.colour
    address = f"/v1/search?text={quote(f'{colour} {kind}')}&n=2&in_stock=false"
    found = shop.service.call("GET", address, key=shop.write).json()["products"]
    assert all(one["category"] == product.category for one in found)
    assert {shop.products[one["product_id"]].colour for one in found} == {colour}
    assert f"“{colour.lower()}” by its colour" in found[0]["why"]
    assert found[0]["by_part"] == {}
    other = next(p for p in shop.products.values() if p.colour != colour)
    wish = f"n=2&in_stock=false&text=but+{quote(other.colour)}"
    found = shop.search(shop.pictures[product.id], wish).json()["products"]
    assert {shop.products[one["product_id"]].colour for one in found} == {other.colour}
    assert found[0]["category"] == product.category


@pytest.mark.parametrize("wish", ["", "text=", "text=red&region=0,0,1,1", "text=red&klour=red"])
def test_a_search_by_words_that_says_none_or_speaks_of_a_photo_is_told_so(
    shop: PhotoShop, wish: str
) -> None:
    answer = shop.service.call("GET", f"/v1/search?{wish}", key=shop.write)
    assert answer.status == 400
    assert answer.json()["error"]["rule"]


def test_a_region_is_searched_by_itself(shop: PhotoShop) -> None:
    left, right = list(shop.products)[0], list(shop.products)[-1]
    both = Image.new("RGB", (800, 400), "white")
    for x, product in ((0, left), (400, right)):
        both.paste(Image.open(io.BytesIO(shop.pictures[product])), (x, 0))
    out = io.BytesIO()
    both.save(out, "JPEG", quality=90)
    for region, product in (("0,0,0.5,1", left), ("0.5,0,0.5,1", right)):
        answer = shop.search(out.getvalue(), f"in_stock=false&region={region}")
        assert answer.json()["products"][0]["product_id"] == product


def test_similar_products_are_of_the_kind_and_never_the_product_itself(shop: PhotoShop) -> None:
    alike = []
    for product in list(shop.products.values())[::9]:
        path = f"/v1/products/{quote(product.id, safe='')}/similar?in_stock=false"
        found = shop.service.call("GET", path, key=shop.write).json()["products"]
        assert len(found) == 8
        assert product.id not in {p["product_id"] for p in found}
        alike += [p["category"] == product.category for p in found[:4]]
    assert np.mean(alike) > 0.8


def test_a_photo_is_classified_for_the_shops_own_systems(shop: PhotoShop) -> None:
    right = []
    for product in list(shop.products.values())[::7]:
        answer = shop.service.call(
            "POST", "/v1/classify/image", shop.pictures[product.id], key=shop.secret
        )
        labels = {one["attribute"]: one for one in answer.json()["labels"]}
        right.append(
            (labels["category"]["label"], labels["colour"]["label"])
            == (product.category, product.colour)
        )
    assert np.mean(right) > 0.8
    assert shop.service.call("POST", "/v1/classify/image", b"x", key=shop.write).status == 403


@pytest.mark.parametrize(
    ("body", "wish", "status"),
    [
        (b"", "", 400),
        (b"GIF89a", "", 400),
        (b"\xff\xd8\xff\xe0 cut off", "", 400),
        (None, "n=0", 400),
        (None, "n=many", 400),
        (None, "colour=ultraviolet", 400),
        (None, "colour_share=2", 400),
        (None, "weights=style", 400),
        (None, "weights=smell:1", 400),
        (None, "weights=style:-1", 400),
        (None, "region=0,0,2,2", 400),
        (None, "region=here", 400),
        (None, "price_min=cheap", 400),
        (None, "in_stock=maybe", 400),
        (None, "klour=red", 400),
    ],
)
def test_what_cannot_be_answered_is_told_why(
    shop: PhotoShop, body: bytes | None, wish: str, status: int
) -> None:
    answer = shop.search(next(iter(shop.pictures.values())) if body is None else body, wish)
    assert answer.status == status
    assert answer.json()["error"]["rule"]


def test_a_photo_that_is_too_large_is_refused_before_it_is_sent(shop: PhotoShop) -> None:
    answer = shop.search(b"", headers={"content-length": "13000000"})
    assert answer.status == 413


def test_without_a_key_nothing_is_answered(shop: PhotoShop) -> None:
    assert shop.service.call("POST", "/v1/search/image", b"x").status == 401
    assert shop.service.call("GET", "/v1/search?words=lamp").status == 401


def test_a_product_without_photo_is_told_so(shop: PhotoShop) -> None:
    answer = shop.service.call("GET", "/v1/products/nobody/similar", key=shop.write)
    assert answer.status == 404
    assert "photo" in answer.json()["error"]["rule"]


def test_the_address_of_a_product_still_answers(shop: PhotoShop) -> None:
    product = next(iter(shop.products))
    answer = shop.service.call("GET", f"/v1/products/{quote(product)}", key=shop.secret)
    assert answer.json()["product_id"] == product


def unlike_any(seed: int) -> bytes:
    """A photo of coloured squares, which no product looks like."""
    noise = np.random.default_rng(seed).integers(0, 255, (6, 6, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).resize((300, 300), Image.Resampling.NEAREST).save(out, "JPEG")
    return out.getvalue()


def test_a_new_photo_is_soon_found_by_every_worker_and_a_hidden_product_no_more(
    shop: PhotoShop, tmp_path: Path, eventually: Any
) -> None:
    photo, product = unlike_any(1), list(shop.products)[40]

    def found() -> list[bool]:
        """Of eight answers in a row, whichever worker gives them."""
        answers = [shop.search(photo, "in_stock=false&n=100").json()["products"] for _ in range(8)]
        return [any(p["product_id"] == product and p["score"] > 0.99 for p in a) for a in answers]

    shop.put_photo(tmp_path / "new", product, photo)
    eventually(lambda: all(found()))
    first = shop.search(photo, "in_stock=false").json()["products"][0]
    assert first["product_id"] == product
    shop.engine.shelf("shop").catalog.hide(product)
    eventually(lambda: not any(found()))


def test_who_takes_the_place_of_a_killed_worker_finds_new_photos_too(
    shop: PhotoShop, tmp_path: Path, eventually: Any
) -> None:
    photo, product = unlike_any(2), list(shop.products)[50]

    def all_find_it() -> bool:
        found = []
        for _ in range(8):
            try:
                answer = shop.search(photo, "in_stock=false&n=1").json()["products"]
            except OSError:  # the worker that is killed had taken the question
                return False
            found.append(answer[0]["product_id"] == product)
        return all(found)

    killed = shop.service.workers()[0]
    os.kill(killed, signal.SIGKILL)
    shop.put_photo(tmp_path / "while it is dead", product, photo)
    eventually(lambda: len(set(shop.service.workers()) - {killed}) == 2)
    eventually(all_find_it)
