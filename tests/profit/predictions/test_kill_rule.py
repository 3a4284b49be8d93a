"""A model has to beat what needs no model, whatever the plan compares it with."""

import numpy as np
import pytest

from thinslice.domain import Verdict
from thinslice.profit import Payoff, Plan, Range, evaluate


def sample(n=1000, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.3).astype(int)
    return y, y + rng.normal(size=n)


WORTH_ACTING_ON_ALL = Payoff(tp=10, fp=-1)


@pytest.mark.parametrize("score", ["constant", "reversed"])
def test_a_score_without_skill_stops_although_acting_beats_nothing(score):
    y, skilled = sample()
    given = np.full(1000, 0.5) if score == "constant" else -skilled
    found = evaluate(y, given, Plan(WORTH_ACTING_ON_ALL))
    assert found.gain.low > 0
    assert found.verdict is Verdict.STOP
    assert "Without a model, acting on everyone" in found.reason
    assert "Over the plan's baseline, which acting on everyone beats, it gains EUR" in found.reason


def test_a_model_is_paid_for_what_it_adds_to_acting_on_everyone():
    # 300 positives, 700 negatives. It leaves 400 negatives and 10 positives alone:
    # over acting on everyone 400 * 3 - 10 * 10 = 1,100; over doing nothing 2,900 - 900 = 2,000.
    y = [1] * 290 + [0] * 300 + [1] * 10 + [0] * 400
    decided = [1] * 590 + [0] * 410
    payoff = Payoff(tp=10, fp=-3)
    found = evaluate(y, y_pred=decided, plan=Plan(payoff, must_beat=1_000))
    assert found.simplest[0] == "acting on everyone"
    assert found.simplest[1].gain.likely == pytest.approx(1_100, rel=0.01)
    assert found.gain.likely == pytest.approx(2_000, rel=0.01)
    assert found.verdict is Verdict.SHIP
    assert "It earns at least EUR 1,000 a year more than acting on everyone" in found.sentence
    asks_more = evaluate(y, y_pred=decided, plan=Plan(payoff, must_beat=1_500))
    assert asks_more.verdict is Verdict.SMALL_WIN
    assert "more than acting on everyone, but likely by less than" in asks_more.reason
    costs = evaluate(y, y_pred=decided, plan=Plan(payoff, fixed_cost=1_500))
    assert costs.gain.low > 0
    assert costs.verdict is Verdict.STOP
    assert "the fixed cost is at most EUR 1,100" in costs.reason


def test_a_gain_over_the_baseline_that_may_be_a_loss_is_said_as_one():
    y, _ = sample()
    found = evaluate(y, y_pred=np.arange(1000) % 2, plan=Plan(Payoff(tp=10, fp=-3.6)))
    assert found.gain.low < 0 < found.gain.high
    assert "which acting on everyone beats, it may lose EUR " in found.reason
    assert " or gain " in found.reason and "-" not in found.reason.partition("beats")[2]


def test_where_the_baseline_is_the_best_without_a_model_it_alone_decides():
    y, score = sample()
    found = evaluate(y, score, Plan(Payoff(tp=10, fp=-8), baseline="nothing"))
    assert found.simplest is None
    assert found.to_dict()["simplest"] is None
    assert "acting on everyone" not in found.reason + found.sentence
    over_all = evaluate(y, -score, Plan(Payoff(tp=10, fp=-8), baseline="all"))
    assert over_all.simplest[0] == "doing nothing"
    assert over_all.verdict is Verdict.STOP


def test_with_a_capacity_not_everyone_can_be_acted_on():
    y, score = sample()
    found = evaluate(y, score, Plan(WORTH_ACTING_ON_ALL, capacity=100))
    assert found.simplest[0] == "acting at random within the capacity"
    assert found.verdict is Verdict.SHIP
    told = found.to_dict()["simplest"]
    assert told["words"] == found.simplest[0]
    assert told["gain"]["low"] == found.simplest[1].gain.low


def test_of_more_classes_one_decision_for_all_needs_no_model():
    y = np.repeat(["a", "b", "c"], [600, 200, 200])
    matrix = [[0, -1, -1], [0, 9, -1], [0, -1, 2]]
    payoff = Payoff.from_matrix(matrix, labels=["a", "b", "c"], nothing="a")
    found = evaluate(y, y_pred=np.full(1000, "b"), plan=Plan(payoff))
    assert found.simplest[0] == "deciding 'b' everywhere"
    assert found.verdict is Verdict.STOP


def test_a_payoff_in_which_nothing_costs_is_questioned():
    y, score = sample()
    for payoff in (Payoff(tp=25, fp=10), Payoff(tp=25), Payoff(tp=Range(5, 6, 7), fp=1)):
        found = evaluate(y, score, Plan(payoff, threshold=0.5))
        assert "probably a sign is missing" in found.reason
    for payoff in (Payoff(tp=25, fp=-10), Payoff(tp=25, fp=Range(-3, 0, 1)), Payoff(tp=1, fn=-9)):
        found = evaluate(y, score, Plan(payoff, threshold=0.5))
        assert "sign is missing" not in found.reason


def test_a_few_clusters_prove_nothing():
    y, score = sample()
    plan = Plan(Payoff(tp=10, fp=-8), threshold=1.0)
    for clusters, verdict in ((3, Verdict.NOT_PROVEN), (12, Verdict.SHIP)):
        found = evaluate(y, score, plan, cluster=np.arange(1000) % clusters)
        assert found.gain.low > 0
        assert found.verdict is verdict
    few = evaluate(y, score, plan, cluster=np.arange(1000) % 3)
    assert "in only 3 clusters, and at least 10 are needed" in few.reason


def test_a_look_again_shows_the_gap_and_speaks_of_actions():
    # 70 of 1,000 acted on are positive: 70 * 10 - 930 * 0.76 = -6.8 a run.
    y = [1] * 70 + [0] * 930 + [0] * 100
    decided = [1] * 1000 + [0] * 100
    found = evaluate(y, y_pred=decided, plan=Plan(Payoff(tp=10, fp=-0.76)))
    assert found.verdict is Verdict.STOP
    assert "at least 7.06 % of those acted on are positive (now 7.00 %)" in found.reason
    assert "each right action brings at least EUR 10.10 (now 10.00)" in found.reason
    assert "each wrong action costs at most EUR 0.753 (now 0.760)" in found.reason
    assert "fp" not in found.reason
