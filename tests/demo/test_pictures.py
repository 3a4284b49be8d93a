import io

import numpy as np
import pytest
from PIL import Image

from thinslice.demo.catalogue import KINDS, STYLES, Trait, make_catalogue
from thinslice.demo.pictures import draw_picture, draw_pictures


def pixels(picture: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(picture)).convert("RGB"), dtype=float)


def trait(kind: int = 5, style: int = 0, colour: str = "teal", shape: int = 0) -> Trait:
    return Trait(kind, style, 1, colour, shape, 1.0)


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=[k.name for k in KINDS])
@pytest.mark.parametrize("shape", range(3))
def test_every_kind_is_drawn_in_every_shape(kind, shape):
    picture = pixels(draw_picture(trait(kind, shape=shape)))
    assert picture.shape == (400, 400, 3)
    middle, corner = picture[120:330, 100:300], picture[:40, :40]
    assert middle.std() > 3 * corner.std()


def test_a_style_shows_in_the_picture():
    drawn = [pixels(draw_picture(trait(style=s))) for s in range(len(STYLES))]
    for i, one in enumerate(drawn):
        for other in drawn[i + 1 :]:
            assert abs(one - other).mean() > 1


def test_a_product_has_its_colour_in_the_middle():
    red, green, blue = pixels(draw_picture(trait(colour="brick red")))[240:270, 180:210].mean(
        (0, 1)
    )
    assert red > 1.5 * green and red > 1.5 * blue


def test_every_product_gets_its_own_picture_under_its_id():
    catalogue = make_catalogue(np.random.default_rng(1), per_cell=1)
    pictures = dict(draw_pictures(catalogue))
    assert list(pictures) == [p.id for p in catalogue.products]
    assert all(4_000 < len(picture) < 60_000 for picture in pictures.values())
