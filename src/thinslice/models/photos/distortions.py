"""A product's photo as somebody else's phone would take it: for asking whether it is still found.

The ranges were fixed before anything was measured with them: turned by up to 8 degrees, at 0.8 to
1.15 times the size, stretched by up to 12 %, moved by up to a tenth, lit 0.75 to 1.3 times as
brightly with a cast of colour, grainy, now and then out of focus or covered in part, and saved as a
poor JPEG.
"""

from __future__ import annotations

import io
import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image as PillowImage


def distorted(pixels: NDArray[np.uint8], seed: int) -> NDArray[np.uint8]:
    """One photo (side, side, 3) distorted; the same seed distorts in the same way."""
    from PIL import Image, ImageEnhance, ImageFilter

    rng = np.random.default_rng(seed)
    photo = _moved(Image.fromarray(pixels), rng)
    photo = ImageEnhance.Brightness(photo).enhance(rng.uniform(0.75, 1.3))
    photo = ImageEnhance.Contrast(photo).enhance(rng.uniform(0.75, 1.25))
    seen = np.asarray(photo, np.float32) * rng.uniform(0.9, 1.1, 3)
    seen += rng.normal(0, 4, seen.shape)
    if rng.random() < 0.4:
        height, width = rng.integers(len(seen) // 8, len(seen) // 3, 2)
        top, left = rng.integers(0, len(seen) - height), rng.integers(0, len(seen) - width)
        seen[top : top + height, left : left + width] = rng.integers(0, 256, 3)
    photo = Image.fromarray(seen.clip(0, 255).astype(np.uint8))
    if rng.random() < 0.4:
        photo = photo.filter(ImageFilter.GaussianBlur(rng.uniform(0.4, 1.0)))
    out = io.BytesIO()
    photo.save(out, "JPEG", quality=int(rng.integers(40, 80)))
    return np.asarray(Image.open(out).convert("RGB"))


def _moved(photo: PillowImage.Image, rng: np.random.Generator) -> PillowImage.Image:
    from PIL import Image

    side = photo.width
    pixels = np.asarray(photo)
    angle = math.radians(rng.uniform(-8, 8))
    scale, aspect = rng.uniform(0.8, 1.15), rng.uniform(-0.12, 0.12)
    across, down = scale * (1 + aspect), scale * (1 - aspect)
    cos, sin, middle = math.cos(angle), math.sin(angle), side / 2
    x, y = rng.uniform(-0.1, 0.1, 2) * side
    turn = (
        across * cos,
        -across * sin,
        middle - across * cos * middle + across * sin * middle + x,
        down * sin,
        down * cos,
        middle - down * sin * middle - down * cos * middle + y,
    )
    rim = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    red, green, blue = (int(v) for v in np.median(rim, axis=0))
    return photo.transform(
        photo.size,
        Image.Transform.AFFINE,
        turn,
        Image.Resampling.BILINEAR,
        fillcolor=(red, green, blue),
    )
