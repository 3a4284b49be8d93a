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
from thinslice.index.words import words_of
from thinslice.models.photos.classifier import joined
from thinslice.models.photos.onnx_encoder import OnnxEncoder
from thinslice.ranking.photo_reasons import why
from thinslice.shelf.photos.filters import Masks, in_colour
from thinslice.shelf.photos.kind import NEIGHBOURS, kind_chances
from thinslice.shelf.photos.order import LOOKED_AT, in_order
from thinslice.shelf.photos.served import Served
from thinslice.shelf.photos.weights import weights_for
from thinslice.shelf.photos.words import ProductWords, colour_in

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = Mapping[str, NDArray[np.floating[Any]]]

EVERYTHING = Filters(in_stock=False)

SORTED_AGAIN = 200
"""Of the photos that have the words, the nearest that are sorted by photo and words together."""

WORDS_COUNT = 0.5
"""How much a full description counts beside a photo, whose score is 1 for the same picture."""

KIND_COUNTS = 0.5
"""How much counts that a product is of the photo's kind, where words are asked for, too."""


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
    colour of the photo. `words` must all be in a product's title, brand or category. `text` says in
    words what it should be like, too: products that it describes come first.
    """

    n: int = 24
    weights: Mapping[str, float] = field(default_factory=dict)
    filters: Filters = EVERYTHING
    colour: str | None = None
    words: str = ""
    text: str = ""


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
        colour, text = wish.colour, wish.text
        if colour is None and text:
            colour, text = colour_in(text, self.colours)
        weights = weights_for(self._index, wish.weights)
        mask = self._masks.allowed(wish.filters, wish.words)
        if colour is None and not text:
            found = self._alike(vectors, max(wish.n, LOOKED_AT), weights, mask, kind)
            return [self._hit(near, None, "") for near in found[: wish.n]]
        passes = [mask]
        kinds = {kind: 1.0} if kind else self._kinds(vectors)
        if colour is not None:
            weights["colour"] = 0.0
            passes = in_colour(self._masks, colour, kinds, mask, wish.n)
        if text and self._reads_texts():
            vectors, text = self._blended(vectors, text), ""
        said = self._described(text) if text else None
        if said is not None:
            passes = [p & (said > 0) for p in passes] + [p & (said <= 0) for p in passes]
            added = WORDS_COUNT * said + KIND_COUNTS * self._masks.kind_of(kinds)
        found = []
        for allowed in passes:
            if len(found) < wish.n:
                left = wish.n - len(found)
                n = left if said is None else max(left, SORTED_AGAIN)
                near = self._index.search(vectors, n, weights=weights, allowed=allowed)
                found += (near if said is None else self._by_both(near, added))[:left]
        return [self._hit(near, colour, text) for near in found]

    def _alike(
        self,
        vectors: Vectors,
        n: int,
        weights: Mapping[str, float],
        mask: NDArray[np.bool_],
        kind: str | None,
    ) -> list[Near]:
        """The n nearest of what may be shown, in the order in which they are shown."""
        near = self._index.search(vectors, n, weights=weights, allowed=mask)
        if not near or set(vectors) != set(self._index.bits):
            return near  # words alone have no kind
        kinds = {kind: 1.0} if kind else self._kinds(vectors)
        return in_order(near, kinds, self._products, weights)

    def _reads_texts(self) -> bool:
        encoder = self._served.encoder
        return isinstance(encoder, OnnxEncoder) and encoder.reads_texts

    def _blended(self, vectors: Vectors, text: str) -> Vectors:
        """The vectors of a photo moved towards a text, for an encoder that reads both: the style
        is half of the one and half of the other."""
        encoder = self._served.encoder
        assert isinstance(encoder, OnnxEncoder)
        both = np.asarray(vectors["style"], np.float32) + encoder.encode_texts([text])[0]
        return {**vectors, "style": both / max(float(np.linalg.norm(both)), 1e-6)}

    def _described(self, text: str) -> NDArray[np.float32] | None:
        """How well a text describes each row of the index, 0 where it does not."""
        found = self._words.find(text)
        return self._words.described(found) if found.words else None

    def _by_both(self, near: list[Near], added: NDArray[np.floating[Any]]) -> list[Near]:
        """What was found for a photo in the order of its score and of what words and kind add."""
        place = self._masks.places
        return sorted(near, key=lambda o: -o.score - added[place[o.product]])

    @property
    def _words(self) -> ProductWords:
        return self._served.words_of(self._index, self._products)

    def _hit(self, near: Near, colour: str | None, text: str) -> PhotoHit:
        reason = why(near.by_part, self._served.meta["usual"], colour=colour)
        said = self._words.why(words_of(text), near.product) if text else ""
        reason = f"{reason}; {said}" if said else reason
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

    def by_words(self, text: str, wish: PhotoWish) -> list[PhotoHit]:
        """What fits a description; see `PhotoSearch.by_words`."""
        if self._reads_texts():
            encoder = self._served.encoder
            assert isinstance(encoder, OnnxEncoder)
            said = {"style": encoder.encode_texts([text])[0]}
            hits = self.search(said, replace(wish, text=""))
            return [replace(hit, why="its photo fits the words") for hit in hits]
        if wish.colour is not None:  # a colour that was chosen replaces one that was said
            text = colour_in(text, self.colours)[1] or text
        words = self._words
        found = words.find(text)
        rows = np.flatnonzero(found.matches())
        hits = []
        for row in rows[np.argsort(-found.scores[rows], kind="stable")].tolist():
            product = self._products[words.ids[row]]
            if self._masks.fits(product, wish.filters, wish.words, wish.colour):
                reason = words.why(found.words, product.id)
                hits.append(PhotoHit(product, float(found.scores[row]), reason, {}))
                if len(hits) == wish.n:
                    break
        return hits
