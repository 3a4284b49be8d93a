"""The patterns that styles are printed in: stripes, dots, checks and sprigs of leaves."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw


@lru_cache(maxsize=64)
def pattern(style: str, size: int, unit: float) -> Image.Image:
    """The pattern of a style over a square, as a mask; `unit` is how many pixels one unit has."""
    image = Image.new("L", (size, size), 0)
    _PATTERNS[style](ImageDraw.Draw(image), size, unit)
    return image


def _striped(draw: ImageDraw.ImageDraw, size: int, u: float) -> None:
    for y in np.arange(0, size, 26 * u):
        draw.rectangle((0, y, size, y + 10 * u), fill=235)


def _dotted(draw: ImageDraw.ImageDraw, size: int, u: float) -> None:
    for row, y in enumerate(np.arange(0, size, 17 * u)):
        for x in np.arange(10 * u * (row % 2), size, 20 * u):
            draw.ellipse((x - 4.6 * u, y - 4.6 * u, x + 4.6 * u, y + 4.6 * u), fill=240)


def _checked(draw: ImageDraw.ImageDraw, size: int, u: float) -> None:
    step, band = 26 * u, 13 * u
    for y in np.arange(0, size, step):
        draw.rectangle((0, y, size, y + band), fill=105)
    for x in np.arange(0, size, step):
        draw.rectangle((x, 0, x + band, size), fill=105)
        for y in np.arange(0, size, step):
            draw.rectangle((x, y, x + band, y + band), fill=215)


def _leafy(draw: ImageDraw.ImageDraw, size: int, u: float) -> None:
    """Sprigs of five leaves, turned a little from one to the next."""
    for row, y in enumerate(np.arange(0, size + 30 * u, 27 * u)):
        for col, x in enumerate(np.arange(15 * u * (row % 2), size + 34 * u, 30 * u)):
            _sprig(draw, float(x), float(y), 0.5 + (row * 2 + col) % 3 * 0.9, u)


def _sprig(draw: ImageDraw.ImageDraw, x: float, y: float, turn: float, u: float) -> None:
    along = np.array([np.sin(turn), -np.cos(turn)]) * u
    across = np.array([np.cos(turn), np.sin(turn)]) * u
    spots = np.array([x, y]) - along * 11
    draw.line([tuple(spots), tuple(spots + along * 18)], fill=225, width=max(1, round(1.2 * u)))
    leaf = np.array([(0, 0), (3.2, 2.6), (7, 3.0), (11, 0), (7, -3.0), (3.2, -2.6)])
    for at, lean in ((4, 0.95), (4, -0.95), (10, 0.85), (10, -0.85), (15, 0.0)):
        c, s = np.cos(lean), np.sin(lean)
        turned = leaf @ np.array([[c, s], [-s, c]])
        points = spots + along * at + turned[:, :1] * along + turned[:, 1:] * across
        draw.polygon([(float(px), float(py)) for px, py in points], fill=225)


_PATTERNS: dict[str, Callable[[ImageDraw.ImageDraw, int, float], None]] = {
    "striped": _striped,
    "dotted": _dotted,
    "checked": _checked,
    "leafy": _leafy,
}
