"""What a photo shows without anything learned: its colours, and which way its edges run.

Colours: a histogram of 36 hues and saturations and 6 greys, over four quarters and over the whole
(Swain & Ballard 1991), in which what has the colour of the border counts less: a shirt on white is
the colour of the shirt. Edges: histograms of oriented gradients (Dalal & Triggs 2005), 9 directions
in cells of 8 x 8 pixels, each 2 x 2 cells normalised together. Both as the square root of shares,
so that their dot product is the Bhattacharyya coefficient.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit

if TYPE_CHECKING:
    from numpy.typing import NDArray

HUES, GREYS, PLACES = 12, 6, 5
COLOURS = (3 * HUES + GREYS) * PLACES
"""Dimensions of `colours`: four quarters, then the whole."""

CELL, DIRECTIONS = 8, 9


def colours(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Unit vectors (n, COLOURS) of (n, side, side, 3) pixels."""
    found = np.zeros((len(pixels), COLOURS), np.float32)
    shades = _shades()
    for i in range(len(pixels)):
        _colours(pixels[i], _border(pixels[i]), shades, found[i])
    return found


def edges(pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Unit vectors (n, (side / 8 - 1)^2 * 36) of (n, side, side, 3) pixels."""
    cells = pixels.shape[1] // CELL
    found = np.zeros((len(pixels), (cells - 1) ** 2 * 4 * DIRECTIONS), np.float32)
    for i in range(len(pixels)):
        _edges(pixels[i], found[i])
    return found


@cache
def _shades() -> NDArray[np.float32]:
    made: NDArray[np.float32] = _make_shades()
    return made


def _border(photo: NDArray[np.uint8]) -> NDArray[np.float32]:
    rim = np.concatenate([photo[0], photo[-1], photo[1:-1, 0], photo[1:-1, -1]])
    return np.median(rim, axis=0).astype(np.float32)


@njit(cache=True, nogil=True)
def _colours(photo: Any, border: Any, shades: Any, found: Any) -> None:
    side = photo.shape[0]
    bins = 3 * HUES + GREYS
    total = np.zeros(PLACES, np.float32)
    for y in range(side):
        for x in range(side):
            r, g, b = photo[y, x, 0], photo[y, x, 1], photo[y, x, 2]
            away = abs(r - border[0]) + abs(g - border[1]) + abs(b - border[2])
            weight = min(np.float32(1.0), np.float32(0.02) + away * np.float32(1 / 60))
            shade = shades[(int(r) >> 3) << 10 | (int(g) >> 3) << 5 | int(b) >> 3]
            start = ((2 * y // side) * 2 + 2 * x // side) * bins
            total[start // bins] += weight
            for k in range(3):
                found[start + int(shade[k])] += weight * shade[3 + k]
    for place in range(PLACES - 1):
        total[PLACES - 1] += total[place]
        for k in range(bins):
            found[(PLACES - 1) * bins + k] += found[place * bins + k]
    for place in range(PLACES):
        # The whole counts as much as the four quarters together.
        scale = (0.5 if place == PLACES - 1 else 0.125) / max(total[place], np.float32(1e-6))
        for k in range(place * bins, (place + 1) * bins):
            found[k] = np.sqrt(found[k] * scale)


@njit(cache=True)
def _make_shades() -> Any:
    """For each colour in steps of 8: two hue bins and a grey bin, and the share of each."""
    shades = np.zeros((32_768, 6), np.float32)
    for i in range(len(shades)):
        r, g, b = (i >> 10) * 8 + 4.0, (i >> 5 & 31) * 8 + 4.0, (i & 31) * 8 + 4.0
        high, spread = max(r, g, b), max(r, g, b) - min(r, g, b)
        saturation = spread / high
        vivid = min(1.0, max(0.0, (saturation - 0.10) / 0.12))
        vivid *= min(1.0, max(0.0, (high - 25.0) / 30.0))
        hue = 0.0
        if spread > 0:
            if high == r:
                hue = ((g - b) / spread) % 6.0
            elif high == g:
                hue = (b - r) / spread + 2.0
            else:
                hue = (r - g) / spread + 4.0
        at = hue * HUES / 6.0
        first, level = int(at), min(2, int(saturation * 3))
        shades[i, 0] = (first % HUES) * 3 + level
        shades[i, 1] = ((first + 1) % HUES) * 3 + level
        shades[i, 2] = 3 * HUES + min(GREYS - 1, int(high * GREYS / 256.0))
        shades[i, 3] = vivid * (1 - at + first)
        shades[i, 4] = vivid * (at - first)
        shades[i, 5] = 1 - vivid
    return shades


@njit(cache=True, inline="always")
def _half_turn(down: Any, across: Any) -> Any:
    """The angle of an edge as a share of half a turn, 0 to 1; off by at most 0.0005."""
    if across < 0 or (across == 0 and down < 0):
        down, across = -down, -across
    steep = abs(down) > across
    slope = across / down if steep else down / across
    square = slope * slope
    angle = slope * (0.99787 + square * (-0.31764 + square * (0.14484 + square * -0.03968)))
    angle *= np.float32(1 / np.pi)
    if steep:
        angle = (0.5 if down > 0 else -0.5) - angle
    return angle if angle >= 0 else angle + 1


@njit(cache=True, nogil=True)
def _edges(photo: Any, found: Any) -> None:
    side = photo.shape[0]
    cells = side // CELL
    grey = np.empty((side, side), np.float32)
    for y in range(side):
        for x in range(side):
            light = 0.299 * photo[y, x, 0] + 0.587 * photo[y, x, 1] + 0.114 * photo[y, x, 2]
            grey[y, x] = np.sqrt(light)
    histogram = np.zeros((cells, cells, DIRECTIONS), np.float32)
    for y in range(1, side - 1):
        for x in range(1, side - 1):
            across, down = grey[y, x + 1] - grey[y, x - 1], grey[y + 1, x] - grey[y - 1, x]
            strength = np.sqrt(across * across + down * down)
            if strength == 0:
                continue
            at = _half_turn(down, across) * DIRECTIONS
            first = int(at) % DIRECTIONS
            share = np.float32(at - int(at))
            cy, cx = min(y // CELL, cells - 1), min(x // CELL, cells - 1)
            histogram[cy, cx, first] += strength * (1 - share)
            histogram[cy, cx, (first + 1) % DIRECTIONS] += strength * share
    k = 0
    for cy in range(cells - 1):
        for cx in range(cells - 1):
            block = histogram[cy : cy + 2, cx : cx + 2]
            norm = np.sqrt((block * block).sum() + 1.0)
            for value in block.copy().ravel():
                found[k] = np.sqrt(min(value / norm, 0.25))
                k += 1
    norm = np.sqrt((found * found).sum()) + 1e-9
    for k in range(len(found)):
        found[k] /= norm
