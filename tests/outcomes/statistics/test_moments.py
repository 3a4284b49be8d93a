import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from thinslice.errors import InputError
from thinslice.outcomes.statistics.moments import Moments, ratio

rows = st.lists(st.tuples(*[st.integers(-(10**12), 10**12)] * 3), min_size=0, max_size=30)
NAMES = ("a", "b", "c")


def moments(table):
    return Moments.of({name: [row[i] for row in table] for i, name in enumerate(NAMES)})


@given(rows, rows)
def test_two_days_add_up_to_both_exactly(day1, day2):
    assert moments(day1) + moments(day2) == moments(day1 + day2)


@given(rows, rows, rows)
def test_the_order_in_which_days_are_added_does_not_matter(one, two, three):
    a, b, c = moments(one), moments(two), moments(three)
    assert (a + b) + c == c + (b + a)


def test_nothing_added_changes_nothing():
    day = moments([(1, 2, 3), (4, 5, 6)])
    assert day + Moments.zero(NAMES) == day


def test_moments_of_different_columns_do_not_add():
    with pytest.raises(InputError, match="same columns"):
        Moments.zero(("a",)) + Moments.zero(("b",))


def test_covariances_are_those_of_numpy():
    table = np.random.default_rng(1).integers(0, 1000, (50, 3))
    found = moments(table.tolist())
    expected = np.cov(table.T)
    for i, a in enumerate(NAMES):
        for j, b in enumerate(NAMES):
            assert found.covariance(a, b) == pytest.approx(expected[i, j])


def test_nothing_cancels_where_the_mean_dwarfs_the_spread():
    found = Moments.of({"a": [10**15, 10**15 + 2]})
    assert found.covariance("a", "a") == 2


def test_a_ratio_by_hand():
    # Visitors with (orders, sessions) = (1, 1), (0, 2), (1, 1): R = 2/4 = 0.5, mean sessions 4/3.
    # Residuals orders - R sessions = 0.5, -1, 0.5: variance (0.25 + 1 + 0.25) / 2 = 0.75.
    # Var(R) = 0.75 / (3 * (4/3)^2) = 0.140625
    found = ratio(Moments.of({"o": [1, 0, 1], "s": [1, 2, 1]}), "o", "s")
    assert (found.value, found.variance, found.n) == (0.5, pytest.approx(0.140625), 3)


def test_a_ratio_over_visitors_is_the_plain_mean():
    values = [3, 1, 4, 1, 5]
    found = ratio(Moments.of({"x": values}), "x")
    assert found.value == np.mean(values)
    assert math.sqrt(found.variance) == pytest.approx(scipy.stats.sem(values))


def test_a_ratio_without_a_denominator_is_unknown():
    assert math.isnan(ratio(Moments.of({"x": [1], "d": [0]}), "x", "d").value)
    assert math.isnan(ratio(Moments.of({"x": [1], "d": [2]}), "x", "d").variance)
