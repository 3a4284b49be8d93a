import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
import scipy.stats
from empulse.metrics import empc_score
from hypothesis import given, settings
from hypothesis import strategies as st

from thinslice.domain import Verdict
from thinslice.errors import ColumnError, InputError, NotEnoughDataError
from thinslice.profit import Payoff, Plan, Range, evaluate


def sample(n=2000, seed=0, skill=1.5):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.2).astype(int)
    score = 1 / (1 + np.exp(-(-1.5 + skill * y + rng.normal(size=n))))
    return y, score, np.exp(rng.normal(4, 0.7, n))


PAYOFF = Payoff(tp="clv * 0.3 - 5", fp=-5)


def test_the_numbers_by_hand():
    # 30 true positives at 10, 20 false at -4, 50 negatives left alone: 300 - 80 = 220.
    y = [1] * 30 + [0] * 70
    decided = [1] * 30 + [1] * 20 + [0] * 50
    found = evaluate(y, y_pred=decided, plan=Plan(Payoff(tp=10, fp=-4), per_year=12))
    assert found.profit.total == pytest.approx(220)
    assert found.profit.per_prediction == pytest.approx(2.2)
    assert found.profit.likely == pytest.approx(220)
    assert found.profit.per_year.likely == pytest.approx(12 * 220)
    assert found.profit.by_class == pytest.approx({0: -80, 1: 300})
    assert found.counts() == [[50, 20], [0, 30]]
    totals = {name: rival.total for name, rival in found.rivals.items()}
    assert totals == pytest.approx(
        {"nothing": 0, "all": 300 - 280, "random": 0.5 * 20, "oracle": 300}
    )


def test_the_range_of_decisions_is_the_one_for_a_mean():
    y, score, clv = sample()
    decided = (score > 0.3).astype(int)
    found = evaluate(y, y_pred=decided, plan=Plan(PAYOFF), data={"clv": clv})
    rows = np.where(decided == 1, np.where(y == 1, clv * 0.3 - 5, -5), 0)
    error = rows.std(ddof=1) * np.sqrt(len(y))
    # 0.15 standard errors are left for the skewness, which each way corrects by another formula.
    assert found.profit.low == pytest.approx(rows.sum() - 1.645 * error, abs=0.15 * error)
    assert found.profit.high == pytest.approx(rows.sum() + 1.645 * error, abs=0.15 * error)
    means = np.random.default_rng(0).choice(rows, (4000, len(y))).sum(axis=1)
    assert found.profit.low == pytest.approx(np.quantile(means, 0.05), abs=0.15 * error)
    assert found.profit.high == pytest.approx(np.quantile(means, 0.95), abs=0.15 * error)


def test_a_guessed_payoff_widens_the_range():
    y, score, _ = sample()
    known = evaluate(y, score, Plan(Payoff(tp=20, fp=-5), threshold=0.3))
    guessed = evaluate(y, score, Plan(Payoff(tp=Range(5, 20, 35), fp=-5), threshold=0.3))
    assert guessed.profit.total == pytest.approx(known.profit.total)
    assert guessed.profit.low < known.profit.low
    assert guessed.profit.high > known.profit.high


def test_each_customer_doubled_is_no_new_evidence_with_a_cluster():
    y, score, clv = sample(1000)
    decided = (score > 0.3).astype(int)
    twice, who = np.tile(np.arange(1000), 2), np.tile(np.arange(1000), 2)
    plan, data = Plan(PAYOFF), {"clv": clv}
    once = evaluate(y, y_pred=decided, plan=plan, data=data).profit
    naive = evaluate(y[twice], y_pred=decided[twice], plan=plan, data={"clv": clv[twice]}).profit
    apart = evaluate(
        y[twice],
        y_pred=decided[twice],
        plan=plan,
        data={"clv": clv[twice], "who": who},
        cluster="who",
    ).profit
    assert apart.high - apart.low == pytest.approx(2 * (once.high - once.low), rel=1e-9)
    assert naive.high - naive.low < 0.75 * (apart.high - apart.low)


