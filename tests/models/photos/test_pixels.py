from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from thinslice.errors import InputError
from thinslice.models.photos.pixels import Region, decode


def saved(image: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def half_red_half_blue(width: int, height: int) -> Image.Image:
    image = Image.new("RGB", (width, height), "red")
    image.paste("blue", (width // 2, 0, width, height))
    return image


def test_the_whole_photo_is_kept_and_centred_on_its_border_colour() -> None:
    image = Image.new("RGB", (200, 100), "white")
    image.paste("green", (80, 30, 120, 70))
    pixels = decode(saved(image), 64)
    assert pixels.shape == (64, 64, 3)
    assert tuple(pixels[2, 2]) == (255, 255, 255)
    assert tuple(pixels[32, 32]) == (0, 128, 0)


def test_a_photo_taken_upright_stays_upright() -> None:
    turned = half_red_half_blue(80, 80)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned: the left edge is the top
    pixels = decode(saved(turned, "JPEG", exif=exif.tobytes(), quality=95), 64)
    assert pixels[5, 32, 0] > 200
    assert pixels[58, 32, 2] > 200


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "RGBA", "LA", "1", "I;16"])
def test_every_colour_mode_becomes_rgb(mode: str) -> None:
    image = (
        Image.new("L", (40, 40), 200).convert("I;16")
        if mode == "I;16"
        else (Image.new("RGB", (40, 40), (200, 200, 200)).convert(mode))
    )
    kind = "JPEG" if mode == "CMYK" else "PNG"
    assert decode(saved(image, kind), 64).shape == (64, 64, 3)


def test_what_is_transparent_is_white() -> None:
    image = Image.new("RGBA", (40, 40), (255, 0, 0, 0))
    assert decode(saved(image), 64).min() == 255


def test_of_an_animated_picture_the_first_frame_is_used() -> None:
    frames = [Image.new("RGB", (40, 40), colour) for colour in ("red", "blue")]
    data = saved(frames[0], "WEBP", save_all=True, append_images=frames[1:])
    assert decode(data, 64)[32, 32, 0] > 200


def test_a_region_is_cut_from_the_upright_photo() -> None:
    data = saved(half_red_half_blue(400, 200))
    assert decode(data, 64, Region(0.5, 0, 0.5, 1)).reshape(-1, 3).mean(0)[2] > 250
    assert decode(data, 64, Region(0, 0, 0.5, 1)).reshape(-1, 3).mean(0)[0] > 250


def test_a_region_outside_the_photo_is_refused() -> None:
    with pytest.raises(InputError, match="inside it"):
        Region(0.6, 0, 0.5, 1)
    with pytest.raises(InputError, match=r"0\.02"):
        Region(0.6, 0, 0.0, 1)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "cannot be read"),
        (b"GIF89a" + bytes(40), "JPEG, PNG or WebP"),
        (b"<svg onload='alert(1)'/>", "JPEG, PNG or WebP"),
        (saved(Image.new("RGB", (4, 400), "red")), "at least 8 pixels"),
        (saved(half_red_half_blue(300, 300), "JPEG")[:900], "cannot be read"),
        (saved(Image.new("RGB", (20, 20)), "GIF"), "JPEG, PNG or WebP"),
    ],
)
def test_what_is_no_photo_is_refused_in_words(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        decode(data, 64)


def test_a_photo_from_a_phone_is_read_at_a_reduced_scale_and_looks_the_same() -> None:
    rng = np.random.default_rng(0)
    small = Image.fromarray(rng.integers(0, 255, (6, 8, 3), np.uint8))
    large = small.resize((1600, 1200), Image.Resampling.BICUBIC)
    found = decode(saved(large, "JPEG", quality=92), 64).astype(int)
    whole = decode(saved(large), 64).astype(int)
    assert np.abs(found - whole).mean() < 3
