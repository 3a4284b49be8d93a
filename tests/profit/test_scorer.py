import numpy as np
import pytest
import sklearn
from sklearn.datasets import make_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import confusion_matrix
from sklearn.model_selection import (
    GridSearchCV,
    StratifiedKFold,
    TunedThresholdClassifierCV,
    cross_validate,
)

from thinslice.errors import InputError
from thinslice.profit import Payoff, decide, profit_scorer

FOLDS = StratifiedKFold(4, shuffle=True, random_state=0)


@pytest.fixture
def routing():
    with sklearn.config_context(enable_metadata_routing=True):
        yield


def rows():
    x, y = make_classification(400, weights=[0.8], random_state=0)
    return x, y, np.exp(np.random.default_rng(0).normal(3, 1, 400))


def test_a_scorer_is_the_money_per_prediction_of_each_fold():
    x, y, _ = rows()
    matrix = np.array([[1, -5], [-20, 50]])
    found = cross_validate(
        LogisticRegression(), x, y, cv=FOLDS, scoring=profit_scorer(Payoff.from_matrix(matrix))
    )["test_score"]
    for score, (train, test) in zip(found, FOLDS.split(x, y), strict=True):
        decided = LogisticRegression().fit(x[train], y[train]).predict(x[test])
        by_hand = (confusion_matrix(y[test], decided) * matrix).sum() / len(test)
        assert score == pytest.approx(by_hand)


def test_the_money_of_a_row_follows_its_row_into_the_fold(routing):
    x, y, clv = rows()
    scorer = profit_scorer(Payoff(tp="clv * 0.3 - 2", fp=-2), per="total")
    found = cross_validate(
        LogisticRegression(), x, y, cv=FOLDS, scoring=scorer, params={"clv": clv}
    )["test_score"]
    for score, (train, test) in zip(found, FOLDS.split(x, y), strict=True):
        decided = LogisticRegression().fit(x[train], y[train]).predict(x[test])
        money = np.where(y[test] == 1, clv[test] * 0.3 - 2, -2) * decided
        assert score == pytest.approx(money.sum())


def test_it_searches_a_grid_and_tunes_a_threshold(routing):
    x, y, clv = rows()
    scorer = profit_scorer(Payoff(tp="clv * 0.3 - 2", fp=-2))
    grid = GridSearchCV(LogisticRegression(), {"C": [0.01, 1]}, scoring=scorer, cv=FOLDS)
    grid.fit(x, y, clv=clv)
    assert np.isfinite(grid.best_score_)
    tuned = TunedThresholdClassifierCV(LogisticRegression(), scoring=scorer, cv=FOLDS)
    tuned.fit(x, y, clv=clv)
    assert 0 < tuned.best_threshold_ < 1


def test_without_routing_or_without_its_column_the_scorer_says_what_to_do():
    payoff = Payoff(tp="clv * 0.3 - 2")
    with pytest.raises(InputError, match="enable_metadata_routing=True"):
        profit_scorer(payoff)
    x, y, clv = rows()
    model = LogisticRegression().fit(x, y)
    with sklearn.config_context(enable_metadata_routing=True):
        scorer = profit_scorer(payoff)
        assert np.isfinite(scorer(model, x, y, clv=clv))
        with pytest.raises(InputError, match="params="):
            scorer(model, x, y)
    with pytest.raises(InputError, match="per is one of"):
        profit_scorer(payoff, per="fold")


def test_a_fold_of_one_class_needs_both_labels_stated():
    score = profit_scorer(Payoff.from_matrix([[1, 10], [100, 1000]]))._score_func
    with pytest.raises(InputError, match="labels="):
        score([0, 0], [0, 0])
    stated = Payoff.from_matrix([[1, 10], [100, 1000]], labels=[0, 1])
    assert profit_scorer(stated, per="total")._score_func([0, 0], [0, 0]) == 2


def test_the_decision_is_the_one_with_the_highest_expected_payoff():
    # Acting brings 0.3 clv - 11 with probability p and -11 without: from p * 0.3 * clv > 11 on.
    clv, proba = np.array([100.0, 100, 1000, 30]), np.array([0.3, 0.4, 0.04, 0.99])
    payoff = Payoff(tp="clv * 0.3 - 11", fp=-11, labels=["stay", "churn"])
    found = decide(proba, payoff, data={"clv": clv})
    assert found.tolist() == ["stay", "churn", "churn", "stay"]


def test_three_decisions_by_hand():
    payoff = Payoff.from_matrix([[0, -5, -1], [0, 10, -1], [0, -5, 3]], labels=["a", "b", "c"])
    # expected: b 0.2 * 10 - 0.8 * 5 = -2; c -0.4 + 0.6 * 3 = 1.4
    assert decide([[0.2, 0.2, 0.6], [0.9, 0.05, 0.05]], payoff).tolist() == ["c", "a"]
    with pytest.raises(InputError, match="add up to 1"):
        decide([[0.2, 0.2, 0.2]], payoff)
    with pytest.raises(InputError, match="one column per class"):
        decide([[0.2, 0.8]], payoff)


def test_no_threshold_beats_deciding_row_by_row_when_probabilities_are_right():
    rng = np.random.default_rng(0)
    p, clv = rng.random(5000), np.exp(rng.normal(3, 1, 5000))
    y = (rng.random(5000) < p).astype(int)
    chosen = decide(p, Payoff(tp="clv - 20", fp=-20), data={"clv": clv})
    earned = (np.where(y == 1, clv - 20, -20) * chosen).sum()
    best = max((np.where(y == 1, clv - 20, -20) * (p >= t)).sum() for t in np.linspace(0, 1, 101))
    assert earned > best
