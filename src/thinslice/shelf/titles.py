"""Which category? One shop's titles: learn, classify, ask a person, learn from the answer.

    catalogue ─▶ classifier ─▶ answer ─▶ accepted, or a person's turn
                    ▲                          │
                    └──── refit ◀── correction ┘

Like `shelf.py` it knows several stages and hands values from one to the next: the classifier is of
`models`, corrections are kept in `store`, and the bars come from `profit`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.durable import locked
from thinslice.errors import InputError, NotEnoughDataError, NotFoundError
from thinslice.models.titles.classifier import CurrentTitles, TitleAnswer, TitleClassifier
from thinslice.models.titles.features import clean
from thinslice.models.versions import current
from thinslice.profit.asking import AskingTerms, bars, trade_off
from thinslice.store.catalog import ShopCatalog
from thinslice.store.exports.title_rows import AnswerFile, TitleTable, title_column, to_csv
from thinslice.store.results import Results
from thinslice.store.title_reviews import Correction, TitleReviews

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.models.titles.training import HeldOut

FEWEST_TITLES = 50
"""Titles with a category below which a build does not learn categories by itself."""

Progress = Callable[[int, int | None], None]
"""Called with (bytes done, total or None)."""

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


ANSWER_COLUMNS = (
    "category",
    "confidence",
    "review",
    "why",
    "because of",
    "alternative 1",
    "alternative 2",
)
"""What is written beside the rows of a table."""


def answer_cells(answer: TitleAnswer) -> list[str]:
    """An answer as the cells of `ANSWER_COLUMNS`."""
    others = [category for category, _ in answer.alternatives]
    return [
        answer.category,
        f"{answer.confidence:.3f}",
        "yes" if answer.needs_person else "",
        answer.why,
        ", ".join(answer.spoke_for()),
        *[*others, "", ""][:2],
    ]


@dataclass(frozen=True, slots=True)
class FileReport:
    """What became of a table: its rows, those for a person, those of an earlier, stopped run."""

    rows: int
    to_review: int
    resumed_at: int
    skipped: int
    column: str

    def lines(self) -> list[str]:
        found = [
            f"{self.rows:,} titles of the column “{self.column}” have a category; a person should "
            f"look at {self.to_review:,} of them."
        ]
        if self.resumed_at:
            found.append(f"The first {self.resumed_at:,} were done before it was stopped.")
        if self.skipped:
            found.append(f"{self.skipped:,} rows are broken and were left out.")
        return found


@dataclass(frozen=True, slots=True)
class ClassifiedTable:
    """A table and the answer to each of its rows, in its order."""

    columns: tuple[str, ...]
    title: str
    cells: list[list[str]]
    answers: list[TitleAnswer]
    delimiter: str = ","

    def to_csv(self) -> str:
        """The table with its answers, rows for a person on top, safe to open in a spreadsheet."""
        rows = [[*row, *answer_cells(a)] for row, a in zip(self.cells, self.answers, strict=True)]
        order = sorted(range(len(rows)), key=lambda i: not self.answers[i].needs_person)
        header = [*self.columns, *ANSWER_COLUMNS]
        return "\ufeff" + to_csv([header, *(rows[i] for i in order)], self.delimiter)


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

    def classify_file(
        self,
        source: Path,
        output: Path,
        *,
        column: str | None = None,
        in_order: bool = False,
        queue: bool = False,
        progress: Progress | None = None,
    ) -> FileReport:
        """Write a table with categories beside its rows, those for a person on top.

        Stopped at any moment and run again, it goes on where it was. `queue` puts the titles that
        need a person on the review queue as well.
        """
        model, table = self.model(), TitleTable.open(source, column)
        header = [*table.columns, *ANSWER_COLUMNS]
        about = source.stat()
        identity = {
            "source": [str(source.resolve()), about.st_size, about.st_mtime_ns],
            "version": model.version,
            "column": table.title,
        }
        before = seen = 0
        with AnswerFile(
            output, header, identity, delimiter=table.delimiter, in_order=in_order
        ) as file:
            before = file.done
            for part in table.parts(progress):
                seen += len(part.titles)
                new = min(len(part.titles), seen - before)
                if new <= 0:
                    continue
                answers = model.classify_many(part.titles[-new:])
                beside = zip(part.cells[-new:], map(answer_cells, answers), strict=True)
                file.write(
                    [row + cells for row, cells in beside], [a.needs_person for a in answers]
                )
                if queue:
                    self.wait_for_person(answers)
            file.finish()
        return FileReport(file.done, file.to_review, before, len(table.skipped), table.title)

    def classify_table(
        self, source: Path | bytes, *, column: str | None = None, most_rows: int = 20_000
    ) -> ClassifiedTable:
        """The same in memory, for a page: a table of at most so many rows, and its answers.

        Raises InputError for a larger one.
        """
        table = TitleTable.open(source, column)
        cells: list[list[str]] = []
        titles: list[str] = []
        for part in table.parts():
            cells += part.cells
            titles += part.titles
            if len(titles) > most_rows:
                raise InputError(
                    f"a table here has at most {most_rows:,} rows, got more; "
                    "use thinslice classify TABLE.csv -o OUT.csv"
                )
        return ClassifiedTable(
            table.columns, table.title, cells, self.classify(titles), table.delimiter
        )

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
        from thinslice.models.titles.training import path_of

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
            new = self._priced(new, self.terms(), self._results.load("titles-held-out"))
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

    def _priced(
        self, model: TitleClassifier, terms: AskingTerms, held: Mapping[str, Any] | None
    ) -> TitleClassifier:
        """The model with the bars that the terms and the held-out titles ask for."""
        from thinslice.models.titles.training import bars_for_precision

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
        spoken, terms = self.spoken_on(), self.terms()
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
            if answer.needs_person and not spoken(answer.title)
        ]
        return sorted(found, key=lambda q: (-q.cost, q.answer.title))[:n]

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


def _nodes(model: TitleClassifier, held: Mapping[str, Any]) -> NDArray[np.int64]:
    """The node of each held-out answer."""
    class_nodes = np.asarray(model.arrays["class_nodes"], np.int64)
    return class_nodes[np.asarray(held["answered"], np.int64)]


def _decided(corrections: Sequence[Correction]) -> dict[str, str]:
    """The latest word on each cleaned title, where it was not taken back."""
    return {
        key: category
        for key, category in {c.key: c.category for c in corrections}.items()
        if category
    }
