"""A model in production, followed: what is realised, what is only expected, what has changed."""

import json
from datetime import date

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from thinslice.errors import ColumnError, InputError, NotEnoughDataError
from thinslice.profit import Payoff, Plan, Range, evaluate, track

PLAN = Plan(Payoff(tp=50, fp=-10), per_year=12, threshold=0.5, fixed_cost=1200)


def by_hand(**more):
    """January: 3 hits, 1 miss, 2 left alone; February: 1 hit, 2 misses."""
    return {
        "time": ["2026-01-03"] * 4 + ["2026-01-30"] * 2 + ["2026-02-01"] * 3,
        "y_true": [1, 1, 1, 0, 1, 0, 1, 0, 0],
        "y_pred": [1, 1, 1, 1, 0, 0, 1, 1, 1],
        **more,
    }


def months(n=6, per=2000, known=4, seed=0, odds=None, scores=0.0):
    """Scores that are too bold, clv by row; labels for the first `known` months.

    `odds` and `scores` are moved in the last known month and from then on.
    """
    rng = np.random.default_rng(seed)
    place = np.repeat(np.arange(n), per)
    late = place >= known - 1
    x = rng.normal(size=n * per) + scores * late
    chance = 1 / (1 + np.exp(-(-2 + 1.2 * x + (odds or 0.0) * late)))
    y = (rng.random(n * per) < chance).astype(float)
    return {
        "time": (np.datetime64("2026-01") + place).astype("datetime64[D]"),
        "y_true": np.where(place < known, y, np.nan),
        "truth": y,
        "y_score": 1 / (1 + np.exp(-(-1 + 0.8 * x))),
        "clv": np.exp(rng.normal(4, 0.5, n * per)),
        "place": place,
    }


def test_realised_money_by_hand():
    # January 3 * 50 - 10 = 140, February 50 - 2 * 10 = 30, a twelfth of 1,200 off each.
    found = track(by_hand(), PLAN)
    assert [row["kind"] for row in found.table] == ["realised", "realised"]
    assert [row["gain"]["likely"] for row in found.table] == pytest.approx([40, -70])
    assert [row["cumulative"]["likely"] for row in found.table] == pytest.approx([40, -30])
    assert [row["acted"] for row in found.table] == [4, 3]
    assert found.realised.likely == pytest.approx(-30)
    assert "it has more likely cost than earned" in found.warnings[0]


@pytest.mark.parametrize(
    ("baseline", "january"),
    [
        ("all", 140 - (4 * 50 - 2 * 10) - 100),
        ("column:old", 140 - 50 - 100),
        ("random", 140 - 7 / 9 * (4 * 50 - 2 * 10) - 100),
    ],
)
def test_the_gain_is_over_the_baseline_of_the_plan(baseline, january):
    plan = Plan(
        Payoff(tp=50, fp=-10), per_year=12, threshold=0.5, fixed_cost=1200, baseline=baseline
    )
    old = [0, 0, 0, 0, 1, 0, 0, 0, 0]
    found = track(by_hand(old=old), plan)
    assert found.table[0]["gain"]["likely"] == pytest.approx(january)


def test_a_realised_range_is_that_of_an_evaluation_of_the_same_rows():
    log = months(n=1, known=1, per=500)
    plan = Plan(Payoff(tp="clv", fp=Range(-12, -10, -8)), threshold=0.4)
    y = log["y_true"].astype(int)
    assert track(log, plan, by="year").realised == (
        evaluate(y, log["y_score"], plan, data=log).profit.per_year
    )


def test_rows_of_a_cluster_widen_the_range():
    log = months(n=1, known=1, per=500)
    twice = {name: np.repeat(values, 2) for name, values in log.items()}
    plan = Plan(Payoff(tp=50, fp=-10), threshold=0.4)
    alone = track(twice, plan).realised
    together = track({**twice, "id": np.repeat(np.arange(500), 2)}, plan, cluster="id").realised
    wider = (together.high - together.low) / (alone.high - alone.low)
    assert wider == pytest.approx(2**0.5, rel=0.02)


def test_expected_money_is_marked_and_close_to_what_turns_out():
    log = months()
    plan = Plan(Payoff(tp="clv", fp=-20), per_year=12, threshold=0.4)
    found = track(log, plan)
    assert [row["kind"] for row in found.table] == ["realised"] * 4 + ["expected"] * 2
    acted = (log["y_score"] >= 0.4) & (log["place"] >= 4)
    truth = np.where(log["truth"] == 1, log["clv"], -20)[acted].sum()
    assert found.expected.low < truth < found.expected.high
    assert found.expected.likely == pytest.approx(truth, rel=0.1)
    assert "Expected, not realised, in 2 months" in found.sentence
    assert found.warnings == []


