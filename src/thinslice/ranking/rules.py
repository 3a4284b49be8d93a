"""What may be shown of the products by themselves: hard rules, never bent to fill a list."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from thinslice.domain import Filters, Product


def allowed(product: Product, filters: Filters) -> bool:
    """Whether a product may be shown under the filters."""
    return why_not(product, filters) is None


def why_not(product: Product, filters: Filters) -> str | None:
    """The first rule that a product breaks, None where it may be shown.

    A hidden product never is. A product of unknown stock counts as in stock; one of unknown price
    fails every price filter, since it cannot be shown to meet it. A category holds all below it.
    """
    if product.hidden:
        return "hidden"
    if product.id in filters.exclude:
        return "excluded"
    if filters.in_stock and product.stock is not None and product.stock <= 0:
        return "out_of_stock"
    if filters.category and not in_category(product.category, filters.category):
        return "category_filter"
    if not price_allowed(product.price_minor, filters.price_min_minor, filters.price_max_minor):
        return "price_filter"
    return None


def in_category(category: str, parent: str) -> bool:
    """Whether a category path is `parent` or lies below it; case and spaces do not matter.

    >>> in_category("Home > Lighting > Lamps", "home>lighting")
    True
    >>> in_category("Home > Lightings", "Home > Lighting")
    False
    """
    path, start = category_steps(category), category_steps(parent)
    return path[: len(start)] == start


def leaf(category: str) -> str:
    """The last step of a category path.

    >>> leaf("Home > Lighting > Lamps")
    'Lamps'
    """
    return category.rsplit(">", 1)[-1].strip()


@lru_cache(maxsize=65_536)
def category_steps(category: str) -> tuple[str, ...]:
    return tuple(" ".join(step.split()).casefold() for step in category.split(">") if step.strip())


def price_allowed(price: float | None, low: float | None, high: float | None) -> bool:
    """Whether a price lies between two limits, both included; an unknown one meets no limit."""
    if low is None and high is None:
        return True
    if price is None:
        return False
    return (low is None or price >= low) and (high is None or price <= high)
