import subprocess
import sys
from statistics import NormalDist

import numpy as np
import pytest
import scipy.stats

from thinslice.domain import Verdict
from thinslice.profit import Plan, Range, judge_experiment, judge_offline

PLAN = Plan(order_value=Range.of(10), sessions_per_month=100_000)


def row(kpi, estimate=0.0, half=0.0, change="unclear"):
    interval = {
        "low": estimate - half,
        "estimate": estimate,
        "high": estimate + half,
        "confidence": 0.95,
    }
    return {"kpi": kpi, "absolute": interval, "change": change}


def readout(effect=0.002, half=0.001, verdict="ship", **more):
    """A readout's dictionary whose conversion differs by effect +- half per session."""
    return {
        "verdict": verdict,
        "sentence": "A sentence.",
        "reason": "A reason.",
        "treatment": "B",
        "currency": "EUR",
        "period": {"days": 14.0},
        "variants": [
            {"visitors": 5000, "sessions": 7000, "orders": orders, "weight": 0.5}
            for orders in (200, 220)
        ],
        "rows": [
            row("conversion", effect, half),
            row("clicks_per_session", 0.01, 0.001),
            row("average_order_value"),
        ],
        **more,
    }


def test_money_by_hand():
    # 0.002 more orders * 10 * 100,000 sessions * 12 months = 24,000 a year, standard error
    # 0.001 / 1.96 * 12,000,000 = 6,122; P5 = 24,000 - 1.645 * 6,122 = 13,930.
    found = judge_experiment(readout(), PLAN)
    assert found.money["per_year"]["likely"] == pytest.approx(24_000, rel=0.01)
    assert found.money["per_year"]["low"] == pytest.approx(13_930, rel=0.02)
    assert found.money["per_month"]["likely"] == found.money["per_year"]["likely"] / 12
    assert found.verdict is Verdict.SHIP
    assert found.sentence.startswith("B earns at least EUR 14,000 a year")


def test_it_is_said_when_the_range_is_one_for_every_look():
    said = "The money's range holds at every look"
    once, daily = (judge_experiment(readout(sequential=x), PLAN).reasons for x in (False, True))
    assert not any(reason.startswith(said) for reason in once)
    assert any(reason.startswith(said) for reason in daily)


def test_an_effect_of_twice_the_payoff_is_worth_twice():
    one = judge_experiment(readout(), PLAN).money["per_year"]
    two = judge_experiment(
        readout(), Plan(order_value=Range.of(20), sessions_per_month=100_000)
    ).money["per_year"]
    assert two["low"] == pytest.approx(2 * one["low"])


def test_less_than_the_plan_asks_for_is_a_small_win():
    plan = Plan(order_value=Range.of(10), sessions_per_month=100_000, must_beat=50_000)
    found = judge_experiment(readout(), plan)
    assert found.verdict is Verdict.SMALL_WIN
    assert "EUR 50,000 a year" in found.reasons[0]


def test_a_likely_loss_stops_and_says_when_to_look_again():
    # 40,000 a year / (12 * 100,000 * 10) = 3.33 orders per 1,000 sessions pay for it.
    plan = Plan(order_value=Range.of(10), sessions_per_month=100_000, fixed_cost=40_000)
    found = judge_experiment(readout(), plan)
    assert found.verdict is Verdict.STOP
    assert "at least 3.3 more orders per 1,000 sessions; now it is 2." in found.reasons[0]


def test_a_gain_that_may_be_a_loss_is_not_proven():
    plan = Plan(order_value=Range.of(10), sessions_per_month=100_000, fixed_cost=20_000)
    found = judge_experiment(readout(), plan)
    assert found.verdict is Verdict.NOT_PROVEN
    assert "may lose" in found.sentence
    assert "more visitors would settle it" in found.reasons[0]


def test_money_does_not_overrule_an_experiment_that_proves_nothing():
    assert judge_experiment(readout(verdict="not proven"), PLAN).verdict is Verdict.NOT_PROVEN


def test_money_does_not_overrule_a_broken_guardrail():
    found = judge_experiment(readout(verdict="stop"), PLAN)
    assert found.verdict is Verdict.STOP
    assert found.money["per_year"]["likely"] > 0


def test_without_a_verdict_there_is_no_money():
    found = judge_experiment(readout(verdict=None), PLAN)
    assert (found.verdict, found.money) == (None, None)
    assert found.reasons == ("A reason.",)


NO_ORDERS = [{"visitors": 9, "sessions": 9, "orders": 0, "weight": 0.5}] * 2