def test_a_score_taken_at_its_word_would_promise_too_much():
    log = months()
    found = track(log, Plan(Payoff(tp=50, fp=-20), threshold=0.4))
    acted = (log["y_score"] >= 0.4) & (log["place"] >= 4)
    naive = (70 * log["y_score"] - 20)[acted].sum()
    assert found.expected.high < naive
    assert found.calibration_error < 0.02


def test_labels_that_come_early_are_not_counted_before_the_period_is_complete():
    # Only the positives of the last month are known: taken as they are, everybody would be one.
    log = months(known=4)
    early = (log["place"] == 4) & (log["truth"] == 1)
    some = {**log, "y_true": np.where(early, 1.0, log["y_true"])}
    plan = Plan(Payoff(tp=50, fp=-20), threshold=0.4)
    assert track(some, plan).expected == track(log, plan).expected


def test_a_label_that_never_arrives_does_not_hold_up_its_month():
    log = months(n=2, known=2)
    lost = np.arange(4000) % 40 == 0  # 2.5 of 100
    plan = Plan(Payoff(tp=50, fp=-20), threshold=0.4)
    found = track({**log, "y_true": np.where(lost, np.nan, log["y_true"])}, plan)
    assert [row["kind"] for row in found.table] == ["realised"] * 2
    assert found.realised.likely == pytest.approx(track(log, plan).realised.likely, rel=0.05)


def test_a_month_with_half_of_its_labels_is_realised_where_that_is_said_to_be_enough():
    log = months(n=2, known=2)
    lost = np.random.default_rng(0).random(4000) < 0.5
    plan = Plan(Payoff(tp=50, fp=-20), threshold=0.4)
    half = {**log, "y_true": np.where(lost, np.nan, log["y_true"])}
    assert {row["kind"] for row in track(half, plan).table} == {"waiting"}
    found, whole = track(half, plan, settled=0.4).realised, track(log, plan).realised
    assert found.low < whole.likely < found.high
    with pytest.raises(InputError, match="settled is a share"):
        track(log, plan, settled=95)


def test_few_labels_give_a_logistic_curve_and_too_few_no_amount():
    plan = Plan(Payoff(tp=50, fp=-20), threshold=0.4)
    assert "logistic" in track(months(n=2, known=1, per=300), plan).to_dict()["calibration"]
    found = track(months(n=2, known=1, per=30), plan)
    assert found.table[1]["kind"] == "waiting"
    assert found.table[1]["gain"] is None
    assert "February 2026 cannot be valued before labels arrive." in found.sentence


def test_decisions_alone_are_expected_to_be_right_as_often_as_before():
    log = months()
    decided = (log.pop("y_score") >= 0.4).astype(int)
    plan = Plan(Payoff(tp=50, fp=-20))
    found = track({**log, "y_pred": decided}, plan)
    known, later = log["place"] < 4, log["place"] >= 4
    share = log["truth"][known & (decided == 1)].mean()
    assert found.expected.likely == pytest.approx(
        (decided[later] * (70 * share - 20)).sum(), rel=1e-2
    )


def test_more_than_two_classes_are_followed_by_their_decisions():
    labels = ["none", "email", "call"]
    payoff = Payoff.from_matrix([[0, -1, -5], [0, 9, 4], [0, 3, 20]], labels=labels, nothing="none")
    rng = np.random.default_rng(0)
    truth, decided = rng.choice(labels, 400), rng.choice(labels, 400)
    time = np.repeat(["2026-01-01", "2026-02-01"], 200)
    seen = np.where(np.arange(400) < 200, truth, "")
    found = track(
        {"time": time, "y_true": seen, "y_pred": decided}, Plan(payoff, baseline="nothing")
    )
    rows = zip(truth[:200], decided[:200], strict=True)
    matrix = [[0, -1, -5], [0, 9, 4], [0, 3, 20]]
    by_cell = sum(matrix[labels.index(t)][labels.index(d)] for t, d in rows)
    assert found.table[0]["gain"]["likely"] == pytest.approx(by_cell)
    assert found.table[1]["kind"] == "expected"


# what has changed


def evaluated(plan, seed=9):
    log = months(n=1, known=1, seed=seed)
    return evaluate(log["y_true"].astype(int), log["y_score"], plan, data=log)


def test_the_planned_range_of_a_month_is_a_twelfth_of_the_year_evaluated():
    plan = Plan(Payoff(tp="clv", fp=-20), per_year=12, fixed_cost=1200, discount=0.1)
    planned = evaluated(plan)
    found = track(months(), plan, planned=planned)
    # Undiscounted: a month's money is not a year away.
    gross = (planned.gain.likely + 1200) * 1.1**0.5
    assert found.table[0]["planned"]["likely"] == pytest.approx((gross - 1200) / 12)
    assert found.status == "on plan"
    assert found.warnings == []
    assert track(months(), plan, planned=planned.to_dict()).status == "on plan"