@pytest.mark.parametrize(
    ("tp", "more", "verdict"),
    [
        (10, {"must_beat": 100}, Verdict.SHIP),
        (10, {"must_beat": 1e6}, Verdict.SMALL_WIN),
        (10, {"fixed_cost": 1e6}, Verdict.STOP),
        (1, {}, Verdict.STOP),
        (2.05, {}, Verdict.NOT_PROVEN),
    ],
)
def test_the_kill_rule(tp, more, verdict):
    # 100 of 300 acted on are positive: 100 tp - 200 a run.
    y = [1] * 100 + [0] * 300
    decided = [1] * 300 + [0] * 100
    found = evaluate(y, y_pred=decided, plan=Plan(Payoff(tp=tp, fp=-1), **more))
    assert found.verdict is verdict
    assert verdict.value in found.sentence
    if verdict is Verdict.STOP:
        assert "Look again when" in found.reason
    if verdict is Verdict.NOT_PROVEN:
        assert "more rows" in found.reason or "too close to call" in found.reason


def test_not_proven_says_about_how_many_more_rows_would_settle_it():
    y = np.array([1] * 100 + [0] * 300)
    decided = np.array([1] * 300 + [0] * 100)
    found = evaluate(y, y_pred=decided, plan=Plan(Payoff(tp=2.2, fp=-1)))
    assert found.verdict is Verdict.NOT_PROVEN
    needed = 400 * ((found.gain.likely - found.gain.low) / found.gain.likely) ** 2
    times = int(np.ceil(1.1 * needed / 400))
    more = evaluate(
        np.tile(y, times), y_pred=np.tile(decided, times), plan=Plan(Payoff(tp=2.2, fp=-1))
    )
    assert more.gain.low > 0


def test_a_few_rows_prove_nothing():
    found = evaluate([1, 0] * 5, y_pred=[1, 0] * 5, plan=Plan(Payoff(tp=10, fp=-11)))
    assert found.verdict is Verdict.NOT_PROVEN
    assert "only 5 rows" in found.reason


def test_a_tuned_threshold_is_judged_on_rows_it_has_not_seen():
    y, _, clv = sample(400)
    noise = np.random.default_rng(3).random(400)  # a score without any skill
    found = evaluate(y, noise, Plan(PAYOFF), data={"clv": clv})
    assert found.optimism > 0
    assert found.policy.optimum == pytest.approx(found.curve().profit.max())
    assert found.profit.total == pytest.approx(found.policy.optimum - found.optimism)


def test_a_fixed_threshold_has_no_optimism():
    y, score, clv = sample()
    found = evaluate(y, score, Plan(PAYOFF, threshold=0.3), data={"clv": clv})
    same = evaluate(y, y_pred=(score >= 0.3).astype(int), plan=Plan(PAYOFF), data={"clv": clv})
    assert found.optimism is None
    assert found.profit == same.profit
    assert found.curve().at(0.3) == pytest.approx(found.profit.total)


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 1000))
def test_the_order_of_the_rows_changes_nothing(seed):
    y, score, clv = sample(300, seed)
    plan = Plan(PAYOFF)
    one = evaluate(y, score, plan, data={"clv": clv})
    i = np.random.default_rng(seed).permutation(300)
    two = evaluate(y[i], score[i], plan, data={"clv": clv[i]})
    assert two.profit.total == pytest.approx(one.profit.total)
    assert tuple(two.gain) == pytest.approx(tuple(one.gain))
    assert two.threshold == one.threshold


@given(st.floats(0.1, 100))
@settings(max_examples=15, deadline=None)
def test_money_is_linear_in_the_payoff(factor):
    y, score, _ = sample(300)
    plans = (
        Plan(Payoff(tp=20 * k, fp=Range(-6 * k, -5 * k, -2 * k)), threshold=0.3)
        for k in (1, factor)
    )
    one, many = (evaluate(y, score, plan) for plan in plans)
    assert many.profit.low == pytest.approx(one.profit.low * factor)
    assert many.profit.high == pytest.approx(one.profit.high * factor)
    assert many.p_beats == pytest.approx(one.p_beats)


def test_capacity_takes_the_best_scores():
    y, score, clv = sample()
    found = evaluate(y, score, Plan(PAYOFF, capacity=100, threshold=0.0), data={"clv": clv})
    chosen = np.argsort(-score)[:100]
    assert sorted(np.flatnonzero(found.policy.decided)) == sorted(chosen)
    assert found.threshold == score[chosen].min()
    tuned = evaluate(y, score, Plan(PAYOFF, capacity=100), data={"clv": clv})
    assert (score >= tuned.threshold).sum() <= 100
    with pytest.raises(InputError, match="capacity is 100"):
        evaluate(y, y_pred=np.ones(2000, int), plan=Plan(PAYOFF, capacity=100), data={"clv": clv})


