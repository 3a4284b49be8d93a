import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from thinslice.profit import Range
from thinslice.profit.experiments.gain import Effect, gain_per_year, more_visitors


def test_money_by_hand():
    # 0.002 more orders per session, each worth 12, 100,000 sessions a month, 12 months, less 5,000.
    gain = gain_per_year([Effect(0.002, 0.0, Range.of(12))], 100_000, 5_000)
    assert gain.low == gain.likely == gain.high == pytest.approx(0.002 * 12 * 100_000 * 12 - 5_000)
    assert gain.chance_of_loss == 0


def test_with_a_sure_payoff_the_range_is_the_normal_one():
    gain = gain_per_year([Effect(1.0, 0.5, Range.of(10))], 1, 0, draws=200_000)
    low, high = scipy.stats.norm(120, 60).ppf([0.05, 0.95])
    # A quantile at 5 % of n draws has the standard error sqrt(p q / n) / density.
    error = np.sqrt(0.05 * 0.95 / 200_000) / scipy.stats.norm(120, 60).pdf(low)
    assert abs(gain.low - low) < 3 * error
    assert abs(gain.high - high) < 3 * error
    assert gain.chance_of_loss == pytest.approx(scipy.stats.norm.sf(2), abs=0.002)


@given(st.floats(-0.01, 0.01), st.floats(0, 0.01), st.floats(0.1, 50), st.floats(0.1, 100))
def test_profit_is_linear_in_the_payoff(estimate, error, payoff, factor):
    one = Range(payoff, payoff * 1.5, payoff * 2)
    many = Range(*(x * factor for x in (one.low, one.likely, one.high)))
    gain = gain_per_year([Effect(estimate, error, one)], 1000, 0, draws=500)
    scaled = gain_per_year([Effect(estimate, error, many)], 1000, 0, draws=500)
    assert scaled.low == pytest.approx(gain.low * factor, abs=1e-6, rel=1e-6)
    assert scaled.likely == pytest.approx(gain.likely * factor, abs=1e-6, rel=1e-6)
    assert scaled.high == pytest.approx(gain.high * factor, abs=1e-6, rel=1e-6)


@given(st.floats(0, 1e6))
def test_a_fixed_cost_shifts_every_figure(cost):
    effect = Effect(0.01, 0.01, Range(1, 2, 3))
    free, paid = (gain_per_year([effect], 1000, c, draws=500) for c in (0, cost))
    assert paid.low == pytest.approx(free.low - cost, abs=1e-6)
    assert paid.high == pytest.approx(free.high - cost, abs=1e-6)


def test_the_same_seed_gives_the_same_money():
    effect = Effect(0.01, 0.01, Range(1, 2, 3))
    assert gain_per_year([effect], 10, 0, seed=3) == gain_per_year([effect], 10, 0, seed=3)
    assert gain_per_year([effect], 10, 0, seed=3) != gain_per_year([effect], 10, 0, seed=4)


def test_effects_drawn_together_are_as_wide_as_their_sum():
    one, two = Effect(0.01, 0.004, Range.of(5)), Effect(0.02, 0.003, Range.of(5))
    both = gain_per_year([one, two], 100, 0)
    summed = gain_per_year([Effect(0.03, 0.007, Range.of(5))], 100, 0)
    assert both.low == pytest.approx(summed.low)


def test_an_interval_gives_back_its_standard_error():
    interval = {"low": 1 - 1.959964, "estimate": 1.0, "high": 1 + 1.959964, "confidence": 0.95}
    assert Effect.from_interval(interval, Range.of(1)).standard_error == pytest.approx(1)


def test_more_visitors_narrow_the_range_by_their_root():
    gain = gain_per_year([Effect(1.0, 1.0, Range.of(1))], 1, 0)  # low end 1.645 away, likely 1 away
    assert more_visitors(gain, 1000) == pytest.approx(1000 * (1.645**2 - 1), rel=0.05)
    assert more_visitors(gain_per_year([Effect(-1, 1, Range.of(1))], 1, 0), 1000) is None
