"""Photo and title together: which category is a product, and which products need a person?

The heads of photos and the classifier of titles are two witnesses. How much each counts, how often
both together are right and from when nobody needs to look is learned from products that neither had
seen, each time one of them is built.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.models.calibration import bar_for_precision, calibrated, calibration_error, curve
from thinslice.models.calibration import chances as softmax
from thinslice.models.photos.classifier import PhotoTag, joined
from thinslice.models.photos.fusion import Fusion, learn_fusion
from thinslice.models.titles.features import clean
from thinslice.shelf.photos.heads import Witness, likeliest
from thinslice.shelf.photos.search import PhotoSearch
from thinslice.shelf.titles.titles import Titles
from thinslice.store.results import Results

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Chances = NDArray[np.floating[Any]]

FEWEST = 100
"""Held-out products with photo and title below which the two are not read together."""

_KEPT_AS = "photo-titles"


@dataclass(frozen=True)
class Both:
    """What was learned of the two witnesses: how much each counts, and what it comes to."""

    fusion: Fusion
    labels: int
    knots: NDArray[np.floating[Any]]
    bar: float
    measured: Mapping[str, float]

    def tag(self, photo: Witness, title: Witness) -> PhotoTag:
        """The category by both, with how often such an answer is right."""
        labels = list(dict.fromkeys(label for label, _ in [*photo, *title]))
        codes = {label: code for code, label in enumerate(labels)}
        seen, read = (_spread([one], codes, self.labels) for one in (photo, title))
        likely = self.fusion.chances(seen, read)[0]
        best = likeliest(labels, likely)
        sure = calibrated(np.array([chance for _, chance in best]), self.knots)
        others = tuple((label, float(p)) for (label, _), p in zip(best, sure, strict=True))
        return PhotoTag(
            "category", best[0][0], float(sure[0]), others[1:], bool(sure[0] < self.bar)
        )

    def sentence(self) -> str:
        """What reading both together comes to."""
        return (
            f"Photo and title together are right about {self.measured['accuracy']:.1%} of "
            f"{self.measured['held_out']:,} products that neither had seen (photos alone "
            f"{self.measured['photo_alone']:.1%}, titles alone {self.measured['title_alone']:.1%})."
        )

    def to_dict(self) -> dict[str, Any]:
        return {
            "photo": self.fusion.photo,
            "title": self.fusion.title,
            "labels": self.labels,
            "knots": self.knots.tolist(),
            "bar": self.bar,
            "measured": dict(self.measured),
        }

    @classmethod
    def from_dict(cls, known: Mapping[str, Any]) -> Both:
        fusion = Fusion(known["photo"], known["title"])
        knots = np.array(known["knots"])
        return cls(fusion, known["labels"], knots, known["bar"], known["measured"])


class PhotoTitles:
    """One shop's photos and titles, read together. Safe to share between threads."""

    def __init__(self, photos: PhotoSearch, titles: Titles, results: Results) -> None:
        self._photos = photos
        self._titles = titles
        self._results = results

    def learn(self) -> Both | None:
        """Learn how the two are read together, from products that neither had seen; None, and
        nothing is kept, where there are too few of them."""
        photos = self._results.load("photos-held-out") or {}
        titles = self._results.load("titles-by-product") or {}
        products = self._photos.products()
        known = [
            (photos[i], titles[i], products[i].category)
            for i in photos.keys() & titles.keys() & products.keys()
            if products[i].category
        ]
        both = learn_both(sorted(known), self._titles.terms().precision) if known else None
        self._results.save(_KEPT_AS, both.to_dict() if both else {})
        return both

    def both(self) -> Both | None:
        """What was learned last."""
        known = self._results.load(_KEPT_AS)
        return Both.from_dict(known) if known and "knots" in known else None

    def tags(self, products: Sequence[str]) -> dict[str, PhotoTag]:
        """The category of each of these products that has a photo: by photo and title, or by its
        photo alone where titles were not learned."""
        served = self._photos.served()
        head = served.heads.heads.get("category") if served.heads else None
        vectors = {i: v for i in products if (v := served.index.vectors_of(i)) is not None}
        if head is None or not vectors:
            return {}
        rows = [{part: row[None] for part, row in v.items()} for v in vectors.values()]
        features = np.concatenate([joined(row) for row in rows])
        both = self.both() if self._titles.is_learned() else None
        if both is None:
            return dict(zip(vectors, head.tags(features), strict=True))
        seen = [likeliest(head.labels, found) for found in head.chances(features)]
        known = self._photos.products()
        read = self._witnesses([known[i].title if i in known else "" for i in vectors])
        pairs = zip(vectors, seen, read, strict=True)
        return {i: both.tag(photo, title) for i, photo, title in pairs}

    def tag(self, vectors: Mapping[str, NDArray[np.floating[Any]]], title: str) -> PhotoTag | None:
        """The category of a photo that comes with a title; None where only one can be read."""
        served, both = self._photos.served(), self.both()
        head = served.heads.heads.get("category") if served.heads else None
        if both is None or head is None or not self._titles.is_learned() or not clean(title):
            return None
        features = joined({part: row[None] for part, row in vectors.items()})
        return both.tag(
            likeliest(head.labels, head.chances(features)[0]), self._witnesses([title])[0]
        )

    def _witnesses(self, titles: Sequence[str]) -> list[Witness]:
        """What the classifier says of titles, as it was measured on held-out ones."""
        model = self._titles.model()
        scores, _ = model.scores([clean(title) for title in titles])
        found = []
        for row in softmax(scores, model.meta["temperature"]):
            best = likeliest(model.classes, row)
            first = float(calibrated(np.array([best[0][1]]), model.arrays["knots"][0])[0])
            rest = (1 - first) / max(1 - best[0][1], 1e-9)
            found.append([(best[0][0], first), *((c, min(p * rest, first)) for c, p in best[1:])])
        return found


