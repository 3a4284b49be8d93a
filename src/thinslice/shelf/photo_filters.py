"""Which photos may be found? Filters as masks over the rows of an index, made once and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.domain import Filters, Product
from thinslice.errors import InputError
from thinslice.index.vector_index import VectorIndex
from thinslice.models.photos.classifier import ImageClassifier, joined
from thinslice.ranking.rules import allowed

if TYPE_CHECKING:
    from numpy.typing import NDArray

KEPT = 64
"""Masks that are kept; a hundred thousand products make one of 100 kB."""


class Masks:
    """The masks over one index and one catalogue, as both were at one moment."""

    def __init__(
        self, index: VectorIndex, products: Mapping[str, Product], heads: ImageClassifier | None
    ) -> None:
        self.products = products
        self.ids = index.ids
        self.revision = index.revision
        self._index = index
        self._heads = heads
        self._made: dict[tuple[Any, ...], Any] = {}
        listed = {p.colour for p in products.values() if p.has_photo and p.colour}
        self.colours = tuple(sorted(listed.union(learned_colours(heads))))
        """The colours that can be asked for: those that are listed, and those that were learned."""

    def allowed(self, filters: Filters, words: str = "") -> NDArray[np.bool_]:
        """Rows of products that pass the filters and have every one of the words."""
        wanted = words.casefold().split()

        def fits(product: Product) -> bool:
            if not product.has_photo or not allowed(product, filters):
                return False
            text = f"{product.title} {product.brand} {product.category}" if wanted else ""
            return all(word in text.casefold() for word in wanted)

        return self._kept((filters, *wanted), fits)

    def of_colour(self, colour: str) -> NDArray[np.bool_]:
        """Rows of a colour: as it is listed or, where none is, as the photo looks."""
        name = next((c for c in self.colours if c.casefold() == colour.strip().casefold()), None)
        if name is None:
            raise InputError(
                f"a colour must be one of the catalogue's, got {colour[:50]!r}; "
                f"choose one of: {', '.join(self.colours) or 'none yet'}"
            )
        listed = self._kept(("listed", name), lambda p: p.colour == name)
        learned = learned_colours(self._heads)
        if name not in learned:
            return listed
        unlisted = self._kept(("unlisted",), lambda p: not p.colour)
        looks_it: NDArray[np.bool_] = self._seen_colours() == learned.index(name)
        return listed | (unlisted & looks_it)

    def of_kind(self, category: str) -> NDArray[np.bool_]:
        """Rows of products that are listed under exactly this category."""
        return self._kept(("kind", category), lambda p: p.category == category)

    def _seen_colours(self) -> NDArray[np.int64]:
        """The likeliest colour of every row, by its photo."""
        found: NDArray[np.int64] | None = self._made.get(("seen",))
        if found is None:
            assert self._heads is not None
            head = self._heads.heads["colour"]
            seen = [head.chances(joined(s.vectors)).argmax(axis=1) for s in self._index.segments]
            found = np.concatenate(seen) if seen else np.empty(0, np.int64)
            self._made["seen",] = found
        return found

    def _kept(self, key: tuple[Any, ...], fits: Callable[[Product], bool]) -> NDArray[np.bool_]:
        mask = self._made.get(key)
        if mask is None:
            found = (self.products.get(product) for product in self.ids)
            mask = np.fromiter((p is not None and fits(p) for p in found), bool)
            if len(self._made) >= KEPT:
                self._made.clear()
            self._made[key] = mask
        return mask


def learned_colours(heads: ImageClassifier | None) -> tuple[str, ...]:
    """The colours that can be told from a photo."""
    return heads.heads["colour"].labels if heads and "colour" in heads.heads else ()
