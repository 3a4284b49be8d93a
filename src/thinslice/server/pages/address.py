"""The storefront's state, all of it in the address: it can be shared, and "back" works.

`/nord/shop?trail=p1,p2,p3` is a visit of three products. Nothing is kept on the server, and
nothing that a colleague clicks here reaches the shop's log.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from urllib.parse import quote, urlencode

from thinslice.domain import Filters, minor_digits

MAX_TRAIL = 20
"""Products of a visit that the address carries, the latest ones."""
_MAX_TEXT = 200


@dataclass(frozen=True, slots=True)
class View:
    """What the storefront shows: the visit so far, what is looked for, and what may be shown."""

    shop: str
    trail: tuple[str, ...] = ()
    search: str = ""
    browse: str = ""
    category: str = ""
    low: str = ""
    high: str = ""
    any_stock: bool = False

    @classmethod
    def of(cls, shop: str, query: Mapping[str, str]) -> View:
        """Read an address; what it has too much of is cut off."""

        def text(name: str) -> str:
            return query.get(name, "").strip()[:_MAX_TEXT]

        return cls(
            shop=shop,
            trail=read_trail(query.get("trail", "")),
            search=text("q"),
            browse=text("browse"),
            category=text("category"),
            low=text("low")[:20],
            high=text("high")[:20],
            any_stock=query.get("stock") == "any",
        )

    @property
    def href(self) -> str:
        """The address of this view."""
        fields = {"trail": write_trail(self.trail), "q": self.search, "browse": self.browse}
        fields |= self.filter_fields()
        query = urlencode({k: v for k, v in fields.items() if v}, safe=",~", quote_via=quote)
        return f"/{quote(self.shop, safe='')}/shop" + (f"?{query}" if query else "")

    def filter_fields(self) -> dict[str, str]:
        """The filters as address fields; empty ones stand for no filter."""
        return {
            "category": self.category,
            "low": self.low,
            "high": self.high,
            "stock": "any" if self.any_stock else "",
        }

    def opened(self, product: str) -> View:
        """The view after the visitor opens a product."""
        trail = self.trail if self.trail[-1:] == (product,) else (*self.trail, product)
        return replace(self, trail=trail[-MAX_TRAIL:], search="", browse="")

    def without(self, position: int) -> View:
        """The view had the visitor not opened the product at `position`."""
        trail = self.trail[:position] + self.trail[position + 1 :]
        return replace(self, trail=trail, search="", browse="")

    def filters(self, currency: str) -> Filters:
        """The filters as the engine takes them; a price that is not a number is no filter."""
        return Filters(
            in_stock=not self.any_stock,
            category=self.category or None,
            price_min_minor=price_minor(self.low, currency),
            price_max_minor=price_minor(self.high, currency),
        )

    @property
    def filtered(self) -> bool:
        return any(self.filter_fields().values())


def write_trail(products: tuple[str, ...]) -> str:
    """Product ids as one field; `~` and `,` within an id are escaped as in a JSON pointer.

    >>> write_trail(("a", "b,c", "d~"))
    'a,b~1c,d~0'
    """
    return ",".join(p.replace("~", "~0").replace(",", "~1") for p in products)


def read_trail(field: str) -> tuple[str, ...]:
    """The product ids of a field that `write_trail` wrote.

    >>> read_trail("a,b~1c,d~0")
    ('a', 'b,c', 'd~')
    """
    ids = (part.replace("~1", ",").replace("~0", "~") for part in field.split(",") if part)
    return tuple(id_ for id_ in ids if len(id_) <= _MAX_TEXT)[-MAX_TRAIL:]


def price_minor(text: str, currency: str) -> int | None:
    """A typed price in minor units, None where it is not one.

    >>> price_minor("19,90", "EUR"), price_minor("1500", "JPY"), price_minor("cheap", "EUR")
    (1990, 1500, None)
    """
    cleaned = text.replace(",", ".").replace(" ", "").lstrip("€$£")
    try:
        amount = float(cleaned)
    except ValueError:
        return None
    if not 0 <= amount < 1e12:
        return None
    return int(round(amount * 10.0 ** minor_digits(currency)))


def photo_address(shop: str, product: str) -> str:
    """Where a product's picture is; an id that a browser would read as a folder goes as a field.

    >>> photo_address("nord", "a/b c"), photo_address("nord", "..")
    ('/nord/photos/a%2Fb%20c', '/nord/photos/?id=..')
    """
    base = f"/{quote(shop, safe='')}/photos/"
    if any(segment in ("", ".", "..") for segment in product.split("/")):
        return f"{base}?{urlencode({'id': product}, quote_via=quote)}"
    return base + quote(product, safe="")
