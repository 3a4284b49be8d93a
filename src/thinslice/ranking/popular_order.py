"""The catalogue by category, popular products first: what fills a list that is too short."""

from __future__ import annotations

from collections.abc import Mapping
from heapq import merge
from typing import TYPE_CHECKING

from thinslice.domain import Scored
from thinslice.ranking.rules import category_steps, in_category

if TYPE_CHECKING:
    from thinslice.domain import Product
    from thinslice.interfaces import Recommender


class PopularOrder:
    """Sorts the catalogue once; then a category costs no more than its own products.

    `others` are the products that nobody has looked at, those with a photo first.
    """

    def __init__(self, popular: Recommender | None, products: Mapping[str, Product]) -> None:
        self._popular: dict[str, list[tuple[int, Scored]]] = {}
        self._others: dict[str, list[Scored]] = {}
        self._remembered: dict[tuple[str, ...], tuple[list[Scored], list[Scored]]] = {}
        ranked = _all_of(popular, len(products)) if popular else []
        for place, candidate in enumerate(ranked):
            product = products.get(candidate.product)
            if product is not None:
                self._popular.setdefault(product.category, []).append((place, candidate))
        known = {candidate.product for candidate in ranked}
        unseen = [product for product in products.values() if product.id not in known]
        unseen.sort(key=lambda product: not product.has_photo)
        self.others = [Scored(product.id, 0.0, None) for product in unseen]
        for product, candidate in zip(unseen, self.others, strict=True):
            self._others.setdefault(product.category, []).append(candidate)

    def inside(self, category: str) -> tuple[list[Scored], list[Scored]]:
        """The products at or below a category: popular ones in order, then those never seen.

        Only categories that have any are remembered: anything may be asked for.
        """
        steps = category_steps(category)
        if steps not in self._remembered:
            popular = merge(*(g for c, g in self._popular.items() if in_category(c, category)))
            others = (g for c, g in self._others.items() if in_category(c, category))
            found = (
                [candidate for _, candidate in popular],
                [candidate for group in others for candidate in group],
            )
            if not any(found):
                return found
            self._remembered[steps] = found
        return self._remembered[steps]


def _all_of(popular: Recommender, n: int) -> list[Scored]:
    while len(ranked := popular.recommend((), max(n, 1))) == n:
        n *= 8
    return ranked
