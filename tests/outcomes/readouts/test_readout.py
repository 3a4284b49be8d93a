import json
import random
import subprocess
import sys
from collections import defaultdict

import pytest

from thinslice.domain import DAY_US, Verdict
from thinslice.errors import InputError
from thinslice.outcomes.kpi import KPIS
from thinslice.outcomes.readouts.readout import LOOK_ONCE, NOT_A_WEEK, read_out

PLAN = {"kpi": "conversion", "guardrails": {"revenue_per_session": 0.02}}


def shoppers(log, variant, n, buyers, *, revenue=1000, views=2, start=0, more=lambda i: {}):
    """n visitors of one session each, the first `buyers` of whom place one order."""
    for i in range(n):
        visitor, at = f"{variant}{start}-{i}", 10.0 + start + i
        for _ in range(views):
            log.add(visitor, "Product Viewed", at)
        log.shown(visitor, variant, at)
        if i < buyers:
            log.order(visitor, at + 1, revenue + (i % 7) * 10, **more(i))


def readout(log, experiment, **plan):
    more = {k: plan.pop(k) for k in ("treatment", "time_zone") if k in plan}
    return read_out(experiment, log.table(), plan={**PLAN, **plan}, currency="EUR", **more)


def test_a_variant_that_sells_more_ships(log, experiment):
    shoppers(log, "A", 1000, 100)
    shoppers(log, "B", 1000, 180)
    found = readout(log, experiment())
    assert found.verdict is Verdict.SHIP
    assert found.row("conversion").relative.estimate == pytest.approx(0.8)
    assert found.sentence.startswith("Conversion is 80% higher with B (+")
    assert found.row("revenue_per_session").reading == "clearly better"


def test_a_variant_that_sells_less_stops(log, experiment):
    shoppers(log, "A", 1000, 180)
    shoppers(log, "B", 1000, 100)
    found = readout(log, experiment())
    assert found.verdict is Verdict.STOP
    assert "lower with B" in found.sentence


def test_no_difference_is_not_proven_and_says_how_long_it_would_take(log, experiment):
    shoppers(log, "A", 1000, 100)
    shoppers(log, "B", 1000, 110)
    found = readout(log, experiment())
    assert found.verdict is Verdict.NOT_PROVEN
    assert found.decision.more_visitors > 2000
    assert "more visitors would settle it" in found.reason


def test_no_difference_at_all_says_that_waiting_does_not_help(log, experiment):
    shoppers(log, "A", 1000, 100)
    shoppers(log, "B", 1000, 100)
    found = readout(log, experiment(), guardrails={})
    assert found.verdict is Verdict.NOT_PROVEN
    assert "too small to be settled by waiting" in found.reason


def test_more_orders_for_much_less_money_break_the_guardrail(log, experiment):
    shoppers(log, "A", 1000, 100, revenue=5000)
    shoppers(log, "B", 1000, 180, revenue=1000)
    found = readout(log, experiment())
    assert found.row("conversion").reading == "clearly better"
    assert found.row("revenue_per_session").reading == "worse by more than allowed"
    assert found.verdict is Verdict.STOP


def test_a_guardrail_that_is_not_shown_to_be_harmless_holds_back(log, experiment):
    shoppers(log, "A", 1000, 100, revenue=1500)
    shoppers(log, "B", 1000, 150, revenue=1000)
    found = readout(log, experiment())
    assert found.row("conversion").change == "better"
    assert found.row("revenue_per_session").reading == "not yet shown to be harmless"
    assert found.verdict is Verdict.NOT_PROVEN


def test_a_clear_harm_that_the_plan_does_not_name_holds_back(log, experiment):
    shoppers(log, "A", 1000, 100)
    shoppers(log, "B", 1000, 200, views=1)
    found = readout(log, experiment())
    assert found.verdict is Verdict.NOT_PROVEN
    assert "Bounce rate is clearly worse" in found.reason


def test_the_deciding_kpi_may_be_its_own_guardrail(log, experiment):
    shoppers(log, "A", 1000, 100)
    shoppers(log, "B", 1000, 180)
    found = readout(log, experiment(), guardrails={"conversion": 0.02})
    assert found.verdict is Verdict.SHIP
    without_margin = [name for name in KPIS if not name.startswith("margin")]
    assert [row.metric.name for row in found.rows] == without_margin


@pytest.mark.parametrize("terms", [{}, {"kpi": "conversion", "guardrail": "bounce_rate"}])
def test_a_plan_that_says_something_else_is_refused(log, experiment, terms):
    """A guardrail that is declared and ignored would be worse than none."""
    with pytest.raises(InputError, match="a plan's terms are kpi and guardrails"):
        read_out(experiment(), log.table(), plan=terms, currency="EUR")


