"""What lists are ranked for: clicks, orders, or expected margin.

A list maker orders products by how likely they are looked at next. For orders and margin the first
`DEPTH` of them are put in the order of

    the chance that the product at this place is looked at next, as past visits had it
    x what a look at this product is worth (its chance to be bought; that times its margin)

so that what is likely and worth more comes first. For clicks the list stays as it is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from thinslice.domain import CLICKS, Scored

if TYPE_CHECKING:
    from thinslice.interfaces import Recommender

DEPTH = 100
"""Places of a list that an objective may reorder; those behind stay behind, in their order."""


class Worth:
    """What a look at each product is worth; `usual` where a product is not known."""

    def __init__(self, of: Mapping[str, float], usual: float) -> None:
        self.of = of
        self.usual = usual

    def __call__(self, product: str) -> float:
        return self.of.get(product, self.usual)


class RankedFor:
    """A list maker whose first places are ordered by chance times worth. Reasons stay."""

    def __init__(
        self, maker: Recommender, objective: str, chances: Sequence[float], worth: Worth
    ) -> None:
        self.name = maker.name
        self.objective = objective
        self.repeats = bool(getattr(maker, "repeats", False))
        self._maker = maker
        self._chances = chances
        self._worth = worth

    def recommend(
        self, session: Sequence[str], n: int, *, now_us: int | None = None
    ) -> list[Scored]:
        """The n best products for a session; see `interfaces.Recommender`."""
        if n < 1:
            return []
        found = self._maker.recommend(session, max(n, DEPTH), now_us=now_us)
        order = reordered([s.product for s in found], self.objective, self._chances, self._worth)
        return [found[place]._replace(score=score) for place, score in order[:n]]


def reordered(
    products: Sequence[str], objective: str, chances: Sequence[float], worth: Worth
) -> list[tuple[int, float]]:
    """The places of a list in their new order, each with chance times worth; ties stay in order."""
    depth = min(len(products), len(chances))
    values = [
        chances[place] * (1.0 if objective == CLICKS else worth(products[place]))
        for place in range(depth)
    ]
    first = sorted(range(depth), key=lambda place: -values[place])
    behind = min(values, default=0.0)
    return [(p, values[p]) for p in first] + [(p, behind) for p in range(depth, len(products))]
