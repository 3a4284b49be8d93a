"""Product pictures, drawn: one shape per kind, one pattern per style. A few milliseconds each."""

from __future__ import annotations

import io
from collections.abc import Iterator

from thinslice.demo.canvas import Canvas
from thinslice.demo.catalogue import COLOURS, KINDS, STYLES, Catalogue, Trait
from thinslice.demo.drawings import DRAWINGS


def draw_pictures(catalogue: Catalogue) -> Iterator[tuple[str, bytes]]:
    """Every product's id with its picture."""
    for product, trait in zip(catalogue.products, catalogue.traits, strict=True):
        yield product.id, draw_picture(trait)


def draw_picture(trait: Trait) -> bytes:
    """One product's picture as a JPEG of 400 by 400 pixels."""
    canvas = Canvas(COLOURS[trait.colour], STYLES[trait.style])
    DRAWINGS[KINDS[trait.kind].name](canvas, trait.shape)
    out = io.BytesIO()
    canvas.finished().save(out, "JPEG", quality=88)
    return out.getvalue()