def test_a_broken_split_gets_no_verdict_and_says_where_to_look(log, experiment):
    shoppers(log, "A", 1000, 100)
    shoppers(log, "B", 700, 300)
    found = readout(log, experiment())
    assert found.verdict is None
    assert "split of visitors is broken" in found.reason
    assert not found.to_dict()["srm"]["ok"]


def test_an_uneven_split_that_was_meant_is_fine(log, experiment):
    shoppers(log, "A", 900, 90)
    shoppers(log, "B", 300, 70)
    assert readout(log, experiment(0.75, 0.25)).verdict is Verdict.SHIP


def test_before_the_first_exposure_there_is_no_verdict(log, experiment):
    found = readout(log, experiment())
    assert found.verdict is None
    assert found.sentence.startswith("Nobody has seen a list of this experiment yet")
    assert found.to_dict()["rows"][0]["control"] is None


def test_an_empty_arm_gets_no_verdict(log, experiment):
    shoppers(log, "A", 8, 2)
    found = readout(log, experiment())
    assert found.verdict is None
    assert "8 in A, 0 in B" in found.reason


def test_too_few_orders_get_no_verdict(log, experiment):
    shoppers(log, "A", 200, 2)
    shoppers(log, "B", 200, 7)
    found = readout(log, experiment())
    assert found.verdict is None
    assert "at least 10 orders" in found.reason
    assert found.row("conversion").reading == "too little data"


def test_no_orders_at_all_get_no_verdict_and_no_figure_that_is_not_one(log, experiment):
    shoppers(log, "A", 200, 0)
    shoppers(log, "B", 200, 0)
    found = readout(log, experiment())
    assert found.verdict is None
    json.dumps(found.to_dict(), allow_nan=False)


def test_a_guardrail_without_data_holds_back_and_waits_for_it(log, experiment):
    shoppers(log, "A", 200, 0, views=1)
    shoppers(log, "B", 200, 0, views=2)
    found = readout(log, experiment(), kpi="bounce_rate")
    assert found.verdict is None  # every visitor of A bounces and none of B: no spread at all
    for i in range(0, 200, 2):
        log.add(f"A0-{i}", "Product Viewed", 500)
        log.add(f"B0-{i}", "Product Viewed", 500, session=f"B0-{i}/2")
    found = readout(log, experiment(), kpi="bounce_rate")
    assert found.verdict is Verdict.NOT_PROVEN
    assert found.reason == "There is too little data on revenue per session."


def test_many_visitors_in_two_variants_are_worth_a_note(log, experiment):
    shoppers(log, "A", 100, 30)
    shoppers(log, "B", 100, 60)
    for i in range(5):
        log.shown(f"A0-{i}", "B", 500)
    found = readout(log, experiment())
    assert found.left_out["visitors_in_two_variants"] == 5
    assert found.notes[0].startswith("5 visitors saw two variants")


def test_three_variants_are_compared_two_at_a_time(log, experiment):
    for variant, buyers in zip("ABC", (100, 105, 190), strict=True):
        shoppers(log, variant, 1000, buyers)
    e = experiment(0.3, 0.3, 0.3)
    assert readout(log, e).verdict is None
    assert readout(log, e, treatment="C").verdict is Verdict.SHIP
    assert readout(log, e, treatment="B").verdict is Verdict.NOT_PROVEN


def test_days_are_the_shops_days_and_add_up(log, experiment):
    # 22:50 and 23:05 UTC lie on two days in Paris in winter, 23:50 and 0:05 there.
    shoppers(log, "A", 20, 10, start=22 * 3600 + 50 * 60)
    shoppers(log, "A", 30, 10, start=23 * 3600 + 5 * 60)
    shoppers(log, "B", 40, 20, start=23 * 3600 + 5 * 60)
    found = readout(log, experiment(), time_zone="Europe/Paris")
    assert [(str(day.date), day.visitors) for day in found.daily] == [
        ("1970-01-01", (20, 0)),
        ("1970-01-02", (30, 40)),
    ]
    last = found.daily[-1]
    assert (last.control, last.treatment) == (20 / 50, 20 / 40)
    assert last.absolute == found.row("conversion").absolute


