"""Where other libraries go wrong with money, and what is right."""

import numpy as np
import pytest
import scipy.stats
from empulse.metrics import CostMatrix, MaxProfit, Metric, empc_score
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, roc_curve
from sklearn.model_selection import cross_val_predict, cross_validate

from thinslice.errors import InputError
from thinslice.profit import Payoff, Plan, evaluate, profit_scorer
from thinslice.profit.curve import profit_curve


def sample(n=2000):
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.2).astype(int)
    score = 1 / (1 + np.exp(-(-1.5 + 1.5 * y + rng.normal(size=n))))
    return y, score, np.exp(rng.normal(4, 1, n))


def test_per_prediction_divides_by_all_rows():
    # NannyML divides each column of the confusion matrix by its own sum.
    y, score, _ = sample()
    decided = (score > 0.3).astype(int)
    matrix = np.array([[1, -5], [-20, 50]])
    found = evaluate(y, y_pred=decided, plan=Plan(Payoff.from_matrix(matrix)))
    by_hand = (confusion_matrix(y, decided) * matrix).sum() / len(y)
    assert found.profit.per_prediction == pytest.approx(by_hand)


def test_a_name_of_another_library_is_an_error_and_no_zero():
    # empulse's tp_benefit was renamed; the old name warns and gives -0.0.
    with pytest.raises(InputError, match="did you mean 'tp'"):
        Payoff(tp_benefit=100, fp_cost=10)


def test_money_by_row_is_not_replaced_by_its_mean():
    # empulse's MaxProfit takes the mean of an array.
    y, score, clv = sample()
    clv = clv * np.where(score > 0.5, 3, 0.2)  # worth goes with the score, so a mean misleads
    found = evaluate(y, score, Plan(Payoff(tp="clv", fp=-20)), data={"clv": clv})
    peer = Metric(CostMatrix().add_tp_benefit("clv").add_fp_cost(20), MaxProfit())
    averaged = len(y) * float(peer(y, score, clv=clv))
    best = max((np.where(y == 1, clv, -20) * (score >= t)).sum() for t in score)
    assert found.curve().profit.max() == pytest.approx(best)
    assert abs(averaged - best) > 0.02 * best


def test_a_constant_payoff_agrees_with_the_roc_curve_of_scikit_learn():
    y, score, _ = sample()
    score = score.round(2)
    curve = profit_curve(score, np.where(y == 1, 100.0, -10.0))
    fpr, tpr, thresholds = roc_curve(y, score, drop_intermediate=False)
    assert curve.thresholds == pytest.approx(thresholds)
    assert curve.profit == pytest.approx(100 * tpr * y.sum() - 10 * fpr * (1 - y).sum())


def test_folds_of_different_size_are_no_trap_for_money():
    # scikit-learn averages what a scorer returns over folds; of totals that is nobody's money.
    rng = np.random.default_rng(0)
    x = rng.normal(size=(401, 2))
    y = (x[:, 0] + rng.normal(size=401) > 1).astype(int)
    payoff = Payoff(tp=50, fp=-10)
    scores = cross_validate(LogisticRegression(), x, y, scoring=profit_scorer(payoff), cv=5)
    decided = cross_val_predict(LogisticRegression(), x, y, cv=5)
    total = evaluate(y, y_pred=decided, plan=Plan(payoff)).profit.total
    assert scores["test_score"].mean() * 401 == pytest.approx(total, rel=0.02)


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
