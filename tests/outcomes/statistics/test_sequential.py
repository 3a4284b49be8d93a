import math

import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st

from thinslice.outcomes.statistics.sample_ratio import sample_ratio
from thinslice.outcomes.statistics.sequential import critical, mixing_variance


def test_one_look_is_the_normal_quantile():
    assert critical(0.05, 1000) == pytest.approx(scipy.stats.norm.ppf(0.975))
    assert critical(0.05, 1000, sides=1) == pytest.approx(scipy.stats.norm.ppf(0.95))


def test_any_number_of_looks_is_the_formula_of_the_paper():
    # rho² = (5.991465 + log(6.991465)) / 5000 = 0.001587232; at n = 4000 rho² n + 1 = 7.348927
    # sqrt(2 · 7.348927 / 6.348927 · log(sqrt(7.348927) / 0.05)) = 3.040364
    assert mixing_variance(0.05, 5000) == pytest.approx(0.001587232, rel=1e-5)
    assert critical(0.05, 4000, 5000) == pytest.approx(3.040364, abs=2e-5)


def test_the_sequence_is_that_of_gbstats():
    """gbstats 0.8, SequentialTwoSidedTTest with sequential_tuning_parameter=5000, n = 4000.

    A difference of 0.362 with a standard error of 0.2501992077: its interval reaches 0.7606990940.
    """
    assert 0.2501992077 * critical(0.05, 4000, 5000) == pytest.approx(0.7606990940, rel=1e-6)


@given(st.floats(100, 1e6), st.floats(0.001, 0.2))
def test_it_is_narrowest_about_where_it_is_tuned(n, alpha):
    """Among all tunings, the range over n visitors is narrowest about at the one for n."""
    at = critical(alpha, n, n)
    assert at <= critical(alpha, n, n / 4) and at <= critical(alpha, n, 4 * n)
    assert at > critical(alpha, n)


def test_one_side_is_less_strict_than_two():
    assert critical(0.05, 4000, 5000, sides=1) < critical(0.05, 4000, 5000)
    assert critical(0.05, 4000, 5000, sides=1) == pytest.approx(
        critical(0.1, 4000, 5000 * mixing_variance(0.1, 1) / mixing_variance(0.05, 1)), rel=0.01
    )


def test_before_the_first_visitor_nothing_is_ruled_out():
    assert critical(0.05, 0, 5000) == math.inf


def test_the_split_may_be_looked_at_every_day():
    assert sample_ratio([5000, 5400], [1, 1], sequential=True).p_value > 0.001
    assert sample_ratio([50_000, 54_000], [1, 1], sequential=True).p_value < 0.001
    assert sample_ratio([0, 0], [1, 1], sequential=True).ok
    assert sample_ratio([50_000, 50_000], [1, 1], sequential=True).p_value == 1


def test_the_sequential_split_is_a_bayes_factor_by_hand():
    # Dirichlet(1, 1)·10,000/2 each: B(5000 + 600, 5000 + 400) / B(5000, 5000) / 0.5^1000
    log_factor = (
        scipy.special.betaln(5600, 5400) - scipy.special.betaln(5000, 5000) + 1000 * math.log(2)
    )
    found = sample_ratio([600, 400], [1, 1], sequential=True).p_value
    assert found == pytest.approx(min(1.0, math.exp(-log_factor)))
