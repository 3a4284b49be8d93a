from __future__ import annotations

import pytest
from tests.contracts.recommender import RecommenderContract
from tests.contracts.session_logs import checkerboard, kind

from thinslice.ranking.lists import ListRecommender


def lists_of_kind() -> dict[str, tuple[str, ...]]:
    """Beside every product of the checkerboard all products of its kind, itself included."""
    products = checkerboard().products
    return {p: tuple(q for q in products if kind(q) == kind(p)) for p in products}


class TestListRecommenderIsARecommender(RecommenderContract):
    @pytest.fixture
    def recommender(self):
        return ListRecommender("list:incumbent", lists_of_kind())


def test_the_list_keeps_its_order():
    best = ListRecommender("list:x", {"a": ("z", "m", "c")}).recommend(["a"], 2)
    assert [(s.product, s.because) for s in best] == [("z", "a"), ("m", "a")]


def test_a_product_that_stands_twice_counts_once():
    best = ListRecommender("list:x", {"a": ("z", "z", "m")}).recommend(["a"], 5)
    assert [s.product for s in best] == ["z", "m"]


def test_a_list_under_the_empty_key_is_for_a_visitor_without_a_listed_product():
    best = ListRecommender("list:x", {"": ("hello", "a"), "a": ("z",)})
    assert [s.product for s in best.recommend([], 5)] == ["hello", "a"]
    assert [s.product for s in best.recommend(["b"], 5)] == ["hello", "a"]
    assert [s.product for s in best.recommend(["a"], 5)] == ["z"]
