"""Numbers and products in the words a page uses."""

from __future__ import annotations

from collections.abc import Sequence

from thinslice.domain import Product
from thinslice.ranking.rules import leaf

_COUNTS = (
    *("no", "one", "two", "three", "four", "five", "six"),
    *("seven", "eight", "nine", "ten", "eleven", "twelve"),
)


def count(number: int) -> str:
    """A number as a word where it is small.

    >>> count(4), count(0), count(12345)
    ('four', 'no', '12,345')
    """
    return _COUNTS[number] if 0 <= number < len(_COUNTS) else f"{number:,}"


def shorten(text: str, length: int = 60) -> str:
    """A text that fits on a line.

    >>> shorten("Trail runner, light and blue", 15)
    'Trail runner…'
    """
    text = " ".join(text.split())
    if len(text) <= length:
        return text
    cut = text[:length].rsplit(" ", 1)[0] if " " in text[:length] else text[:length]
    return cut.rstrip(" ,;:-") + "…"


def looked_at(products: Sequence[Product]) -> str:
    """What a visitor was interested in, most looked at first: kinds of product, else titles.

    >>> socks, shoe = Product("1", "Wool socks", "Socks"), Product("2", "Runner", "Running shoes")
    >>> looked_at([shoe, socks, shoe])
    'running shoes and socks'
    """
    tally: dict[str, int] = {}
    for product in products:
        kind = _kind(product)
        tally[kind] = tally.get(kind, 0) + 1
    kinds = sorted(tally, key=lambda kind: -tally[kind])[:2]
    return " and ".join(kinds)


def _kind(product: Product) -> str:
    kind = leaf(product.category)
    if not kind or len(kind) > 40:
        return f"“{shorten(product.title, 50)}”"
    return kind if kind.isupper() else kind[0].lower() + kind[1:]
