import pytest
import scipy.stats

from thinslice.outcomes.statistics.sample_ratio import sample_ratio


def test_the_sample_ratio_is_pearsons():
    found = sample_ratio([480, 520], [0.5, 0.5])
    assert found.p_value == pytest.approx(scipy.stats.chisquare([480, 520]).pvalue)
    assert found.ok
    assert found.expected == (500, 500)


def test_a_split_that_chance_does_not_make_is_broken():
    assert not sample_ratio([5000, 5400], [0.5, 0.5]).ok
    assert not sample_ratio([100, 3], [1, 0]).ok
    assert sample_ratio([0, 0], [0.5, 0.5]).ok


def test_a_doubtful_split_raises_the_alarm_before_it_is_called_broken():
    doubtful = sample_ratio([44_700, 45_489], [1, 1])
    assert doubtful.p_value == pytest.approx(0.0086, abs=1e-4)
    assert doubtful.ok
    assert "Alarm: the split of visitors is doubtful (p = 0.0086" in doubtful.warning
    assert sample_ratio([500, 520], [1, 1]).warning is None
    assert sample_ratio([5000, 6000], [1, 1]).warning is None  # broken, which withholds the verdict
