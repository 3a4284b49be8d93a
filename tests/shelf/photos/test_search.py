from __future__ import annotations

import csv
import io
import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.models.photos.graphs import two_towers

from thinslice.demo.catalogue import make_catalogue
from thinslice.demo.pictures import draw_pictures
from thinslice.domain import Filters, Product
from thinslice.errors import InputError, NotEnoughDataError, NotFoundError
from thinslice.index.vector_index import VectorIndex
from thinslice.models.photos.distortions import distorted
from thinslice.models.photos.pixels import decode
from thinslice.ranking.rules import leaf
from thinslice.shelf.photos.gallery import PhotoWish
from thinslice.shelf.photos.search import PhotoSearch
from thinslice.shelf.photos.tags import tag_photos
from thinslice.shelf.photos.weights import balanced
from thinslice.store.catalog import ShopCatalog
from thinslice.store.photos import PhotoStore
from thinslice.store.results import Results

COLOURS = {"red": (250, 10, 10), "green": (10, 250, 10), "blue": (10, 10, 250)}


class Drawn:
    """A shop whose products and pictures are drawn."""

    def __init__(self, folder: Path, per_cell: int = 2, seed: int = 5) -> None:
        made = make_catalogue(np.random.default_rng(seed), per_cell=per_cell)
        self.products = {p.id: p for p in made.products}
        self.pictures = dict(draw_pictures(made))
        self.catalog = ShopCatalog(folder / "catalog.sqlite", "EUR")
        self.catalog.upsert(made.products)
        self.store = PhotoStore(folder / "photos")
        for product, picture in self.pictures.items():
            self.store.put(product, picture)
        self.catalog.mark_photos(self.products)
        self.search = PhotoSearch(
            folder / "search", self.catalog, self.store, Results(folder / "results")
        )

    def vectors(self, product: str, seed: int | None = None) -> dict[str, np.ndarray]:
        pixels = decode(self.pictures[product])
        return self.search.encode(pixels if seed is None else distorted(pixels, seed))

    def share(self, wish: Callable[[Product], PhotoWish], alike: Callable[..., bool]) -> float:
        """The share of what is found for every fourth product that is alike."""
        found = [
            alike(product, hit.product)
            for product in list(self.products.values())[::4]
            for hit in self.search.similar(product.id, wish(product))
        ]
        return float(np.mean(found))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Drawn:
    drawn = Drawn(Path(tmp_path_factory.mktemp("drawn")))
    drawn.search.build()
    return drawn


@pytest.fixture
def empty(tmp_path: Path) -> PhotoSearch:
    catalog = ShopCatalog(tmp_path / "catalog.sqlite", "EUR")
    return PhotoSearch(tmp_path / "s", catalog, PhotoStore(tmp_path / "p"), Results(tmp_path / "r"))


def as_jpeg(pixels: np.ndarray, quality: int = 90) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=quality)
    return out.getvalue()


def test_a_distorted_photo_finds_its_product_among_the_first_ten(shop: Drawn) -> None:
    wish = PhotoWish(n=10)
    ranks = []
    for seed, product in enumerate(shop.products):
        found = shop.search.search(shop.vectors(product, seed), wish)
        ranks.append(
            [hit.product.id for hit in found].index(product)
            if product in {hit.product.id for hit in found}
            else 99
        )
    assert np.mean(np.array(ranks) < 10) > 0.95
    assert np.mean(np.array(ranks) == 0) > 0.6


def test_similar_products_are_of_the_same_kind_whatever_their_colour(shop: Drawn) -> None:
    def in_its_colour(product: Product, other: Product) -> bool:
        return product.colour == other.colour

    def of_its_kind(product: Product, other: Product) -> bool:
        return product.category == other.category

    most = max(
        sum(p.category == q.category for q in shop.products.values()) - 1
        for p in shop.products.values()
    )
    n = min(5, most)
    assert shop.share(lambda _: PhotoWish(n=n), of_its_kind) > 0.85
    assert shop.share(lambda _: PhotoWish(n=n), in_its_colour) < 0.9


