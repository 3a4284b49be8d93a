import pytest
from tests.outcomes.conftest import SECOND

from thinslice.errors import InputError
from thinslice.outcomes.counting.attribution import QUARTER_US, attribute
from thinslice.outcomes.counting.columns import COLUMNS

MINUTE = 60


def counted(log, variant="A", currency="EUR"):
    """The sums of one variant's visitors."""
    cells = attribute(log.table(), "e", ["A", "B"], currency).cells
    return {
        name: sum(cell.moments.total(name) for cell in cells if cell.variant == variant)
        for name in COLUMNS
    }


def left_out(log):
    return {n: c for n, c in attribute(log.table(), "e", ["A", "B"], "EUR").left_out.items() if c}


def test_who_never_saw_a_list_does_not_count(log):
    log.add("anna", "Product Viewed", 1)
    log.order("anna", 2)
    assert attribute(log.table(), "e", ["A", "B"], "EUR").cells == ()


def test_an_empty_log_has_nobody(log):
    assert attribute(log.table(), "e", ["A", "B"], "EUR").cells == ()


def test_lists_of_another_experiment_do_not_count(log):
    id = log.shown("anna", "A")
    other = [e for e in log.events if e.exposure_id == id][0]
    log.events[0] = type(other)(
        message_id="m", type=other.type, time_us=other.time_us, visitor="anna", experiment="other",
        variant="A",
    )  # fmt: skip
    assert attribute(log.table(), "e", ["A", "B"], "EUR").cells == ()


def test_only_orders_after_the_first_exposure_count(log):
    log.add("anna", "Product Viewed", 1)
    log.order("anna", 5, 700)
    log.shown("anna", "A", 10)
    log.order("anna", 20, 300)
    found = counted(log)
    assert (found["orders"], found["revenue"], found["ordering_sessions"]) == (1, 300, 1)


def test_an_order_sent_twice_counts_once(log):
    log.shown("anna", "A")
    log.order("anna", 20, 500, order_id="17")
    log.order("anna", 21, 500, order_id="17")
    assert counted(log)["orders"] == 1
    assert counted(log)["revenue"] == 500


def test_an_order_of_three_products_is_one_order_with_its_total_once(log):
    log.shown("anna", "A")
    for line in range(3):
        log.order(
            "anna", 20, 900 if line == 0 else None, order_id="17", message_id="order", line=line,
            product=f"p{line}", price_minor=300, quantity=1,
        )  # fmt: skip
    assert counted(log)["orders"] == 1
    assert counted(log)["revenue"] == 900


def test_an_order_without_a_total_is_worth_its_lines(log):
    log.shown("anna", "A")
    log.order("anna", 20, None, order_id="17", message_id="o", line=0, price_minor=300, quantity=2)
    log.order("anna", 20, None, order_id="17", message_id="o", line=1, price_minor=50)
    assert counted(log)["revenue"] == 650


def test_orders_without_an_id_are_told_apart_by_their_messages(log):
    log.shown("anna", "A")
    log.order("anna", 20, 500, order_id=None)
    log.order("anna", 21, 600, order_id=None)
    assert counted(log)["orders"] == 2
    assert counted(log)["revenue"] == 1100
    assert counted(log)["ordering_sessions"] == 1


def test_an_order_belongs_to_the_visitor_who_sent_it_first(log):
    for at, (visitor, variant) in enumerate([("anna", "A"), ("bert", "B")]):
        log.shown(visitor, variant)
        log.order(visitor, 20 + at, 500, order_id="1")
    assert (counted(log, "A")["orders"], counted(log, "B")["orders"]) == (1, 0)


def test_an_order_from_before_the_experiment_that_is_sent_again_is_none(log):
    day = 24 * 3600
    log.order("anna", 3 * day, order_id="old")
    log.order("anna", 3 * day, order_id="undefined")  # tells no order from another
    log.shown("anna", "A", 10 * day)
    log.order("anna", 10 * day + 60, order_id="old", message_id="the thank-you page once more")
    log.order("anna", 10 * day + 90, order_id="undefined", message_id="new")
    log.order("anna", 10 * day + 99, order_id="new as well")
    found = attribute(log.table(), "e", ["A", "B"], "EUR", started_us=9 * day * SECOND)
    (cell,) = found.cells
    assert cell.moments.total("orders") == 2


def test_money_in_another_currency_is_left_out_and_reported(log):
    log.shown("anna", "A")
    log.order("anna", 20, 500, currency="EUR")
    log.order("anna", 21, 999, currency="USD")
    assert counted(log)["orders"] == 2
    assert counted(log)["revenue"] == 500
    assert left_out(log) == {"order_lines_in_another_currency": 1}


