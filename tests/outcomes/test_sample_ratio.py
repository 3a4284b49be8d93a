import pytest
import scipy.stats

from thinslice.outcomes.sample_ratio import sample_ratio


def test_the_sample_ratio_is_pearsons():
    found = sample_ratio([480, 520], [0.5, 0.5])
    assert found.p_value == pytest.approx(scipy.stats.chisquare([480, 520]).pvalue)
    assert found.ok
    assert found.expected == (500, 500)


def test_a_split_that_chance_does_not_make_is_broken():
    assert not sample_ratio([5000, 5400], [0.5, 0.5]).ok
    assert not sample_ratio([100, 3], [1, 0]).ok
    assert sample_ratio([0, 0], [0.5, 0.5]).ok
