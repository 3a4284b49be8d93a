"""What should a person look at? Titles and photos of one shop in one queue, and what was said.

A product is asked about once: by its title, by its photo, or by both together where both were
learned, and then only if the two together are not sure either. A photo that somebody had tagged
stands between them, with the attribute that is open.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from thinslice.errors import InputError
from thinslice.models.photos.pixels import decode
from thinslice.shelf.photo_titles import PhotoTitles
from thinslice.shelf.photos.decisions import ASKED
from thinslice.shelf.photos.search import PhotoSearch
from thinslice.shelf.titles.titles import Titles

if TYPE_CHECKING:
    from thinslice.models.photos.classifier import PhotoTag

CATEGORY = "category"
LOOKED_AT = 400
"""Products whose photo is looked at for the head of a list."""


@dataclass(frozen=True, slots=True)
class Question:
    """Something a person is to decide.

    `title` is a title, or the name of a photo's file; `photo` the product whose photo is shown, or
    the name of one that was asked about, empty for none; `options` are labels with how sure each
    is, the likeliest first, empty where only the title speaks. `filed` is where it is listed.
    """

    title: str
    product: str = ""
    photo: str = ""
    attribute: str = CATEGORY
    filed: str = ""
    times: int = 1
    options: tuple[tuple[str, float], ...] = ()
    why: str = ""


class Reviews:
    """The queue of one shop. Safe to share between threads."""

    def __init__(self, titles: Titles, photos: PhotoSearch, both: PhotoTitles) -> None:
        self._titles = titles
        self._photos = photos
        self._both = both

    def waiting(self, n: int) -> list[Question]:
        """What is not sure enough: titles, products by title and photo, photos asked about."""
        by_title = self._titles.queue(n) if self._titles.is_learned() else []
        found = [Question(q.answer.title, q.product or "", times=q.times) for q in by_title]
        found = self._with_photos(found)
        return [*found, *self._asked(), *self._without_title(n)][:n]

    def doubts(self, n: int) -> list[Question]:
        """Products that may be filed wrongly, by their title or by their photo."""
        photos = self._photos.disagreements(n) if self._photos.is_built() else []
        products = self._photos.products()
        by_photo = {
            one["product"]: Question(
                products[one["product"]].title,
                *(one["product"], one["product"]),
                filed=one["listed"],
                options=((one["seen"], one["confidence"]),),
                why="its photo looks like another category to a model that had not seen it",
            )
            for one in photos
        }
        by_title = self._titles.confusions(n) if self._titles.is_learned() else []
        found = [
            Question(s["title"], s["product"], self._shown(s["product"]), filed=s["filed"])
            for s in by_title
        ]
        found = [by_photo.pop(one.product) if one.product in by_photo else one for one in found]
        return [*found, *by_photo.values()][:n]

    def colours(self, n: int) -> list[Question]:
        """Products without a colour, or another attribute that photos tell, whose photo does not
        say it surely enough; colours first."""
        if not self._photos.is_built():
            return []
        heads = self._photos.served().heads
        names = [name for name in heads.heads if name != CATEGORY] if heads else []
        found = [q for name in sorted(names, key="colour".__ne__) for q in self._unlabelled(name)]
        return found[:n]

    def _unlabelled(self, attribute: str) -> list[Question]:
        """Products that lack an attribute, where photo and title are not sure of it either."""
        served, spoken = self._photos.served(), self._photos.decisions.spoken_on()
        open_ = [
            p
            for p in self._photos.products().values()
            if p.has_photo and not p.hidden and not p.label(attribute)
            if (p.id, attribute) not in spoken
        ][:LOOKED_AT]
        found = []
        for product in open_:
            vectors = served.index.vectors_of(product.id)
            tag = self._photos.tag(vectors, product.title).get(attribute) if vectors else None
            if tag is not None and tag.needs_person:
                how = "by its photo and title " if product.title else "by its photo "
                said = _said(tag, how)
                found.append(
                    Question(product.title, product.id, product.id, attribute, "", 1, *said)
                )
        return found

    def spoken_on(self) -> Callable[[Question], bool]:
        """Tells of a question whether a person has decided it or set it aside."""
        titles = self._titles.spoken_on() if self._titles.is_learned() else lambda _: False
        photos = self._photos.decisions.spoken_on()

        def spoken(question: Question) -> bool:
            of_photo = bool(question.photo) and (question.photo, question.attribute) in photos
            of_title = question.attribute == CATEGORY and not question.photo.startswith(ASKED)
            return of_photo or (of_title and titles(question.title))

        return spoken

    def labels(self, attribute: str) -> tuple[str, ...]:
        """What can be chosen."""
        if attribute == CATEGORY:
            filed = {p.category for p in self._photos.products().values() if p.category}
            known = self._titles.categories() if self._titles.is_learned() else ()
            said = self._photos.decisions.decided().get(CATEGORY, {}).values()
            return tuple(sorted({*known, *filed, *said}))
        said = self._photos.decisions.decided().get(attribute, {}).values()
        listed = (p.label(attribute) for p in self._photos.products().values())
        heads = self._photos.served().heads if self._photos.is_built() else None
        head = heads.heads.get(attribute) if heads else None
        learned = head.labels if head else ()
        return tuple(sorted({*filter(None, listed), *learned, *said}))

    def attributes(self) -> tuple[str, ...]:
        """What photos tell, besides the category."""
        heads = self._photos.served().heads if self._photos.is_built() else None
        return tuple(name for name in heads.heads if name != CATEGORY) if heads else ()

    def decide(self, question: Question, label: str, *, who: str = "") -> None:
        """Keep a person's word on a question: on the photo, and on the title where it has one."""
        if question.photo:
            was = question.options[0][0] if question.options else ""
            self._photos.decisions.decide(
                question.photo, question.attribute, label, was=was, who=who
            )
        if self._is_of_title(question):
            products = [question.product]
            self._titles.correct([(question.title, label)], who=who, products=products)
        elif not question.photo:
            raise InputError("a decision is about a title or a photo, got neither; open it again")

    def none_fits(self, question: Question) -> None:
        """A person looked, and no label fits."""
        if question.photo:
            self._photos.decisions.none_fits(question.photo, question.attribute)
        if self._is_of_title(question):
            self._titles.none_fits(question.title)

    def take_back(self, question: Question, *, who: str = "") -> None:
        """Undo what was said of it."""
        if question.photo:
            self._photos.decisions.take_back(
                question.photo, question.attribute, name=question.title, who=who
            )
        if self._is_of_title(question):
            self._titles.take_back(question.title, product=question.product, who=who)

    def _is_of_title(self, question: Question) -> bool:
        return (
            question.attribute == CATEGORY
            and not question.photo.startswith(ASKED)
            and self._titles.is_learned()
        )

    def _shown(self, product: str) -> str:
        """The product itself where it has a photo that is indexed."""
        return product if self._photos.is_built() and product in self._photos.served().index else ""

    def _with_photos(self, found: Sequence[Question]) -> list[Question]:
        """Titles of products read together with their photo; what is sure then waits no longer."""
        if not self._photos.is_built():
            return list(found)
        tags = self._both.tags([q.product for q in found[:LOOKED_AT] if q.product])
        together = self._both.both() is not None
        seen = []
        for question in found:
            tag = tags.get(question.product)
            if tag is None:
                seen.append(question)
            elif not together:
                seen.append(replace(question, photo=question.product))
            elif tag.needs_person:
                options, why = _said(tag, "by title and photo together ")
                photo = question.product
                seen.append(replace(question, photo=photo, options=options, why=why))
        return seen

    def _without_title(self, n: int) -> list[Question]:
        """Products without a category of which only the photo can say one."""
        if not self._photos.is_built():
            return []
        spoken, learned = self._photos.decisions.spoken_on(), self._titles.is_learned()
        open_ = [
            p.id
            for p in self._photos.products().values()
            if p.has_photo and not p.category and not p.hidden and not (learned and p.title)
        ]
        tags = self._both.tags([i for i in open_ if (i, CATEGORY) not in spoken][:LOOKED_AT])
        products = self._photos.products()
        return [
            Question(products[i].title or i, i, i, CATEGORY, "", 1, *_said(tag))
            for i, tag in tags.items()
            if tag.needs_person
        ][:n]

    def _asked(self) -> list[Question]:
        """Photos that somebody had tagged, and that were not sure enough."""
        if not self._photos.is_built():
            return []
        side = self._photos.served().encoder.side
        found = []
        for waiting in self._photos.decisions.waiting()[:LOOKED_AT]:
            path = self._photos.decisions.pictures.path(waiting.photo)
            if path is None:
                continue
            tags = self._photos.tag(self._photos.encode(decode(path.read_bytes(), side)))
            tag = tags.get(waiting.attribute)
            if tag is not None:
                found.append(
                    Question(
                        waiting.name or "A photo",
                        photo=waiting.photo,
                        attribute=waiting.attribute,
                        times=waiting.times,
                        options=_said(tag)[0],
                        why=_said(tag)[1],
                    )
                )
        return found


def _said(tag: PhotoTag, how: str = "by its photo ") -> tuple[tuple[tuple[str, float], ...], str]:
    """What a tag offers to choose from, and why a person is asked."""
    options = ((tag.label, tag.confidence), *tag.alternatives)
    return options, f"{how}{tag.confidence:.0%} sure, which is not enough"