def test_a_month_below_the_planned_range_warns():
    plan = Plan(Payoff(tp="clv", fp=-20), per_year=12, threshold=0.4)
    found = track(months(odds=-2), plan, planned=evaluated(plan))
    assert [row["against_plan"] for row in found.table[:4]] == ["within"] * 3 + ["below"]
    assert "April 2026 lies below the planned range, beyond luck." in found.warnings


def test_calibration_that_has_gone_warns_and_widens_what_is_expected():
    plan = Plan(Payoff(tp="clv", fp=-20), per_year=12, threshold=0.4)
    found, before = track(months(odds=-2), plan), track(months(), plan)
    assert [row["calibration_gone"] for row in found.table[:4]] == [False] * 3 + [True]
    assert any("learn the model anew" in said for said in found.warnings)
    width = [t.expected.high - t.expected.low for t in (found, before)]
    assert width[0] > 2 * width[1]


def test_other_scores_than_at_the_start_warn():
    plan = Plan(Payoff(tp="clv", fp=-20), per_year=12, threshold=0.4)
    found = track(months(scores=1.0), plan)
    assert [row["drifted"] for row in found.table] == [False] * 3 + [True] * 3
    assert "stability index" in found.warnings[0]


def test_far_more_rows_than_planned_are_told():
    plan = Plan(Payoff(tp="clv", fp=-20), per_year=12, threshold=0.4)
    found = track(months(per=4000), plan, planned=evaluated(plan))
    assert any("The plan is for about 8,000 rows in this time and" in w for w in found.warnings)


def test_without_an_evaluation_must_beat_is_the_plan():
    plan = Plan(Payoff(tp="clv", fp=-20), per_year=12, threshold=0.4, must_beat=1_000_000)
    found = track(months(), plan)
    assert found.status == "below plan"
    assert "The plan asks for EUR 330,000 in this time: below plan." in found.sentence


def test_a_changed_plan_shows():
    agreed = PLAN.agree(0)
    changed = Plan.from_yaml(agreed.to_yaml().replace("fixed_cost: 1200", "fixed_cost: 0"))
    assert any("was changed" in said for said in track(by_hand(), changed).warnings)


# periods


def test_months_without_rows_cost_all_the_same():
    log = by_hand(time=["2026-01-03"] * 6 + ["2026-03-01"] * 3)
    found = track(log, PLAN)
    assert [row["kind"] for row in found.table] == ["realised", "no rows", "realised"]
    assert found.table[1]["gain"]["likely"] == -100
    assert found.realised.likely == pytest.approx(-130)
    assert "February 2026 has no rows" in found.warnings[1]


@pytest.mark.parametrize(
    ("by", "names"),
    [
        ("day", ["2026-01-03"]),
        ("week", ["2025-12-29"]),
        ("month", ["2026-01"]),
        ("quarter", ["2026-Q1"]),
        ("year", ["2026"]),
    ],
)
def test_periods_are_named_so_that_they_sort(by, names):
    found = track(by_hand(), PLAN, by=by)
    assert found.table[0]["period"] == names[0]


def test_a_month_that_is_not_over_pays_for_its_days():
    found = track(by_hand(), PLAN, until="2026-02-14")
    assert found.table[1]["gain"]["likely"] == pytest.approx(30 - 100 / 2)


@pytest.mark.parametrize(
    "time",
    [
        pd.Series(pd.to_datetime(["2026-01-03"] * 6 + ["2026-02-01"] * 3)),
        pd.Series(
            pd.to_datetime(["2026-01-03"] * 6 + ["2026-02-01"] * 3).tz_localize("Asia/Tokyo")
        ),
        pl.Series(["2026-01-03"] * 6 + ["2026-02-01"] * 3).str.to_date(),
        ["2026-01"] * 6 + ["2026-02"] * 3,
        pd.Series(pd.period_range("2026-01", periods=2, freq="M").repeat([6, 3])),
        ["2026-01-03T23:59:59Z"] * 6 + ["2026-02-01 00:00"] * 3,
    ],
)  # fmt: skip
def test_times_as_people_have_them(time):
    assert [row["rows"] for row in track(by_hand(time=time), PLAN).table] == [6, 3]


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, pa.table])
def test_frames_of_every_kind_give_the_same(frame):
    log = months(n=3, known=2, per=200)
    plan = Plan(Payoff(tp="clv", fp=-20), threshold=0.4)
    missing = [None if np.isnan(y) else int(y) for y in log["y_true"]]
    assert track(frame({**log, "y_true": missing}), plan).table == track(log, plan).table