def test_the_figures_are_those_of_a_plain_count(log, experiment):
    """The same numbers, to the cent, as counting the raw events in a loop."""
    rng = random.Random(5)
    for i in range(300):
        visitor, variant = f"v{i}", "AB"[i % 2]
        log.shown(visitor, variant, i)
        for visit in range(rng.randrange(1, 4)):
            at = i + visit * 7200
            for _ in range(rng.randrange(1, 4)):
                log.add(visitor, "Product Viewed", at, session=f"{visitor}/{visit}")
            if rng.random() < 0.3:
                log.order(visitor, at + 5, rng.randrange(100, 99999), session=f"{visitor}/{visit}")
    sessions, revenue, orders = defaultdict(set), defaultdict(int), defaultdict(int)
    for event, key in zip(log.events, log.sessions, strict=True):
        variant = "AB"[int(event.visitor[1:]) % 2]
        if event.type != "Recommendation Served":
            sessions[variant].add(key)
        if event.type == "Order Completed":
            orders[variant] += 1
            revenue[variant] += event.revenue_minor
    variants = readout(log, experiment()).to_dict()["variants"]
    assert [(v["sessions"], v["orders"], v["revenue_minor"]) for v in variants] == [
        (len(sessions[name]), orders[name], revenue[name]) for name in "AB"
    ]


def test_the_order_of_events_does_not_matter(log, experiment):
    shoppers(log, "A", 60, 20)
    shoppers(log, "B", 60, 30)
    found = readout(log, experiment()).to_dict()
    both = list(zip(log.events, log.sessions, strict=True))
    random.Random(3).shuffle(both)
    log.events, log.sessions = (list(part) for part in zip(*both, strict=True))
    assert readout(log, experiment()).to_dict() == found


def test_the_dictionary_has_what_a_page_shows(log, experiment):
    shoppers(log, "A", 100, 30)
    shoppers(log, "B", 100, 60)
    found = readout(log, experiment(known_effect=0.1)).to_dict()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert found["question"] == "Does it sell more?"
    assert found["known_effect"] == 0.1
    assert found["sequential"] is False
    assert found["verdict"] == "ship"
    conversion = found["rows"][0]
    assert (conversion["control"], conversion["treatment"]) == (0.3, 0.6)
    assert conversion["absolute"]["estimate"] == pytest.approx(0.3)
    assert found["variants"][1]["revenue"] == found["variants"][1]["revenue_minor"] / 100
    assert found["notes"] == [LOOK_ONCE, NOT_A_WEEK]
    assert not readout(log, experiment(stopped_us=8 * DAY_US)).notes


def test_lines_of_text_say_the_same(log, experiment):
    shoppers(log, "A", 100, 30)
    shoppers(log, "B", 100, 60)
    lines = readout(log, experiment()).lines()
    assert lines[0] == "100 visitors in A, 100 visitors in B."
    assert lines[1].startswith("Conversion: 30.00% in A, 60.00% in B (+")


def test_unknown_names_are_errors(log, experiment):
    with pytest.raises(InputError, match="did you mean 'conversion'"):
        readout(log, experiment(), kpi="conversoin")
    with pytest.raises(InputError, match="no treatment"):
        readout(log, experiment(), treatment="Z")
    with pytest.raises(InputError, match="time zone"):
        readout(log, experiment(), time_zone="Mars/Olympus")
    with pytest.raises(InputError, match="at least two variants"):
        readout(log, experiment(0.5))


def test_importing_the_library_loads_no_query_engine():
    code = (
        "import sys, thinslice.outcomes.readouts.readout, thinslice.outcomes.assignment;"
        "print([m for m in ('ibis','duckdb','pandas','pyarrow','numba','starlette')"
        " if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_every_guardrail_of_the_plan_has_to_pass(log, experiment):
    shoppers(log, "A", 1000, 100)
    shoppers(log, "B", 1000, 180, views=1)
    found = readout(log, experiment(), guardrails={"revenue_per_session": 0.02})
    assert found.verdict is Verdict.NOT_PROVEN  # who buys does not bounce, the others of B do
    found = readout(
        log, experiment(), guardrails={"revenue_per_session": 0.02, "bounce_rate": 0.02}
    )
    assert found.verdict is Verdict.STOP
    assert [row.metric.name for row in found.rows if row.harmless] == [
        "revenue_per_session",
        "bounce_rate",
    ]
    with pytest.raises(InputError, match="did you mean 'bounce_rate'"):
        readout(log, experiment(), guardrails={"bounce": 0.02})


def test_where_everyone_is_left_out_that_is_said(log, experiment):
    for arm in "AB":
        log.shown("anna", arm)
    found = read_out(experiment(), log.table(), plan={"kpi": "conversion"}, currency="EUR")
    assert found.verdict is None
    assert found.sentence.startswith("The one visitor who saw a list of this experiment had to be")
