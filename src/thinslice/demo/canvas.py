"""What pictures are drawn on: shapes, cloth with a pattern, shadows, one light for all.

Everything is drawn twice as large as it is shown, in units of a hundredth of the picture's
width, and then made small, which is what gives the soft edges.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
from PIL import Image, ImageChops, ImageDraw, ImageFilter

from thinslice.demo.patterns import pattern as cloth_pattern

SIZE = 400
_SCALE = 2
_FULL = SIZE * _SCALE
_UNIT = _FULL / 100

Colour = tuple[int, int, int]
Points = Sequence[tuple[float, float]]

WHITE: Colour = (255, 255, 255)
INK: Colour = (38, 40, 52)
WOOD: Colour = (176, 130, 88)
LEAF: Colour = (86, 128, 84)


def mix(a: Colour, b: Colour, share: float) -> Colour:
    """`share` of b in a.

    >>> mix((0, 0, 0), (100, 200, 50), 0.5)
    (50, 100, 25)
    """
    return (
        round(a[0] + (b[0] - a[0]) * share),
        round(a[1] + (b[1] - a[1]) * share),
        round(a[2] + (b[2] - a[2]) * share),
    )


def smooth(points: Points, closed: bool = True, steps: int = 12) -> list[tuple[float, float]]:
    """A soft curve through the points (Catmull-Rom)."""
    p = np.asarray(points, dtype=float)
    p = np.concatenate([p[-1:], p, p[:2]]) if closed else np.concatenate([p[:1], p, p[-1:]])
    t = np.linspace(0, 1, steps, endpoint=False)[None, :, None]
    a, b, c, d = (p[i : len(p) - 3 + i, None, :] for i in range(4))
    curve = 0.5 * (
        2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2 + (3 * b - a - 3 * c + d) * t**3
    )
    flat = curve.reshape(-1, 2)
    return [(float(x), float(y)) for x, y in (flat if closed else np.vstack([flat, p[-1:]]))]


def oval(x: float, y: float, rx: float, ry: float) -> list[tuple[float, float]]:
    """An ellipse around (x, y) as points."""
    a = np.linspace(0, 2 * np.pi, 60, endpoint=False)
    return list(zip((x + rx * np.cos(a)).tolist(), (y + ry * np.sin(a)).tolist(), strict=True))


def box(x0: float, y0: float, x1: float, y1: float, r: float = 0) -> list[tuple[float, float]]:
    """A rectangle with round corners of radius r, as points."""
    if not r:
        return [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
    a = np.linspace(0, np.pi / 2, 8)
    corners = ((x1 - r, y1 - r, 0), (x0 + r, y1 - r, 1), (x0 + r, y0 + r, 2), (x1 - r, y0 + r, 3))
    return [
        (float(x + r * np.cos(v + q * np.pi / 2)), float(y + r * np.sin(v + q * np.pi / 2)))
        for x, y, q in corners
        for v in a
    ]


class Canvas:
    """A picture in the making; shapes are filled with the product's colour and its pattern."""

    def __init__(self, colour: Colour, style: str) -> None:
        self.colour = colour
        self.dark = mix(colour, INK, 0.35)
        self.light = mix(colour, WHITE, 0.45)
        bright = sum(colour) > 500
        self.accent = mix(colour, INK, 0.55) if bright else mix(colour, WHITE, 0.75)
        self.style = style
        self.image = _backdrop(colour).copy()
        self._draw = ImageDraw.Draw(self.image)

    def finished(self) -> Image.Image:
        """The picture at the size it is shown."""
        return self.image.reduce(_SCALE)

    def shadow(self, x: float, y: float, rx: float, ry: float) -> None:
        """The soft shadow that puts a thing on the ground."""
        small = _shadow(round(rx), round(ry))
        mask = small.resize((small.width * _SCALE * 2, small.height * _SCALE * 2))
        at = (round(x * _UNIT - mask.width / 2), round(y * _UNIT - mask.height / 2))
        self.image.paste(mix(self.colour, INK, 0.75), at, mask)

    def fill(self, points: Points, colour: Colour | None = None, *, shade: float = 1.0) -> None:
        """Fill a shape with one colour, lit from the upper left."""
        self._fill(points, colour or self.colour, None, shade)

    def cloth(self, points: Points, *, scale: float = 1.0, shade: float = 1.0) -> None:
        """Fill a shape with the product's colour and pattern, lit from the upper left."""
        pattern = (
            None if self.style == "plain" else cloth_pattern(self.style, _FULL, scale * _SCALE)
        )
        self._fill(points, self.colour, pattern, shade)

    def _fill(
        self, points: Points, colour: Colour, pattern: Image.Image | None, shade: float
    ) -> None:
        scaled = [(x * _UNIT, y * _UNIT) for x, y in points]
        left, top = (max(0, int(min(p[i] for p in scaled))) for i in (0, 1))
        right, low = (min(_FULL, int(max(p[i] for p in scaled)) + 2) for i in (0, 1))
        size, area = (right - left, low - top), (left, top, right, low)
        mask = Image.new("L", size, 0)
        ImageDraw.Draw(mask).polygon([(x - left, y - top) for x, y in scaled], fill=255)
        self.image.paste(colour, area, mask)
        if pattern is not None:
            self.image.paste(self.accent, area, ImageChops.multiply(mask, pattern.crop(area)))
        if shade:
            dark = _light(round(shade * 10)).resize(size, Image.Resampling.BILINEAR)
            self.image.paste(mix(colour, INK, 0.7), area, ImageChops.multiply(mask, dark))

    def line(self, points: Points, colour: Colour | None = None, width: float = 1.0) -> None:
        """A line with round ends, `width` units wide."""
        scaled = [(x * _UNIT, y * _UNIT) for x, y in points]
        w = width * _UNIT
        ink = colour or self.dark
        self._draw.line(scaled, fill=ink, width=round(w), joint="curve")
        for x, y in (scaled[0], scaled[-1]):
            self._draw.ellipse((x - w / 2, y - w / 2, x + w / 2, y + w / 2), fill=ink)


