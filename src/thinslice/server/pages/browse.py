"""Finding a product to begin a visit with: words in titles, and the categories there are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from thinslice.domain import Product
from thinslice.ranking.rules import leaf

_MAX_WORDS = 8


@dataclass(frozen=True, slots=True)
class Category:
    """One category that can be opened: `path` is what a filter takes."""

    path: str
    name: str
    products: int


class Browser:
    """A catalogue prepared for looking things up; made once per snapshot of it."""

    def __init__(self, products: Mapping[str, Product]) -> None:
        self.products = products

    def search(self, text: str, limit: int) -> tuple[list[Product], int]:
        """The first products that have every word, and how many there are."""
        words = text.casefold().split()[:_MAX_WORDS]
        if not words:
            return [], 0
        found = [p for haystack, p in self._texts if all(word in haystack for word in words)]
        return found[:limit], len(found)

    def within(self, path: str) -> int:
        """How many products a category has, those of its sub-categories included."""
        return self._counts.get(path, 0)

    @cached_property
    def _texts(self) -> list[tuple[str, Product]]:
        return [
            (f"{p.title} {p.category} {p.brand} {p.id}".casefold(), p)
            for p in self.products.values()
            if not p.hidden
        ]

    @cached_property
    def _counts(self) -> dict[str, int]:
        counts: dict[str, int] = {}
        for product in self.products.values():
            if product.hidden or not product.category:
                continue
            parts = [part.strip() for part in product.category.split(">")]
            for depth in range(1, len(parts) + 1):
                path = " > ".join(parts[:depth])
                counts[path] = counts.get(path, 0) + 1
        return counts

    @cached_property
    def leaves(self) -> list[Category]:
        """The most specific categories, the largest first."""
        parents = {path.rsplit(" > ", 1)[0] for path in self._counts if " > " in path}
        return self._sorted(path for path in self._counts if path not in parents)

    @cached_property
    def first(self) -> list[Category]:
        """The widest categories that leave a choice, the largest first."""
        found = self._sorted(path for path in self._counts if " > " not in path)
        while len(found) == 1 and (below := self.below(found[0].path)):
            found = below
        return found

    def below(self, path: str) -> list[Category]:
        """The categories one step below `path`, the largest first."""
        prefix = f"{path} > "
        return self._sorted(
            p for p in self._counts if p.startswith(prefix) and " > " not in p[len(prefix) :]
        )

    def _sorted(self, paths: Iterable[str]) -> list[Category]:
        categories = [Category(p, leaf(p), self._counts[p]) for p in paths]
        return sorted(categories, key=lambda c: (-c.products, c.path))
