"""Daily courses and segments: exploratory, few, and said to be so."""

import json

import pytest
from tests.outcomes.readouts.test_readout import shoppers

from thinslice.errors import InputError
from thinslice.outcomes.counting.rules import ProductFacts, Rules
from thinslice.outcomes.kpi import KPIS
from thinslice.outcomes.readouts.readout import read_out
from thinslice.outcomes.readouts.segments import MOST

PLAN = {"kpi": "conversion", "guardrails": {"bounce_rate": 0.05}}


def readout(log, experiment, plan=PLAN, **more):
    return read_out(experiment(), log.table(), plan=plan, currency="EUR", **more).to_dict()


@pytest.fixture
def many_categories(log):
    """Two variants, and visitors whose first page is of one of nine categories."""
    for variant, buyers in (("A", 20), ("B", 40)):
        shoppers(log, variant, 90, buyers)
        for i in range(90):
            log.add(f"{variant}0-{i}", "Product Viewed", 9.5 + i, product=f"p{i * i % 9 + i % 9}")
            if i % 3 == 0:
                log.add(f"{variant}0-{i}", "Page Viewed", 10 + i, properties='{"device":"phone"}')
    categories = {f"p{i}": f"Home > Kind {i} > Leaf" for i in range(20)}
    return log, ProductFacts(categories)


def test_every_kpi_has_its_course_by_day(log, experiment):
    shoppers(log, "A", 40, 10)
    shoppers(log, "B", 40, 20, start=90_000)
    found = readout(log, experiment)
    assert list(found["daily_by_kpi"]) == [row["kpi"] for row in found["rows"]]
    assert found["daily_by_kpi"]["conversion"] == found["daily"]
    for row in found["rows"]:
        first, last = found["daily_by_kpi"][row["kpi"]]
        assert first["visitors"] == {"A": 40, "B": 0}
        assert (last["control"], last["treatment"]) == (row["control"], row["treatment"])


def test_segments_are_capped_and_the_others_stand_together(many_categories, experiment):
    log, products = many_categories
    found = readout(log, experiment, products=products)["segments"]
    device, visits, category = found["kinds"]
    assert [s["name"] for s in device["segments"]] == ["phone"]
    assert [s["name"] for s in visits["segments"]] == ["new"]
    assert [s["name"] for s in category["segments"]][MOST:] == ["all others"]
    assert category["segments"][0]["name"].startswith("Home > Kind ")
    assert sum(s["visitors"]["A"] for s in category["segments"]) == 90
    rows = category["segments"][0]["rows"]
    assert {r["kpi"] for r in rows} == {"conversion", "bounce_rate", "revenue_per_visitor"}
    json.dumps(found, allow_nan=False)


def test_segments_say_that_they_decide_nothing(many_categories, experiment):
    log, products = many_categories
    found = readout(log, experiment, products=products)["segments"]
    assert found["note"].startswith(f"Exploratory: {found['compared']} comparisons, of which ")
    assert "decide nothing" in found["note"]


def test_what_is_not_known_is_said(log, experiment):
    shoppers(log, "A", 40, 10)
    shoppers(log, "B", 40, 20)
    kinds = {kind["kind"]: kind for kind in readout(log, experiment)["segments"]["kinds"]}
    assert kinds["device"]["missing"] == "No event says on which kind of device it happened."
    assert kinds["category"]["missing"] == "No product page has a category."
    assert not kinds["visits"]["missing"]


def test_before_anyone_came_there_are_no_segments_and_no_days(log, experiment):
    found = readout(log, experiment)
    assert found["daily_by_kpi"]["conversion"] == []
    assert found["segments"]["note"].startswith("There is too little data")


def test_the_rules_in_force_are_told(log, experiment):
    rules = Rules(attribution_days=3, vat_rate=0.19, margin_share=0.4)
    found = readout(log, experiment, rules=rules)
    assert found["rules"] == {**rules.to_dict(), "margin_source": "40% of net revenue, as stated"}
    assert "margin_per_session" in [row["kpi"] for row in found["rows"]]


def test_no_margin_is_shown_where_nothing_says_what_it_is(log, experiment):
    found = readout(log, experiment)
    assert found["rules"]["margin_source"] is None
    assert {row["kpi"] for row in found["rows"]} == {n for n in KPIS if "margin" not in n}
    with pytest.raises(InputError, match="margin-share"):
        readout(log, experiment, plan={"kpi": "margin_per_session"})


@pytest.mark.parametrize(
    "wrong",
    [
        {"attribution_days": -1},
        {"vat_rate": 19},
        {"margin_share": float("nan")},
        {"bot_views": 0},
    ],
)
def test_rules_that_make_no_sense_are_errors(wrong):
    with pytest.raises(InputError, match="lies between"):
        Rules(**wrong)
