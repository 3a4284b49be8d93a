"""What can be found at one moment: index, catalogue and what was learned; a question in, hits out.

What is near a photo's vectors is asked of the index, under a mask for what may be shown. In another
colour it is asked one mask after the other: the kind in that colour first.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.domain import Filters, Product
from thinslice.index.search import Near
from thinslice.index.vector_index import VectorIndex
from thinslice.models.photos.classifier import joined
from thinslice.models.photos.onnx_encoder import OnnxEncoder
from thinslice.ranking.photo_reasons import why
from thinslice.shelf.photos.filters import Masks, in_colour
from thinslice.shelf.photos.kind import NEIGHBOURS, kind_chances
from thinslice.shelf.photos.served import Served
from thinslice.shelf.photos.weights import weights_for

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = Mapping[str, NDArray[np.floating[Any]]]

EVERYTHING = Filters(in_stock=False)


@dataclass(frozen=True, slots=True)
class PhotoHit:
    """A product that was found. `score` is 1 for the same picture; `by_part` are the cosines."""

    product: Product
    score: float
    why: str
    by_part: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class PhotoWish:
    """What is asked beside the photo: how many, which parts count, and what may be shown.

    `weights` by part replace WEIGHTS. `colour` asks for the same in another colour, whatever the
    colour of the photo. `words` must all be in a product's title, brand or category.
    """

    n: int = 24
    weights: Mapping[str, float] = field(default_factory=dict)
    filters: Filters = EVERYTHING
    colour: str | None = None
    words: str = ""


class Gallery:
    """The photos of a shop as they are at one moment, to be asked."""

    def __init__(self, served: Served, products: Mapping[str, Product]) -> None:
        self._served = served
        self._index: VectorIndex = served.index.as_it_is()
        self._products = products
        self._masks: Masks = served.masks_of(self._index, products)

    @property
    def colours(self) -> tuple[str, ...]:
        """The colours that can be asked for."""
        return self._masks.colours

    def search(self, vectors: Vectors, wish: PhotoWish, kind: str | None = None) -> list[PhotoHit]:
        """What looks most like a photo; see `PhotoSearch.search`."""
        weights = weights_for(self._index, wish.weights)
        mask = self._masks.allowed(wish.filters, wish.words)
        passes = [mask]
        if wish.colour is not None:
            weights["colour"] = 0.0
            kinds = {kind: 1.0} if kind else self._kinds(vectors)
            passes = in_colour(self._masks, wish.colour, kinds, mask, wish.n)
        found: list[Near] = []
        for allowed in passes:
            if len(found) < wish.n:
                found += self._index.search(
                    vectors, wish.n - len(found), weights=weights, allowed=allowed
                )
        return [self._hit(near, wish.colour) for near in found]

    def _hit(self, near: Near, colour: str | None) -> PhotoHit:
        reason = why(near.by_part, self._served.meta["usual"], colour=colour)
        return PhotoHit(self._products[near.product], near.score, reason, near.by_part)

    def _kinds(self, vectors: Vectors) -> dict[str, float]:
        """How likely a photo is of each category, by what was learned and by what is near."""
        shown = self._masks.allowed(EVERYTHING)
        weights = weights_for(self._index)
        near = self._index.search(vectors, NEIGHBOURS, weights=weights, allowed=shown)
        heads = self._served.heads
        head = heads.heads.get("category") if heads else None
        seen: dict[str, float] = {}
        if head is not None and set(vectors) == set(self._index.bits):  # words have no shape
            row = head.chances(joined({part: rows[None] for part, rows in vectors.items()}))[0]
            seen = dict(zip(head.labels, row.tolist(), strict=True))
        return kind_chances(seen, [(self._products[o.product].category, o.score) for o in near])

    def by_words(self, words: str, wish: PhotoWish) -> list[PhotoHit]:
        """What fits a description; see `PhotoSearch.by_words`."""
        encoder = self._served.encoder
        if isinstance(encoder, OnnxEncoder) and encoder.reads_texts:
            vectors = {"style": encoder.encode_texts([words])[0]}
            reason = "its photo fits the words"
            return [replace(hit, why=reason) for hit in self.search(vectors, wish)]
        mask = self._masks.allowed(wish.filters, words)
        if wish.colour is not None:
            mask = mask & self._masks.of_colour(wish.colour)
        rows = np.flatnonzero(mask)[: wish.n]
        found = (self._products[self._masks.ids[row]] for row in rows)
        return [PhotoHit(product, 1.0, "it has these words", {}) for product in found]