@pytest.mark.parametrize(
    ("readout", "plan", "why"),
    [
        (readout(variants=NO_ORDERS), PLAN, "there are no purchases in the log"),
        (readout(), None, "no plan is agreed"),
        (readout(), Plan(), "does not say what an order is worth"),
        (readout(currency="USD"), PLAN, "the plan is in EUR and the shop in USD"),
        (readout(period={"days": 0.5}), Plan(order_value=Range.of(1)), "less than a day"),
    ],
)
def test_no_money_can_be_stated_and_it_says_why(readout, plan, why):
    found = judge_experiment(readout, plan)
    assert found.money is None
    assert found.verdict is Verdict.SHIP
    assert found.sentence.startswith("Ship. No money can be stated: ")
    assert why in found.sentence


def test_the_sessions_of_a_month_come_from_the_experiment_where_the_plan_has_none():
    found = judge_experiment(readout(), Plan(order_value=Range.of(10)))
    # 14,000 sessions in 14 days, of all visitors: 1,000 a day, 30.4375 days.
    assert found.money["sessions_per_month"] == 30_000  # two digits of 30,437.5
    assert found.money["sessions_from"] == "experiment"


def test_half_of_the_visitors_in_the_experiment_stand_for_all():
    variants = [
        {"visitors": 5000, "sessions": 7000, "orders": 200, "weight": 0.25} for _ in range(2)
    ]
    found = judge_experiment(readout(variants=variants), Plan(order_value=Range.of(10)))
    assert found.money["sessions_per_month"] == 61_000


def test_clicks_add_what_the_plan_says_they_are_worth():
    # 0.01 more clicked lists per session * 1 * 100,000 * 12 = 12,000 a year.
    plan = Plan(order_value=Range.of(10), click_value=Range.of(1), sessions_per_month=100_000)
    found = judge_experiment(readout(half=0.0, effect=0.002), plan)
    assert found.money["per_year"]["likely"] == pytest.approx(24_000 + 12_000, rel=0.01)


def test_a_changed_plan_is_named_among_the_reasons():
    plan = Plan.from_yaml(PLAN.agree(0).to_yaml().replace("fixed_cost: 0", "fixed_cost: 1"))
    assert any("was changed" in reason for reason in judge_experiment(readout(), plan).reasons)


def loss(mean, sd):
    """The mean of max(0, -gain) of a normal gain: sd phi(mean / sd) - mean Phi(-mean / sd)."""
    normal = NormalDist()
    return sd * normal.pdf(mean / sd) - mean * normal.cdf(-mean / sd)


def test_the_cost_of_being_wrong_by_hand():
    # 24,000 a year less 20,000, standard error 0.001 / 1.96 * 12,000,000 = 6,122.
    plan = Plan(order_value=Range.of(10), sessions_per_month=100_000, fixed_cost=20_000)
    found = judge_experiment(readout(), plan)
    wrong = found.money["cost_of_being_wrong"]
    sd = 0.001 / 1.959964 * 12_000_000
    below = NormalDist(4_000, sd).cdf(0)
    assert wrong["ship"]["chance"] == pytest.approx(below, abs=0.005)
    assert wrong["ship"]["expected"] == pytest.approx(loss(4_000, sd), rel=0.03)
    assert wrong["do_not_ship"]["expected"] == pytest.approx(loss(-4_000, sd), rel=0.03)
    assert wrong["ship"]["average"] == pytest.approx(loss(4_000, sd) / below, rel=0.03)
    assert any("(26 in 100), that loses EUR 3,600 a year on average" in r for r in found.reasons)
    assert any("(74 in 100), that gives up EUR 6,700 a year" in r for r in found.reasons)


def test_what_an_effect_and_a_guess_leave_open_is_not_added_end_to_end():
    # Against draws of its own: numbers of another generator, a beta of scipy for the guess.
    plan = Plan(order_value=Range(5, 10, 30), sessions_per_month=100_000, fixed_cost=25_000)
    found = judge_experiment(readout(), plan).money
    rng = np.random.Generator(np.random.MT19937(7))
    more = rng.normal(0.002, 0.001 / 1.959964, 400_000)
    worth = scipy.stats.beta(1 + 4 * 0.2, 5 - 4 * 0.2, 5, 25).rvs(400_000, random_state=rng)
    gain = 1_200_000 * more * worth - 25_000
    drawn = np.quantile(gain, (0.05, 0.5, 0.95))
    assert list(found["per_year"].values()) == pytest.approx(drawn, rel=0.02, abs=200)
    wrong = found["cost_of_being_wrong"]
    assert wrong["ship"]["expected"] == pytest.approx(np.maximum(-gain, 0).mean(), rel=0.02)
    assert wrong["do_not_ship"]["expected"] == pytest.approx(np.maximum(gain, 0).mean(), rel=0.02)
    ends = [
        1_200_000 * (0.002 + side * 0.00084) * value - 25_000 for side, value in ((-1, 5), (1, 30))
    ]
    assert ends[0] < found["per_year"]["low"]
    assert found["per_year"]["high"] < ends[1]


