import math

import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from thinslice.errors import InputError
from thinslice.outcomes.statistics.intervals import (
    difference,
    more_units,
    non_inferiority,
    relative_lift,
)
from thinslice.outcomes.statistics.moments import Estimate, Moments, ratio


def test_the_difference_is_that_of_a_z_test():
    rng = np.random.default_rng(2)
    a, b = rng.normal(5, 2, 4000), rng.normal(5.1, 3, 5000)
    t, c = (ratio(Moments.of({"x": x.tolist()}), "x") for x in (b, a))
    found = difference(t, c)
    oracle = scipy.stats.ttest_ind(b, a, equal_var=False).confidence_interval()
    assert (found.low, found.high) == pytest.approx((oracle.low, oracle.high), rel=1e-3)


def test_fieller_by_hand():
    # T = 12 with variance 1, C = 10 with variance 0.5, z² = 3.841459:
    # a = 100 - 1.920729 = 98.079271; b = 120; c = 144 - 3.841459 = 140.158541
    # root = sqrt(14400 - 13746.647) = 25.5608; (120 ± 25.5608) / 98.079271 = 0.962886, 1.484114
    found = relative_lift(Estimate(12, 1, 100), Estimate(10, 0.5, 100))
    assert found.estimate == pytest.approx(0.2)
    assert (found.low, found.high) == pytest.approx((-0.037114, 0.484114), abs=1e-4)


@given(st.floats(0.1, 100), st.floats(0.001, 10), st.floats(1, 100), st.floats(0.001, 0.2))
def test_lift_and_difference_agree_on_whether_there_is_an_effect(t, vt, c, vc):
    absolute = difference(Estimate(t, vt, 100), Estimate(c, vc, 100))
    relative = relative_lift(Estimate(t, vt, 100), Estimate(c, vc, 100))
    if abs(absolute.low) > 1e-6 and abs(absolute.high) > 1e-6 and math.isfinite(relative.low):
        assert (absolute.low > 0) == (relative.low > 0)
        assert (absolute.high < 0) == (relative.high < 0)


def test_a_control_that_may_be_zero_has_no_bounded_lift():
    found = relative_lift(Estimate(2, 1, 10), Estimate(1, 1, 10))
    assert (found.low, found.estimate, found.high) == (-math.inf, 1.0, math.inf)
    assert math.isnan(relative_lift(Estimate(2, 1, 10), Estimate(0, 0, 10)).estimate)


def test_non_inferiority_by_hand():
    # z = (9.9 - 0.98 * 10) / sqrt(0.0016 + 0.98² * 0.0009) = 0.1 / 0.0496421 = 2.01442
    found = non_inferiority(Estimate(9.9, 0.0016, 9), Estimate(10, 0.0009, 9), 0.02)
    assert found.z == pytest.approx(2.01442, abs=1e-4)
    assert found.critical == pytest.approx(1.644854)
    assert found.proven
    assert not found.violated


def test_for_a_figure_that_should_be_low_more_is_worse():
    control, more = Estimate(0.40, 1e-6, 9), Estimate(0.45, 1e-6, 9)
    assert non_inferiority(more, control, 0.02, better="lower").violated
    assert non_inferiority(control, more, 0.02, better="lower").proven


def test_without_any_variance_harmlessness_is_neither_proven_nor_violated():
    found = non_inferiority(Estimate(0, 0, 9), Estimate(0, 0, 9), 0.02)
    assert (found.proven, found.violated) == (False, False)


def test_a_margin_is_a_share():
    with pytest.raises(InputError, match=r"0\.02 allows 2 % worse"):
        non_inferiority(Estimate(1, 1, 9), Estimate(1, 1, 9), 2)


def test_twice_the_z_needs_a_quarter_of_the_visitors():
    near, far = more_units(1.0, 1.96, 1000), more_units(2.0, 1.96, 1000)
    assert near == math.ceil(1000 * ((1.96 + 0.8416212) ** 2 - 1))
    assert far == math.ceil(1000 * ((1.96 + 0.8416212) ** 2 / 4 - 1))
    assert more_units(0.01, 1.96, 1000) is None


def test_a_control_below_0_gets_better_when_it_rises():
    """A loss of 10 that becomes one of 8 is 20 % better, not 20 % lower."""
    loss, less = Estimate(-10, 0.01, 100), Estimate(-8, 0.01, 100)
    lift = relative_lift(less, loss)
    assert lift.estimate == pytest.approx(0.2)
    assert 0 < lift.low < 0.2 < lift.high
    assert non_inferiority(loss, loss, 0.1).proven
    assert non_inferiority(less, loss, 0.1).proven
    assert non_inferiority(Estimate(-12, 0.01, 100), loss, 0.1).violated
