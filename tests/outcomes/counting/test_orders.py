"""Orders, refunds, tax and margin: hand-made events with answers known by arithmetic."""

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from tests.outcomes.conftest import Log

from thinslice.domain import DAY_US
from thinslice.outcomes.counting.attribution import attribute
from thinslice.outcomes.counting.columns import COLUMNS
from thinslice.outcomes.counting.rules import ProductFacts, Rules

DAY = DAY_US // 1_000_000


def found(log, **more):
    products = more.pop("products", None)
    return attribute(log.table(), "e", ["A", "B"], "EUR", rules=Rules(**more), products=products)


def counted(log, *names, variant="A", **more):
    cells = [cell for cell in found(log, **more).cells if cell.variant == variant]
    return tuple(sum(cell.moments.total(name) for cell in cells) for name in names)


def left_out(log):
    return {name: n for name, n in found(log).left_out.items() if n}


def order(log, visitor="anna", at=20, lines=(("lamp", 1, 1000), ("bulb", 3, 200)), **more):
    """An order of (product, pieces, price), its total the sum of its lines unless given."""
    more = {"order_id": "17", "message_id": f"order {len(log.events)}", **more}
    total = more.pop("total", sum(pieces * price for _, pieces, price in lines))
    for line, (product, pieces, price) in enumerate(lines):
        log.add(
            visitor, "Order Completed", at, line=line, product=product, quantity=pieces,
            price_minor=price, revenue_minor=total if line == 0 else None, **more,
        )  # fmt: skip


def refund(log, *lines, at=30, visitor="back office", total=None, kind="Order Refunded", **more):
    more = {"order_id": "17", "message_id": f"refund {len(log.events)}", **more}
    for line, (product, pieces) in enumerate(lines or [(None, None)]):
        log.add(
            visitor, kind, at, line=line, product=product, quantity=pieces,
            revenue_minor=total if line == 0 else None, **more,
        )  # fmt: skip


@pytest.fixture
def shown(log):
    log.shown("anna", "A")
    return log


def test_an_order_that_came_back_whole_is_no_order(shown):
    order(shown)
    refund(shown)
    assert counted(shown, "orders", "revenue", "ordering_sessions") == (0, 0, 0)


def test_a_cancelled_order_is_no_order_whatever_it_names(shown):
    order(shown)
    refund(shown, ("lamp", 1), kind="Order Cancelled", total=5)
    assert counted(shown, "orders", "revenue") == (0, 0)


def test_a_refund_of_an_amount_takes_back_that_amount(shown):
    order(shown)
    refund(shown, total=600)
    assert counted(shown, "orders", "revenue") == (1, 1000)


def test_a_refund_of_a_product_takes_back_what_it_cost(shown):
    order(shown)
    refund(shown, ("bulb", 2))
    assert counted(shown, "orders", "revenue") == (1, 1200)


def test_a_refund_of_a_product_without_a_number_takes_back_all_of_it(shown):
    order(shown)
    refund(shown, ("bulb", None))
    assert counted(shown, "orders", "revenue") == (1, 1000)


def test_all_products_one_by_one_leave_no_order(shown):
    order(shown)
    refund(shown, ("lamp", 1))
    refund(shown, ("bulb", 3), at=31)
    assert counted(shown, "orders", "revenue") == (0, 0)


def test_no_refund_takes_more_than_there_was(shown):
    order(shown)
    refund(shown, ("bulb", 50))
    refund(shown, total=400, at=40)
    assert counted(shown, "orders", "revenue") == (1, 600)
    refund(shown, total=10_000, at=50)
    assert counted(shown, "orders", "revenue") == (0, 0)


def test_the_same_refund_sent_twice_counts_once(shown):
    order(shown)
    for _ in range(2):  # under two message ids, as a back office does that sends it again
        refund(shown, total=600)
    assert counted(shown, "revenue") == (1000,)


def test_two_refunds_at_different_times_both_count(shown):
    order(shown)
    for at in (30, 40):
        refund(shown, total=500, at=at)
    assert counted(shown, "revenue") == (600,)


def test_a_refund_that_stands_before_its_order_counts(shown):
    order(shown, at=50)
    refund(shown, total=600, at=5)
    assert counted(shown, "revenue") == (1000,)


def test_a_refund_of_an_unknown_order_counts_nowhere_and_is_reported(shown):
    order(shown)
    refund(shown, order_id="another", total=600)
    refund(shown, order_id=None, total=600)
    assert counted(shown, "revenue") == (1600,)
    assert left_out(shown) == {"refunds_of_unknown_orders": 2}


def test_a_refund_in_another_currency_takes_nothing_and_is_reported(shown):
    order(shown)
    refund(shown, total=600, currency="USD")
    assert counted(shown, "orders", "revenue") == (1, 1600)
    assert left_out(shown) == {"refund_lines_in_another_currency": 1, "orders_with_a_refund": 1}


def test_orders_that_come_back_after_the_end_are_taken_back_and_new_ones_do_not_count(log):
    log.shown("anna", "A")
    order(log, at=20)
    order(log, at=2 * DAY, order_id="18")
    refund(log, at=3 * DAY)
    table = log.table()
    cells = attribute(table, "e", ["A", "B"], "EUR", stopped_us=DAY_US).cells
    assert sum(cell.moments.total("orders") for cell in cells) == 0


def test_an_order_sent_again_after_the_first_list_stays_an_order_from_before_it(log):
    order(log, at=5)
    log.shown("anna", "A", 10)
    order(log, at=20)  # the page that says thank you, loaded once more
    assert counted(log, "orders", "revenue") == (0, 0)