def learn_both(known: Sequence[tuple[Witness, Witness, str]], precision: float) -> Both | None:
    """From (photo, title, right category) of held-out products; None for fewer than FEWEST.

    What is measured is measured on each half by what was learned from the other.
    """
    if len(known) < FEWEST:
        return None
    photos, titles = [one[0] for one in known], [one[1] for one in known]
    named = {label for one in (*photos, *titles) for label, _ in one}
    codes = {label: code for code, label in enumerate(sorted(named | {k[2] for k in known}))}
    photo, title = (_spread(ones, codes, len(codes)) for ones in (photos, titles))
    right = np.array([codes[category] for *_, category in known])
    half = np.random.default_rng(0).random(len(known)) < 0.5
    sure, hit = np.empty(len(known)), np.empty(len(known), bool)
    for learned, judged in ((half, ~half), (~half, half)):
        fusion, knots = _learned(photo[learned], title[learned], right[learned])
        likely = fusion.chances(photo[judged], title[judged])
        sure[judged] = calibrated(likely.max(axis=1), knots)
        hit[judged] = likely.argmax(axis=1) == right[judged]
    fusion, knots = _learned(photo, title, right)
    measured = {
        "held_out": len(known),
        "accuracy": float(hit.mean()),
        "photo_alone": float((photo.argmax(axis=1) == right).mean()),
        "title_alone": float((title.argmax(axis=1) == right).mean()),
        "most_frequent": float(np.bincount(right).max() / len(right)),
        "calibration_error": calibration_error(sure, hit),
    }
    bar = bar_for_precision(sure, hit, precision)
    measured["no_person"] = float((sure >= bar).mean())
    return Both(fusion, len(codes), knots, bar, measured)


def _learned(photo: Chances, title: Chances, right: NDArray[np.integer[Any]]) -> tuple[Fusion, Any]:
    fusion = learn_fusion(photo, title, right)
    likely = fusion.chances(photo, title)
    return fusion, curve(likely.max(axis=1), likely.argmax(axis=1) == right)


def _spread(witnesses: Sequence[Witness], codes: Mapping[str, int], labels: int) -> Chances:
    """The chances (n, codes); what a witness leaves is shared by the labels it does not name, of
    as many as there are `labels`."""
    found = np.zeros((len(witnesses), len(codes)))
    for row, witness in enumerate(witnesses):
        left = max(1 - sum(chance for _, chance in witness), 0.0) + 1e-3
        found[row] = left / max(labels - len(witness), 1)
        for label, chance in witness:
            found[row, codes[label]] = chance
    return found
