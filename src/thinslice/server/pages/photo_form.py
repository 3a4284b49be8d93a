"""What is asked on the photo page: what to look for, and what may be found.

A photo becomes a few hundred numbers, its vectors. They live in the page as one field, `seen`, so
that moving a slider sends them and not the photo again, and the service keeps nothing.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import numpy as np

from thinslice.domain import Filters
from thinslice.errors import InputError
from thinslice.server.pages.address import price_minor
from thinslice.shelf.photos.gallery import PhotoWish
from thinslice.shelf.photos.weights import balanced

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.interfaces import Encoder

    Vectors = Mapping[str, NDArray[np.floating[Any]]]

N_FOUND = 24
USUAL = 0.5
"""Where the slider of shape against colour stands at first."""

_MOST_TEXT = 200
_MOST_SEEN = 20_000


@dataclass(frozen=True, slots=True)
class PhotoForm:
    """What was typed, chosen and moved. Without `product`, `seen` and `text` nothing is looked for
    yet."""

    product: str = ""
    seen: str = ""
    colour: str = ""
    balance: float = USUAL
    category: str = ""
    low: str = ""
    high: str = ""
    in_stock: bool = False
    words: str = ""
    text: str = ""
    others: int = 0

    @classmethod
    def of(cls, sent: Mapping[str, Any]) -> PhotoForm:
        """Read an address or a form; what cannot be read is as if it were not there."""

        def text(name: str, most: int = _MOST_TEXT) -> str:
            value = sent.get(name)
            return value.strip()[:most] if isinstance(value, str) else ""

        others = text("others")
        return cls(
            product=text("product"),
            seen=text("seen", _MOST_SEEN),
            colour=text("colour"),
            balance=_share(text("balance")),
            category=text("category"),
            low=text("low", 20),
            high=text("high", 20),
            in_stock=text("stock") == "in",
            words=text("words"),
            text=text("text"),
            others=int(others) % 1000 if others.isascii() and others.isdigit() else 0,
        )

    def wish(self, currency: str) -> PhotoWish:
        """What may be found, as the search takes it; a price that is not a number is no filter.

        Where another colour is asked for, that of the photo counts for nothing, and the slider
        between it and the shape has nothing to say.
        """
        return PhotoWish(
            n=N_FOUND,
            weights={} if self.colour or self.balance == USUAL else balanced(self.balance),
            filters=Filters(
                in_stock=self.in_stock,
                category=self.category or None,
                price_min_minor=price_minor(self.low, currency),
                price_max_minor=price_minor(self.high, currency),
            ),
            colour=self.colour or None,
            words=self.words,
            text=self.text,
        )

    @property
    def by_words(self) -> bool:
        """Whether only words are asked for, and no picture."""
        return bool(self.text) and not (self.seen or self.product)

    @property
    def narrowed(self) -> bool:
        """Whether a filter is in force."""
        return any((self.category, self.low, self.high, self.in_stock, self.words))

    def link(self, shop: str) -> str:
        """The address that shows the same for a product of the catalogue or for words; a photo has
        none."""
        fields = {
            "product": self.product,
            "text": self.text,
            "colour": self.colour,
            "balance": "" if self.balance == USUAL else f"{self.balance:g}",
            "category": self.category,
            "low": self.low,
            "high": self.high,
            "stock": "in" if self.in_stock else "",
            "words": self.words,
        }
        query = urlencode({k: v for k, v in fields.items() if v}, quote_via=quote)
        has_one = self.product or self.by_words
        return photo_page(shop) + (f"?{query}" if query and has_one else "")


def photo_page(shop: str) -> str:
    return f"/{quote(shop, safe='')}/photo"


def like(shop: str, product: str) -> str:
    """The address that shows what looks like a product."""
    return PhotoForm(product=product).link(shop)


def to_field(vectors: Vectors, encoder: Encoder) -> str:
    """The vectors of a photo as text for a field of the page, some two thousand characters."""
    parts = [np.asarray(vectors[part], "<f2").tobytes() for part in sorted(encoder.dimensions)]
    return f"{encoder.hash[:16]}.{base64.urlsafe_b64encode(b''.join(parts)).decode()}"


def from_field(text: str, encoder: Encoder) -> dict[str, NDArray[np.float32]]:
    """The vectors that `to_field` wrote, of unit length.

    Raises InputError for those of another encoder, and for what it never wrote.
    """
    made_by, _, encoded = text.partition(".")
    if made_by != encoder.hash[:16]:
        raise InputError(
            "a photo is compared with those of the shop as they were indexed, and they were "
            "indexed anew meanwhile; choose the photo again"
        )
    try:
        values = np.frombuffer(base64.b64decode(encoded, altchars=b"-_", validate=True), "<f2")
    except (binascii.Error, ValueError):
        values = np.empty(0, "<f2")
    if len(values) != sum(encoder.dimensions.values()) or not np.isfinite(values).all():
        raise InputError("what the page remembered of the photo is damaged; choose the photo again")
    found, start = {}, 0
    for part in sorted(encoder.dimensions):
        vector = values[start : start + encoder.dimensions[part]].astype(np.float32)
        found[part] = vector / max(float(np.linalg.norm(vector)), 1e-6)
        start += encoder.dimensions[part]
    return found


def _share(text: str) -> float:
    """A share from 0 to 1 as typed, else the usual one."""
    try:
        value = float(text)
    except ValueError:
        return USUAL
    return round(value, 3) if 0 <= value <= 1 else USUAL
