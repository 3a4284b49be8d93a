from __future__ import annotations

import numpy as np
import pytest

from thinslice.errors import InputError
from thinslice.models.photos.fusion import Fusion, learn_fusion

RNG = np.random.default_rng(0)
LABELS = RNG.integers(0, 5, 2000)


def witness(right: float, sure: float) -> np.ndarray:
    """Chances of one who is right in this share of cases, and gives `sure` to what it names."""
    named = np.where(RNG.random(2000) < right, LABELS, RNG.integers(0, 5, 2000))
    chances = np.full((2000, 5), (1 - sure) / 4)
    chances[np.arange(2000), named] = sure
    return chances


def accuracy(chances: np.ndarray) -> float:
    return float((chances.argmax(axis=1) == LABELS).mean())


def test_two_witnesses_are_right_more_often_than_each() -> None:
    photo, title = witness(0.8, 0.8), witness(0.9, 0.9)
    fused = learn_fusion(photo, title, LABELS).chances(photo, title)
    assert accuracy(fused) >= max(accuracy(photo), accuracy(title))
    assert np.allclose(fused.sum(axis=1), 1)


def test_one_who_knows_nothing_does_not_count() -> None:
    blind, title = witness(0.0, 0.99), witness(0.9, 0.9)
    fusion = learn_fusion(blind, title, LABELS)
    assert fusion.photo < fusion.title
    assert accuracy(fusion.chances(blind, title)) == pytest.approx(accuracy(title), abs=0.01)


def test_chances_of_other_labels_are_refused() -> None:
    with pytest.raises(InputError, match="same labels"):
        Fusion(1, 1).chances(np.ones((2, 3)) / 3, np.ones((2, 4)) / 4)