def test_what_is_reported_of_orders_is_of_visitors_who_count(log):
    log.order("stranger", 5, 5000, currency="USD", order_id="s")
    log.add("office", "Order Refunded", 30, order_id="s", revenue_minor=100, currency="USD")
    log.order("anna", 5, 5000, currency="USD")  # before her first list
    log.shown("anna", "A", 10)
    log.order("anna", 20, 5000, currency="USD")
    assert left_out(log) == {"order_lines_in_another_currency": 1}


def test_a_visitor_of_two_variants_is_left_out_and_reported(log):
    log.shown("anna", "A", 10)
    log.shown("anna", "B", 20)
    log.order("anna", 30)
    assert counted(log, "A")["orders"] == counted(log, "B")["orders"] == 0
    assert left_out(log) == {"visitors_in_two_variants": 1}


def test_an_exposure_without_visitor_or_of_no_variant_is_reported(log):
    log.shown("", "A")
    log.shown("anna", "Z")
    assert left_out(log) == {"exposures_without_visitor": 1, "exposures_of_unknown_variant": 1}


def test_clicks_belong_to_the_list_they_were_made_on_and_count_once(log):
    first, second = log.shown("anna", "A", 10), log.shown("anna", "A", 20)
    log.add("anna", "Recommendation Viewed", 21, exposure_id=second, experiment="e", variant="A")
    log.add("anna", "Recommendation Clicked", 11, exposure_id=first)
    log.add("anna", "Recommendation Clicked", 12, exposure_id=first)
    log.add("anna", "Recommendation Clicked", 13, exposure_id="of something else")
    log.add("anna", "Recommendation Clicked", 14)
    found = counted(log)
    assert (found["lists"], found["clicked_lists"]) == (2, 1)


def test_who_leaves_after_one_page_has_bounced(log):
    log.add("anna", "Page Viewed", 9)
    log.add("anna", "Product Viewed", 9)
    log.shown("anna", "A", 10)
    found = counted(log)
    assert (found["sessions"], found["bounced"], found["views"]) == (1, 1, 1)


@pytest.mark.parametrize(
    "then", ["Product Viewed", "Product Added", "Order Completed", "Recommendation Clicked"]
)
def test_who_does_one_more_thing_has_not(log, then):
    log.add("anna", "Product Viewed", 9)
    log.shown("anna", "A", 10)
    log.add("anna", then, 11)
    assert counted(log)["bounced"] == 0


def test_the_session_of_the_first_exposure_counts_whole_and_earlier_ones_do_not(log):
    log.add("anna", "Product Viewed", 0, session="anna/0")
    log.add("anna", "Product Viewed", 100 * MINUTE, session="anna/1")
    log.shown("anna", "A", 101 * MINUTE, session="anna/1")
    log.add("anna", "Product Viewed", 200 * MINUTE, session="anna/2")
    assert (counted(log)["sessions"], counted(log)["views"]) == (2, 2)


def test_an_exposure_under_another_session_name_makes_no_session(log):
    log.add("anna", "Product Viewed", 9, session="tab")
    log.shown("anna", "A", 10, session="anna/1")
    assert counted(log)["sessions"] == 1


def test_visitors_are_put_into_the_quarter_of_an_hour_of_their_first_exposure(log):
    log.shown("anna", "A", 14 * MINUTE)
    log.shown("bert", "A", 15 * MINUTE)
    log.shown("bert", "A", 50 * MINUTE)
    cells = attribute(log.table(), "e", ["A", "B"], "EUR").cells
    assert [(c.quarter_us, c.moments.n) for c in cells] == [(0, 1), (QUARTER_US, 1)]


def test_amounts_too_large_to_square_in_64_bits_stay_exact(log):
    log.shown("anna", "A")
    log.order("anna", 20, 3_000_000_000_001)
    (cell,) = attribute(log.table(), "e", ["A", "B"], "EUR").cells
    place = COLUMNS.index("revenue")
    k = len(COLUMNS)
    assert cell.moments.products[place * k - place * (place - 1) // 2] == 3_000_000_000_001**2


def test_a_table_without_sessions_is_an_error(log):
    with pytest.raises(InputError, match="session_key"):
        attribute(log.table().drop_columns(["session_key"]), "e", ["A", "B"], "EUR")


def test_an_event_from_the_future_moves_no_date_and_is_told(log):
    log.shown("anna", "A")
    log.order("anna", 20)
    log.order("anna", 5 * 86_400)
    log.shown("bert", "A", 3 * 86_400)
    now_us = 100 * SECOND
    found = attribute(log.table(), "e", ["A", "B"], "EUR", now_us=now_us)
    assert [cell.moments.total("orders") for cell in found.cells] == [1]
    assert found.last_us == 20 * SECOND
    assert found.left_out["events_from_the_future"] == 2
    ended = attribute(log.table(), "e", ["A", "B"], "EUR", now_us=now_us, stopped_us=now_us)
    assert ended.left_out["events_from_the_future"] == 0
