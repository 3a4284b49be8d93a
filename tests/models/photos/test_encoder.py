from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from thinslice.demo.catalogue import COLOURS, KINDS, STYLES, Trait
from thinslice.demo.pictures import draw_picture
from thinslice.errors import InputError, StorageError
from thinslice.models.photos.distortions import distorted
from thinslice.models.photos.encoder import SHIPPED, ImageEncoder
from thinslice.models.photos.pixels import decode


def drawn(n: int) -> tuple[np.ndarray, list[str], list[str]]:
    """Pictures of products in every kind and some colours, as the demo draws them."""
    pixels, kinds, colours = [], [], []
    names = list(COLOURS)
    for i in range(n):
        kind, colour = i % len(KINDS), names[i // len(KINDS) % len(names)]
        trait = Trait(
            kind, style=(i // 3) % len(STYLES), band=0, shape=i % 3, colour=colour, appeal=0.0
        )
        pixels.append(decode(draw_picture(trait)))
        kinds.append(KINDS[kind].name)
        colours.append(colour)
    return np.stack(pixels), kinds, colours


@pytest.fixture(scope="module")
def encoder() -> ImageEncoder:
    return ImageEncoder()


@pytest.fixture(scope="module")
def pictures() -> tuple[np.ndarray, list[str], list[str]]:
    return drawn(60)


def alike(vectors: np.ndarray, labels: list[str]) -> float:
    """How often the nearest other picture has the same label."""
    near = vectors @ vectors.T
    np.fill_diagonal(near, -1)
    return float(np.mean([labels[i] == labels[j] for i, j in enumerate(near.argmax(1))]))


def test_every_part_has_length_one_and_its_dimensions(
    encoder: ImageEncoder, pictures: tuple[np.ndarray, list[str], list[str]]
) -> None:
    vectors = encoder.encode_images(pictures[0])
    assert {part: rows.shape[1] for part, rows in vectors.items()} == dict(encoder.dimensions)
    for rows in vectors.values():
        assert np.linalg.norm(rows, axis=1) == pytest.approx(1, abs=1e-3)


def test_style_tells_kinds_apart_and_colour_tells_colours_apart(
    encoder: ImageEncoder, pictures: tuple[np.ndarray, list[str], list[str]]
) -> None:
    pixels, kinds, colours = pictures
    vectors = encoder.encode_images(pixels)
    assert alike(vectors["style"], kinds) > 0.8
    assert alike(vectors["colour"], colours) > 0.6
    assert alike(vectors["colour"], kinds) < 0.6


def test_a_distorted_photo_finds_its_own_product(
    encoder: ImageEncoder, pictures: tuple[np.ndarray, list[str], list[str]]
) -> None:
    pixels = pictures[0]
    gallery = encoder.encode_images(pixels)
    seen = encoder.encode_images(np.stack([distorted(p, i) for i, p in enumerate(pixels)]))
    near = sum(seen[part] @ gallery[part].T for part in ("style", "identity", "shape"))
    found = np.mean(near.argmax(1) == np.arange(len(pixels)))
    assert found > 0.6
    by_colour = (seen["colour"] @ gallery["colour"].T).argmax(1) == np.arange(len(pixels))
    assert found > by_colour.mean()


def test_one_photo_is_encoded_as_it_is_among_many(
    encoder: ImageEncoder, pictures: tuple[np.ndarray, list[str], list[str]]
) -> None:
    together = encoder.encode_images(pictures[0][:8])
    alone = encoder.encode_images(pictures[0][3:4])
    for part, rows in together.items():
        assert rows[3] == pytest.approx(alone[part][0], abs=1e-4)


def test_an_encoder_is_known_by_its_content(encoder: ImageEncoder, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(SHIPPED, other)
    assert ImageEncoder(other).hash == encoder.hash
    axes = np.load(other / "shape.npy")
    np.save(other / "shape.npy", axes * 2)
    assert ImageEncoder(other).hash != encoder.hash
    with pytest.raises(StorageError, match="cannot be read"):
        ImageEncoder(tmp_path / "none")


def test_pixels_of_another_size_are_refused(encoder: ImageEncoder) -> None:
    with pytest.raises(InputError, match="64, 64, 3"):
        encoder.encode_images(np.zeros((2, 32, 32, 3), np.uint8))
    assert encoder.encode_images(np.zeros((0, 64, 64, 3), np.uint8))["style"].shape == (0, 192)


def test_the_shipped_encoder_is_small() -> None:
    assert (SHIPPED / "encoder.onnx").stat().st_size <= 6_000_000
