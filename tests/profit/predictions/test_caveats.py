"""Where simulations found the range too narrow, the result says so; elsewhere it does not."""

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from thinslice.profit import Payoff, Plan, evaluate
from thinslice.profit.predictions.caveats import auc

PAYOFF = Payoff(tp=4, fp=-1)


def sample(skill, n=1000, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.2).astype(int)
    return y, skill * y + rng.normal(size=n)


def test_a_threshold_tuned_on_a_weak_score_is_doubted():
    (said,) = evaluate(*sample(0.2), Plan(PAYOFF)).warnings
    assert said.startswith("The score ranks little better than chance (AUC 0.5")


def test_a_good_score_or_a_threshold_fixed_beforehand_is_not():
    assert evaluate(*sample(1.5), Plan(PAYOFF)).warnings == []
    assert evaluate(*sample(0.2), Plan(PAYOFF, threshold=0.5)).warnings == []


def test_money_that_a_few_rows_carry_is_doubted():
    y, score = sample(1.5)
    worth = np.where(np.arange(len(y)) == np.flatnonzero(y)[0], 5000.0, 4.0)
    found = evaluate(y, score, Plan(Payoff(tp=worth, fp=-1), threshold=-9))
    assert any("few rows or customers carry" in said for said in found.warnings)
    assert found.to_dict()["warnings"] == found.warnings


def test_a_threshold_that_no_score_reaches_is_told():
    y, score = sample(1.5)
    (said,) = evaluate(y, score, Plan(PAYOFF, threshold=50)).warnings
    assert "No score reaches the threshold 50" in said
    tied = evaluate(y, score.round(), Plan(PAYOFF, threshold=-9, capacity=0.0)).warnings
    assert "break ties" in tied[0]


def test_probabilities_that_share_their_place_and_do_not_fit_are_told():
    y, _ = sample(1.5)
    same = np.full(len(y), 0.5)
    plan = Plan(PAYOFF, threshold="expected payoff", capacity=10)
    found = evaluate(y, same, plan)
    assert not found.policy.decided.any()
    assert "More rows share the highest expected payoff than the capacity" in found.warnings[0]
    assert evaluate(y, same, Plan(PAYOFF, threshold="expected payoff")).policy.decided.all()


@pytest.mark.parametrize("decimals", [0, 1, 8])
def test_the_area_is_that_of_scikit_learn_ties_included(decimals):
    y, score = sample(0.7)
    score = score.round(decimals)
    assert auc(y, score) == pytest.approx(roc_auc_score(y, score), abs=1e-12)
