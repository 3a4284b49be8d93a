from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from thinslice.config import Settings
from thinslice.demo.catalogue import make_catalogue
from thinslice.demo.pictures import draw_pictures
from thinslice.domain import Product, Shop
from thinslice.engine import Engine
from thinslice.models.photos.pixels import decode
from thinslice.shelf.photos.tags import tag_photos
from thinslice.shelf.reviews import Question
from thinslice.shelf.shelf import Shelf

VAGUE = "Nice thing for everybody"


def made(folder: Path) -> tuple[Shelf, dict[str, Product], dict[str, bytes]]:
    """A shop with drawn photos: of some products the category or the colour is not known, of one
    kind the titles say nothing."""
    engine = Engine(Settings(data=folder))
    engine.control.add_shop(Shop("shop", "Shop"))
    catalogue = make_catalogue(np.random.default_rng(5), per_cell=4)
    shelf = engine.shelf("shop")
    shelf.catalog.upsert(catalogue.products)
    pictures = dict(draw_pictures(catalogue))
    for product, picture in pictures.items():
        shelf.photos.put(product, picture)
    shelf.catalog.mark_photos(pictures)
    return shelf, {p.id: p for p in catalogue.products}, pictures


@pytest.fixture(scope="module")
def learned(tmp_path_factory: pytest.TempPathFactory) -> tuple[Shelf, dict[str, Product], set[str]]:
    shelf, products, _ = made(Path(tmp_path_factory.mktemp("reviews")))
    vague = list(products)[::9]
    shelf.catalog.patch_all([(i, {"title": f"{VAGUE} {n}"}) for n, i in enumerate(vague)])
    unfiled = set(vague[::2])
    shelf.catalog.patch_all([(i, {"category": ""}) for i in unfiled])
    shelf.titles.learn()
    shelf.photo_search.build()
    assert shelf.photo_titles.learn() is not None
    return shelf, products, unfiled


def test_photo_and_title_together_are_better_than_either(
    learned: tuple[Shelf, dict[str, Product], set[str]],
) -> None:
    both = learned[0].photo_titles.both()
    assert both is not None
    measured = both.measured
    assert measured["accuracy"] > measured["title_alone"] + 0.02
    assert measured["accuracy"] >= measured["photo_alone"]
    assert measured["accuracy"] > measured["most_frequent"] + 0.5
    assert measured["calibration_error"] < 0.1


def test_a_product_whose_photo_is_clear_is_not_asked_about_for_its_title(
    learned: tuple[Shelf, dict[str, Product], set[str]],
) -> None:
    shelf, products, unfiled = learned
    by_title = {q.product for q in shelf.titles.queue(500)}
    assert len(unfiled & by_title) > 0.8 * len(unfiled)
    tags = shelf.photo_titles.tags(sorted(unfiled))
    right = [tags[i].label == products[i].category for i in unfiled]
    assert np.mean(right) > 0.9
    waiting = {q.product: q for q in shelf.reviews.waiting(500)}
    assert set(waiting) & unfiled == {i for i in unfiled if tags[i].needs_person}
    for product in set(waiting) & unfiled:
        assert waiting[product].options[0][0] == tags[product].label
        assert waiting[product].photo == product


def test_a_photo_and_a_title_that_are_sent_are_read_together(
    learned: tuple[Shelf, dict[str, Product], set[str]],
) -> None:
    shelf, products, unfiled = learned
    filed = next(p for p in shelf.catalog.all().values() if p.id not in unfiled)
    vectors = shelf.photo_search.vectors_of(filed.id)
    tag = shelf.photo_titles.tag(vectors, filed.title)
    assert tag is not None
    assert tag.label == filed.category
    assert shelf.photo_titles.tag(vectors, " !! ") is None


def test_a_wrong_category_is_doubted_by_the_photo_and_decided_once(tmp_path: Path) -> None:
    shelf, products, _ = made(tmp_path)
    names = sorted({p.category for p in products.values()})
    wrong = list(products)[::41]
    for i in wrong:
        other = names[(names.index(products[i].category) + 5) % len(names)]
        shelf.catalog.patch_all([(i, {"category": other, "title": f"{VAGUE} {i}"})])
    shelf.photo_search.build()
    doubts = {q.product: q for q in shelf.reviews.doubts(100)}
    found = [i for i in wrong if i in doubts]
    assert len(found) >= 0.7 * len(wrong)
    question = doubts[found[0]]
    assert question.options[0][0] == products[found[0]].category
    assert question.filed == shelf.catalog.all()[found[0]].category
    shelf.reviews.decide(question, products[found[0]].category, who="Ada")
    assert found[0] not in {q.product for q in shelf.reviews.doubts(100)}
    row = next(r for r in shelf.photo_search.decisions.rows() if r[0] == found[0])
    assert row[1] == "category" and row[3:] == [products[found[0]].category, "Ada"]
    shelf.reviews.take_back(question)
    assert found[0] in {q.product for q in shelf.reviews.doubts(100)}


