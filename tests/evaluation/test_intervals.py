from __future__ import annotations

import numpy as np
import pytest

from thinslice.evaluation.intervals import jackknife_interval, ratio_interval


def test_with_one_prediction_a_session_it_is_the_interval_of_a_mean():
    values = np.array([1.0, 0.0, 1.0, 1.0, 0.0] * 4)
    found = ratio_interval(values, np.ones(20))
    half = 2.093024 * values.std(ddof=1) / np.sqrt(20)  # t of 19 degrees
    assert (found.low, found.estimate, found.high) == pytest.approx((0.6 - half, 0.6, 0.6 + half))


def test_a_share_stays_a_share():
    found = ratio_interval(np.array([1.0, 0.0]), np.ones(2))
    assert (found.low, found.estimate, found.high) == (0.0, 0.5, 1.0)


def test_repeating_predictions_within_sessions_does_not_narrow_it():
    hits, counts = np.array([1.0, 0.0, 1.0, 0.0] * 10), np.ones(40)
    once = ratio_interval(hits, counts)
    tenfold = ratio_interval(10 * hits, 10 * counts)
    assert (tenfold.low, tenfold.high) == pytest.approx((once.low, once.high))


def test_where_nothing_varies_the_rule_of_three_stands_in():
    found = ratio_interval(np.zeros(100), np.ones(100))
    assert (found.low, found.estimate, found.high) == (0.0, 0.0, 0.03)


def test_one_session_says_nothing_about_others():
    found = ratio_interval(np.array([1.0]), np.array([2.0]))
    assert (found.low, found.estimate, found.high) == (0.0, 0.5, 1.0)


def test_the_truth_is_inside_nineteen_times_of_twenty():
    rng = np.random.default_rng(5)
    inside = 0
    for _ in range(400):
        rate = rng.beta(2, 3, 80)  # sessions differ, and their predictions resemble each other
        counts = rng.integers(1, 9, 80)
        hits = rng.binomial(counts, rate).astype(float)
        found = ratio_interval(hits, counts.astype(float))
        inside += found.low <= 0.4 <= found.high
    assert 0.92 <= inside / 400 <= 0.98


def test_the_jackknife_of_a_mean_is_its_standard_error():
    values = np.array([0.1, 0.4, 0.3, 0.2, 0.5])
    without = (values.sum() - values) / 4
    found = jackknife_interval(values.mean(), without)
    half = 2.776445 * values.std(ddof=1) / np.sqrt(5)
    assert found.high - found.estimate == pytest.approx(half)