def test_asked_in_another_colour_the_colour_changes_and_the_kind_stays(shop: Drawn) -> None:
    def wish(product: Product) -> PhotoWish:
        kin = [p for p in shop.products.values() if p.category == product.category]
        return PhotoWish(n=1, colour=max(p.colour for p in kin if p.colour != product.colour))

    def as_asked(product: Product, other: Product) -> bool:
        return other.colour == wish(product).colour

    def of_its_kind(product: Product, other: Product) -> bool:
        return product.category == other.category

    assert shop.share(wish, as_asked) == 1
    assert shop.share(wish, of_its_kind) > 0.75


def test_a_colour_that_is_not_listed_is_seen_on_the_photo(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path, per_cell=4)
    unlisted = list(drawn.products.values())[::5]
    drawn.catalog.patch_all([(p.id, {"colour": ""}) for p in unlisted])
    drawn.search.build()
    asked = 0
    for product in unlisted[:12]:
        wish = PhotoWish(n=100, colour=product.colour.upper())
        hits = drawn.search.search(drawn.vectors(product.id), wish)
        asked += product.id in {hit.product.id for hit in hits}
    assert asked >= 10


def test_the_slider_goes_from_shape_to_colour(shop: Drawn) -> None:
    def colour_kept(share: float) -> float:
        return shop.share(
            lambda _: PhotoWish(n=5, weights=balanced(share)), lambda a, b: a.colour == b.colour
        )

    assert colour_kept(1.0) > colour_kept(0.5) > 0
    assert colour_kept(1.0) > 0.8
    assert balanced(0)["colour"] == 0
    assert balanced(1) == {"style": 0, "identity": 0, "shape": 0, "colour": 1}
    with pytest.raises(InputError, match="from 0"):
        balanced(1.5)


def test_hidden_removed_and_filtered_products_never_appear(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path, per_cell=1)
    drawn.search.build()
    gone, hidden, sold, *_ = list(drawn.products)
    drawn.catalog.delete(gone)
    drawn.catalog.hide(hidden)
    drawn.catalog.patch(sold, stock=0)
    for product in (gone, hidden):
        hits = drawn.search.search(drawn.vectors(product), PhotoWish(n=100))
        assert not {gone, hidden} & {hit.product.id for hit in hits}
    hits = drawn.search.search(drawn.vectors(sold), PhotoWish(n=100, filters=Filters()))
    assert sold not in {hit.product.id for hit in hits}
    assert sold in {h.product.id for h in drawn.search.search(drawn.vectors(sold))}


def test_a_new_photo_is_found_at_once_and_a_replaced_one_by_its_new_look(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path, per_cell=1)
    first, second, *_ = list(drawn.products)
    assert drawn.search.add([first]) == 0
    drawn.search.build()
    noise = np.random.default_rng(2).integers(0, 255, (8, 8, 3), dtype=np.uint8).repeat(20, 0)
    picture = as_jpeg(noise.repeat(20, 1))
    drawn.catalog.upsert([Product("new", "New")])
    drawn.store.put("new", picture)
    drawn.catalog.mark_photos(["new"])
    assert drawn.search.add(["new", "new", "nobody"]) == 1
    pixels = decode(picture)
    assert drawn.search.search(drawn.search.encode(pixels))[0].product.id == "new"
    drawn.store.put(second, drawn.pictures[first])
    drawn.search.add([second])
    best = drawn.search.search(drawn.vectors(first))[:2]
    assert {hit.product.id for hit in best} == {first, second}
    assert drawn.search.near_duplicates()[0][2] > 0.999


