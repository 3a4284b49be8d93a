from __future__ import annotations

from tests.contracts.session_logs import log_of

from thinslice.domain import BROWSING, EventType
from thinslice.models.sessions.training import training_sessions


def products_of(log, max_products=50):
    found = training_sessions(log, max_products)
    return [
        [log.products[code] for code in found.codes[start:end]]
        for start, end in zip(found.offsets[:-1], found.offsets[1:], strict=True)
    ]


def test_a_product_counts_once_where_it_was_touched_last():
    assert products_of(log_of([["a", "b", "a", "c", "c"]])) == [["b", "a", "c"]]


def test_sessions_of_one_product_say_nothing():
    assert products_of(log_of([["a"], ["b", "b"], ["a", "c"]])) == [["a", "c"]]


def test_a_robot_s_session_is_cut_to_its_latest_products():
    log = log_of([[f"p{i:04}" for i in range(1000)]])
    assert products_of(log, max_products=2) == [["p0998", "p0999"]]


def test_each_session_keeps_the_time_at_which_it_ended():
    log = log_of([["a", "b"], ["a"], ["b", "c"]])
    assert training_sessions(log, 50).ended_us.tolist() == [log.times_us[1], log.times_us[4]]


def test_a_session_knows_what_it_put_in_the_cart_or_bought():
    log = log_of([["alone"], ["a", "b", "a"], ["c", "d"]])
    assert training_sessions(log, 50).wanted is None
    log.types[1] = BROWSING.index(EventType.PRODUCT_ADDED)
    log.types[5] = BROWSING.index(EventType.ORDER_COMPLETED)
    sessions = training_sessions(log, 50)
    named = [log.products[code] for code in sessions.codes]
    assert list(zip(named, sessions.wanted.tolist(), strict=True)) == [
        ("b", False),
        ("a", True),
        ("c", False),
        ("d", True),
    ]
    assert sessions.newest(0.5).wanted.tolist() == [False, True]
