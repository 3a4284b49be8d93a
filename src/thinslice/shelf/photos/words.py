"""Which products do words describe? By their titles, brands, categories and colours.

Where a product has no category or colour of its own, what its photo surely shows speaks for it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from thinslice.domain import Product
from thinslice.index.vector_index import VectorIndex
from thinslice.index.words import Found, WordIndex, words_of
from thinslice.models.photos.classifier import ImageClassifier, joined
from thinslice.ranking.rules import leaf

if TYPE_CHECKING:
    from numpy.typing import NDArray

FIELDS = {
    "its colour": 2.0,
    "its category": 2.0,
    "its photo": 1.5,
    "its title": 1.0,
    "its brand": 1.0,
    "a wider category": 0.5,
}
"""Where a word may stand, and what that counts; a colour or a kind is what the thing is, while a
title may name it for another reason ("Red Tape")."""

SEEN = 0.5
"""A chance from which what a photo shows speaks for a product that has no such label."""


class ProductWords:
    """The words of a catalogue as it was at one moment."""

    def __init__(
        self,
        index: VectorIndex,
        products: Mapping[str, Product],
        heads: ImageClassifier | None,
        before: ProductWords | None = None,
    ) -> None:
        self.products = products
        self.revision = index.revision
        self.ids = list(products)
        self._place = {product: row for row, product in enumerate(self.ids)}
        self._of_index = np.array([self._place.get(i, -1) for i in index.ids], np.int64)
        seen = _seen(index, products, heads)
        self._texts = [_texts(product, seen.get(i, "")) for i, product in products.items()]
        known: WordIndex | None = before._index if before is not None else None
        self._index: WordIndex = (
            known  # prices and stocks change far more often than words
            if known is not None and before is not None and before._texts == self._texts
            else WordIndex(self._texts, list(FIELDS.values()), known)
        )

    def find(self, text: str) -> Found:
        """The products that have the words of a text; rows in the order of `ids`."""
        return self._index.find(text)

    def described(self, found: Found) -> NDArray[np.float32]:
        """The scores of what was found for each row of the index, 0 for what does not match."""
        scores = np.append(np.where(found.matches(), found.scores, 0), np.float32(0))
        return scores[self._of_index]

    def why(self, words: Sequence[str], product: str) -> str:
        """Which words a product has, and where: the strongest place of each."""
        row = self._place[product]
        places: dict[str, list[str]] = {}
        names = list(FIELDS)
        for word in words:
            if fields := self._index.fields(word, row):
                places.setdefault(names[fields[0]], []).append(word)
        return ", ".join(f"“{' '.join(said)}” by {place}" for place, said in places.items())


def colour_in(text: str, colours: Sequence[str]) -> tuple[str | None, str]:
    """The colour that a text names, the longest where it names several, and the words beside it.

    >>> colour_in("navy blue linen shirts", ["Blue", "Navy Blue"])
    ('Navy Blue', 'linen shirt')
    >>> colour_in("with long sleeves", ["Red"])
    (None, 'long sleeve')
    """
    words = words_of(text)
    for colour in sorted(colours, key=lambda c: -len(words_of(c))):
        name = words_of(colour)
        for start in range(len(words) - len(name) + 1 if name else 0):
            if words[start : start + len(name)] == name:
                return colour, " ".join(words[:start] + words[start + len(name) :])
    return None, " ".join(words)


def _texts(product: Product, seen: str) -> tuple[str, ...]:
    """In the order of FIELDS."""
    wider = product.category.rpartition(">")[0]
    return product.colour, leaf(product.category), seen, product.title, product.brand, wider


def _seen(
    index: VectorIndex, products: Mapping[str, Product], heads: ImageClassifier | None
) -> dict[str, str]:
    """What photos surely show of products that lack a category or a colour."""
    found: dict[str, str] = {}
    for attribute in ("category", "colour"):
        head = heads.heads.get(attribute) if heads else None
        for segment in index.segments if head else ():
            rows = [
                row
                for row, product in enumerate(segment.ids)
                if segment.alive[row] and _lacks(products.get(product), attribute)
            ]
            if head and rows:
                vectors = {part: each[rows] for part, each in segment.vectors.items()}
                chances = head.chances(joined(vectors))
                for row, best in enumerate(chances.argmax(axis=1)):
                    if chances[row, best] >= SEEN:
                        product = segment.ids[rows[row]]
                        found[product] = f"{found.get(product, '')} {leaf(head.labels[best])}"
    return found


def _lacks(product: Product | None, attribute: str) -> bool:
    return product is not None and not product.label(attribute)
