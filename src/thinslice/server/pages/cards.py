"""A product as the pages show it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from thinslice.domain import Product
from thinslice.server.pages.address import photo_address
from thinslice.server.pages.words import shorten


@dataclass(frozen=True, slots=True)
class Card:
    """A product, its picture and where a click on it leads."""

    product: Product
    photo: str
    href: str
    reason: str = ""
    badge: str = ""
    state: str = ""
    fate: str = ""


def card(
    shop: str, product: Product, href: str, reason: str = "", badge: str = "", state: str = ""
) -> Card:
    """The card of a product; one that is sold out says so."""
    return Card(
        product=product,
        photo=photo_address(shop, product.id),
        href=href,
        reason=shorten(reason, 120),
        badge=badge,
        state=state or ("" if product.in_stock else "out"),
        fate="" if product.in_stock else stock(product),
    )


def named(products: Mapping[str, Product], product_id: str) -> Product:
    """The product; one without a title, or unknown to the catalogue, goes by its id."""
    product = products.get(product_id) or Product(product_id, product_id)
    return product if product.title.strip() else replace(product, title=product.id)


def stock(product: Product) -> str:
    """Whether a product can be had, in the words of a shop; empty where nobody knows.

    >>> stock(Product("p", "Lamp", stock=2)), stock(Product("p", "Lamp"))
    ('Only 2 left', '')
    """
    if product.hidden:
        return "No longer sold"
    if product.stock is None:
        return ""
    if product.stock <= 0:
        return "Sold out"
    return f"Only {product.stock} left" if product.stock <= 5 else "In stock"
