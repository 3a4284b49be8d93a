from __future__ import annotations

from thinslice.domain import Product
from thinslice.index.search import Near
from thinslice.shelf.photos.order import in_order
from thinslice.shelf.photos.weights import WEIGHTS, balanced

PRODUCTS = {
    "shoe": Product("shoe", "", category="Shoes"),
    "bag": Product("bag", "", category="Bags"),
    "unfiled": Product("unfiled", ""),
}
KINDS = {"Shoes": 0.97}


def order(scores: dict[str, float], weights: dict[str, float] = WEIGHTS) -> list[str]:
    near = [Near(product, score, {}) for product, score in scores.items()]
    return [one.product for one in in_order(near, KINDS, PRODUCTS, weights)]


def test_of_two_that_look_about_as_alike_the_likelier_kind_comes_first() -> None:
    assert order({"bag": 0.71, "shoe": 0.70}) == ["shoe", "bag"]


def test_what_looks_much_more_alike_comes_first_whatever_its_kind() -> None:
    assert order({"shoe": 0.70, "bag": 0.80}) == ["bag", "shoe"]


def test_a_product_that_is_filed_nowhere_counts_as_one_of_a_kind_it_cannot_be() -> None:
    assert order({"unfiled": 0.71, "bag": 0.705, "shoe": 0.70}) == ["shoe", "unfiled", "bag"]


def test_kinds_do_not_count_where_colours_alone_are_asked_for() -> None:
    assert order({"bag": 0.71, "shoe": 0.70}, balanced(1.0)) == ["bag", "shoe"]
