from __future__ import annotations

import pytest
from tests.contracts.recommender import RecommenderContract
from tests.contracts.session_logs import checkerboard

from thinslice.config import Settings
from thinslice.domain import Product, Query, Scored
from thinslice.models.sessions.bundle import learn
from thinslice.ranking.ranker import Ranker
from thinslice.shelf.newcomers import EVERY, Newcomers, NewcomerSearch, WithNewcomers

PRODUCTS = {
    p.id: p
    for p in (
        Product("known", "Red table lamp with shade", "Lamps"),
        Product("other", "Blue sofa bed", "Sofas"),
        Product("new", "Red table lamp with a shade", "Lamps"),
        Product("elsewhere", "Red table lamp with shade", "Toys"),
        Product("odd", "Wheelbarrow", "Garden"),
    )
}
KNOWN = {"known", "other"}


def no_photos(product: str, n: int) -> list[Scored]:
    return []


def searched(products=PRODUCTS, known=KNOWN, nearest=no_photos) -> Newcomers:
    search = NewcomerSearch(nearest)
    while search.look(products, known.__contains__, "v1"):
        pass
    return search.found


class Listed:
    """Lists the same products whatever was seen, and keeps what it was asked for."""

    name = "session"

    def __init__(self, *products: str) -> None:
        self.products = products
        self.asked: list[list[str]] = []

    def recommend(self, session, n, *, now_us=None):
        self.asked.append(list(session))
        return [Scored(p, 1 / (1 + i), session[-1]) for i, p in enumerate(self.products)][:n]


class TestAListWithNewcomersIsARecommender(RecommenderContract):
    @pytest.fixture
    def recommender(self):
        model = learn(checkerboard(60), Settings()).recommenders["session"]
        found = Newcomers(
            {"new-1": (("lamp-2", 0.9),), "new-2": (("sofa-1", 0.8),)},
            {"lamp-2": (("new-1", 0.9),), "sofa-1": (("new-2", 0.8),)},
        )
        return WithNewcomers("session", model, lambda: found)


def test_a_new_product_looks_like_the_known_one_with_its_words_in_its_category():
    found = searched()
    assert [other for other, _ in found.looks_like["new"]] == ["known"]
    assert found.looks_like["elsewhere"] == found.looks_like["odd"] == ()
    assert [product for product, _ in found.lookalikes["known"]] == ["new"]


def test_photos_speak_where_titles_do_not():
    products = {
        "a": Product("a", "Model 17", "Lamps", has_photo=True),
        "b": Product("b", "Another name", "Lamps", has_photo=True),
    }
    found = searched(products, {"a"}, lambda product, n: [Scored("a", 0.9, product)])
    assert found.looks_like["b"] == (("a", pytest.approx(0.45)),)


def test_hidden_products_are_not_looked_at():
    hidden = {
        **PRODUCTS,
        "new": Product("new", "Red table lamp with a shade", "Lamps", hidden=True),
    }
    assert "new" not in searched(hidden).looks_like


def test_a_product_is_new_until_a_model_knows_it():
    search = NewcomerSearch(no_photos)
    search.look(PRODUCTS, KNOWN.__contains__, "v1")
    assert search.found.looks_like["new"]
    search.look(PRODUCTS, (KNOWN | {"new"}).__contains__, "v2")
    assert "new" not in search.found.looks_like
    assert search.found.lookalikes == {}


def test_what_comes_into_the_catalogue_is_found_with_the_next_look():
    search = NewcomerSearch(no_photos)
    before = {id: p for id, p in PRODUCTS.items() if id != "new"}
    search.look(before, KNOWN.__contains__, "v1")
    search.look(PRODUCTS, KNOWN.__contains__, "v1")
    assert search.found.looks_like["new"]


def test_a_visit_to_a_new_product_is_heard_as_one_to_what_it_looks_like():
    maker = Listed("other")
    listed = WithNewcomers("session", maker, searched).recommend(["odd", "new"], 5)
    assert maker.asked == [["odd", "known", "new"]]
    assert listed[0].because == "new"


def test_a_reason_names_what_was_viewed_and_never_what_stands_for_it():
    class ByLast(Listed):
        def recommend(self, session, n, *, now_us=None):
            return [Scored("other", 1.0, "known")]

    assert WithNewcomers("session", ByLast(), searched).recommend(["new"], 5)[0].because == "new"
    viewed = WithNewcomers("session", ByLast(), searched).recommend(["known", "new"], 5)
    assert viewed[0].because == "known"


def test_new_products_take_at_most_every_fifth_place():
    known = tuple(f"p{i}" for i in range(12))
    lookalikes = {p: ((f"new-{p}", 1.0),) for p in known}
    found = Newcomers({f"new-{p}": ((p, 1.0),) for p in known}, lookalikes)
    listed = WithNewcomers("session", Listed(*known), lambda: found).recommend(["x"], 15)
    places = [i for i, s in enumerate(listed) if s.product.startswith("new-")]
    assert places[0] == EVERY - 1
    assert all(b - a >= EVERY for a, b in zip(places[:-1], places[1:], strict=True))
    assert [s.score for s in listed] == sorted((s.score for s in listed), reverse=True)


def test_the_reason_says_that_it_is_new_and_what_it_looks_like():
    rest = [f"p{n}" for n in range(5)]
    products = PRODUCTS | {id: Product(id, f"Thing {id}") for id in rest}
    makers = {"session": WithNewcomers("session", Listed("known", *rest), searched)}
    shown, note = Ranker(makers, products).rank(Query(items=("other",), n=6), "session")
    assert [r.product for r in shown] == ["known", "p0", "p1", "p2", "new", "p3"]
    assert {r.source for r in shown} == {"session"}
    assert shown[4].reason == "New, looks like Red table lamp with shade"
    assert note == ""
