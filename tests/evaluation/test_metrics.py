from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinslice.evaluation.metrics import (
    hit_rate,
    mrr,
    ndcg,
    popularity_percentiles,
    rank_of,
    recall,
)


def test_the_third_place_is_a_hit_worth_a_third():
    shown = ["a", "b", "c", "d"]
    assert (rank_of(shown, "c"), hit_rate(shown, "c"), mrr(shown, "c")) == (3, 1.0, 1 / 3)


def test_an_empty_list_or_a_missing_target_is_worth_nothing():
    for shown in ([], ["b"]):
        assert (rank_of(shown, "a"), hit_rate(shown, "a"), mrr(shown, "a")) == (None, 0.0, 0.0)
        assert (recall(shown, {"a"}), ndcg(shown, {"a"}, 20)) == (0.0, 0.0)


def test_nothing_still_to_come_is_worth_nothing():
    assert (recall(["a"], set()), ndcg(["a"], set(), 20)) == (0.0, 0.0)


def test_recall_counts_different_products():
    assert recall(["a", "b"], ["a", "a", "c", "d"]) == 1 / 3


def test_ndcg_by_hand():
    """Hits at places 1 and 3 of two possible: (1 + 1/2) / (1 + 1/log2(3))."""
    assert ndcg(["a", "x", "b"], {"a", "b"}, 20) == pytest.approx(1.5 / (1 + 1 / math.log2(3)))


def test_ndcg_of_a_full_list_is_one_even_when_more_is_to_come():
    assert ndcg(["a", "b"], {"a", "b", "c", "d"}, 2) == pytest.approx(1.0)


def test_ndcg_counts_a_product_once():
    assert ndcg(["a", "a"], {"a", "b"}, 2) == ndcg(["a"], {"a", "b"}, 2)


def test_equal_counts_share_the_middle_of_their_percentiles():
    assert popularity_percentiles(np.array([5, 5, 5, 5])).tolist() == [0.5] * 4
    assert popularity_percentiles(np.array([1, 2])).tolist() == [0.25, 0.75]


@given(
    st.lists(st.sampled_from("abcdefgh"), unique=True),
    st.sampled_from("abcdefgh"),
    st.sets(st.sampled_from("abcdefgh")),
)
def test_every_metric_lies_between_zero_and_one_and_mrr_below_the_hit_rate(shown, target, rest):
    assert 0 <= mrr(shown, target) <= hit_rate(shown, target) <= 1
    assert 0 <= recall(shown, rest) <= 1
    assert 0 <= ndcg(shown, rest, 8) <= 1 + 1e-12


@given(st.lists(st.integers(0, 5), min_size=1))
def test_popularity_percentiles_average_a_half(counts):
    assert popularity_percentiles(np.array(counts)).mean() == pytest.approx(0.5)
