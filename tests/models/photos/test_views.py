from __future__ import annotations

import numpy as np
import pytest

from thinslice.models.photos.pixels import shrunk
from thinslice.models.photos.views import two_views


def photos(n: int) -> np.ndarray:
    """Bright blocks on dark: no two alike."""
    rng = np.random.default_rng(1)
    pixels = np.full((n, 96, 96, 3), 30, np.uint8)
    for one in pixels:
        for top, left in rng.integers(8, 60, (3, 2)):
            one[top : top + 28, left : left + 20] = rng.integers(100, 256, 3)
    return pixels


def test_two_views_of_a_photo_are_more_alike_than_views_of_two() -> None:
    views = two_views(photos(40), 64, np.random.default_rng(0))
    assert views.shape == (80, 64, 64, 3)
    assert views.min() >= 0 and views.max() <= 255
    flat = views.reshape(80, -1)
    flat = flat - flat.mean(axis=1, keepdims=True)
    flat /= np.linalg.norm(flat, axis=1, keepdims=True)
    alike = flat[:40] @ flat[40:].T
    own, others = np.diag(alike).mean(), alike[~np.eye(40, dtype=bool)].mean()
    assert own > others + 0.1


def test_views_differ_from_the_photo_and_from_each_other_the_second_more_so() -> None:
    pixels = photos(60)
    views = two_views(pixels, 64, np.random.default_rng(0))
    plain = shrunk(pixels).astype(float)
    mirrored = plain[:, :, ::-1]
    off = [
        np.minimum(
            np.abs(some - plain).mean(axis=(1, 2, 3)), np.abs(some - mirrored).mean(axis=(1, 2, 3))
        )
        for some in (views[:60], views[60:])
    ]
    assert off[0].min() > 0
    assert off[0].mean() < off[1].mean()
    assert np.abs(views[:60] - views[60:]).mean() > 5


def test_the_same_draw_gives_the_same_views() -> None:
    again = [two_views(photos(4), 64, np.random.default_rng(seed)) for seed in (3, 3, 4)]
    assert (again[0] == again[1]).all()
    assert (again[0] != again[2]).any()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # the exporter is the older one
def test_a_fitted_encoder_serves_and_knows_its_photos(tmp_path) -> None:  # type: ignore[no-untyped-def]
    pytest.importorskip("torch")
    from thinslice.models.photos.encoder import ImageEncoder, fit_encoder
    from thinslice.models.photos.training import Recipe

    pixels = photos(120)
    labels = [None if i % 4 == 0 else f"kind {i % 3}" for i in range(120)]
    texts = [f"{('Red', 'Blue')[i % 2]} thing {i}" for i in range(120)]
    fit_encoder(pixels, labels, tmp_path, minutes=None, texts=texts, recipe=Recipe(epochs=2))
    vectors = ImageEncoder(tmp_path).encode_images(shrunk(pixels[:8]))
    assert (tmp_path / "encoder.onnx").stat().st_size <= 6_000_000
    for rows in vectors.values():
        assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-3)
    near = vectors["identity"] @ vectors["identity"].T
    assert np.triu(near, 1).max() < 0.999