def test_capacity_holds_for_decisions_by_expected_payoff_too():
    y, score, _ = sample()
    worth = score * 50 - (1 - score) * 2
    found = evaluate(y, score, Plan(Payoff(tp=50, fp=-2), threshold="expected payoff", capacity=10))
    assert sorted(np.flatnonzero(found.policy.decided)) == sorted(np.argsort(-worth)[:10])


def three_classes(n=900, seed=0):
    rng = np.random.default_rng(seed)
    proba = rng.dirichlet([1, 1, 1], n)
    y = np.array(["a", "b", "c"])[(proba.cumsum(axis=1) < rng.random((n, 1))).sum(axis=1)]
    return (
        y,
        proba,
        Payoff.from_matrix(
            [[10, -5, 0], [-2, 8, 0], [-3, -4, 0]], labels=["a", "b", "c"], nothing="c"
        ),
    )


def test_capacity_counts_every_class_but_doing_nothing():
    y, proba, payoff = three_classes()
    worth = proba @ np.array([[10, -5, 0], [-2, 8, 0], [-3, -4, 0]])
    best = np.argsort(-worth.max(axis=1))[:40]
    plan = Plan(payoff, capacity=40)
    found = evaluate(y, proba, plan)
    assert sorted(np.flatnonzero(found.policy.decided != 2)) == sorted(best)
    assert (found.policy.decided[best] == worth[best].argmax(axis=1)).all()
    # Acting on 40 of 900 at random, and the oracle on the 40 dearest, all of class a.
    truth = {label: int((y == label).sum()) for label in "abc"}
    everywhere = 10 * truth["a"] - 2 * truth["b"] - 3 * truth["c"]
    assert found.rivals["all a"].total == pytest.approx(everywhere * 40 / 900)
    assert found.rivals["oracle"].total == pytest.approx(400)
    # It keeps the 33 rows that the model has right, and takes 7 others for the 7 that it has not.
    assert found.counts()[0][0] == 33
    assert found.rivals["oracle"].different == 14
    with pytest.raises(InputError, match="acts on 900 rows"):
        evaluate(y, y_pred=["a"] * 900, plan=plan)


def test_what_a_plan_asks_of_classes_is_never_left_out():
    y, proba, payoff = three_classes()
    with pytest.raises(InputError, match="a threshold is for two classes, got 0.2 for 3"):
        evaluate(y, proba, Plan(payoff, threshold=0.2))
    nameless = Payoff.from_matrix(np.eye(3), labels=["a", "b", "c"])
    with pytest.raises(InputError, match="means doing nothing"):
        evaluate(y, proba, Plan(nameless, baseline="random", capacity=40))


def test_the_discount_is_half_a_year_of_waiting():
    y = [1] * 30 + [0] * 70
    found = evaluate(y, y_pred=y, plan=Plan(Payoff(tp=10), per_year=2, discount=0.21))
    assert found.profit.per_year.likely == pytest.approx(2 * 300 / 1.1)


KINDS = {
    "lists": (list, lambda columns: {n: list(v) for n, v in columns.items()}),
    "pandas": (pd.Series, pd.DataFrame),
    "polars": (pl.Series, pl.DataFrame),
    "arrow": (lambda v: pa.chunked_array([pa.array(v)]), pa.table),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_all_kinds_give_the_same_answer(kind):
    y, score, clv = sample(200)
    names = np.where(y == 1, "churn", "stay")
    series, frame = KINDS[kind]
    plan = Plan(PAYOFF, threshold=0.3)
    expected = evaluate(y, score, plan, data={"clv": clv})
    found = evaluate(
        series(names), series(score), plan, data=frame({"clv": clv}), pos_label="churn"
    )
    assert found.profit.total == pytest.approx(expected.profit.total)
    assert found.profit.by_class == pytest.approx(
        {"stay": expected.profit.by_class[0], "churn": expected.profit.by_class[1]}
    )


def test_probabilities_of_three_classes_are_decided_by_their_payoff():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 600)
    proba = rng.dirichlet([1, 1, 1], 600) * 0.5 + np.eye(3)[y] * 0.5
    matrix = [[0, -5, -1], [0, 10, -1], [0, -5, 3]]
    payoff = Payoff.from_matrix(matrix, labels=["a", "b", "c"], nothing="a")
    names = np.array(["a", "b", "c"])
    found = evaluate(names[y], proba, Plan(payoff))
    decided = (proba @ np.array(matrix)).argmax(axis=1)
    assert found.profit.total == pytest.approx(np.array(matrix)[y, decided].sum())
    assert sum(found.profit.by_class.values()) == pytest.approx(found.profit.total)
    assert set(found.rivals) == {"nothing", "all a", "all b", "all c", "random", "oracle"}
    shuffled = pd.DataFrame(proba[:, [2, 0, 1]], columns=["c", "a", "b"])
    assert evaluate(names[y], shuffled, Plan(payoff)).profit.total == found.profit.total