def test_every_photo_of_a_folder_is_tagged_and_a_run_that_was_stopped_goes_on(
    shop: Drawn, tmp_path: Path
) -> None:
    folder, output = tmp_path / "photos", tmp_path / "tags.csv"
    (folder / "deep").mkdir(parents=True)
    ids = list(shop.products)
    for i, product in enumerate(ids[:70]):
        (folder / f"={i:03}.jpg").write_bytes(shop.pictures[product])
    (folder / "deep" / "broken.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("not a photo")

    class Pulled(Exception):
        pass

    def pull(done: int, total: int | None) -> None:
        raise Pulled

    with pytest.raises(Pulled):
        tag_photos(shop.search, folder, output, pull)
    assert not output.exists()
    report = tag_photos(shop.search, folder, output)
    assert (report.photos, report.resumed_at) == (71, 64)
    rows = list(csv.DictReader(io.StringIO(output.read_text("utf-8-sig"))))
    assert len(rows) == 71
    broken = next(row for row in rows if row["photo"] == "deep/broken.png")
    assert broken["review"] == "yes"
    assert "cannot be read" in broken["why"]
    assert [row["review"] for row in rows] == sorted((row["review"] for row in rows), reverse=True)
    by_name = {row["photo"]: row for row in rows}
    right = [
        by_name[f"'={i:03}.jpg"]["category"] == shop.products[ids[i]].category for i in range(70)
    ]
    assert np.mean(right) > 0.9


def test_a_photo_saved_again_is_a_duplicate_and_another_pattern_is_none(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path, per_cell=6, seed=1)
    copies = {}
    for n, product in enumerate(list(drawn.products)[::10]):
        picture = Image.open(io.BytesIO(drawn.pictures[product])).resize((150 + 5 * n,) * 2)
        out = io.BytesIO()
        picture.save(out, "JPEG", quality=60)
        copies[f"copy {n}"] = product
        drawn.store.put(f"copy {n}", out.getvalue())
    drawn.catalog.upsert(Product(copy, copy) for copy in copies)
    drawn.catalog.mark_photos(copies)
    drawn.search.build()
    found = {frozenset((a.id, b.id)) for a, b, _ in drawn.search.near_duplicates()}
    right = {frozenset(pair) for pair in copies.items()}
    assert len(found & right) >= 0.96 * len(right)
    assert len(found - right) <= 0.04 * len(right)


def test_what_looks_alike_is_a_candidate_for_lists_and_nothing_is_where_there_is_no_photo(
    shop: Drawn, empty: PhotoSearch
) -> None:
    product = next(iter(shop.products))
    near = shop.search.nearest(product, 5)
    alike = shop.search.similar(product, PhotoWish(n=5))
    assert [(c.product, c.score) for c in near] == [(hit.product.id, hit.score) for hit in alike]
    assert {c.because for c in near} == {product}
    assert shop.search.nearest("nobody") == []
    assert empty.nearest(product) == []


def test_a_pretrained_model_takes_the_place_of_the_shipped_one_and_of_its_vectors(
    tmp_path: Path,
) -> None:
    drawn = Drawn(tmp_path, per_cell=1)
    drawn.search.build()
    before = drawn.search.served()
    product = next(iter(drawn.products))
    old = drawn.vectors(product)
    model = two_towers(tmp_path / "model")
    drawn.search.build(encoder=str(model))
    served = drawn.search.served()
    assert served.encoder.hash == served.index.encoder != before.encoder.hash
    assert set(served.index.bits) == {"style", "shape", "colour"}
    with pytest.raises(InputError, match="'identity'"):
        drawn.search.search(old)
    with pytest.raises(InputError, match="cannot be compared"):
        VectorIndex.open(served.folder / "index", encoder=before.encoder.hash)
    pixels = decode(drawn.pictures[product], served.encoder.side)
    assert drawn.search.search(drawn.search.encode(pixels))[0].product.id == product
    wish = PhotoWish(n=5, weights=balanced(0.2), filters=Filters(in_stock=True))
    assert len(drawn.search.similar(product, wish)) == 5
    drawn.search.build()
    assert drawn.search.served().encoder.hash == served.encoder.hash
    drawn.search.build(encoder="shipped")
    assert drawn.search.served().encoder.hash == before.encoder.hash


def test_a_model_that_cannot_be_taken_leaves_what_is_in_force(shop: Drawn, tmp_path: Path) -> None:
    before = shop.search.served().folder
    for model, said in ((tmp_path / "none.onnx", "no file"), (tmp_path, "the ONNX file itself")):
        with pytest.raises(InputError, match=said):
            shop.search.build(encoder=str(model))
    assert shop.search.served().folder == before
    assert not [f for f in shop.search.folder.glob("photos-*") if f > before]


def test_words_find_products_by_title_or_by_photo_where_the_model_reads(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path, per_cell=1)
    for colour in ("red", "green", "blue"):
        drawn.store.put(colour, as_jpeg(np.full((90, 90, 3), COLOURS[colour], np.uint8)))
    drawn.catalog.upsert(Product(c, f"Zebu cloth {c}", "Cloth") for c in COLOURS)
    drawn.catalog.mark_photos(COLOURS)
    drawn.search.build()
    assert {h.product.id for h in drawn.search.by_words("CLOTH zebu")} == set(COLOURS)
    assert drawn.search.by_words("cloth unicorn") == []
    drawn.search.build(encoder=str(two_towers(tmp_path / "model")))
    for colour in COLOURS:
        said = f"something {colour}"
        hits = drawn.search.by_words(said, PhotoWish(n=3))
        assert (hits[0].product.id, hits[0].why) == (colour, "its photo fits the words")
        assert drawn.search.by_words(said, PhotoWish(n=3, text=said)) == hits


def test_two_services_over_one_folder_see_the_same(tmp_path: Path, shop: Drawn) -> None:
    other = PhotoSearch(shop.search.folder, shop.catalog, shop.store, Results(tmp_path / "results"))
    product = next(iter(shop.products))
    theirs = [hit.product.id for hit in other.similar(product)]
    assert theirs == [hit.product.id for hit in shop.search.similar(product)]


def test_a_build_while_people_search_drops_nobody(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path, per_cell=1)
    drawn.search.build()
    product = next(iter(drawn.products))
    done, wrong = threading.Event(), []

    def ask() -> None:
        while not done.is_set():
            try:
                assert len(drawn.search.similar(product)) == 8
            except Exception as error:
                wrong.append(error)
                return

    people = [threading.Thread(target=ask) for _ in range(3)]
    for person in people:
        person.start()
    drawn.search.build()
    drawn.search.add(list(drawn.products)[:5])
    drawn.search.build()
    done.set()
    for person in people:
        person.join()
    assert wrong == []
    assert len(list(drawn.search.folder.glob("photos-*"))) == 2


def test_tags_say_kind_and_colour_and_mean_their_confidence(shop: Drawn) -> None:
    measured = shop.search.describe()["measured"]
    for attribute in ("category", "colour"):
        assert measured[attribute]["accuracy"] > measured[attribute]["most_frequent"] + 0.5
        assert measured[attribute]["calibration_error"] < 0.1
    product = next(iter(shop.products.values()))
    tags = shop.search.tag(shop.vectors(product.id))
    assert tags["category"].label == product.category


def test_a_product_filed_under_the_wrong_category_is_doubted(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path, per_cell=4)
    names = sorted({p.category for p in drawn.products.values()})
    wrong = list(drawn.products.values())[::23]
    drawn.catalog.patch_all(
        [(p.id, {"category": names[(names.index(p.category) + 1) % len(names)]}) for p in wrong]
    )
    drawn.search.build()
    doubted = drawn.search.disagreements()
    found = {one["product"] for one in doubted}
    assert len(found & {p.id for p in wrong}) >= 0.8 * len(wrong)
    assert len(found) <= 1.3 * len(wrong)
    right = next(p for p in wrong if p.id in found)
    assert next(o for o in doubted if o["product"] == right.id)["seen"] == right.category
    drawn.catalog.patch(right.id, category=right.category)
    assert right.id not in {one["product"] for one in drawn.search.disagreements()}


def test_photos_like_none_it_learned_from_are_said_to_be_rough(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    catalog = ShopCatalog(tmp_path / "catalog.sqlite", "EUR")
    store = PhotoStore(tmp_path / "photos")
    ids = [f"p{i}" for i in range(60)]
    catalog.upsert(Product(i, i, category=f"kind {n % 3}") for n, i in enumerate(ids))
    for i in ids:
        store.put(i, as_jpeg(rng.integers(0, 255, (96, 96, 3), dtype=np.uint8), 95))
    catalog.mark_photos(ids)
    search = PhotoSearch(tmp_path / "s", catalog, store, Results(tmp_path / "r"))
    search.build()
    quality = search.describe()["quality"]
    assert quality["is_rough"]
    assert "--fit-encoder" in quality["sentence"]


def test_drawn_products_are_not_rough(shop: Drawn) -> None:
    quality = shop.search.describe()["quality"]
    assert not quality["is_rough"]
    assert quality["found_in_ten"] > 0.95


def test_before_photos_there_is_a_sentence_that_says_what_to_do(empty: PhotoSearch) -> None:
    assert not empty.is_built()
    assert not empty.can_build()
    with pytest.raises(NotFoundError, match="thinslice import --photos"):
        empty.served()
    with pytest.raises(NotEnoughDataError, match="thinslice import --photos"):
        empty.build()
    assert not list(empty.folder.glob("photos-*"))


def test_labels_are_not_needed_to_search(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path, per_cell=1)
    drawn.catalog.patch_all([(i, {"category": "", "colour": ""}) for i in drawn.products])
    drawn.search.build()
    product = next(iter(drawn.products))
    assert drawn.search.search(drawn.vectors(product))[0].product.id == product
    assert drawn.search.tag(drawn.vectors(product)) == {}
    assert drawn.search.colours() == ()
    with pytest.raises(InputError, match="none yet"):
        drawn.search.search(drawn.vectors(product), PhotoWish(colour="red"))


def test_a_photo_that_is_gone_or_broken_is_left_out(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path, per_cell=1)
    gone, broken, *_ = list(drawn.products)
    for product, act in ((gone, Path.unlink), (broken, lambda p: p.write_bytes(b"no picture"))):
        path = drawn.store.path(product)
        assert path is not None
        act(path)
    assert drawn.search.build()["photos"] == len(drawn.products) - 2


def test_words_find_what_a_thing_is_before_what_its_title_names(shop: Drawn) -> None:
    listed = sorted({(p.colour, p.category) for p in shop.products.values()})
    kinds, colours = [], []
    for colour, category in listed[::5]:
        hits = shop.search.by_words(f"{colour} {leaf(category)}", PhotoWish(n=3))
        some = [p for p in shop.products.values() if (p.colour, p.category) == (colour, category)]
        for hit in hits[: len(some)]:
            kinds.append(hit.product.category == category)
            colours.append(hit.product.colour == colour)
        assert f"“{colour.lower()}” by its colour" in hits[0].why
    assert np.mean(kinds) > 0.9
    assert np.mean(colours) > 0.9


def test_words_find_products_without_a_photo_and_photos_that_nobody_labelled(
    tmp_path: Path,
) -> None:
    drawn = Drawn(tmp_path, per_cell=4)
    drawn.catalog.upsert([Product("plain", "Zebu cloth", "Cloth", colour="red")])
    bare = list(drawn.products.values())[::6]
    drawn.catalog.patch_all([(p.id, {"colour": "", "title": p.id}) for p in bare])
    drawn.search.build()
    assert [h.product.id for h in drawn.search.by_words("zebu")] == ["plain"]
    wish = PhotoWish(n=100, filters=Filters(in_stock=False))
    found = 0
    for product in bare:
        hits = drawn.search.by_words(f"{product.colour} {leaf(product.category)}", wish)
        hit = next((h for h in hits if h.product.id == product.id), None)
        found += hit is not None and f"“{product.colour.lower()}” by its photo" in hit.why
    assert found > 0.7 * len(bare)
    drawn.catalog.patch("plain", title="Yak cloth")
    assert [h.product.id for h in drawn.search.by_words("yak")] == ["plain"]
    assert drawn.search.by_words("zebu") == []


def test_filters_and_a_colour_hold_for_words_too(shop: Drawn) -> None:
    product = next(iter(shop.products.values()))
    other = max(p.colour for p in shop.products.values() if p.colour != product.colour)
    hits = shop.search.by_words(leaf(product.category), PhotoWish(n=50, colour=other))
    assert hits
    assert {hit.product.colour for hit in hits} == {other}
    cheap = Filters(price_max_minor=product.price_minor)
    for hit in shop.search.by_words(leaf(product.category), PhotoWish(n=50, filters=cheap)):
        assert hit.product.price_minor is not None and product.price_minor is not None
        assert hit.product.price_minor <= product.price_minor


def test_a_photo_and_words_find_its_kind_as_the_words_say(shop: Drawn) -> None:
    kind, said = [], []
    for product in list(shop.products.values())[::9]:
        vectors = shop.vectors(product.id)
        kin = [p for p in shop.products.values() if p.category == product.category]
        other = next(p.colour for p in kin if p.colour != product.colour)
        hits = shop.search.search(vectors, PhotoWish(n=1, text=f"the same in {other}"))
        kind.append(hits[0].product.category == product.category)
        said.append(hits[0].product.colour == other)
        word = kin[-1].title.split()[0]
        first = shop.search.search(vectors, PhotoWish(n=10, text=word))
        assert word in first[0].product.title.split()
        assert "by its title" in first[0].why
    assert np.mean(said) == 1
    assert np.mean(kind) > 0.8


def test_a_model_that_reads_moves_a_photo_towards_the_words(tmp_path: Path) -> None:
    drawn = Drawn(tmp_path, per_cell=1)
    for colour in COLOURS:
        drawn.store.put(colour, as_jpeg(np.full((90, 90, 3), COLOURS[colour], np.uint8)))
    drawn.catalog.upsert(Product(c, f"Cloth {n}", "Cloth") for n, c in enumerate(COLOURS))
    drawn.catalog.mark_photos(COLOURS)
    drawn.search.build(encoder=str(two_towers(tmp_path / "model")))
    style = {"weights": {"shape": 0.0, "colour": 0.0}, "n": 3}
    vectors = drawn.search.vectors_of("red")
    assert drawn.search.search(vectors, PhotoWish(**style))[0].product.id == "red"
    blended = drawn.search.search(vectors, PhotoWish(**style, text="something blue"))
    scores = {hit.product.id: hit.score for hit in blended}
    assert scores.get("blue", 0) > scores.get("green", 0)
    assert "blue" in list(scores)[:2]


def test_an_attribute_is_told_where_photos_show_it_and_not_where_they_do_not(
    tmp_path: Path,
) -> None:
    drawn = Drawn(tmp_path, per_cell=3)
    rng = np.random.default_rng(1)
    for product in drawn.products.values():
        luck = "lucky" if rng.random() < 0.6 else "unlucky"
        known = (("luck", luck), *product.attributes)
        drawn.catalog.patch(product.id, attributes=known)
    open_ = list(drawn.products.values())[::10]
    for product in open_:
        drawn.catalog.patch(product.id, attributes=())
    drawn.search.build()
    measured = drawn.search.describe()["measured"]
    assert set(measured) == {"category", "colour", "pattern"}
    assert measured["pattern"]["accuracy"] > measured["pattern"]["most_frequent"] + 0.2
    assert measured["pattern"]["calibration_error"] < 0.1
    right = [
        drawn.search.tag(drawn.vectors(p.id))["pattern"].label == p.label("pattern") for p in open_
    ]
    assert np.mean(right) > 0.7
    told = [
        drawn.search.tag(drawn.vectors(p.id), p.title)["pattern"].label == p.label("pattern")
        for p in open_  # the titles name it
    ]
    assert np.mean(told) > max(0.95, np.mean(right))
    folder = tmp_path / "to tag"
    folder.mkdir()
    (folder / "one.jpg").write_bytes(drawn.pictures[open_[0].id])
    tag_photos(drawn.search, folder, tmp_path / "tags.csv")
    (row,) = csv.DictReader(io.StringIO((tmp_path / "tags.csv").read_text("utf-8-sig")))
    assert row["pattern"] == drawn.search.tag(drawn.vectors(open_[0].id))["pattern"].label
    assert 0 < float(row["pattern confidence"]) <= 1
