from __future__ import annotations

import numpy as np
import pytest
from tests.contracts.session_logs import log_of

from thinslice.domain import SessionLog
from thinslice.models.sessions.purchases import WEIGHT, learn_purchase_rates


def log_with_orders(sessions, ordered) -> SessionLog:
    """`ordered`: per session the places that are orders."""
    log = log_of(sessions)
    types = np.zeros(len(log.codes), np.int8)
    for session, places in enumerate(ordered):
        for place in places:
            types[log.offsets[session] + place] = 2
    return SessionLog(log.products, log.offsets, log.codes, log.times_us, types, log.ids)


def test_a_rate_is_drawn_to_its_category_and_that_to_the_shop():
    log = log_with_orders([["a", "a"], ["a"], ["b"], ["c"]], [[1], [], [], []])
    rates = learn_purchase_rates(log, {"a": "one", "b": "one", "c": "two"})
    shop = 1 / 4  # four products looked at in a session, one of them bought in it
    one = (1 + WEIGHT * shop) / (3 + WEIGHT)
    two = (0 + WEIGHT * shop) / (1 + WEIGHT)
    assert rates.usual == pytest.approx(shop)
    assert rates.of["a"] == pytest.approx((1 + WEIGHT * one) / (2 + WEIGHT))
    assert rates.of["b"] == pytest.approx((0 + WEIGHT * one) / (1 + WEIGHT))
    assert rates.of["c"] == pytest.approx((0 + WEIGHT * two) / (1 + WEIGHT))


def test_a_product_bought_twice_in_a_session_was_bought_in_one_session():
    once = learn_purchase_rates(log_with_orders([["a", "a"]], [[1]]), {})
    twice = learn_purchase_rates(log_with_orders([["a", "a", "a"]], [[1, 2]]), {})
    assert once == twice


def test_many_visits_speak_for_themselves():
    log = log_with_orders([["a"]] * 10_000 + [["b"]] * 10_000, [[0]] * 5_000 + [[]] * 15_000)
    rates = learn_purchase_rates(log, {})
    assert rates.of["a"] == pytest.approx(0.5, abs=0.01)
    assert rates.of["b"] == pytest.approx(0, abs=0.01)


def test_without_an_order_nothing_is_known():
    assert learn_purchase_rates(log_of([["a", "b"]]), {}).usual == 0