def test_the_incumbent_is_decisions_scores_a_column_or_a_model():
    y, score, clv = sample()
    old = np.clip(score + np.random.default_rng(1).normal(0, 0.2, 2000), 0, 1)
    decided = (old >= 0.3).astype(int)
    frame = pd.DataFrame({"clv": clv, "old": decided, "x": old})

    class Rule:
        feature_names_in_ = np.array(["x"])

        def predict(self, frame):
            return (frame["x"] >= 0.3).to_numpy().astype(int)

    given_ = {"threshold": 0.3}
    gains = {
        evaluate(y, score, Plan(PAYOFF, baseline=baseline, **given_), data=frame).gain
        for baseline in (decided, old, "column:old", Rule())
    }
    assert len(gains) == 1
    one = evaluate(y, score, Plan(PAYOFF, **given_), data=frame)
    two = evaluate(y, old, Plan(PAYOFF, **given_), data=frame)
    found = one.compare(two)
    assert (found.low, found.likely, found.high) == pytest.approx(tuple(gains.pop()))
    assert found.total == pytest.approx(one.profit.total - two.profit.total)
    assert two.compare(one).high == pytest.approx(-found.low, rel=0.2)


def test_at_its_break_even_payoff_the_gain_is_zero():
    y, score, _ = sample()
    plan = Plan(Payoff(tp=Range(10, 20, 40), fp=-5), threshold=0.3, fixed_cost=500, per_year=3)
    found = evaluate(y, score, plan)
    even = found.break_even()
    for name, amount in even.payoffs.items():
        cells = {"tp": Range(10, 20, 40), "fp": -5, name: amount}
        again = evaluate(y, score, Plan(Payoff(**cells), threshold=0.3, fixed_cost=500, per_year=3))
        total = 3 * again.profit.total - 500
        assert total == pytest.approx(0, abs=1e-6)
    assert 3 * found.profit.total - even.fixed_cost == pytest.approx(0, abs=1e-6)


def test_break_even_precision_by_hand():
    # A hit brings 30 and a miss costs 10: one in four has to be a hit.
    y = [1] * 30 + [0] * 70
    found = evaluate(y, y_pred=[1] * 40 + [0] * 60, plan=Plan(Payoff(tp=30, fp=-10))).break_even()
    assert found.precision == pytest.approx(0.25)
    assert found.precision_now == pytest.approx(0.75)
    assert (found.lift, found.lift_now) == pytest.approx((0.25 / 0.3, 2.5))


def test_at_its_break_even_precision_the_fixed_cost_is_paid():
    # 40 acted on: 20 * 30 - 20 * 10 = 400, and 480 have to come in. Each miss that becomes a hit
    # brings 40, so two more are needed: 22 of 40.
    y = np.array([1] * 20 + [0] * 20 + [1] * 20 + [0] * 40)
    plan = Plan(Payoff(tp=30, fp=-10), fixed_cost=480)
    found = evaluate(y, y_pred=[1] * 40 + [0] * 60, plan=plan)
    assert found.break_even().precision == pytest.approx(22 / 40)
    assert "at least 55 % of those acted on are positive (now 50 %)" in found.reason
    y[[20, 21, 40, 41]] = [1, 1, 0, 0]
    again = evaluate(y, y_pred=[1] * 40 + [0] * 60, plan=plan)
    assert again.profit.total == pytest.approx(480)
    # If all 40 were positive they would bring 1,200.
    dear = Plan(Payoff(tp=30, fp=-10), fixed_cost=1_300)
    assert evaluate(y, y_pred=[1] * 40 + [0] * 60, plan=dear).break_even().precision is None