def test_colours_that_people_say_are_learned_within_a_refit(tmp_path: Path) -> None:
    shelf, products, pictures = made(tmp_path)
    red = [i for i, p in products.items() if p.colour == next(iter(products.values())).colour]
    known = products[red[0]].colour
    shelf.catalog.patch_all([(i, {"colour": ""}) for i in red])
    photos = shelf.photo_search
    photos.build()
    assert known not in photos.served().heads.heads["colour"].labels  # nobody has named it yet
    taught, rest = red[::2], red[1::2]
    for product in taught:
        photos.decisions.decide(product, "colour", known, who="Ada")
    assert photos.unlearned() == len(taught)
    before = photos.served().heads.version
    photos.refit()
    assert photos.unlearned() == 0
    assert photos.served().heads.version != before
    told = [photos.tag(photos.vectors_of(i))["colour"].label == known for i in rest]
    assert np.mean(told) > 0.8
    asked = {q.product for q in shelf.reviews.colours(500)}
    assert not asked & set(taught)
    photos.build()
    assert known in photos.served().heads.heads["colour"].labels


def test_an_attribute_that_is_open_is_asked_about_and_what_people_say_is_learned(
    tmp_path: Path,
) -> None:
    shelf, products, _ = made(tmp_path)
    open_ = set(list(products)[::3])
    shelf.catalog.patch_all([(i, {"attributes": ()}) for i in open_])
    shelf.photo_search.build()
    asked = [q for q in shelf.reviews.colours(500) if q.attribute == "pattern"]
    assert asked
    assert {q.product for q in asked} <= open_
    assert "pattern" in shelf.reviews.attributes()
    labels = set(shelf.reviews.labels("pattern"))
    assert labels == {p.label("pattern") for p in products.values()}
    question = asked[0]
    assert {label for label, _ in question.options} <= labels
    right = products[question.product].label("pattern")
    shelf.reviews.decide(question, right, who="Ada")
    assert shelf.photo_search.decisions.decided()["pattern"] == {question.photo: right}
    left = {q.product for q in shelf.reviews.colours(500) if q.attribute == "pattern"}
    assert question.product not in left
    shelf.photo_search.refit()
    assert shelf.photo_search.unlearned() == 0


def test_photos_that_were_tagged_wait_with_their_picture_until_somebody_decides(
    tmp_path: Path,
) -> None:
    shelf, products, pictures = made(tmp_path / "data")
    shelf.photo_search.build()
    folder = tmp_path / "photos"
    folder.mkdir()
    rng = np.random.default_rng(0)
    for n in range(6):
        noise = rng.integers(0, 255, (300, 200, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"odd {n}.png")
    (folder / "clear.jpg").write_bytes(next(iter(pictures.values())))
    tag_photos(shelf.photo_search, folder, tmp_path / "tags.csv", queue=True)
    rows = csv.DictReader(io.StringIO((tmp_path / "tags.csv").read_text("utf-8-sig")))
    unsure = {row["photo"] for row in rows if row["review"]}
    assert unsure
    assert {q.title for q in shelf.reviews.waiting(100)} == unsure
    more = (folder / "clear.jpg").read_bytes()
    shelf.photo_search.decisions.wait("clear.jpg", more, ["category", "colour"])
    waiting = shelf.reviews.waiting(100)
    first, second, *_ = waiting
    path = shelf.photo_search.decisions.pictures.path(first.photo)
    assert path is not None and decode(path.read_bytes()).shape == (64, 64, 3)
    assert len(first.options) == 3
    shelf.reviews.decide(first, first.options[1][0])
    shelf.reviews.none_fits(second)
    left = {(q.photo, q.attribute) for q in shelf.reviews.waiting(100)}
    gone = {(q.photo, q.attribute) for q in waiting} - left
    assert gone == {(q.photo, q.attribute) for q in (first, second)}
    photos = shelf.photo_search.served().heads.meta["photos"]
    shelf.photo_search.refit()
    assert shelf.photo_search.served().heads.meta["photos"] == photos + 1
    shelf.reviews.take_back(first)
    assert first.photo in {q.photo for q in shelf.reviews.waiting(100)}


def test_where_nothing_was_learned_nothing_waits(tmp_path: Path) -> None:
    engine = Engine(Settings(data=tmp_path))
    engine.control.add_shop(Shop("shop", "Shop"))
    reviews = engine.shelf("shop").reviews
    lists: list[Callable[[int], list[Question]]] = [
        reviews.waiting,
        reviews.doubts,
        reviews.colours,
    ]
    assert [ask(10) for ask in lists] == [[], [], []]
    assert engine.shelf("shop").photo_titles.learn() is None
    assert engine.shelf("shop").photo_titles.both() is None
