from __future__ import annotations

import pytest
from tests.contracts.recommender import RecommenderContract
from tests.contracts.session_logs import MINUTE_US, checkerboard, log_of

from thinslice.domain import DAY_US
from thinslice.models.sessions.popularity import Popularity, learn_popularity
from thinslice.models.sessions.products import ProductCodes


def popularity(log, half_life_days=7.0) -> Popularity:
    return learn_popularity(log, ProductCodes(log.products), half_life_days)


class TestPopularityIsARecommender(RecommenderContract):
    needs_a_session = False

    @pytest.fixture
    def recommender(self):
        return popularity(checkerboard())


def test_every_product_is_in_the_order():
    log = checkerboard()
    assert {s.product for s in popularity(log).recommend((), 1000)} == set(log.products)


def test_an_event_counts_half_after_a_half_life():
    log = log_of([["old", "old", "old"], ["new", "new"]])
    log.times_us[:3] = log.times_us[3] - 7 * DAY_US + MINUTE_US
    log.times_us[3:] = log.times_us[3] + MINUTE_US
    best = popularity(log).recommend((), 2)
    assert [s.product for s in best] == ["new", "old"]
    assert [s.score for s in best] == pytest.approx([2.0, 1.5])


def test_equally_popular_products_come_in_the_order_of_their_codes():
    log = log_of([["b", "a"], ["a", "b"]])
    log.times_us[:] = 0
    assert [s.product for s in popularity(log).recommend((), 2)] == ["a", "b"]
