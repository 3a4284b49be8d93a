from __future__ import annotations

import math

import pytest
from tests.contracts.recommender import RecommenderContract
from tests.contracts.session_logs import checkerboard, kind, log_of

from thinslice.models.sessions.co_occurrence import count_pairs
from thinslice.models.sessions.item_to_item import ItemToItem, cosine_table
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.training import training_sessions


def item_to_item(log, length=50) -> ItemToItem:
    counts = count_pairs(training_sessions(log, 50))
    return ItemToItem(ProductCodes(log.products), cosine_table(counts, length))


class TestItemToItemIsARecommender(RecommenderContract):
    @pytest.fixture
    def recommender(self):
        return item_to_item(checkerboard())


def test_lamps_go_with_lamps():
    for scored in item_to_item(checkerboard()).recommend(["sofa-1", "lamp-1"], 20):
        assert kind(scored.product) == "lamp"


def test_the_score_is_the_cosine_of_sessions_in_common():
    log = log_of([["a", "b"], ["a", "b"], ["a", "c"], ["b", "a", "a"]])
    best = item_to_item(log).recommend(["a"], 5)
    assert [(s.product, s.because) for s in best] == [("b", "a"), ("c", "a")]
    assert best[0].score == pytest.approx(3 / math.sqrt(4 * 3))
    assert best[1].score == pytest.approx(1 / math.sqrt(4 * 1))


def test_only_the_nearest_are_kept_and_ties_go_by_code():
    log = log_of([["a", "c"], ["a", "d"], ["a", "b"]])
    assert [s.product for s in item_to_item(log, length=2).recommend(["a"], 5)] == ["b", "c"]
