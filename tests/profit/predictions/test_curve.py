import numpy as np
import pytest
from empulse.metrics import CostMatrix, EmpiricalMaxProfit, Metric
from hypothesis import given
from hypothesis import strategies as st

from thinslice.profit.predictions.curve import profit_curve, resample_best

amounts = st.floats(-100, 100).map(lambda x: round(x, 2))
rows = st.lists(st.tuples(st.integers(0, 5).map(float), amounts, amounts), min_size=1, max_size=30)


def test_a_curve_by_hand():
    # scores 3, 2, 2, 1 earn 5, -1, 4, -7 when acted on: 5, then both of the tie, then the last.
    curve = profit_curve(np.array([1.0, 2, 3, 2]), np.array([-7.0, -1, 5, 4]))
    assert curve.thresholds.tolist() == [np.inf, 3, 2, 1]
    assert curve.acted.tolist() == [0, 1, 3, 4]
    assert curve.profit.tolist() == [0, 5, 8, 1]
    assert curve.best() == 2
    assert curve.best(capacity=2) == 1  # the tie of two does not fit
    assert [curve.at(t) for t in (4, 3, 2.5, 2, 0)] == [0, 5, 5, 8, 1]


@given(rows)
def test_the_curve_is_what_brute_force_gives_at_every_threshold(rows):
    score, act, none = (np.array(column) for column in zip(*rows, strict=True))
    curve = profit_curve(score, act, none)
    assert curve.thresholds.tolist() == [np.inf, *sorted(set(score.tolist()), reverse=True)]
    for threshold, acted, profit in zip(curve.thresholds, curve.acted, curve.profit, strict=True):
        yes = score >= threshold
        assert acted == yes.sum()
        assert profit == pytest.approx(np.where(yes, act, none).sum(), abs=1e-9)


@given(rows, st.randoms())
def test_the_order_of_the_rows_changes_nothing(rows, random):
    other = list(rows)
    random.shuffle(other)
    one, two = (
        profit_curve(*(np.array(column) for column in zip(*some, strict=True)))
        for some in (rows, other)
    )
    assert one.profit == pytest.approx(two.profit, abs=1e-9)


def sample(n=500, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.2).astype(int)
    score = 1 / (1 + np.exp(-(-1.5 + 1.5 * y + rng.normal(size=n))))
    return y, score, np.exp(rng.normal(4, 1, n)), 5 + 10 * rng.random(n)


@pytest.mark.parametrize("digits", [8, 1])  # with and without ties
def test_the_best_point_is_the_maximum_profit_of_empulse(digits):
    y, score, amount, cost = sample()
    score = score.round(digits)
    curve = profit_curve(score, np.where(y == 1, amount, -cost))
    peer = Metric(CostMatrix().add_tp_benefit("amount").add_fp_cost("cost"), EmpiricalMaxProfit())
    expected = len(y) * peer(y, score, amount=amount, cost=cost)  # empulse averages
    assert curve.profit[curve.best()] == pytest.approx(expected, rel=1e-9)


def test_the_money_of_a_row_stays_with_its_row():
    # scikit-learn 1.9 metric_at_thresholds sorts y and leaves arrays of money where they were.
    y, score, amount, cost = sample()
    curve = profit_curve(score, np.where(y == 1, amount, -cost))
    threshold = float(np.median(score))
    yes = score >= threshold
    won, lost = amount[yes & (y == 1)].sum(), cost[yes & (y == 0)].sum()
    assert curve.at(threshold) == pytest.approx(won - lost)


def test_the_bootstrap_spreads_like_resampling_and_sorting_again():
    y, score, amount, cost = sample(300)
    score = score.round(2)
    act = np.where(y == 1, amount, -cost)
    none = np.where(y == 1, -3.0, 1.0)
    found = resample_best(score, act, none, replicates=4000)
    rng = np.random.default_rng(1)
    slow = []
    for _ in range(1500):
        i = rng.integers(0, 300, 300)
        slow.append(profit_curve(score[i], act[i], none[i]).profit.max())
    error = np.std(slow) * np.sqrt(1 / 1500 + 1 / 4000)
    assert abs(np.mean(found) - np.mean(slow)) < 4 * error
    # Poisson and multinomial counts differ by a few per cent in their spread.
    assert np.std(found) == pytest.approx(np.std(slow), rel=0.1)
    assert (
        resample_best(score, act, replicates=3, seed=1).tolist()
        == resample_best(score, act, replicates=3, seed=1).tolist()
    )


def test_points_for_a_chart_hold_both_ends_and_the_best():
    y, score, amount, cost = sample()
    curve = profit_curve(score, np.where(y == 1, amount, -cost))
    points = curve.points(20)
    assert len(points) <= 21
    assert points[0]["threshold"] is None
    assert points[-1]["acted"] == 500
    assert max(p["profit"] for p in points) == curve.profit.max()