def test_words_as_labels_and_a_stated_positive():
    words = {1: "churn", 0: "stay"}
    log = by_hand()
    log = {**log, **{name: [words[v] for v in log[name]] for name in ("y_true", "y_pred")}}
    found = track(log, PLAN, pos_label="churn")
    assert found.realised.likely == pytest.approx(-30)
    with pytest.raises(InputError, match="which class is positive"):
        track(log, PLAN)


def test_days_with_points_have_the_day_first():
    log = by_hand()
    pointed = [f"{d.day}.{d.month:02d}.{d.year}" for d in map(date.fromisoformat, log["time"])]
    assert track({**log, "time": pointed}, PLAN).table == track(log, PLAN).table


# errors


@pytest.mark.parametrize(
    ("change", "given", "error", "says"),
    [
        ({"time": ["2026-01-03"] * 8 + [""]}, {}, InputError, "time must be a date .* in row 8"),
        ({"time": ["03/01/2026"] * 9}, {}, InputError, "such as 2026-03-01"),
        ({"time": np.arange(9)}, {}, InputError, "such as 2026-03-01"),
        ({"time": ["1970-01-01", *["2026-01-03"] * 8]}, {"by": "day"}, InputError, "check the dat"),
        ({}, {"until": 5}, InputError, "until is a date such as"),
        ({}, {"by": "moth"}, InputError, "did you mean 'month'"),
        ({}, {"time": "tme"}, ColumnError, "did you mean 'time'"),
        ({}, {"y_true": "outcome"}, ColumnError, "no column is called 'outcome'"),
        ({"y_true": [None] * 9}, {}, NotEnoughDataError, "no label has arrived yet"),
        ({"y_true": [1, 2, 0, 1, 0, 0, 0, 0, 0]}, {}, InputError, "two classes and y_true has 3"),
        ({"y_pred": [1] * 8 + [None]}, {}, InputError, "y_pred"),
        ({"y_pred": [1] * 8}, {}, InputError, "8 rows"),
        ({}, {"until": "2026-01-15"}, InputError, "after until"),
        ({}, {"cluster": [None] * 9}, InputError, "cluster must be known"),
        ({}, {"cluster": [7] * 9}, NotEnoughDataError, "all rows are in one cluster"),
    ],
)  # fmt: skip
def test_what_cannot_be_followed_says_why(change, given, error, says):
    with pytest.raises(error, match=says):
        track(by_hand(**change), PLAN, **given)


@pytest.mark.parametrize(
    ("planned", "says"),
    [
        (5, "planned is the evaluation that was agreed on"),
        ({}, "planned has no gain"),
        ({"gain": 3}, "planned has no gain"),
        (Plan(Payoff(tp=5, fp=-1, currency="USD"), threshold=0.4), "planned is in USD"),
    ],
)
def test_what_is_no_evaluation_is_no_promise(planned, says):
    planned = evaluated(planned) if isinstance(planned, Plan) else planned
    with pytest.raises(InputError, match=says):
        track(by_hand(), PLAN, planned=planned)


def test_days_after_the_last_label_are_not_realised():
    log = by_hand(time=["2026-01-01"] * 5 + ["2026-01-02"] + ["2026-01-04"] * 3)
    log["y_true"] = [*log["y_true"][:6], None, None, None]
    found = track(log, PLAN, by="day")
    assert found.sentence.startswith("In 2 days, 1 January to 2 January 2026, it earned")


def test_a_baseline_given_as_decisions_is_taken_row_by_row():
    plan = Plan(Payoff(tp=50, fp=-10), baseline=[0, 0, 0, 0, 1, 0, 0, 0, 0])
    assert track(by_hand(), plan).table[0]["gain"]["likely"] == pytest.approx(140 - 50)


def test_recommended_lists_are_followed_by_an_experiment():
    with pytest.raises(InputError, match="followed by an experiment"):
        track(by_hand(), Plan(Payoff.ranking(click=1)))


def test_a_threshold_is_never_tuned_on_what_it_is_followed_by():
    log = months(n=1, known=1)
    with pytest.raises(InputError, match="not tuned on what it is followed by"):
        track(log, Plan(Payoff(tp=50, fp=-10)))
    with pytest.raises(InputError, match="with a capacity"):
        track(log, Plan(Payoff(tp=50, fp=-10), capacity=10, threshold=0.5))
    tuned = evaluated(Plan(Payoff(tp=50, fp=-10)))
    found = track(log, Plan(Payoff(tp=50, fp=-10)), planned=tuned)
    assert found.table[0]["acted"] == (log["y_score"] >= tuned.threshold).sum()


def test_the_result_is_plain_values():
    plan = Plan(Payoff(tp="clv", fp=Range(-25, -20, -15)), per_year=12, threshold=0.4)
    found = track(months(), plan, planned=evaluated(plan)).to_dict()
    assert json.loads(json.dumps(found)) == found