def test_the_tornado_has_the_widest_bar_first_and_the_ends_of_each_range():
    y, score, _ = sample()
    plan = Plan(Payoff(tp=Range(0, 20, 40), fp=-5), threshold=0.3)
    bars = evaluate(y, score, plan).tornado()
    assert [bar.width for bar in bars] == sorted((bar.width for bar in bars), reverse=True)
    tp = next(bar for bar in bars if bar.name == "tp")
    hits = int(((score >= 0.3) & (y == 1)).sum())
    assert tp.gain_at_high - tp.gain_at_low == pytest.approx(40 * hits)
    assert {bar.name for bar in bars} == {"tp", "fp", "luck of the sample"}


def test_the_expected_maximum_is_higher_than_the_headline():
    y, score, clv = sample(300)
    found = evaluate(y, score, Plan(PAYOFF), data={"clv": clv})
    best = found.expected_maximum(500)
    assert best.low < best.likely < best.high
    assert best.likely > found.profit.likely
    assert "every sample of rows, with the outcomes known" in best.assumes


def test_the_expected_maximum_over_payoffs_alone_is_the_empc_of_empulse():
    # An offer costs 10 and its contact 1, and a churner of 200 accepts it with a chance that is
    # Beta(6, 14): a hit brings 190 of that chance less 1 (Verbraken, Verbeke and Baesens 2013).
    y, score, _ = sample()
    payoff = Payoff(tp=scipy.stats.beta(6, 14, loc=-1, scale=190), fp=-11)
    found = evaluate(y, score, Plan(payoff)).expected_maximum(20_000, resample=False)
    peer = empc_score(y, score, clv=200, alpha=6, beta=14, contact_cost=1, incentive_cost=10)
    assert found.mean / len(y) == pytest.approx(peer, rel=0.005)
    assert "every set of payoffs" in found.assumes
    assert "sample of rows" not in found.assumes


def test_a_guessed_payoff_widens_the_expected_maximum():
    y, score, _ = sample(300)
    known, guessed = (
        evaluate(y, score, Plan(Payoff(tp=tp, fp=-5), threshold=0.3)).expected_maximum(1000)
        for tp in (20, Range(5, 20, 35))
    )
    assert guessed.high - guessed.low > 1.2 * (known.high - known.low)
    assert guessed.mean == pytest.approx(known.mean, rel=0.1)


def test_everything_is_plain_json():
    y, score, clv = sample(200)
    plan = Plan(PAYOFF).agree(0)
    told = json.loads(json.dumps(evaluate(y, score, plan, data={"clv": clv}).to_dict()))
    assert told["verdict"] in [verdict.value for verdict in Verdict]
    assert told["plan"]["digest"] == plan.digest
    assert told["assumptions"][0].startswith("It counts what happened, not what acting causes")
    assert {"nothing", "all", "random", "oracle"} <= set(told["baselines"])