def test_what_cannot_be_a_mistake_has_no_cost():
    found = judge_experiment(readout(half=0.0), PLAN)
    assert found.money["cost_of_being_wrong"]["ship"] == {
        "chance": 0.0,
        "average": None,
        "expected": 0.0,
    }
    assert not any("in truth worse" in reason for reason in found.reasons)


# Offline


def evaluation(*differences, names=("session", "popular", "list:incumbent"), sessions=500):
    return {
        "rows": [{"name": name, "metrics": {}} for name in names],
        "differences": [
            {"a": a, "b": b, "metric": m, "low": low, "estimate": (low + high) / 2, "high": high}
            for a, b, m, low, high in differences
        ],
        "sizes": {"test_sessions": sessions, "predictions": 3 * sessions},
    }  # fmt: skip


def test_better_than_what_the_shop_shows_is_worth_testing():
    found = judge_offline(
        evaluation(
            ("session", "list:incumbent", "MRR@20", 0.01, 0.05),
            ("session", "list:incumbent", "HitRate@20", -0.01, 0.05),
            ("session", "popular", "MRR@20", 0.1, 0.2),
        ),
        PLAN,
    )
    assert found.verdict is Verdict.WORTH_TESTING
    assert "MRR@20 +0.010 to +0.050" in found.sentence
    assert found.money is None
    assert "EUR" not in found.sentence


def test_a_difference_kept_the_other_way_round_reads_the_same():
    found = judge_offline(evaluation(("list:incumbent", "session", "MRR@20", -0.05, -0.01)))
    assert found.verdict is Verdict.WORTH_TESTING
    assert "+0.010 to +0.050" in found.sentence


def test_not_clearly_better_is_not_worth_testing():
    found = judge_offline(evaluation(("session", "list:incumbent", "MRR@20", -0.01, 0.05)))
    assert found.verdict is Verdict.NOT_WORTH_TESTING
    assert "not clearly better than what the shop shows today" in found.sentence


def test_more_hits_missed_outweigh_a_better_order():
    found = judge_offline(
        evaluation(
            ("session", "list:incumbent", "MRR@20", 0.01, 0.05),
            ("session", "list:incumbent", "HitRate@20", -0.05, -0.01),
        )
    )
    assert found.verdict is Verdict.NOT_WORTH_TESTING


def test_popularity_wins_and_says_so_whatever_the_baseline():
    found = judge_offline(
        evaluation(
            ("session", "list:incumbent", "MRR@20", 0.01, 0.05),
            ("session", "popular", "MRR@20", -0.05, -0.01),
        )
    )
    assert found.verdict is Verdict.NOT_WORTH_TESTING
    assert "Showing what is popular predicts better" in found.sentence


def test_without_an_incumbent_popularity_stands_in_and_it_says_so():
    found = judge_offline(
        evaluation(("session", "popular", "MRR@20", 0.01, 0.05), names=("session", "popular"))
    )
    assert found.verdict is Verdict.WORTH_TESTING
    assert "popularity stands in" in found.reasons[0]


def test_too_few_test_sessions_prove_nothing():
    found = judge_offline(
        evaluation(("session", "list:incumbent", "MRR@20", 0.01, 0.05), sessions=29)
    )
    assert found.verdict is Verdict.NOT_WORTH_TESTING
    assert "29 sessions" in found.sentence


def test_without_a_session_model_or_a_rival_nothing_is_worth_testing():
    assert judge_offline(evaluation(names=("popular",))).verdict is Verdict.NOT_WORTH_TESTING
    assert judge_offline(evaluation(names=("session",))).verdict is Verdict.NOT_WORTH_TESTING


def test_importing_the_library_loads_nothing_heavy():
    code = (
        "import sys, thinslice.profit;"
        "heavy = 'duckdb numba ibis starlette pandas pyarrow scipy sklearn narwhals'.split();"
        "print([m for m in heavy if m in sys.modules])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"


def test_a_likely_loss_stops_no_experiment_that_still_runs_and_proves_nothing():
    runs = {"days": 2.0, "running": True}
    early = readout(-0.001, 0.01, "not proven", period=runs)
    assert judge_experiment(early, PLAN).verdict is Verdict.NOT_PROVEN
    assert judge_experiment({**early, "period": {"days": 14.0}}, PLAN).verdict is Verdict.STOP
    hopeless = readout(-0.01, 0.001, "not proven", period=runs)
    assert judge_experiment(hopeless, PLAN).verdict is Verdict.STOP
