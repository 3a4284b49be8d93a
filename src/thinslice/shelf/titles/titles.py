"""Which category? One shop's titles: learn, classify, ask a person, learn from the answer.

    catalogue ─▶ classifier ─▶ answer ─▶ accepted, or a person's turn
                    ▲                          │
                    └──── refit ◀── correction ┘

Like `shelf.py` it knows several stages and hands values from one to the next: the classifier is of
`models`, corrections are kept in `store`, and the bars come from `profit`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from thinslice.durable import locked
from thinslice.errors import InputError, NotEnoughDataError, NotFoundError
from thinslice.models.titles.classifier import CurrentTitles, TitleAnswer, TitleClassifier
from thinslice.models.titles.features import clean
from thinslice.models.versions import current
from thinslice.profit.asking import AskingTerms
from thinslice.shelf.titles import bars as title_bars
from thinslice.shelf.titles.queue import QueuedTitle, dearest_first, waiting_titles
from thinslice.store.catalog import ShopCatalog
from thinslice.store.exports.title_rows import TitleTable, title_column
from thinslice.store.results import Results
from thinslice.store.title_reviews import Correction, TitleReviews

if TYPE_CHECKING:
    from thinslice.models.titles.held_out import HeldOut

FEWEST_TITLES = 50
"""Titles with a category below which a build does not learn categories by itself."""

_KEPT = 50_000


class Titles:
    """The title classifier of one shop, and what people say to it."""

    def __init__(self, folder: Path, catalog: ShopCatalog, results: Results) -> None:
        self.folder = folder
        self._catalog = catalog
        self._results = results
        self._served = CurrentTitles(folder)

    @cached_property
    def reviews(self) -> TitleReviews:
        return TitleReviews(self.folder / "reviews.sqlite")

    def model(self) -> TitleClassifier:
        """The version in force; NotFoundError before the first build."""
        model = self._served.get()
        if model is None:
            raise NotFoundError(
                "titles are classified once the categories of the catalogue were learned, and "
                "they were not yet; build: thinslice build --titles"
            )
        return model

    def is_learned(self) -> bool:
        """Whether there is a classifier to ask; the first to ask loads it."""
        return self._served.get() is not None

    # asking

    def classify(self, titles: Sequence[str]) -> list[TitleAnswer]:
        """The answers for titles, in their order."""
        return self.model().classify_many(titles)

    def categories(self) -> tuple[str, ...]:
        """Every category that can be an answer or a correction, sorted."""
        said = {c.category for c in self.reviews.corrections()}
        filed = {p.category for p in self._catalog.all().values() if p.category}
        known = set(self.model().classes) if self.is_learned() else set()
        return tuple(sorted(known | said | filed))

    def wait_for_person(self, answers: Sequence[TitleAnswer]) -> int:
        """Put titles that need a person on the review queue; return how many wait there."""
        asked = [(clean(a.title), a.title) for a in answers if a.needs_person]
        return self.reviews.wait((key, title) for key, title in asked if key)

    # learning

    def learn(self) -> TitleClassifier:
        """Learn from the catalogue and from what people said, and serve the result.

        Raises NotEnoughDataError where the catalogue has too few titles with a category.
        """
        from thinslice.models.titles.review import class_report, suspects
        from thinslice.models.titles.training import learn_titles

        corrections = self.reviews.corrections()
        ids, titles, categories = self._examples(corrections)
        terms = self.terms()
        model, found = learn_titles(titles, categories, precision=terms.precision)
        held = found.said.first(_KEPT).to_dict()
        model = title_bars.priced(model, terms, held).with_decided(
            _decided(corrections), corrections_to=corrections[-1].number if corrections else 0
        )
        with locked(self.folder / ".lock"):
            model.publish(self.folder / "built")
            model.publish(self.folder)
        doubtful = suspects(found, titles, terms.cost_of_wrong)
        self._results.save("titles-held-out", held)
        self._results.save("titles-by-product", _by_product(found, ids))
        self._results.save(
            "titles-review",
            {
                "suspects": [{**s.to_dict(), "product": ids[s.row]} for s in doubtful],
                "classes": [advice.to_dict() for advice in class_report(found, titles)],
                "measured": model.meta["held_out"],
            },
        )
        self._served.refresh()
        return model

    def can_learn(self) -> bool:
        """Whether the catalogue has titles and categories enough for a build to learn them."""
        filed = [p.category for p in self._catalog.all().values() if p.category and p.title]
        return len(filed) >= FEWEST_TITLES and len(set(filed)) > 1

    def correct(
        self, said: Sequence[tuple[str, str]], *, who: str = "", products: Sequence[str] = ()
    ) -> int:
        """Keep people's word on titles: (title, right category) pairs; return how many are kept.

        On disk when this returns; `refit` learns from it. `products` are the titles' ids in the
        catalogue, where they have one.
        """
        from thinslice.models.titles.taxonomy import path_of

        answers = self.classify([title for title, _ in said])
        ids = [*products, *[""] * (len(said) - len(products))]
        corrections = [
            Correction(
                title=title,
                category=path_of(category),
                was=answer.category,
                who=who,
                product=product or None,
                version=self.model().version,
                key=clean(title),
            )
            for (title, category), answer, product in zip(said, answers, ids, strict=True)
        ]
        for correction in corrections:
            if not correction.key:
                raise InputError(
                    f"a corrected title must have words, got {correction.title[:50]!r}; "
                    "leave it out"
                )
        self.reviews.correct(corrections)
        return len(corrections)

    def correct_from(self, source: Path, *, who: str = "") -> int:
        """Keep the corrections of a table with the columns title and category."""
        table = TitleTable.open(source)
        place = table.columns.index(title_column(table.columns, "category"))
        said = [
            (title, row[place])
            for part in table.parts()
            for title, row in zip(part.titles, part.cells, strict=True)
            if row[place].strip()
        ]
        return self.correct(said, who=who) if said else 0

    def none_fits(self, title: str) -> None:
        """A person looked, and no category fits: the title leaves the queue undecided."""
        self.reviews.set_aside([clean(title)])

    def take_back(self, title: str, *, product: str = "", who: str = "") -> None:
        """Undo what was said of a title: it is answered and queued as if nobody had spoken."""
        self.reviews.take_back(clean(title), title, product=product, who=who)

    def spoken_on(self) -> Callable[[str], bool]:
        """Tells of a title whether a person has decided it or set it aside."""
        spoken = self.reviews.aside() | _decided(self.reviews.corrections()).keys()
        return lambda title: clean(title) in spoken

    def unlearned(self) -> int:
        """How many corrections the version in force has not learned from."""
        known = self.model().meta.get("corrections_to", 0)
        return len(self.reviews.corrections(since=known))

    def refit(self) -> TitleClassifier:
        """Learn from all corrections since the last build, and serve the result."""
        from thinslice.models.titles.refit import refit_titles

        with locked(self.folder / ".lock"):
            built = current(self.folder / "built")
            if built is None:
                self.model()
            base = TitleClassifier.load(self.folder / "built", built or "")
            corrections = self.reviews.corrections()
            decided, known = _decided(corrections), base.meta.get("corrections_to", 0)
            fresh = [c for c in corrections if c.number > known and c.key in decided]
            _, titles, categories = self._examples(())
            new = refit_titles(base, titles, categories, [(c.title, c.category) for c in fresh])
            new = title_bars.priced(new, self.terms(), self._results.load("titles-held-out"))
            new = new.with_decided(
                decided, corrections_to=corrections[-1].number if corrections else 0
            )
            new.publish(self.folder)
        self._served.refresh()
        return new

    def _examples(
        self, corrections: Sequence[Correction]
    ) -> tuple[list[str], list[str], list[str]]:
        """(product ids, titles, categories) of the catalogue, put right where people said so."""
        decided = _decided(corrections)
        ids, titles, categories, met = [], [], [], set()
        for product in self._catalog.all().values():
            key = clean(product.title) if decided else ""
            category = decided.get(key, product.category)
            if category and product.title:
                ids.append(product.id)
                titles.append(product.title)
                categories.append(category)
                met.add(key)
        for key, category in decided.items():
            if key not in met:
                ids.append("")
                titles.append(key)
                categories.append(category)
        return ids, titles, categories

    # the bar

    def terms(self) -> AskingTerms:
        """What decides the bars."""
        return AskingTerms.from_dict(self._results.load("titles-terms") or {})

    def agree_terms(self, terms: AskingTerms) -> TitleClassifier | None:
        """Decide the bars anew, and serve them; None before the first build."""
        self._results.save("titles-terms", terms.to_dict())
        if not self.is_learned():
            return None
        return self.refit()

    def trade_off(self, terms: AskingTerms | None = None) -> dict[str, Any]:
        """What every bar would give, on held-out titles, under these terms or those in force.

        `points` as of `profit.asking.trade_off`, `accepted` and `precision` of the bars in force.
        """
        held = self._results.load("titles-held-out")
        if held is None:
            raise NotEnoughDataError(
                "a trade-off is drawn from held-out titles, and there are none yet; build: "
                "thinslice build --titles"
            )
        return title_bars.trade_off(self.model(), terms or self.terms(), held)

    # what waits for a person

    def queue(self, n: int = 50) -> list[QueuedTitle]:
        """The titles that wait for a person, those first whose answer would cost most unseen."""
        waiting = waiting_titles(self.reviews.waiting(), self._catalog.all().values())
        answers = self.classify([each.title for each in waiting])
        return dearest_first(waiting, answers, self.spoken_on(), self.terms())[:n]

    def confusions(self, n: int = 100) -> list[dict[str, Any]]:
        """Products that may be filed wrongly, the likeliest and dearest first.

        Those a person has spoken on since are left out.
        """
        spoken = self.spoken_on()
        listed = (self._results.load("titles-review") or {}).get("suspects", [])
        return [s for s in listed if not spoken(s["title"])][:n]

    def class_report(self) -> list[dict[str, Any]]:
        """The classes that should be merged, split or better described."""
        found: list[dict[str, Any]] = (self._results.load("titles-review") or {}).get("classes", [])
        return found

    def describe(self) -> dict[str, Any]:
        """The classifier in plain values, for a page."""
        model = self.model()
        meta = {k: v for k, v in model.meta.items() if k not in ("decided", "classes", "nodes")}
        return {
            **meta,
            "version": model.version,
            "sentence": model.sentence(),
            "decided": len(model.decided),
            "terms": asdict(self.terms()),
            "unlearned": self.unlearned(),
        }


def _by_product(found: HeldOut, ids: Sequence[str]) -> dict[str, list[tuple[str, float]]]:
    """What models that had not seen it said of each product's title: the likeliest categories."""
    said: dict[str, list[tuple[str, float]]] = {}
    for row, best, sure in zip(found.rows, found.best, found.confidences.round(5), strict=True):
        likely = zip(best.tolist(), sure.tolist(), strict=True)
        if ids[row]:
            said[ids[row]] = [(found.classes[k], p) for k, p in likely if k >= 0]
    return said


def _decided(corrections: Sequence[Correction]) -> dict[str, str]:
    """The latest word on each cleaned title, where it was not taken back."""
    return {
        key: category
        for key, category in {c.key: c.category for c in corrections}.items()
        if category
    }
