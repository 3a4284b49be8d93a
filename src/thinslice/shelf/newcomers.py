"""Products that no session of the model has: found through what they look like.

    a new product ─▶ the known ones with the nearest title and photo, in its own category
        is viewed      ─▶ the model hears the nearest known one in its place
        a known one of these is listed ─▶ the new one stands below it, "New, looks like ..."

New ones take at most every fifth place of a list. Titles are of `models`, photos of the index;
they meet here, a few products at a time, while nobody waits.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

from thinslice.domain import Scored
from thinslice.models.titles.nearness import TitleNearness

if TYPE_CHECKING:
    from thinslice.domain import Product
    from thinslice.interfaces import Recommender

NEAREST = 5
"""Known products that a new one is said to look like."""

AT_A_TIME = 10
EVERY = 5
"""Of so many places one at most goes to a new product."""

LEAST = 0.3
"""How alike two products must be, at least, from 0 to 1."""

WORTH = 0.7
"""What a new product is worth beside a known one that it looks just like."""

ROOM = 40
"""Products of a list beside which new ones are looked for."""

REREAD_SHARE = 0.05
"""The share by which the catalogue grows before its titles are read anew."""

Near = tuple[tuple[str, float], ...]
"""Known products and how alike they are, from 0 to 1, the nearest first."""


@dataclass(frozen=True)
class Newcomers:
    """Both ways: what each new product looks like, and the new ones that look like a known one."""

    looks_like: Mapping[str, Near] = field(default_factory=dict)
    lookalikes: Mapping[str, Near] = field(default_factory=dict)


class NewcomerSearch:
    """Finds what new products look like, some at a time; `found` is what is known so far."""

    def __init__(self, nearest_by_photo: Callable[[str, int], list[Scored]]) -> None:
        self._nearest_by_photo = nearest_by_photo
        self.found = Newcomers()
        self._asked: tuple[int, object] = (-1, None)
        self._looks_like: dict[str, Near] = {}
        self._waiting: list[str] = []
        self._ids: list[str] = []
        self._titles: TitleNearness | None = None

    def look(
        self,
        products: Mapping[str, Product],
        known: Callable[[str], bool],
        version: object,
        *,
        at_a_time: int = AT_A_TIME,
    ) -> bool:
        """Look at some of the new products; False when none was left to look at."""
        if self._asked != (len(products), version):
            self._begin(products, known)
            self._asked = (len(products), version)
        if not self._waiting:
            return False
        for _ in range(min(at_a_time, len(self._waiting))):
            if (product := products.get(self._waiting.pop())) is not None:
                self._looks_like[product.id] = self._nearest(product, products, known)
        self._publish()
        return True

    def _begin(self, products: Mapping[str, Product], known: Callable[[str], bool]) -> None:
        """Keep what was found of those that are new still; the last of the catalogue come first."""
        new = [p.id for p in products.values() if not p.hidden and not known(p.id)]
        if self._titles is None or len(products) > len(self._ids) * (1 + REREAD_SHARE):
            self._ids = list(products)
            self._titles = TitleNearness([products[id].title for id in self._ids])
            self._looks_like = {}
        still = set(new)
        kept = {
            p: near
            for p, near in self._looks_like.items()
            if p in still and all(known(other) for other, _ in near)
        }
        self._looks_like = kept
        self._waiting = [p for p in new if p not in kept]
        self._publish()

    def _nearest(
        self, product: Product, products: Mapping[str, Product], known: Callable[[str], bool]
    ) -> Near:
        assert self._titles is not None
        alike: dict[str, list[float]] = {}
        by_title = self._titles.nearest(product.title, 10 * NEAREST)
        for place, cosine in by_title:
            alike.setdefault(self._ids[place], []).append(cosine)
        if product.has_photo:
            for other, score, *_ in self._nearest_by_photo(product.id, 4 * NEAREST):
                alike.setdefault(other, [0.0]).append(score)
        found = [
            (other, sum(scores) / (2 if product.has_photo else 1))
            for other, scores in alike.items()
            if other != product.id
            and other in products
            and known(other)
            and products[other].category == product.category
        ]
        found.sort(key=lambda near: (-near[1], near[0]))
        return tuple((other, min(1.0, score)) for other, score in found[:NEAREST] if score >= LEAST)

    def _publish(self) -> None:
        lookalikes: dict[str, list[tuple[str, float]]] = {}
        for product, near in self._looks_like.items():
            for other, alike in near:
                lookalikes.setdefault(other, []).append((product, alike))
        self.found = Newcomers(
            dict(self._looks_like),
            {
                other: tuple(sorted(near, key=lambda n: (-n[1], n[0]))[:NEAREST])
                for other, near in lookalikes.items()
            },
        )


class WithNewcomers:
    """A list maker that knows what new products look like."""

    def __init__(self, name: str, maker: Recommender, newcomers: Callable[[], Newcomers]) -> None:
        self.name = name
        self.repeats = bool(getattr(maker, "repeats", False))
        self._maker = maker
        self._newcomers = newcomers

    def recommend(
        self, session: Sequence[str], n: int, *, now_us: int | None = None
    ) -> list[Scored]:
        """The n best products for a session (oldest first); see `interfaces.Recommender`."""
        newcomers = self._newcomers()
        if not newcomers.looks_like or n < 1:
            return self._maker.recommend(session, n, now_us=now_us)
        heard, stands_for = _heard(session, newcomers.looks_like)
        listed = self._maker.recommend(heard, n, now_us=now_us)
        if stands_for:
            listed = [
                s._replace(because=stands_for.get(s.because, s.because)) if s.because else s
                for s in listed
            ]
        return list(islice(_with_new(listed, session, newcomers.lookalikes), n))


def _heard(
    session: Sequence[str], looks_like: Mapping[str, Near]
) -> tuple[list[str], dict[str, str]]:
    """The session with the nearest known product before each new one, and whom it stands for."""
    heard: list[str] = []
    stands_for: dict[str, str] = {}
    for product in session:
        if near := looks_like.get(product):
            heard.append(near[0][0])
            stands_for[near[0][0]] = product
        heard.append(product)
    return heard, {stand: p for stand, p in stands_for.items() if stand not in session}


def _with_new(
    listed: Sequence[Scored], session: Sequence[str], lookalikes: Mapping[str, Near]
) -> Iterable[Scored]:
    """The list with new products where their scores put them, but apart from each other."""
    waiting = _new_beside(listed, session, lookalikes)
    free_at, place, lowest = EVERY - 1, 0, listed[0].score if listed else 0.0
    for candidate in listed:
        if waiting and place >= free_at and waiting[-1].score >= candidate.score:
            new = waiting.pop()
            yield new._replace(score=min(new.score, lowest))
            place, free_at = place + 1, place + EVERY
        yield candidate
        place, lowest = place + 1, candidate.score
    if waiting and place >= free_at:
        new = waiting.pop()
        yield new._replace(score=min(new.score, lowest))


def _new_beside(
    listed: Sequence[Scored], session: Sequence[str], lookalikes: Mapping[str, Near]
) -> list[Scored]:
    """New products that look like listed ones, the best last."""
    left_out = {*session, *(s.product for s in listed)}
    best: dict[str, Scored] = {}
    for candidate in listed[:ROOM]:
        for product, alike in lookalikes.get(candidate.product, ()):
            score = WORTH * alike * candidate.score
            if product not in left_out and (product not in best or best[product].score < score):
                best[product] = Scored(product, score, candidate.because, candidate.product)
    return sorted(best.values(), key=lambda s: (s.score, s.product))
