from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw

from thinslice.demo.catalogue import COLOURS, KINDS, STYLES, Trait
from thinslice.demo.pictures import draw_picture
from thinslice.errors import InputError, StorageError
from thinslice.evaluation.photo_search import UNLIKE
from thinslice.models.photos.distortions import distorted
from thinslice.models.photos.encoder import FAMILIAR, SHIPPED, ImageEncoder, write_familiar
from thinslice.models.photos.pixels import decode, letterboxed


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


def furniture(n: int, side: int) -> np.ndarray:
    """Tables and chairs, drawn, in front of a wall or of nothing."""
    rng = np.random.default_rng(4)
    pictures = []
    for i in range(n):
        wood, wall = (tuple(int(v) for v in rng.integers(40, 220, 3)) for _ in range(2))
        picture = Image.new("RGB", (160, 160), wall if i % 2 else (255, 255, 255))
        draw = ImageDraw.Draw(picture)
        left, right, top = rng.integers(10, 40), rng.integers(110, 150), rng.integers(60, 90)
        draw.rectangle((left, top, right, top + 12), fill=wood)
        for leg in (left + 4, right - 12):
            draw.rectangle((leg, top, leg + 8, 150), fill=wood)
        if i % 3 == 0:
            draw.rectangle((left, top - 50, left + 10, top), fill=wood)
        pictures.append(letterboxed(picture, side))
    return np.stack(pictures)


def test_photos_unlike_those_it_learned_from_are_noticed_however_few(
    encoder: ImageEncoder, pictures: tuple[np.ndarray, list[str], list[str]], tmp_path: Path
) -> None:
    def unlike(pixels: np.ndarray) -> float:
        found = encoder.unlikeness(encoder.encode_images(pixels)["style"])
        assert found is not None
        return found

    assert unlike(pictures[0]) < UNLIKE / 1.5
    assert unlike(furniture(50, encoder.side)) > UNLIKE * 1.2
    own = tmp_path / "own"
    shutil.copytree(SHIPPED, own)
    (own / FAMILIAR).unlink()
    taught = ImageEncoder(own)
    assert taught.unlikeness(encoder.encode_images(pictures[0])["style"]) is None
    tables = furniture(400, encoder.side)
    write_familiar(taught, tables)
    seen = ImageEncoder(own).unlikeness(encoder.encode_images(tables)["style"])
    assert seen == pytest.approx(1, abs=0.1)
    assert taught.hash == encoder.hash
