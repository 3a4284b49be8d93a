"""Pictures that the project draws to teach the default encoder: products, and forms of no meaning.

The drawn products carry their kind as a label. The forms carry none: they only teach that a thing
stays itself when it is turned, lit or photographed otherwise, for shapes that no shop has yet.
"""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from thinslice.demo.canvas import Canvas
from thinslice.demo.catalogue import STYLES
from thinslice.demo.drawings import DRAWINGS
from thinslice.models.photos.pixels import SOURCE_SIDE, letterboxed

Colour = tuple[int, int, int]


def drawn_products(n: int, seed: int) -> tuple[NDArray[np.uint8], list[str]]:
    """n drawn products in any colour, with their kinds: (n, SOURCE_SIDE, SOURCE_SIDE, 3)."""
    rng = np.random.default_rng(seed)
    pixels, kinds = [], []
    for i in range(n):
        kind = list(DRAWINGS)[i % len(DRAWINGS)]
        canvas = Canvas(_colour(rng), STYLES[rng.integers(len(STYLES))])
        DRAWINGS[kind](canvas, int(rng.integers(3)))
        pixels.append(letterboxed(canvas.finished().convert("RGB"), SOURCE_SIDE))
        kinds.append(kind)
    return np.stack(pixels), kinds


def random_forms(n: int, seed: int) -> NDArray[np.uint8]:
    """n pictures of one to four forms with textures: (n, SOURCE_SIDE, SOURCE_SIDE, 3)."""
    rng = np.random.default_rng(seed)
    return np.stack([letterboxed(_forms(rng), SOURCE_SIDE) for _ in range(n)])


def _forms(rng: np.random.Generator, side: int = 144) -> Image.Image:
    plain = rng.random() < 0.6
    picture = Image.new("RGB", (side, side), (255, 255, 255)) if plain else _texture(rng, side)
    symmetric = rng.random() < 0.6
    for _ in range(int(rng.integers(1, 5))):
        mask = _form(rng, side)
        if symmetric:
            mask = ImageChops.lighter(mask, mask.transpose(Image.Transpose.FLIP_LEFT_RIGHT))
        picture.paste(_texture(rng, side), (0, 0), mask)
    for _ in range(int(rng.integers(0, 4))):
        draw = ImageDraw.Draw(picture)
        ends = [(float(x), float(y)) for x, y in rng.uniform(0.15, 0.85, (3, 2)) * side]
        draw.line(ends, fill=_colour(rng), width=int(rng.integers(1, 5)), joint="curve")
    return picture


def _form(rng: np.random.Generator, side: int) -> Image.Image:
    """A closed outline: a wavy round one, a box, or a ring."""
    mask = Image.new("L", (side, side), 0)
    draw = ImageDraw.Draw(mask)
    centre = rng.uniform(0.3, 0.7, 2) * side
    size = rng.uniform(0.12, 0.42, 2) * side
    chosen = rng.random()
    if chosen < 0.6:
        angles = np.linspace(0, 2 * np.pi, 48, endpoint=False)
        waves = rng.normal(0, 1, (5, 2)) / (1 + np.arange(5))[:, None]
        radius = 1 + 0.35 * sum(
            a * np.cos((k + 1) * angles) + b * np.sin((k + 1) * angles)
            for k, (a, b) in enumerate(waves)
        )
        points = centre + size * np.stack([np.cos(angles), np.sin(angles)], 1) * radius[:, None]
        draw.polygon([(float(x), float(y)) for x, y in points], fill=255)
    else:
        low, high = centre - size, centre + size
        edges = (float(low[0]), float(low[1]), float(high[0]), float(high[1]))
        if chosen < 0.85:
            draw.rounded_rectangle(edges, float(rng.uniform(0, 0.4) * size.min()), fill=255)
        else:
            draw.ellipse(edges, outline=255, width=int(rng.integers(3, 14)))
    return mask.rotate(float(rng.normal(0, 15)), resample=Image.Resampling.BILINEAR)


def _texture(rng: np.random.Generator, side: int) -> Image.Image:
    """A surface: plain, shaded, striped, checked, dotted or grained."""
    a, b = (np.array(_colour(rng), float) for _ in range(2))
    y, x = np.mgrid[0:side, 0:side] / side
    turn = rng.uniform(0, np.pi)
    along = x * np.cos(turn) + y * np.sin(turn)
    across = y * np.cos(turn) - x * np.sin(turn)
    period = rng.uniform(0.05, 0.25)
    chosen = int(rng.integers(6))
    if chosen == 0:
        share = np.zeros((side, side))
    elif chosen == 1:
        share = along
    elif chosen == 2:
        share = (along % period < period * rng.uniform(0.2, 0.8)).astype(float)
    elif chosen == 3:
        share = (along % period < period / 2) * 0.5 + (across % period < period / 2) * 0.5
    elif chosen == 4:
        u, v = along % period - period / 2, across % period - period / 2
        share = (u * u + v * v < (period * rng.uniform(0.2, 0.45)) ** 2).astype(float)
    else:
        grain = rng.uniform(0, 255, (max(2, int(side * period)),) * 2).astype(np.uint8)
        smooth = Image.fromarray(grain).resize((side, side), Image.Resampling.BICUBIC)
        share = np.asarray(smooth, float) / 255
    surface = a + (b - a) * share[..., None] * rng.uniform(0.3, 1)
    light = 1 + rng.uniform(-0.3, 0.3) * (x + y - 1)
    picture = Image.fromarray((surface * light[..., None]).clip(0, 255).astype(np.uint8))
    return picture.filter(ImageFilter.GaussianBlur(0.6)) if rng.random() < 0.3 else picture


def _colour(rng: np.random.Generator) -> Colour:
    """Any colour, with the greys, white and black that products have more often."""
    if rng.random() < 0.25:
        grey = int(rng.choice([rng.integers(256), rng.integers(40), rng.integers(215, 256)]))
        return (grey, grey, grey)
    red, green, blue = (int(v) for v in rng.integers(0, 256, 3))
    return (red, green, blue)


def sheet(pixels: NDArray[np.uint8], columns: int = 12) -> bytes:
    """Pictures side by side as one PNG, to look at."""
    rows = [
        np.concatenate(list(pixels[i : i + columns]), 1)
        for i in range(0, len(pixels) - columns + 1, columns)
    ]
    out = io.BytesIO()
    Image.fromarray(np.concatenate(rows)).save(out, "PNG")
    return out.getvalue()
