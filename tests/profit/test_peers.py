"""Where other libraries go wrong with money, and what is right."""

import warnings

import numpy as np
import pytest
import scipy.stats
from empulse.metrics import CostMatrix, MaxProfit, Metric, empc_score, max_profit_score
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix, make_scorer, metric_at_thresholds, roc_curve
from sklearn.model_selection import (
    TunedThresholdClassifierCV,
    cross_val_predict,
    cross_validate,
)

from thinslice.errors import InputError
from thinslice.profit import Payoff, Plan, evaluate, profit_scorer
from thinslice.profit.predictions.curve import profit_curve


def sample(n=2000):
    rng = np.random.default_rng(0)
    y = (rng.random(n) < 0.2).astype(int)
    score = 1 / (1 + np.exp(-(-1.5 + 1.5 * y + rng.normal(size=n))))
    return y, score, np.exp(rng.normal(4, 1, n))


def test_money_by_row_stays_with_its_row_through_sorting():
    """scikit-learn 1.9.1, metric_at_thresholds: sorts y and not the arrays in metric_params.

    On other rows it gave 10,705.70 at the best threshold where 12,874.30 is right.
    """
    y, score, clv = sample(300)

    def money(y_true, y_pred, clv):
        return float(np.where(y_pred == 1, np.where(y_true == 1, clv, -20), 0).sum())

    by_hand = [money(y, score >= t, clv) for t in np.unique(score)[::-1]]
    found = evaluate(y, score, Plan(Payoff(tp="clv", fp=-20)), data={"clv": clv}).curve()
    assert found.profit[1:] == pytest.approx(by_hand)
    theirs, _ = metric_at_thresholds(y, score, money, metric_params={"clv": clv})
    assert abs(max(theirs) - max(by_hand)) > 50, "scikit-learn has mended it: say so here"


def test_per_prediction_divides_by_all_rows():
    """NannyML 0.13, normalize_business_value="per_prediction": each column of the confusion matrix
    is divided by its own sum. On other rows it gave 78.42 where 39.49 is right.
    """
    y, score, _ = sample()
    decided = (score > 0.3).astype(int)
    matrix = np.array([[1, -5], [-20, 50]])
    found = evaluate(y, y_pred=decided, plan=Plan(Payoff.from_matrix(matrix)))
    counts = confusion_matrix(y, decided)
    assert found.profit.per_prediction == pytest.approx((counts * matrix).sum() / len(y))
    theirs = (counts / counts.sum(axis=0) * matrix).sum()
    assert abs(theirs - found.profit.per_prediction) > 5


def test_a_name_of_another_version_is_an_error_and_no_zero():
    """empulse 0.13, max_profit_score: tp_benefit became tp_cost; the old name warns, gives -0.0."""
    with pytest.raises(InputError, match="did you mean 'tp'"):
        Payoff(tp_benefit=100, fp_cost=10)
    y, score, _ = sample()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = max_profit_score(y, score, tp_benefit=100, fp_cost=10)
    assert theirs == 0
    assert evaluate(y, score, Plan(Payoff(tp=100, fp=-10))).profit.low > 0


def test_money_by_row_is_not_replaced_by_its_mean():
    """empulse 0.13, MaxProfit and EMPC: an array is replaced by its mean.

    On other rows that gave 12,290 where 12,874 is right.
    """
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


def test_folds_are_no_trap_for_money():
    """scikit-learn 1.9.1, TunedThresholdClassifierCV: best_score_ is the mean of the folds' totals.

    On other rows that gave 4,244 where the total is 20,427. Ours scores money per prediction.
    """
    rng = np.random.default_rng(0)
    x = rng.normal(size=(401, 2))
    y = (x[:, 0] + rng.normal(size=401) > 1).astype(int)
    payoff = Payoff(tp=50, fp=-10)
    scores = cross_validate(LogisticRegression(), x, y, scoring=profit_scorer(payoff), cv=5)
    decided = cross_val_predict(LogisticRegression(), x, y, cv=5)
    total = evaluate(y, y_pred=decided, plan=Plan(payoff)).profit.total
    assert scores["test_score"].mean() * 401 == pytest.approx(total, rel=0.02)

    def tuned(scoring):
        model = TunedThresholdClassifierCV(LogisticRegression(), scoring=scoring, cv=5)
        return model.fit(x, y).best_score_

    trap = tuned(make_scorer(lambda y, p: (np.where(y == 1, 50, -10) * p).sum()))
    assert tuned(profit_scorer(payoff)) * 401 == pytest.approx(5 * trap, rel=0.02)
    assert trap < total / 3


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