@lru_cache(maxsize=64)
def _backdrop(colour: Colour) -> Image.Image:
    """A pale wall and floor in a breath of the product's colour, brighter in the middle."""
    pale = np.array(mix((238, 233, 225), colour, 0.16), dtype=float)
    y, x = np.mgrid[0:1:100j, 0:1:100j]
    glow = np.clip(1 - ((x - 0.45) ** 2 + (y - 0.42) ** 2) * 2.6, 0, 1)[..., None]
    floor = np.clip((y - 0.74) * 60, 0, 1)[..., None]
    values = pale + (255 - pale) * glow * 0.55 - floor * 9
    image = Image.fromarray(np.clip(values, 0, 255).astype(np.uint8), "RGB")
    return image.resize((_FULL, _FULL), Image.Resampling.BICUBIC)


@lru_cache(maxsize=64)
def _shadow(rx: int, ry: int) -> Image.Image:
    unit = _UNIT / _SCALE / 2
    w, h, blur = rx * unit, ry * unit, 4
    image = Image.new("L", (round(2 * w + 6 * blur), round(2 * h + 6 * blur)), 0)
    edge = 3 * blur
    ImageDraw.Draw(image).ellipse((edge, edge, image.width - edge, image.height - edge), fill=105)
    return image.filter(ImageFilter.GaussianBlur(blur))


@lru_cache(maxsize=16)
def _light(strength: int) -> Image.Image:
    """Darkness growing to the lower right, as a mask that is stretched over each shape."""
    y, x = np.mgrid[0:1:64j, 0:1:64j]
    dark = np.clip((x * 0.75 + y * 0.45 - 0.35), 0, 1) ** 1.6 * 12 * strength
    return Image.fromarray(np.clip(dark, 0, 255).astype(np.uint8), "L")
