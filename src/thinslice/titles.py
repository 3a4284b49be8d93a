"""Which category? One shop's titles: learn, classify, ask a person, learn from the answer.

    catalogue ─▶ classifier ─▶ answer ─▶ accepted, or a person's turn
                    ▲                          │
                    └──── refit ◀── correction ┘

Like `shelf.py` it knows several stages and hands values from one to the next: the classifier is of
`models`, corrections are kept in `store`, and the bars come from `profit`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.durable import locked
from thinslice.errors import InputError, NotEnoughDataError, NotFoundError
from thinslice.models.title_classifier import CurrentTitles, TitleAnswer, TitleClassifier
from thinslice.models.title_features import clean
from thinslice.models.versions import current
from thinslice.profit.asking import AskingTerms, bars, trade_off
from thinslice.store.catalog import ShopCatalog
from thinslice.store.results import Results
from thinslice.store.title_reviews import Correction, TitleReviews

if TYPE_CHECKING:
    from numpy.typing import NDArray

FEWEST_TITLES = 50
"""Titles with a category below which a build does not learn categories by itself."""

QUEUE_LOOKS_AT = 5000
_KEPT = 50_000


@dataclass(frozen=True, slots=True)
class QueuedTitle:
    """A title that waits for a person. `cost` is what taking the answer unseen would cost.

    `source` is "catalogue" (a product without category) or "asked"; `times` how often it came.
    """

    answer: TitleAnswer
    cost: float
    source: str
    product: str | None = None
    times: int = 1

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.answer.to_dict(),
            "cost": self.cost,
            "source": self.source,
            "product": self.product,
            "times": self.times,
        }


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
        from thinslice.models.title_review import class_report, suspects
        from thinslice.models.title_training import learn_titles

        corrections = self.reviews.corrections()
        ids, titles, categories = self._examples(corrections)
        terms = self.terms()
        model, found = learn_titles(titles, categories, precision=terms.precision)
        held = {
            "confidence": found.confidences[:_KEPT, 0].round(5),
            "hit": found.hit[:_KEPT],
            "answered": found.best[:_KEPT, 0],
            "classes": found.classes,
        }
        model = self._priced(model, terms, held).with_decided(
            _decided(corrections), corrections_to=corrections[-1].number if corrections else 0
        )
        with locked(self.folder / ".lock"):
            model.publish(self.folder / "built")
            model.publish(self.folder)
        doubtful = suspects(found, titles, terms.cost_of_wrong)
        self._results.save("titles-held-out", held)
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
        from thinslice.models.title_training import path_of

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

    def none_fits(self, title: str) -> None:
        """A person looked, and no category fits: the title leaves the queue undecided."""
        self.reviews.set_aside([clean(title)])

    def unlearned(self) -> int:
        """How many corrections the version in force has not learned from."""
        known = self.model().meta.get("corrections_to", 0)
        return len(self.reviews.corrections(since=known))

    def refit(self) -> TitleClassifier:
        """Learn from all corrections since the last build, and serve the result."""
        from thinslice.models.title_refit import refit_titles

        with locked(self.folder / ".lock"):
            built = current(self.folder / "built")
            if built is None:
                self.model()
            base = TitleClassifier.load(self.folder / "built", built or "")
            corrections = self.reviews.corrections()
            fresh = [c for c in corrections if c.number > base.meta.get("corrections_to", 0)]
            _, titles, categories = self._examples(())
            new = refit_titles(base, titles, categories, [(c.title, c.category) for c in fresh])
            new = self._priced(new, self.terms(), self._results.load("titles-held-out"))
            new = new.with_decided(
                _decided(corrections), corrections_to=corrections[-1].number if corrections else 0
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

    def _priced(
        self, model: TitleClassifier, terms: AskingTerms, held: Mapping[str, Any] | None
    ) -> TitleClassifier:
        """The model with the bars that the terms and the held-out titles ask for."""
        from thinslice.models.title_training import bars_for_precision

        if held is None:
            return model
        confidence, hit = np.asarray(held["confidence"]), np.asarray(held["hit"], bool)
        if not terms.in_money:
            return model.with_bars(bars_for_precision(model, confidence, hit, terms.precision))
        nodes = _nodes(model, held)
        found = bars(terms, model.nodes, confidence, nodes)
        return model.with_bars(found, terms=terms.to_dict())

    def trade_off(self, terms: AskingTerms | None = None) -> dict[str, Any]:
        """What every bar would give, on held-out titles, under these terms or those in force.

        `points` as of `profit.asking.trade_off`, `accepted` and `precision` of the bars in force.
        """
        terms = terms or self.terms()
        held = self._results.load("titles-held-out")
        if held is None:
            raise NotEnoughDataError(
                "a trade-off is drawn from held-out titles, and there are none yet; build: "
                "thinslice build --titles"
            )
        confidence, hit = np.asarray(held["confidence"]), np.asarray(held["hit"], bool)
        model = self._priced(self.model(), terms, held)
        nodes = _nodes(model, held)
        accepted = confidence >= model.arrays["bars"][nodes]
        in_force = trade_off(confidence[accepted], hit[accepted], terms, points=2)[-1]
        return {
            "terms": terms.to_dict(),
            "points": trade_off(confidence, hit, terms),
            "sample": len(hit),
            "accepted": float(accepted.mean()),
            "precision": in_force["precision"],
            "precision_low": in_force["precision_low"],
            "precision_high": in_force["precision_high"],
        }

    # what waits for a person

    def queue(self, n: int = 50) -> list[QueuedTitle]:
        """The titles that wait for a person, those first whose answer would cost most unseen."""
        aside, terms = self.reviews.aside(), self.terms()
        waiting = [(t, times, "asked", None) for t, times in self.reviews.waiting()]
        filed: list[tuple[str, int, str, str | None]] = [
            (p.title, 1, "catalogue", p.id)
            for p in self._catalog.all().values()
            if p.title and not p.category and not p.hidden
        ]
        rows = [*waiting[:QUEUE_LOOKS_AT], *filed[:QUEUE_LOOKS_AT]]
        answers = self.classify([row[0] for row in rows])
        found = [
            QueuedTitle(
                answer,
                (1 - answer.confidence) * terms.cost_of_wrong(answer.category) * times,
                source,
                product,
                times,
            )
            for (_, times, source, product), answer in zip(rows, answers, strict=True)
            if answer.needs_person and clean(answer.title) not in aside
        ]
        return sorted(found, key=lambda q: (-q.cost, q.answer.title))[:n]

    def confusions(self, n: int = 100) -> list[dict[str, Any]]:
        """Products that may be filed wrongly, the likeliest and dearest first.

        Those a person has spoken on since are left out.
        """
        said = set(self.model().decided)
        listed = (self._results.load("titles-review") or {}).get("suspects", [])
        return [s for s in listed if clean(s["title"]) not in said][:n]

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


def _nodes(model: TitleClassifier, held: Mapping[str, Any]) -> NDArray[np.int64]:
    """The node of each held-out answer."""
    class_nodes = np.asarray(model.arrays["class_nodes"], np.int64)
    return class_nodes[np.asarray(held["answered"], np.int64)]


def _decided(corrections: Sequence[Correction]) -> dict[str, str]:
    """The latest word on each cleaned title."""
    return {c.key: c.category for c in corrections}
