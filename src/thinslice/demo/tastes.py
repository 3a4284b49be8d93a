"""What shoppers like, and so what a good list is: the answers that the simulation knows.

A taste is a kind, a style and a price band. How well a product fits a taste is the product of
three numbers between 0 and 1; everything that a shopper does follows from it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thinslice.demo.catalogue import BANDS, KINDS, STYLES, Catalogue

SAME_DEPARTMENT_FIT = 0.1
OTHER_KIND_FIT = 0.02
OTHER_STYLE_FIT = 0.05
BAND_FIT = (1.0, 0.5, 0.2)
"""By the distance of the price band from the one that the shopper has in mind."""

KIND_SHARE = (0.16, 0.14, 0.10, 0.07, 0.10, 0.11, 0.07, 0.09, 0.09, 0.07)
BAND_SHARE = (0.35, 0.42, 0.23)


class Taste(NamedTuple):
    """What a shopper came for: positions in KINDS, STYLES and BANDS."""

    kind: int
    style: int
    band: int

    @property
    def number(self) -> int:
        return (self.kind * len(STYLES) + self.style) * len(BANDS) + self.band


TASTES = tuple(
    Taste(k, s, b) for k in range(len(KINDS)) for s in range(len(STYLES)) for b in range(len(BANDS))
)


@dataclass(frozen=True)
class Tastes:
    """The tastes over one catalogue, as tables by taste number and catalogue position.

    `fit` (T, P): how well a product fits, 0 to 1. `browse` (T, P): the chance that a shopper of
    this taste opens the product unprompted, as a running total. `popular` (P,): the same over all
    shoppers together. `share` (T,): how many shoppers have the taste, as a running total.
    """

    catalogue: Catalogue
    fit: NDArray[np.float64]
    browse: NDArray[np.float64]
    popular: NDArray[np.float64]
    share: NDArray[np.float64]

    def best(self, taste: Taste, n: int) -> list[str]:
        """The right recommendation: the products in stock that fit the taste best."""
        fit = self.fit[taste.number] * _in_stock(self.catalogue)
        order = np.argsort(-fit, kind="stable")[:n]
        return [self.catalogue.products[i].id for i in order]

    def demand(self) -> NDArray[np.float64]:
        """How often each product is looked at, as a share of all looks."""
        return np.diff(self.popular, prepend=0.0)


def make_tastes(catalogue: Catalogue) -> Tastes:
    """Work out who likes what in a catalogue."""
    fit = _fit(catalogue)
    looked_at = (fit + 0.004) * catalogue.column("appeal") * (0.25 + 0.75 * _in_stock(catalogue))
    looked_at /= looked_at.sum(axis=1, keepdims=True)
    share = np.array([KIND_SHARE[t.kind] * BAND_SHARE[t.band] for t in TASTES]) / len(STYLES)
    return Tastes(
        catalogue,
        fit,
        browse=np.cumsum(looked_at, axis=1),
        popular=np.cumsum(share @ looked_at),
        share=np.cumsum(share),
    )


def _fit(catalogue: Catalogue) -> NDArray[np.float64]:
    departments = np.array([kind.department for kind in KINDS])
    kind, style, band = (catalogue.column(name) for name in ("kind", "style", "band"))
    rows = []
    for taste in TASTES:
        near = np.where(
            departments[kind] == departments[taste.kind], SAME_DEPARTMENT_FIT, OTHER_KIND_FIT
        )
        by_kind = np.where(kind == taste.kind, 1.0, near)
        by_style = np.where(style == taste.style, 1.0, OTHER_STYLE_FIT)
        rows.append(by_kind * by_style * np.array(BAND_FIT)[np.abs(band - taste.band)])
    return np.array(rows)


def _in_stock(catalogue: Catalogue) -> NDArray[np.float64]:
    return np.array([float(product.in_stock) for product in catalogue.products])


def best_sellers_of_the_category(tastes: Tastes, n: int = 12) -> dict[str, tuple[str, ...]]:
    """A plausible and dull list per product: what sells best in its category, the same for all."""
    catalogue, demand = tastes.catalogue, tastes.demand()
    order = [catalogue.products[i] for i in np.argsort(-demand, kind="stable")]
    return {
        product.id: tuple(
            other.id for other in order if other.category == product.category and other != product
        )[:n]
        for product in catalogue.products
    }


def slow_sellers(
    tastes: Tastes, rng: np.random.Generator, n: int = 12
) -> dict[str, tuple[str, ...]]:
    """A list per product of what nobody looks at: the clearance corner."""
    catalogue, demand = tastes.catalogue, tastes.demand()
    slow = [catalogue.products[i].id for i in np.argsort(demand, kind="stable")[: 4 * n]]
    return {
        product.id: tuple(str(p) for p in rng.permutation(slow) if p != product.id)[:n]
        for product in catalogue.products
    }
