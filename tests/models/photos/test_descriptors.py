from __future__ import annotations

import numpy as np
import pytest
from PIL import Image, ImageDraw

from thinslice.models.photos.descriptors import COLOURS, _half_turn, colours, edges


def square(colour: tuple[int, int, int], background: str = "white", side: int = 64) -> np.ndarray:
    image = Image.new("RGB", (side, side), background)
    image.paste(colour, (16, 16, 48, 48))
    return np.asarray(image)


def stripes(upright: bool) -> np.ndarray:
    image = Image.new("RGB", (64, 64), "white")
    draw = ImageDraw.Draw(image)
    for at in range(0, 64, 8):
        draw.rectangle((at, 0, at + 3, 64) if upright else (0, at, 64, at + 3), fill="black")
    return np.asarray(image)


def test_vectors_have_length_one() -> None:
    photos = np.random.default_rng(0).integers(0, 256, (5, 64, 64, 3)).astype(np.uint8)
    for vectors in (colours(photos), edges(photos)):
        assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-4)
    assert colours(photos).shape == (5, COLOURS)


def test_the_colour_is_that_of_the_thing_and_not_of_what_it_lies_on() -> None:
    red, red_on_grey, blue = colours(
        np.stack([square((200, 30, 30)), square((200, 30, 30), "silver"), square((30, 30, 200))])
    )
    assert red @ red_on_grey > 0.9
    assert red @ blue < 0.4


def test_a_little_more_light_changes_little() -> None:
    a, b = colours(np.stack([square((180, 40, 40)), square((205, 52, 48))]))
    assert a @ b > 0.85


def test_edges_know_upright_from_lying_and_care_little_for_colour() -> None:
    upright, lying = edges(np.stack([stripes(True), stripes(False)]))
    assert upright @ lying < 0.2
    red, blue = edges(np.stack([square((220, 30, 30)), square((30, 60, 180))]))
    assert red @ blue > 0.98


def test_a_plain_picture_has_no_edges_and_no_nan() -> None:
    plain = np.full((1, 64, 64, 3), 128, np.uint8)
    assert np.isfinite(edges(plain)).all()
    assert np.isfinite(colours(plain)).all()


def test_the_direction_of_an_edge_is_that_of_arctan() -> None:
    for down, across in np.random.default_rng(1).normal(size=(500, 2)):
        wanted = (np.arctan2(down, across) % np.pi) / np.pi
        off = abs(_half_turn(down, across) - wanted)
        assert min(off, 1 - off) < 5e-4
