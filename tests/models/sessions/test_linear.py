from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.recommender import RecommenderContract
from tests.contracts.session_logs import checkerboard, kind, log_of

from thinslice.domain import BROWSING, EventType
from thinslice.models.sessions.co_occurrence import count_pairs
from thinslice.models.sessions.item_table import TableRecommender
from thinslice.models.sessions.linear import LinearSettings, solve
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.training import training_sessions

CART = BROWSING.index(EventType.PRODUCT_ADDED)


def linear(log, chosen: LinearSettings | None = None) -> TableRecommender:
    chosen = chosen or LinearSettings()
    table = solve(chosen.counted(training_sessions(log, 50)), chosen)
    return TableRecommender("linear", ProductCodes(log.products), table, chosen.lag_decay)


class TestTheLinearModelIsARecommender(RecommenderContract):
    @pytest.fixture
    def recommender(self):
        return linear(checkerboard())


def test_a_lamp_shopper_sees_lamps():
    best = linear(checkerboard()).recommend(["lamp-3", "lamp-4"], 20)
    assert best
    assert {kind(scored.product) for scored in best} == {"lamp"}


def test_what_follows_beats_what_came_before():
    log = log_of([["before", "here", "after"]] * 3)
    best = linear(log).recommend(["here"], 2)
    assert [scored.product for scored in best] == ["after", "before"]


def test_the_latest_product_speaks_loudest():
    log = log_of([["a", "from-a"], ["b", "from-b"]] * 5)
    best = linear(log).recommend(["a", "b"], 4)
    assert (best[0].product, best[0].because) == ("from-b", "b")


def test_a_session_of_other_days_counts_less():
    log = log_of([["a", "old"], ["a", "new"]])
    log.times_us[:2] -= 10 * 86_400_000_000
    chosen = LinearSettings()
    counts = count_pairs(training_sessions(log, 50), half_life_days=1.0)
    table = solve(counts, chosen)
    model = TableRecommender("linear", ProductCodes(log.products), table, chosen.lag_decay)
    assert [s.product for s in model.recommend(["a"], 2)] == ["new", "old"]


def test_what_went_into_the_cart_together_says_more_than_what_was_viewed():
    log = log_of([["lamp", "viewed"], ["lamp", "bought"]] * 5)
    log.types[2::4] = log.types[3::4] = CART
    rivals = [linear(log, LinearSettings(cart_weight=w)).recommend(["lamp"], 2) for w in (1.0, 3.0)]
    assert [scored.score for scored in rivals[0]] == pytest.approx([rivals[0][0].score] * 2)
    assert [scored.product for scored in rivals[1]] == ["bought", "viewed"]
    assert rivals[1][0].score > 1.5 * rivals[1][1].score


def exact(log, chosen: LinearSettings) -> np.ndarray:
    """B of the formula in `linear.py`, with dense matrices and the inverse of all products."""
    sessions = training_sessions(log, 50)
    n, a = len(log.products), chosen.whole_share
    gram, right = np.zeros((n, n)), np.zeros((n, n))
    for start, end in zip(sessions.offsets[:-1], sessions.offsets[1:], strict=True):
        codes = sessions.codes[start:end]
        whole, says = np.zeros(n), np.ones(len(codes))
        if sessions.wanted is not None:
            says[sessions.wanted[start:end]] = chosen.cart_weight
        whole[codes] = says
        gram += a * np.outer(whole, whole) / len(codes) ** 2
        right += a * np.outer(whole, whole) / len(codes)
        for x, i in enumerate(codes):
            gram[i, i] += (1 - a) * (x < len(codes) - 1) * says[x]
            for y in range(x + 1, len(codes)):
                fades = np.exp(-(y - x - 1) / chosen.step_decay)
                right[i, codes[y]] += (1 - a) * fades * says[x] * says[y]
    solved = np.zeros((n, n))
    for j in range(n):
        known = np.flatnonzero((right[:, j] > 0) & (np.arange(n) != j))
        if len(known):
            system = gram[np.ix_(known, known)] + chosen.ridge * np.eye(len(known))
            solved[known, j] = np.linalg.solve(system, right[known, j])
    return solved


products = st.sampled_from("abcdefgh")


@settings(max_examples=60, deadline=None)
@given(
    sessions=st.lists(st.lists(products, min_size=1, max_size=8), min_size=1, max_size=25),
    whole_share=st.sampled_from([0.2, 0.8]),
    ridge=st.sampled_from([0.5, 10.0]),
    step_decay=st.sampled_from([0.5, 2.0]),
    cart_weight=st.sampled_from([1.0, 3.0]),
    carted=st.sets(st.integers(0, 60)),
)
def test_the_rows_are_those_of_the_dense_formula(sessions, carted, **choices):
    log, chosen = log_of(sessions), LinearSettings(**choices)
    log.types[[event for event in carted if event < log.n_events]] = CART
    expected = exact(log, chosen)
    table = linear(log, chosen).table
    found = np.zeros_like(expected)
    found[table.rows(), table.neighbours] = table.weights
    assert found == pytest.approx(np.maximum(expected, 0), abs=1e-4)


def test_many_products_in_several_threads_give_the_same_as_few():
    rng = np.random.default_rng(0)
    log = log_of([[f"p{p:03}" for p in rng.integers(0, 300, 8)] for _ in range(4000)])
    table = linear(log).table
    again = linear(log).table
    assert (np.diff(table.offsets) > 0).all()
    assert (table.neighbours == again.neighbours).all()
    assert (table.weights == again.weights).all()
