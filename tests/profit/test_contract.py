"""The library as it is promised: every name and call of its first page.

What each of them says is tested beside its file; this is the whole in one sitting.
"""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.stats
from sklearn.linear_model import LogisticRegression

from thinslice.domain import Verdict
from thinslice.errors import InputError
from thinslice.profit import Payoff, Plan, Range, decide, evaluate, profit_scorer

PAYOFF = Payoff(tp="clv * 0.3 - 11", fp=-11)
VERDICTS = {Verdict.SHIP, Verdict.SMALL_WIN, Verdict.NOT_PROVEN, Verdict.STOP}


@pytest.fixture(scope="module")
def customers():
    rng = np.random.default_rng(0)
    churns = rng.random(400) < 0.3
    frame = pd.DataFrame(
        {
            "clv": rng.exponential(100, 400),
            "old": np.where(rng.random(400) < 0.5, "churn", "stay"),
            "calls": churns + rng.normal(size=400),
        }
    )
    return np.where(churns, "churn", "stay"), 1 / (1 + np.exp(-frame.calls)), frame


def test_the_whole_in_one_sitting(customers, tmp_path):
    y_true, y_score, df = customers
    payoff = Payoff(tp="clv * 0.3 - 11", fp=-11, currency="EUR")
    plan = Plan(
        payoff,
        baseline="nothing",
        must_beat=50_000,
        capacity=100,
        fixed_cost=2_000,
        per_year=12,
        discount=0.08,
        question="Does the offer pay?",
        constraints=["precision >= 0.2"],
    )
    plan.save(tmp_path / "plan.yml")
    assert Plan.load(tmp_path / "plan.yml") == plan

    r = evaluate(y_true, y_score, plan, data=df, pos_label="churn")
    assert r.verdict in VERDICTS
    assert r.verdict.value in r.sentence
    assert r.profit.low < r.profit.likely < r.profit.high
    assert r.profit.per_prediction == pytest.approx(r.profit.total / 400)
    assert r.profit.per_year.likely == pytest.approx(r.profit.likely * 12 / 1.08**0.5)
    assert set(r.profit.by_class) == {"churn", "stay"}
    assert 0 <= r.p_beats <= 1
    assert (y_score >= r.threshold).sum() <= 100
    assert r.curve().profit.max() >= r.profit.total
    assert r.break_even().fixed_cost == pytest.approx(r.gain.likely + 2_000, rel=0.1)
    assert {"luck of the sample", "tp", "fp"} == {bar.name for bar in r.tornado()}
    other = evaluate(y_true, -y_score, plan, data=df, pos_label="churn")
    assert r.compare(other).likely == pytest.approx(-other.compare(r).likely)
    assert r.to_dict()["verdict"] == r.verdict.value

    assert set(decide(y_score, payoff, data=df, labels=["stay", "churn"])) == {"stay", "churn"}
    assert callable(profit_scorer(Payoff(tp=25, fp=-11, labels=["stay", "churn"])))


GIVEN = {
    "a number": 20,
    "a column": "clv",
    "an expression": "max(0, clv * 0.3 - 11)",
    "an array": np.full(400, 20.0),
    "a range": Range(10, 20, 30),
    "a distribution": scipy.stats.norm(20, 3),
}


@pytest.mark.parametrize("given", GIVEN)
def test_a_payoff_may_be_said_in_all_these_ways(customers, given):
    y_true, y_score, df = customers
    payoff = Payoff(tp=GIVEN[given], fp=-11)
    r = evaluate(y_true, y_score, Plan(payoff), data=df, pos_label="churn")
    assert r.verdict in VERDICTS


def baselines(customers):
    y_true, y_score, df = customers
    model = LogisticRegression().fit(df[["calls"]], y_true)
    return ["nothing", "all", "random", "column:old", df.old.tolist(), 1 - y_score, model]


@pytest.mark.parametrize("place", range(7))
def test_a_baseline_may_be_any_of_these(customers, place):
    y_true, y_score, df = customers
    baseline = baselines(customers)[place]
    plan = Plan(Payoff(tp="clv * 0.3 - 11", fp=-11), baseline=baseline)
    r = evaluate(y_true, y_score, plan, data=df, pos_label="churn")
    assert {"nothing", "all", "random", "oracle", r.baseline} == set(r.rivals)
    assert r.gain == r.rivals[r.baseline].gain


def test_what_a_notebook_prints_is_a_sentence(customers):
    y_true, y_score, df = customers
    found = evaluate(y_true, y_score, Plan(PAYOFF), data=df, pos_label="churn")
    assert repr(found) == f"<Evaluation of 400 rows. {found.sentence}>"
    assert repr(profit_scorer(Payoff(tp=25, fp=-11, labels=["stay", "churn"]))).startswith(
        "make_sc"
    )


def test_arrays_of_arrow_are_taken_as_they_are(customers):
    y_true, y_score, df = customers
    plain = evaluate(y_true, y_score, Plan(PAYOFF), data=df, pos_label="churn")
    arrow = evaluate(
        pa.array(y_true.tolist()),
        pa.array(y_score),
        Plan(PAYOFF),
        data=pa.table({"clv": df.clv}),
        pos_label="churn",
    )
    assert arrow.to_dict() == plain.to_dict()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"y_true": lambda y, s: (label for label in y)}, "one value per row, got generator"),
        ({"y_true": lambda y, s: s}, "scores and probabilities go into y_score"),
        ({"data": lambda y, s: pl.LazyFrame({"clv": s})}, r"call \.collect\(\)"),
        ({"data": lambda y, s: {"clv": [*s[1:], "a lot"]}}, "'a lot' in row 399"),
    ],
)
def test_what_is_handed_over_wrongly_is_told_with_the_way_out(customers, given, told):
    y_true, y_score, df = customers
    values = {"y_true": y_true, "y_score": y_score, "data": df}
    values |= {name: make(y_true, np.asarray(y_score)) for name, make in given.items()}
    with pytest.raises(InputError, match=told):
        evaluate(**values, plan=Plan(PAYOFF), pos_label="churn")
