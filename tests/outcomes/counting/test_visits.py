"""Sessions, robots, previews and lists that do not count."""

import json

import pytest

from thinslice.outcomes.counting.attribution import attribute
from thinslice.outcomes.counting.columns import COLUMNS
from thinslice.outcomes.counting.rules import ProductFacts, Rules

MINUTE = 60


def found(log, **more):
    return attribute(log.table(), "e", ["A", "B"], "EUR", **more)


def totals(log, **more):
    cells = found(log, **more).cells
    return {name: sum(cell.moments.total(name) for cell in cells) for name in COLUMNS}


def left_out(log, **more):
    return {name: n for name, n in found(log, **more).left_out.items() if n}


def unfit(log, visitor, why, at=10, experiment="e"):
    """A list that was served and does not count, as the service writes it."""
    properties = {"left_out": why, "experiment": experiment, "variant": "A", "products": ["p"]}
    id = f"unfit {len(log.events)}"
    log.add(
        visitor, "Recommendation Served", at, message_id=id, exposure_id=id,
        properties=json.dumps(properties, separators=(",", ":")),
    )  # fmt: skip
    return id


def test_time_goes_from_the_first_to_the_last_event_of_a_session(log):
    log.add("anna", "Product Viewed", 0)
    log.shown("anna", "A", 10)
    log.add("anna", "Product Viewed", 90.7)
    log.add("anna", "Product Viewed", 5000, session="anna/2")
    assert totals(log)["seconds"] == 90


def test_an_enormous_session_counts_up_to_a_limit(log):
    log.shown("anna", "A", 10)
    log.add("anna", "Product Added", 11)
    for i in range(400):
        log.add("anna", "Product Viewed", 20 + 100 * i)
    assert totals(log)["views"] == 200
    assert totals(log)["seconds"] == 4 * 3600
    assert not left_out(log)


def test_a_session_of_hundreds_of_views_and_nothing_else_is_a_robots(log):
    log.shown("anna", "A", 10)
    for i in range(300):
        log.add("anna", "Product Viewed", 20 + 100 * i)
    assert left_out(log) == {"robots": 1}
    assert found(log).cells == ()
    assert left_out(log, rules=Rules(bot_views=301)) == {}


def test_more_events_in_a_minute_than_a_person_makes_are_a_robots(log):
    for visitor, n in (("anna", 121), ("bert", 119)):
        log.shown(visitor, "A", 60)
        for i in range(n):
            log.add(visitor, "Page Viewed", 120 + 59 * i / n)
    assert left_out(log) == {"robots": 1}


def test_the_lines_of_a_large_order_are_one_event(log):
    log.shown("anna", "A", 60)
    for line in range(500):
        log.add("anna", "Order Completed", 120, message_id="order", line=line, product=f"p{line}")
    assert not left_out(log)


def test_a_browser_that_calls_itself_a_robot_is_one(log):
    log.shown("anna", "A", 10)
    log.add("anna", "Page Viewed", 11, properties='{"device":"bot"}')
    log.shown("bert", "B", 10)
    log.add("bert", "Page Viewed", 11, properties='{"title":"the \\"device\\":\\"bot\\" page"}')
    assert left_out(log) == {"robots": 1}


def test_who_asked_for_a_variant_is_left_out_with_all_they_did(log):
    log.shown("anna", "A", 10)
    unfit(log, "anna", "qa", 20)
    unfit(log, "bert", "qa", 20, experiment="another")
    log.shown("bert", "A", 10)
    assert left_out(log) == {"visitors_who_asked_for_a_variant": 1, "previewed_lists": 1}
    assert sum(cell.moments.n for cell in found(log).cells) == 1


def test_a_list_that_could_not_show_its_variant_exposes_nobody(log):
    id = unfit(log, "anna", "could_not_show")
    log.add("anna", "Recommendation Viewed", 11, exposure_id=id, experiment="e", variant="A")
    assert found(log).cells == ()
    assert left_out(log) == {"lists_that_a_variant_could_not_fill": 1}


def test_a_visitor_counts_from_the_first_list_that_counts(log):
    unfit(log, "anna", "could_not_show", 10)
    log.order("anna", 20, 500)
    log.shown("anna", "A", 30)
    log.order("anna", 40, 700)
    assert totals(log)["revenue"] == 700


def test_segments_are_what_was_known_before_the_list(log):
    log.add("anna", "Product Viewed", 0, product="lamp", session="anna/0")
    log.add("anna", "Product Viewed", 100 * MINUTE, product="bulb", properties='{"device":"phone"}')
    log.shown("anna", "A", 100 * MINUTE)
    log.add("anna", "Product Viewed", 101 * MINUTE, product="lamp")
    log.shown("bert", "B", 100 * MINUTE)
    products = ProductFacts({"lamp": "Home > Lamps", "bulb": "Home > Bulbs"})
    assert {key: m.n for key, m in found(log, products=products).segments.items()} == {
        ("device", "phone", "A"): 1,
        ("visits", "returning", "A"): 1,
        ("visits", "new", "B"): 1,
        ("category", "Home > Bulbs", "A"): 1,
    }


@pytest.mark.parametrize("name", ["e", 'a "quoted" one', "Prüfung", "100%", "a\\b"])
def test_reasons_are_found_whatever_the_experiment_is_called(log, name):
    unfit(log, "anna", "holdout", experiment=name)
    left = attribute(log.table(), name, ["A", "B"], "EUR").left_out
    assert left["lists_for_the_holdout"] == 1
