"""What should a person know of these photos? One that two products share, or that looks wrong."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from thinslice.domain import Product
from thinslice.index.near_duplicates import near_duplicates
from thinslice.index.vector_index import VectorIndex
from thinslice.models.photos.pixels import SIDE, is_same_picture
from thinslice.shelf.photos.learning import Album
from thinslice.shelf.photos.weights import weights_for

DUPLICATE = 0.96
"""Score from which two photos are looked at pixel by pixel: are they one, saved twice?"""


def same_photos(
    index: VectorIndex, album: Album, products: Mapping[str, Product], n: int
) -> list[tuple[Product, Product, float]]:
    """At most n pairs of these products with one photo, the nearest first."""
    found: list[tuple[Product, Product, float]] = []
    pairs = near_duplicates(index, DUPLICATE, weights=weights_for(index), among=products)
    for a, b, score in pairs:
        first, second = (album.pixels(product, SIDE) for product in (a, b))
        if first is not None and second is not None and is_same_picture(first, second):
            found.append((products[a], products[b], score))
        if len(found) == n:
            break
    return found


def still_doubted(
    listed: Iterable[dict[str, Any]],
    products: Mapping[str, Product],
    spoken_on: Collection[tuple[str, str]],
) -> list[dict[str, Any]]:
    """Without what was decided, filed elsewhere, hidden or removed since it was listed."""
    return [
        one
        for one in listed
        if (p := products.get(one["product"]))
        and not p.hidden
        and p.category == one["listed"]
        and (p.id, "category") not in spoken_on
    ]
