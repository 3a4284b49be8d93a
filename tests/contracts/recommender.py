"""What every list maker does, whatever it learned from: inherit, and say which one."""

from __future__ import annotations

import pytest

from thinslice.interfaces import Recommender


class RecommenderContract:
    """The recommender under test knows the products of `checkerboard()`."""

    needs_a_session = True

    @pytest.fixture
    def recommender(self) -> Recommender:
        raise NotImplementedError

    def test_it_gives_at_most_n_products_and_none_twice(self, recommender):
        for n in (1, 2, 5, 1000):
            products = [s.product for s in recommender.recommend(["lamp-0", "lamp-1"], n)]
            assert 0 < len(products) <= n
            assert len(products) == len(set(products))

    def test_a_shorter_list_is_the_start_of_a_longer_one(self, recommender):
        longer = recommender.recommend(["lamp-0", "lamp-1"], 4)
        assert recommender.recommend(["lamp-0", "lamp-1"], 2) == longer[:2]

    def test_the_best_come_first_and_scores_are_positive(self, recommender):
        scores = [s.score for s in recommender.recommend(["lamp-0"], 20)]
        assert scores == sorted(scores, reverse=True)
        assert min(scores) > 0

    def test_the_last_product_of_the_session_is_never_recommended(self, recommender):
        for session in (["lamp-0"], ["lamp-1", "lamp-0"], ["lamp-0", "lamp-1", "lamp-0"]):
            assert "lamp-0" not in [s.product for s in recommender.recommend(session, 20)]

    def test_unknown_products_are_ignored(self, recommender):
        known = recommender.recommend(["lamp-0", "lamp-1"], 5)
        assert recommender.recommend(["nobody", "lamp-0", "nothing", "lamp-1"], 5) == known

    def test_a_session_without_a_known_product_gets_nothing_unless_none_is_needed(
        self, recommender
    ):
        for session in ([], ["nobody"]):
            assert bool(recommender.recommend(session, 5)) is not self.needs_a_session

    def test_asking_for_none_gives_none(self, recommender):
        assert recommender.recommend(["lamp-0"], 0) == []

    def test_the_same_question_gets_the_same_answer_whatever_was_asked_between(self, recommender):
        first = recommender.recommend(["lamp-0", "lamp-1"], 6)
        recommender.recommend(["sofa-0", "lamp-2", "sofa-3"], 3)
        assert recommender.recommend(["lamp-0", "lamp-1"], 6) == first

    def test_the_reason_is_another_product_of_the_session(self, recommender):
        session = ["lamp-0", "lamp-1", "lamp-2"]
        for scored in recommender.recommend(session, 20):
            assert scored.because is None or scored.because in session
            assert scored.because != scored.product
