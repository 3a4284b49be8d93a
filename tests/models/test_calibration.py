from __future__ import annotations

import numpy as np
import pytest

from thinslice.models.calibration import (
    bar_for_precision,
    best_temperature,
    calibrated,
    calibration_error,
    chances,
    curve,
)


def test_chances_add_up_to_one_and_keep_the_order() -> None:
    found = chances(np.array([[1.0, 3.0, 2.0]]), 2.0)
    assert found.sum() == pytest.approx(1)
    assert found.argsort().tolist() == [[0, 2, 1]]


def test_the_temperature_that_drew_the_labels_is_found_again() -> None:
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(20_000, 5))
    drawn = chances(scores.copy(), 3.0).cumsum(axis=1)
    labels = (rng.random((20_000, 1)) > drawn).sum(axis=1)
    assert best_temperature(scores, labels) == pytest.approx(3.0, rel=0.05)


def test_a_confidence_means_what_it_says_after_the_curve() -> None:
    rng = np.random.default_rng(1)
    chance = rng.random(20_000)
    hit = rng.random(20_000) < chance**2
    assert calibration_error(chance, hit) > 0.1
    found = curve(chance, hit)
    new = rng.random(20_000)
    assert calibration_error(calibrated(new, found), rng.random(20_000) < new**2) < 0.02


def test_a_curve_never_falls() -> None:
    rng = np.random.default_rng(2)
    at, value = curve(rng.random(500), rng.random(500) < 0.5)
    assert (np.diff(at) >= 0).all()
    assert (np.diff(value) >= 0).all()


def test_too_few_titles_leave_the_chances_as_they_are() -> None:
    at, value = curve(np.array([0.5, 0.7]), np.array([True, False]))
    assert at.tolist() == value.tolist()


def test_the_error_is_the_gap_between_confidence_and_hits() -> None:
    assert calibration_error(np.full(10, 0.9), np.arange(10) < 7) == pytest.approx(0.2)


def test_the_bar_is_the_lowest_that_gives_the_precision() -> None:
    confidence = np.array([0.9, 0.8, 0.7, 0.6])
    hit = np.array([True, True, False, True])
    assert bar_for_precision(confidence, hit, 0.99) == 0.8
    assert bar_for_precision(confidence, hit, 0.75) == 0.6


def test_no_bar_reaches_what_is_never_right() -> None:
    assert bar_for_precision(np.array([0.9]), np.array([False]), 0.5) > 1


def test_titles_of_equal_confidence_are_accepted_together() -> None:
    confidence, hit = np.array([0.9, 0.9]), np.array([True, False])
    assert bar_for_precision(confidence, hit, 0.99) > 1
