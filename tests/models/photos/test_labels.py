from __future__ import annotations

import numpy as np
import pytest

from thinslice.models.photos.labels import FEWEST, Labels, learn_labels


def crossed(n: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Points whose label no line tells: whether both coordinates are on one side of nought."""
    points = np.random.default_rng(seed).normal(size=(n, 2)).astype(np.float32)
    return points, (points[:, 0] * points[:, 1] > 0).astype(int)


def right(model: Labels, points: np.ndarray, codes: np.ndarray) -> float:
    return float((model.scores(points).argmax(axis=1) == codes).mean())


def test_with_enough_photos_a_net_tells_what_a_line_cannot() -> None:
    points, codes = crossed(FEWEST)
    fresh = crossed(1000, seed=1)
    assert right(learn_labels(points, codes, 2), *fresh) > 0.9
    few = learn_labels(points[:-1], codes[:-1], 2)
    assert few.hidden is None
    assert right(few, *fresh) < 0.7


@pytest.mark.parametrize("n", [400, FEWEST])
def test_a_label_without_photos_is_never_said_and_chances_sum_to_one(n: int) -> None:
    rng = np.random.default_rng(0)
    codes = rng.integers(3, size=n) * 2  # 0, 2 and 4 of 6
    points = np.eye(6, dtype=np.float32)[codes] + 0.3 * rng.normal(size=(n, 6)).astype(np.float32)
    scores = learn_labels(points, codes, 6).scores(points)
    assert set(np.unique(scores.argmax(axis=1))) == {0, 2, 4}
    assert scores[:, [1, 3, 5]].max() < -5
    assert right(learn_labels(points, codes, 6), points, codes) > 0.9
    if n < FEWEST:
        assert np.exp(scores).sum(axis=1) == pytest.approx(1, abs=1e-4)


def test_the_same_photos_give_the_same_model_which_is_read_back_the_same() -> None:
    points, codes = crossed(FEWEST)
    model, again = learn_labels(points, codes, 2), learn_labels(points, codes, 2)
    assert (model.scores(points) == again.scores(points)).all()
    read = Labels.from_arrays(model.arrays())
    assert (model.scores(points) == read.scores(points)).all()