def test_tax_is_taken_out_of_each_order(shown):
    order(shown, lines=(("lamp", 1, 1190),))
    order(shown, lines=(("lamp", 1, 1000),), order_id="18")
    assert counted(shown, "revenue", vat_rate=0.19) == (1000 + 840,)


def test_margin_is_revenue_less_what_the_kept_pieces_cost(shown):
    order(shown)
    refund(shown, ("bulb", 1))
    costs = ProductFacts(costs={"lamp": 600, "bulb": 50})
    assert counted(shown, "revenue", "margin", products=costs) == (1400, 1400 - 600 - 2 * 50)
    assert counted(shown, "margin", products=costs, vat_rate=0.4) == (1000 - 700,)


def test_margin_of_an_order_with_a_product_of_unknown_cost_is_the_stated_share(shown):
    order(shown)
    costs = ProductFacts(costs={"lamp": 600})
    assert counted(shown, "margin", products=costs, margin_share=0.25) == (400,)
    assert counted(shown, "margin", products=costs) == (0,)
    assert counted(shown, "margin") == (0,)


def test_an_order_may_lose_money(shown):
    order(shown, total=100)
    assert counted(shown, "margin", products=ProductFacts(costs={"lamp": 600, "bulb": 0})) == (
        -500,
    )


@pytest.mark.parametrize(
    "amounts",
    [
        {"revenue_minor": 10**17, "price_minor": 10**17, "quantity": 10**6},
        {"revenue_minor": None, "price_minor": 10**17, "quantity": 10**6},
        {"revenue_minor": -5, "price_minor": -5, "quantity": -5},
        {"revenue_minor": None, "price_minor": None, "quantity": None},
        {"revenue_minor": None, "price_minor": None, "quantity": 0, "product": ""},
        {"revenue_minor": None, "price_minor": 2**62, "quantity": 2**62, "order_id": ""},
    ],
)
def test_orders_of_garbage_break_nothing_and_add_no_money(shown, amounts):
    shown.add("anna", "Order Completed", 20, **{"order_id": "17", "product": "p", **amounts})
    refund(shown, ("p", 2**62), at=30)
    order(shown, order_id="18")
    assert counted(shown, "revenue") == (1600,)


events = st.lists(
    st.tuples(
        st.sampled_from(["Order Completed", "Order Refunded", "Order Cancelled"]),
        st.integers(11, 40),
        st.sampled_from(["anna", "bert"]),
        st.sampled_from(["1", "2", None]),
        st.sampled_from(["p", "q", None]),
        st.none() | st.integers(0, 3),
        st.none() | st.integers(0, 500),
        st.none() | st.integers(0, 500),
    ),
    max_size=12,
)


@given(events)
@settings(max_examples=10, deadline=None, phases=[Phase.explicit, Phase.generate])
def test_whatever_is_sent_orders_are_worth_something_between_nothing_and_what_was_asked(rows):
    log = Log()
    for visitor, variant in (("anna", "A"), ("bert", "B")):
        log.shown(visitor, variant)
    for kind, at, visitor, order_id, product, pieces, price, total in rows:
        log.add(
            visitor, kind, at, order_id=order_id, product=product, quantity=pieces,
            price_minor=price, revenue_minor=total,
        )  # fmt: skip
    asked = sum(
        total if total is not None else (price or 0) * max(1, 1 if pieces is None else pieces)
        for kind, _, _, _, _, pieces, price, total in rows
        if kind == "Order Completed"
    )
    cells = found(log).cells
    sums = {n: sum(cell.moments.total(n) for cell in cells) for n in COLUMNS}
    assert 0 <= sums["revenue"] <= asked
    assert 0 <= sums["attributed_revenue"] <= sums["revenue"]
    assert sums["attributed_orders"] <= sums["orders"] <= len(rows)


def test_an_id_that_three_visitors_sent_is_no_id(log):
    for visitor in ("anna", "bert", "cleo"):
        log.shown(visitor, "A")
        order(log, visitor, order_id="4711")
    assert counted(log, "orders", "revenue") == (3, 4800)
    assert left_out(log) == {"orders_whose_id_is_shared": 3}


def test_an_id_that_two_visitors_sent_is_one_order_seen_by_browser_and_back_office(log):
    log.shown("anna", "A")
    log.shown("user 7", "A")
    order(log, "anna")
    order(log, "user 7", at=25)
    assert counted(log, "orders", "revenue") == (1, 1600)
    assert left_out(log) == {}


@pytest.mark.parametrize("word", ["undefined", "null", "0", "", " None ", "NaN", "(not set)"])
def test_a_word_in_place_of_an_id_makes_no_two_orders_one(shown, word):
    order(shown, order_id=word)
    order(shown, at=40, order_id=word)
    order(shown, at=60, order_id=word)
    refund(shown, at=70, order_id=word)
    assert counted(shown, "orders", "revenue") == (3, 4800)
    assert left_out(shown) == {"orders_whose_id_is_shared": 3, "refunds_of_unknown_orders": 1}


def test_the_orders_without_known_costs_are_counted(shown):
    order(shown)
    order(shown, order_id="18", lines=[("lamp", 1, 1000)])
    assert found(shown, products=ProductFacts(costs={"lamp": 600})).uncosted == 1


def test_orders_that_came_back_are_counted_and_what_comes_back_is_no_visit(shown):
    order(shown)
    order(shown, at=25, order_id="18")
    refund(shown, visitor="anna", at=9 * DAY, session="anna/2", total=5)
    refund(
        shown, visitor="anna", at=9 * DAY, session="anna/2", kind="Order Cancelled", order_id="18"
    )
    assert counted(shown, "sessions", "orders") == (1, 1)
    assert left_out(shown) == {"orders_cancelled": 1, "orders_with_a_refund": 1}
