"""From the bytes of a photo to pixels the encoder reads, whatever was uploaded.

JPEG, PNG and WebP only. A JPEG is decoded at a reduced scale, which makes a 12-megapixel phone
photo five times as fast; the orientation its camera noted is applied; transparency is laid on
white; the whole picture is kept, centred on its own border colour, never cropped.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from thinslice.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL import Image as PillowImage

SIDE = 64
"""Colours and edges are read, and pictures compared, at SIDE x SIDE pixels."""

SOURCE_SIDE = 96
"""Photos to learn from are kept a little larger, so that a distorted view is still sharp."""

SAVED_AGAIN = 14.0
"""Mean difference of a block, of 255: 99 of 100 photos that were saved again stay below 13."""

MAX_PIXELS = 50_000_000
FORMATS = ("JPEG", "PNG", "WEBP")


@dataclass(frozen=True, slots=True)
class Region:
    """A part of an upright photo, in shares of its width and height from the top left."""

    left: float
    top: float
    width: float
    height: float

    def __post_init__(self) -> None:
        values = (self.left, self.top, self.width, self.height)
        inside = self.left + self.width <= 1.001 and self.top + self.height <= 1.001
        if not (all(0 <= v <= 1 for v in values) and inside and min(values[2:]) >= 0.02):
            raise InputError(
                "a region is left, top, width and height in shares of the photo, at least 0.02 "
                f"wide and high and inside it, got {values}; drag it again"
            )


def decode(data: bytes, side: int = SIDE, region: Region | None = None) -> NDArray[np.uint8]:
    """The photo, or a region of it, as (side, side, 3) uint8, whole and centred.

    Of an animated picture the first frame is used. Raises InputError for what is not a JPEG, PNG
    or WebP, is broken, or has more than MAX_PIXELS pixels.
    """
    share = min(region.width, region.height) if region else 1.0
    photo = open_photo(data, round(side / share))
    if region:
        width, height = photo.size
        left, top = region.left * width, region.top * height
        photo = photo.crop((left, top, left + region.width * width, top + region.height * height))
    return letterboxed(photo, side)


def open_photo(data: bytes, side: int = SIDE) -> PillowImage.Image:
    """The photo upright as RGB, at least `side` pixels on its longer edge where it has them."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    try:
        photo = Image.open(io.BytesIO(data), formats=FORMATS)
        _check_size(*photo.size)
        photo.draft("RGB", (2 * side, 2 * side))
        return _on_white(ImageOps.exif_transpose(photo))
    except InputError:
        raise
    except (Image.DecompressionBombError, Image.DecompressionBombWarning):
        raise InputError(
            f"a photo has at most {MAX_PIXELS // 1_000_000} million pixels, this one has more; "
            "send a smaller one"
        ) from None
    except (OSError, ValueError, SyntaxError, EOFError) as error:
        why = "" if isinstance(error, UnidentifiedImageError) else f" ({error})"
        raise InputError(
            f"a photo is a JPEG, PNG or WebP picture, and these {len(data):,} bytes cannot be read "
            f"as one{why}; save it again as JPEG"
        ) from error


def _check_size(width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise InputError(
            f"a photo has at most {MAX_PIXELS // 1_000_000} million pixels, this one has "
            f"{width} x {height}; send a smaller one"
        )
    if min(width, height) < 8:
        raise InputError(
            f"a photo is at least 8 pixels wide and high, this one is {width} x {height}; "
            "send a larger one"
        )


def letterboxed(photo: PillowImage.Image, side: int = SIDE) -> NDArray[np.uint8]:
    """The whole photo within a square, the rest filled with the middle colour of its border."""
    from PIL import Image

    scale = side / max(photo.size)
    width, height = (max(1, round(edge * scale)) for edge in photo.size)
    small = np.asarray(
        photo.resize(
            (width, height), Image.Resampling.BOX if scale < 0.5 else Image.Resampling.BILINEAR
        )
    )
    border = np.concatenate([small[0], small[-1], small[:, 0], small[:, -1]])
    square = np.empty((side, side, 3), np.uint8)
    square[:] = np.median(border, axis=0).astype(np.uint8)
    top, left = (side - height) // 2, (side - width) // 2
    square[top : top + height, left : left + width] = small
    return square


def is_same_picture(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> bool:
    """Whether two photos (side, side, 3) are one that was only saved again or resized.

    No block of 8 x 8 pixels may differ by more than SAVED_AGAIN on average: what a pattern or a
    printed word changes is more, what JPEG and resizing change is less.
    """
    difference = np.abs(one.astype(np.int16) - other).mean(axis=2)
    blocks = len(one) // 8
    return bool(difference.reshape(blocks, 8, blocks, 8).mean(axis=(1, 3)).max() <= SAVED_AGAIN)


def shrunk(pixels: NDArray[np.uint8], side: int = SIDE) -> NDArray[np.uint8]:
    """Square photos (n, s, s, 3) made smaller: (n, side, side, 3)."""
    from PIL import Image

    return np.stack(
        [
            np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling.BILINEAR))
            for one in pixels
        ]
    )


def as_jpeg(pixels: NDArray[np.uint8], most: int | None = None) -> bytes:
    """Pixels (h, w, 3) as a JPEG, at most so many pixels wide and high."""
    from PIL import Image

    out, picture = io.BytesIO(), Image.fromarray(pixels)
    if most:
        picture.thumbnail((most, most))
    picture.save(out, "JPEG", quality=85)
    return out.getvalue()


def _on_white(photo: PillowImage.Image) -> PillowImage.Image:
    from PIL import Image

    if photo.mode in ("RGBA", "LA", "PA") or "transparency" in photo.info:
        white = Image.new("RGBA", photo.size, "white")
        return Image.alpha_composite(white, photo.convert("RGBA")).convert("RGB")
    return photo.convert("RGB")
