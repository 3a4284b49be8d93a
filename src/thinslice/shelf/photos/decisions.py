"""What people say about photos: kept for good, taken back when asked, learned from.

A photo is one of a product, named by its id, or one that somebody asked about, which is kept small
until it is decided and is named by its bytes. A decision is about one attribute of a photo.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from thinslice.errors import InputError
from thinslice.store.photos import PhotoStore
from thinslice.store.title_reviews import Correction, TitleReviews

ASKED = "asked/"
"""What the name of a photo begins with that is no product's."""

_BETWEEN = "\n"


@dataclass(frozen=True, slots=True)
class Waiting:
    """A photo that was asked about and whose attribute waits for a person; `name` is its file's."""

    photo: str
    attribute: str
    name: str
    times: int


class PhotoDecisions:
    """One shop's decisions on photos. Safe to share between threads and processes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.pictures = PhotoStore(folder / "asked")

    @cached_property
    def _reviews(self) -> TitleReviews:
        return TitleReviews(self._folder / "reviews.sqlite")

    def decide(
        self, photo: str, attribute: str, label: str, *, was: str = "", who: str = ""
    ) -> None:
        """Keep a person's word, on disk when this returns; InputError for no label."""
        if not label.strip():
            raise InputError(f"a photo is given a {attribute}, got none; choose one")
        product = None if photo.startswith(ASKED) else photo
        key = _key(photo, attribute)
        said = Correction(key, label.strip(), was=was, who=who, product=product, key=key)
        self._reviews.correct([said])

    def none_fits(self, photo: str, attribute: str) -> None:
        """A person looked, and no label fits: the photo waits no longer, undecided."""
        self._reviews.set_aside([_key(photo, attribute)])

    def take_back(self, photo: str, attribute: str, *, name: str = "", who: str = "") -> None:
        """Undo the latest word; a photo that was asked about waits again."""
        key = _key(photo, attribute)
        product = "" if photo.startswith(ASKED) else photo
        self._reviews.take_back(key, _BETWEEN.join((key, name)), product=product, who=who)

    def wait(self, name: str, data: bytes, attributes: Iterable[str]) -> str:
        """Keep a photo that was asked about for a person to look at; returns what it is called."""
        photo = ASKED + hashlib.sha256(data).hexdigest()[:32]
        self.pictures.put(photo, data)
        keys = [_key(photo, attribute) for attribute in attributes]
        self._reviews.wait((key, _BETWEEN.join((key, name[:200]))) for key in keys)
        return photo

    def waiting(self) -> list[Waiting]:
        """The photos that were asked about and that nobody has decided."""
        found = []
        for text, times in self._reviews.waiting():
            attribute, photo, *name = text.split(_BETWEEN)
            found.append(Waiting(photo, attribute, _BETWEEN.join(name), times))
        return found

    def spoken_on(self) -> set[tuple[str, str]]:
        """(photo, attribute) of what a person has decided or set aside."""
        aside = {_parts(key) for key in self._reviews.aside()}
        return aside | {(p, a) for a, known in self.decided().items() for p in known}

    def decided(self) -> dict[str, dict[str, str]]:
        """The latest word: labels by photo, by attribute."""
        latest = {c.key: c.category for c in self._reviews.corrections()}
        found: dict[str, dict[str, str]] = {}
        for key, label in latest.items():
            photo, attribute = _parts(key)
            if label:
                found.setdefault(attribute, {})[photo] = label
        return found

    def rows(self) -> list[list[str]]:
        """Every decision that stands, as (photo, attribute, was, is, who)."""
        latest = {c.key: c for c in self._reviews.corrections()}
        return [[*_parts(k), c.was, c.category, c.who] for k, c in latest.items() if c.category]

    def last_number(self) -> int:
        """The number of the latest word, 0 before the first."""
        return self._reviews.last_number()


def _key(photo: str, attribute: str) -> str:
    return _BETWEEN.join((attribute, photo))


def _parts(key: str) -> tuple[str, str]:
    """(photo, attribute)"""
    attribute, _, photo = key.partition(_BETWEEN)
    return photo, attribute