Y4, P4 = [0, 1] * 40, [0.2, 0.7] * 40


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: evaluate(["a", "b"] * 40, P4, Plan(Payoff(tp=1))), "which class is positive"),
        (
            lambda: evaluate(["a", "b"] * 40, P4, Plan(Payoff(tp=1)), pos_label="B"),
            "unknown label 'B'",
        ),
        (lambda: evaluate([0] * 80, P4, Plan(Payoff(tp=1))), "only the class 0"),
        (
            lambda: evaluate([0] * 80, P4, Plan(Payoff(tp=1, labels=[0, 1]))),
            "only the class 0",
        ),
        (lambda: evaluate([0, 1, 2] * 20, P4[:60], Plan(Payoff(tp=1))), "from_matrix"),
        (lambda: evaluate(Y4, y_pred=P4, plan=Plan(Payoff(tp=1))), "go into y_score"),
        (lambda: evaluate(Y4, y_pred=[0, 2] * 40, plan=Plan(Payoff(tp=1))), "unknown label 2"),
        (lambda: evaluate(Y4, Y4, Plan(Payoff(tp=1))), "pass them as y_pred"),
        (lambda: evaluate(Y4, [0.1, float("nan")] * 40, Plan(Payoff(tp=1))), "row 1"),
        (lambda: evaluate([0, None] * 40, P4, Plan(Payoff(tp=1))), "no label in row 1|only the"),
        (lambda: evaluate([0, 1, float("nan")] * 20, P4[:60], Plan(Payoff(tp=1))), "row 2"),
        (lambda: evaluate(Y4, P4[:-1], Plan(Payoff(tp=1))), "79 rows and y_true has 80"),
        (lambda: evaluate(Y4[:20], P4[:20], Plan(Payoff(tp=1))), "at least 50 rows"),
        (lambda: evaluate(Y4, P4), "plan with a payoff"),
        (lambda: evaluate(Y4, P4, Plan()), "plan with a payoff"),
        (lambda: evaluate(Y4, P4, Plan(Payoff(tp=1)), y_pred=Y4), "one of them"),
        (lambda: evaluate(Y4, P4, Plan(Payoff(tp=1)), cluster="who"), "'who'"),
        (lambda: evaluate(Y4, P4, Plan(Payoff(tp=1), baseline="column:old")), "'old'"),
        (lambda: Plan(Payoff(tp=1), baseline="nothin"), "did you mean 'nothing'"),
        (lambda: Plan(Payoff(tp=1), threshold="high"), "threshold is a number"),
        (lambda: Plan(Payoff(tp=1), currency="USD"), "name one currency"),
        (lambda: Plan(capacity=3), "capacity is for predictions"),
        (lambda: Plan(Payoff(tp=1), constraints=3), "constraints are a list"),
        (
            lambda: evaluate(Y4, pd.Series(pd.date_range("2026", periods=80)), Payoff(tp=1)),
            "must hold numbers",
        ),
        (
            lambda: evaluate(Y4, P4, Payoff(tp=1), cluster=[1.0, float("nan")] * 40),
            "known in every row",
        ),
        (lambda: evaluate(Y4, P4, Payoff(tp=1)).compare(3), "evaluation of another model"),
    ],
)
def test_what_is_ambiguous_or_wrong_is_an_error_that_says_what_to_do(call, says):
    with pytest.raises((InputError, NotEnoughDataError, ColumnError), match=says):
        call()


def test_a_label_that_pandas_calls_missing_names_its_row():
    y = pd.Series([0, 1, pd.NA] * 20, dtype="Int64")
    with pytest.raises(InputError, match="row 2"):
        evaluate(y, [0.1, 0.2, 0.3] * 20, Plan(Payoff(tp=1)))


def test_rows_in_another_order_are_noticed():
    y = pd.Series(Y4)
    other = pd.Series(P4, index=list(reversed(range(80))))
    with pytest.raises(InputError, match="different orders"):
        evaluate(y, other, Plan(Payoff(tp=1)))


@pytest.mark.parametrize("where", ["cluster", "treatment", "baseline", "tp"])
def test_columns_beside_the_rows_in_another_order_are_noticed(where):
    y, score, clv = sample(100)
    turned = pd.Series(clv > 50, index=list(reversed(range(100)))).astype(int)
    payoff = Payoff(tp=turned if where == "tp" else 1, fn=0.5)
    plan = Plan(payoff, **({"baseline": turned} if where == "baseline" else {}))
    given = {where: turned} if where in ("cluster", "treatment") else {}
    with pytest.raises(InputError, match=f"and (the )?{where} stand in different orders"):
        evaluate(pd.Series(y), score, plan, **given)


def test_a_prediction_plan_survives_its_file_and_shows_changes():
    plan = Plan(PAYOFF, must_beat=50_000, capacity=100, per_year=12, discount=0.08).agree(0)
    assert Plan.from_yaml(plan.to_yaml()) == plan
    changed = Plan.from_yaml(plan.to_yaml().replace("fp: -5", "fp: -4"))
    assert "changed after it was agreed" in changed.problem
    y, score, clv = sample(200)
    assert changed.problem in evaluate(y, score, changed, data={"clv": clv}).assumptions
    with pytest.raises(InputError, match="column:NAME"):
        Plan(PAYOFF, baseline=[0, 1]).to_yaml()


def test_numbers_of_numpy_are_numbers_of_a_plan():
    plan = Plan(PAYOFF, must_beat=np.int64(5), capacity=np.int32(10), per_year=np.float64(12))
    assert plan == Plan(PAYOFF, must_beat=5, capacity=10, per_year=12)
    assert Plan.from_yaml(plan.to_yaml()) == plan
