from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts.session_logs import log_of

from thinslice.domain import BROWSING, EventType, Scored, SessionLog
from thinslice.evaluation.intervals import relative_interval
from thinslice.evaluation.objectives import compare_objectives, falling, place_chances


class Always:
    name = "always"

    def __init__(self, *products):
        self.products = products

    def recommend(self, session, n, *, now_us=None):
        return [Scored(p, 1.0, None) for p in self.products if p != session[-1]][:n]


def test_the_chance_of_a_place_is_how_often_it_was_looked_at_next():
    log = log_of([["x", "a"]] * 6 + [["x", "b"]] * 3 + [["x", "none"]])
    chances = place_chances(Always("a", "b", "c"), log, 3)
    assert chances == pytest.approx([6.5 / 11, 3.5 / 11, 0.5 / 11])


def test_a_later_place_never_has_the_higher_chance():
    log = log_of([["x", "c"]] * 6 + [["x", "a"]] * 2)
    chances = place_chances(Always("a", "b", "c"), log, 3)
    assert chances == pytest.approx([(2.5 + 0.5 + 6.5) / 27] * 3)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 9)), min_size=1, max_size=30))
def test_the_falling_curve_falls_and_keeps_the_sum(pairs):
    values, weights = (np.array(column) for column in zip(*pairs, strict=True))
    curve = falling(values, weights)
    assert all(a >= b - 1e-12 for a, b in zip(curve, curve[1:], strict=False))
    assert np.dot(curve, weights) == pytest.approx(np.dot(values, weights))


def test_what_margin_gains_and_costs_by_hand():
    """Two in three go on to the cheap product, the others to the dear one, which is worth nine."""
    log = log_of([["x", "cheap"], ["x", "dear"]] * 10 + [["x", "cheap"]] * 10)
    worth = {"cheap": 1.0, "dear": 9.0}
    rows = compare_objectives(
        Always("cheap", "dear"),
        log,
        {"margin": lambda shown: sorted(range(len(shown)), key=lambda p: -worth[shown[p]])},
        {"margin": worth.__getitem__},
        n=1,
        depth=5,
    )
    (row,) = rows
    assert row["objective"] == "margin"
    assert row["clicks"]["estimate"] == pytest.approx(10 / 20 - 1)
    assert row["margin"]["estimate"] == pytest.approx(10 * 9 / 20 - 1)
    for change in (row["clicks"], row["margin"]):
        assert change["low"] < change["estimate"] < change["high"]


def typed(sessions: list[list[tuple[str, EventType]]]) -> SessionLog:
    log = log_of([[product for product, _ in session] for session in sessions])
    log.types[:] = [BROWSING.index(kind) for session in sessions for _, kind in session]
    return log


VIEW, CART, ORDER = BROWSING


def test_what_visitors_went_on_to_buy_shows_whether_an_objective_foresees_it():
    """Everyone looks at the cheap one, and every other visitor buys the dear one in the end."""
    looks = [("x", VIEW), ("cheap", VIEW)]
    log = typed([looks, [*looks, ("dear", VIEW), ("dear", CART), ("dear", ORDER)]] * 10)
    orders = {"orders": lambda shown: list(reversed(range(len(shown))))}
    (row,) = compare_objectives(
        Always("cheap", "dear"), log, orders, {"orders": lambda _: 1.0}, n=1, depth=2
    )
    # at x the clicks list has cheap and the other dear; at cheap both have what is left: dear
    assert row["bought"]["estimate"] == pytest.approx(20 / 10 - 1)


def test_what_is_in_the_cart_or_at_hand_needs_no_list_to_be_bought():
    carted = [("x", VIEW), ("dear", VIEW), ("dear", CART), ("y", VIEW), ("dear", ORDER)]
    log = typed([carted] * 4)
    orders = {"orders": lambda shown: range(len(shown))}
    (row,) = compare_objectives(
        Always("dear"), log, orders, {"orders": lambda _: 1.0}, n=1, depth=1
    )
    assert row["bought"]["estimate"] == 0.0, "one step in each visit: at x, with dear to come"
    without = typed([carted[1:]] * 4)
    (row,) = compare_objectives(
        Always("dear"), without, orders, {"orders": lambda _: 1.0}, n=1, depth=1
    )
    assert row["bought"] is None


def test_with_nothing_to_compare_with_nothing_is_said():
    log = log_of([["x", "other"]] * 3)
    orders = {"margin": lambda shown: range(len(shown))}
    (row,) = compare_objectives(Always("a"), log, orders, {"margin": lambda _: 1.0}, n=1, depth=2)
    assert row["clicks"] is None
    assert relative_interval(np.ones(1), np.ones(1)) is None


def test_the_range_of_a_relative_change_holds_the_truth_nineteen_times_of_twenty():
    rng = np.random.default_rng(5)
    held = 0
    for _ in range(400):
        theirs = rng.poisson(3.0, 300).astype(float)
        ours = rng.binomial(theirs.astype(int), 0.6) + rng.poisson(0.9, 300)
        found = relative_interval(ours.astype(float), theirs)
        held += found.low <= (3 * 0.6 + 0.9) / 3 - 1 <= found.high
    assert 0.92 <= held / 400 <= 0.98
