"""The bodies of the addresses for titles."""

from __future__ import annotations

from typing import Annotated

import msgspec
from msgspec import Meta

from thinslice.server.api.schemas import Id

TitleText = Annotated[str, Meta(max_length=10_000)]


class ClassifyTitleBody(msgspec.Struct, forbid_unknown_fields=True):
    """The titles to classify: `title` for one, `titles` for up to 1000."""

    title: TitleText | None = None
    titles: Annotated[list[TitleText], Meta(max_length=1000)] = []


class Alternative(msgspec.Struct):
    """Another category, and how likely it is."""

    category: str
    confidence: float


class SpokenWord(msgspec.Struct):
    """A word of the cleaned title, and what it added to the score of the likeliest category."""

    word: str
    weight: float


class TitleCategory(msgspec.Struct):
    """The category of one title; `needs_person` says whether someone should look, `why` why."""

    category: str
    confidence: float
    needs_person: bool
    verdict: str
    why: str
    likeliest: str
    alternatives: list[Alternative]
    words: list[SpokenWord]


class ClassifyTitleAnswer(msgspec.Struct):
    """The categories, in the order of the titles, and the version that answered."""

    model_version: str | None
    answers: list[TitleCategory]


class TitleCorrection(msgspec.Struct, forbid_unknown_fields=True):
    """What the category of a title really is; `product_id` where the catalogue has it."""

    title: Annotated[str, Meta(min_length=1, max_length=10_000)]
    category: Annotated[str, Meta(min_length=1, max_length=500)]
    product_id: Id | None = None


class CorrectTitlesBody(msgspec.Struct, forbid_unknown_fields=True):
    """People's corrections, kept all or, if one is wrong, none; `who` says who made them."""

    corrections: Annotated[list[TitleCorrection], Meta(min_length=1, max_length=1000)]
    who: Annotated[str, Meta(max_length=200)] = ""


class CorrectTitlesAnswer(msgspec.Struct):
    """How many corrections are on disk; they are learned from within seconds."""

    kept: int
