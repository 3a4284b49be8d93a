"""The answers of the addresses for photos."""

from __future__ import annotations

import msgspec


class FoundProduct(msgspec.Struct):
    """A product that was found: `score` is 1 for the same picture, `why` says what is alike.

    `by_part` has the cosine of each part: style, identity, shape and colour; none where only words
    were asked for, and 1 is then for all of the words in every place.
    """

    product_id: str
    title: str
    category: str
    price: float | None
    currency: str
    url: str
    photo: str | None
    score: float
    why: str
    by_part: dict[str, float]


class LikelyLabel(msgspec.Struct):
    """Another label, and how likely it is."""

    label: str
    confidence: float


class PhotoLabel(msgspec.Struct):
    """What a photo shows, for one attribute; `needs_person` says whether someone should look."""

    attribute: str
    label: str
    confidence: float
    needs_person: bool
    alternatives: list[LikelyLabel]


class SearchImageAnswer(msgspec.Struct):
    """What looks most like the photo, best first, and what the photo shows.

    `note` says where results are rough in this shop.
    """

    products: list[FoundProduct]
    labels: list[PhotoLabel]
    note: str


class SimilarAnswer(msgspec.Struct):
    """The products that look most like one of the catalogue, or that words describe, best first."""

    products: list[FoundProduct]


class ClassifyImageAnswer(msgspec.Struct):
    """What a photo shows, attribute by attribute, and the version that answered."""

    model_version: str | None
    labels: list[PhotoLabel]
