"""Which photos may be found? Filters as masks over the rows of an index, made once and kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.domain import Filters, Product
from thinslice.errors import InputError
from thinslice.index.vector_index import VectorIndex
from thinslice.models.photos.classifier import ImageClassifier, joined
from thinslice.ranking.rules import allowed
from thinslice.shelf.photos.kind import likeliest_rows

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
        return self._kept((filters, *wanted), lambda p: p.has_photo and passes(p, filters, wanted))

    def fits(self, product: Product, filters: Filters, words: str, colour: str | None) -> bool:
        """Whether one product passes the filters, has all words and is in a colour, if one is
        asked for; it need not have a photo."""
        if not passes(product, filters, words.casefold().split()):
            return False
        if colour is None:
            return True
        row = self.places.get(product.id)
        name = self._named(colour)
        return product.colour == name if row is None else bool(self.of_colour(colour)[row])

    @cached_property
    def places(self) -> dict[str, int]:
        """The row of each product."""
        return {product: row for row, product in enumerate(self.ids)}

    def of_colour(self, colour: str) -> NDArray[np.bool_]:
        """Rows of a colour: as it is listed or, where none is, as the photo looks."""
        listed, at = self.listed_in(colour), self._learned(colour)
        if at is None:
            return listed
        looks_it: NDArray[np.bool_] = self._colour_chances().argmax(axis=1) == at
        return listed | (self._unlisted() & looks_it)

    def listed_in(self, colour: str) -> NDArray[np.bool_]:
        """Rows of products that are listed in a colour; InputError for one that nobody knows."""
        name = self._named(colour)
        return self._kept(("listed", name), lambda p: p.colour == name)

    def looking_like(
        self, colour: str, kinds: Mapping[str, float], allowed: NDArray[np.bool_], n: int
    ) -> NDArray[np.bool_]:
        """The n allowed rows without a listed colour that, by their photos, are likeliest in one,
        and by their category of the kind; `kinds` are chances by category."""
        at = self._learned(colour)
        if at is None:
            return np.zeros(len(allowed), bool)
        in_colour = self._colour_chances()[:, at].astype(np.float32)
        return likeliest_rows(in_colour, self.kind_of(kinds), allowed & self._unlisted(), n)

    def kind_of(self, kinds: Mapping[str, float]) -> NDArray[np.float64]:
        """How likely each row is of the kind, by its category; `kinds` are chances by category."""
        names, codes = self._categories()
        found: NDArray[np.float64] = np.array([kinds.get(name, 0.0) for name in names])[codes]
        return found

    def of_kind(self, category: str) -> NDArray[np.bool_]:
        """Rows of products that are listed under exactly this category."""
        return self._kept(("kind", category), lambda p: p.category == category)

    def _named(self, colour: str) -> str:
        """A colour as the catalogue writes it."""
        name = next((c for c in self.colours if c.casefold() == colour.strip().casefold()), None)
        if name is None:
            raise InputError(
                f"a colour must be one of the catalogue's, got {colour[:50]!r}; "
                f"choose one of: {', '.join(self.colours) or 'none yet'}"
            )
        return name

    def _learned(self, colour: str) -> int | None:
        """Which of the learned colours it is, None for one that photos do not tell."""
        learned = learned_colours(self._heads)
        name = self._named(colour)
        return learned.index(name) if name in learned else None

    def _unlisted(self) -> NDArray[np.bool_]:
        return self._kept(("unlisted",), lambda p: not p.colour)

    def _colour_chances(self) -> NDArray[np.float16]:
        """How likely every row is in each of the learned colours, by its photo."""
        found: NDArray[np.float16] | None = self._made.get(("seen",))
        if found is None:
            assert self._heads is not None
            head = self._heads.heads["colour"]
            seen = [head.chances(joined(s.vectors)) for s in self._index.segments]
            found = np.concatenate([np.empty((0, len(head.labels))), *seen]).astype(np.float16)
            self._made["seen",] = found
        return found

    def _categories(self) -> tuple[list[str], NDArray[np.int64]]:
        """The categories, and which of them each row has."""
        kept: tuple[list[str], NDArray[np.int64]] | None = self._made.get(("categories",))
        if kept is None:
            found = (self.products.get(product) for product in self.ids)
            each = [p.category if p is not None else "" for p in found]
            names, codes = np.unique(np.array(each, dtype=str), return_inverse=True)
            kept = self._made["categories",] = (names.tolist(), codes)
        return kept

    def _kept(self, key: tuple[Any, ...], fits: Callable[[Product], bool]) -> NDArray[np.bool_]:
        mask = self._made.get(key)
        if mask is None:
            found = (self.products.get(product) for product in self.ids)
            mask = np.fromiter((p is not None and fits(p) for p in found), bool)
            if len(self._made) >= KEPT:
                self._made.clear()
            self._made[key] = mask
        return mask


def passes(product: Product, filters: Filters, words: Sequence[str]) -> bool:
    """Whether a product passes the filters and has every word in title, brand or category."""
    if not allowed(product, filters):
        return False
    text = f"{product.title} {product.brand} {product.category}" if words else ""
    return all(word in text.casefold() for word in words)


def learned_colours(heads: ImageClassifier | None) -> tuple[str, ...]:
    """The colours that can be told from a photo."""
    return heads.heads["colour"].labels if heads and "colour" in heads.heads else ()


def in_colour(
    masks: Masks, colour: str, kinds: Mapping[str, float], allowed: NDArray[np.bool_], n: int
) -> list[NDArray[np.bool_]]:
    """Where to look for a colour, one after the other: among products of the likeliest kind that
    are listed in it, photos without a listed colour that look it, the others that are listed."""
    listed = allowed & masks.listed_in(colour)
    looking = masks.looking_like(colour, kinds, allowed, n)
    if not kinds:
        return [listed, looking]
    of_kind = masks.of_kind(max(kinds, key=lambda kind: kinds[kind]))
    return [listed & of_kind, looking, listed & ~of_kind]
