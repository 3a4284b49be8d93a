"""Which orders a list may claim: last click, stated window, nothing twice."""

import pytest

from thinslice.outcomes.counting.attribution import attribute
from thinslice.outcomes.counting.rules import Rules

DAY = 24 * 3600


def claimed(log, variant="A", **rules):
    cells = attribute(log.table(), "e", ["A", "B"], "EUR", rules=Rules(**rules)).cells
    names = ("attributed_orders", "attributed_revenue")
    return tuple(sum(c.moments.total(n) for c in cells if c.variant == variant) for n in names)


def click(log, list_id, product, at, visitor="anna"):
    log.add(visitor, "Recommendation Clicked", at, exposure_id=list_id, product=product)


def buy(log, *lines, at=100, visitor="anna", total=None, **more):
    message = f"order {len(log.events)}"
    for line, (product, price) in enumerate(lines):
        log.add(
            visitor, "Order Completed", at, message_id=message, line=line, product=product,
            price_minor=price, revenue_minor=total if line == 0 else None,
            **{"order_id": message, **more},
        )  # fmt: skip


@pytest.fixture
def first(log):
    return log.shown("anna", "A", 10)


def test_a_product_that_was_clicked_and_ordered_is_attributed(log, first):
    click(log, first, "lamp", 20)
    buy(log, ("lamp", 1000))
    assert claimed(log) == (1, 1000)


def test_a_product_that_was_not_clicked_is_not(log, first):
    click(log, first, "lamp", 20)
    buy(log, ("bulb", 1000))
    assert claimed(log) == (0, 0)


def test_of_an_order_only_the_clicked_product_is_claimed(log, first):
    click(log, first, "lamp", 20)
    buy(log, ("lamp", 1000), ("bulb", 200))
    assert claimed(log) == (1, 1000)
    assert claimed(log, vat_rate=0.25) == (1, 800)


def test_never_more_than_the_order_was_worth(log, first):
    click(log, first, "lamp", 20)
    buy(log, ("lamp", 1000), ("bulb", 200), total=700)  # a voucher of 5.00
    assert claimed(log) == (1, 700)


def test_an_order_all_of_which_was_clicked_is_claimed_with_its_total(log, first):
    click(log, first, "lamp", 20)
    buy(log, ("lamp", None), total=700)
    assert claimed(log) == (1, 700)


def test_the_last_click_counts_whatever_list_it_was_in(log, first):
    click(log, first, "lamp", 20)
    click(log, "a list of something else", "lamp", 30)
    buy(log, ("lamp", 1000))
    assert claimed(log) == (0, 0)


def test_two_lists_never_claim_the_same_product(log, first):
    second = log.shown("anna", "A", 15)
    click(log, first, "lamp", 20)
    click(log, second, "lamp", 30)
    click(log, second, "lamp", 30)
    buy(log, ("lamp", 1000), ("lamp", 500))
    assert claimed(log) == (1, 1500)


@pytest.mark.parametrize(("at", "orders"), [(20 + 7 * DAY, 1), (21 + 7 * DAY, 0)])
def test_a_click_counts_for_as_long_as_is_stated(log, first, at, orders):
    click(log, first, "lamp", 20)
    buy(log, ("lamp", 1000), at=at)
    assert claimed(log)[0] == orders
    assert claimed(log, attribution_days=8)[0] == 1


def test_a_click_after_the_order_claims_nothing(log, first):
    click(log, first, "lamp", 200)
    buy(log, ("lamp", 1000))
    assert claimed(log) == (0, 0)


def test_a_click_of_another_visitor_claims_nothing(log, first):
    log.shown("bert", "B")
    click(log, first, "lamp", 20, visitor="bert")
    buy(log, ("lamp", 1000))
    assert claimed(log) == claimed(log, "B") == (0, 0)


def test_what_came_back_is_not_claimed(log, first):
    click(log, first, "lamp", 20)
    buy(log, ("lamp", 1000), ("bulb", 200), order_id="17")
    log.add("shop", "Order Refunded", 300, order_id="17", product="lamp", quantity=1)
    assert claimed(log) == (0, 0)
