"""What may be shown: hard rules, never bent to fill a list."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thinslice.domain import Filters, Product


def allowed(product: Product, filters: Filters) -> bool:
    """Whether a product may be shown under the filters.

    A hidden product never is. A product of unknown stock counts as in stock; one of unknown price
    fails every price filter, since it cannot be shown to meet it. A category holds all below it.
    """
    if product.hidden or product.id in filters.exclude:
        return False
    if filters.in_stock and not product.in_stock:
        return False
    if filters.category and not in_category(product.category, filters.category):
        return False
    return _price_allowed(product.price_minor, filters)


def in_category(category: str, parent: str) -> bool:
    """Whether a category path is `parent` or lies below it; case and spaces do not matter.

    >>> in_category("Home > Lighting > Lamps", "home>lighting")
    True
    >>> in_category("Home > Lightings", "Home > Lighting")
    False
    """
    path, start = _steps(category), _steps(parent)
    return path[: len(start)] == start


def leaf(category: str) -> str:
    """The last step of a category path.

    >>> leaf("Home > Lighting > Lamps")
    'Lamps'
    """
    return category.rsplit(">", 1)[-1].strip()


@lru_cache(maxsize=65_536)
def _steps(category: str) -> tuple[str, ...]:
    return tuple(" ".join(step.split()).casefold() for step in category.split(">") if step.strip())


def _price_allowed(price_minor: int | None, filters: Filters) -> bool:
    low, high = filters.price_min_minor, filters.price_max_minor
    if low is None and high is None:
        return True
    if price_minor is None:
        return False
    return (low is None or price_minor >= low) and (high is None or price_minor <= high)
