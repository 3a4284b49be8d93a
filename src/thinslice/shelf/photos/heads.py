"""What do this shop's photos show? Labels of the catalogue and of people in, heads out.

Learned at every build, and again in between from what people have decided since: the vectors are
there already, so that takes seconds.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.domain import Product
from thinslice.errors import NotEnoughDataError
from thinslice.models.calibration import chances
from thinslice.models.photos.classifier import Head, HeldOut, ImageClassifier, learn_photos
from thinslice.models.photos.review import disagreements
from thinslice.models.photos.title_part import title_vectors

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = Mapping[str, NDArray[np.floating[Any]]]

MOST_LEARNED = 20_000
"""Photos that the heads, or a fitted encoder, learn from at most; drawn at random."""

LIKELIEST = 3
"""Labels of a held-out photo that are kept, for photo and title to be read together."""

FEWEST = 100
"""Products that have an attribute, below which photos are not asked about it."""

Witness = list[tuple[str, float]]
"""The likeliest labels of something, each with its chance, the likeliest first."""

MOST_TITLED = 10_000
"""Products that heads learn from at most which read the title, too."""

TITLED = "titled"
"""The folder beside that of the heads, of those which read photo and title."""


@dataclass(frozen=True)
class LearnedHeads:
    """`heads` is None where too few labels were known; `doubted` are photos that look like another
    category than theirs, `held_out` what heads that had not seen a photo said of its category."""

    heads: ImageClassifier | None
    doubted: list[dict[str, Any]] = field(default_factory=list)
    held_out: dict[str, Witness] = field(default_factory=dict)


def learn_heads(
    ids: Sequence[str],
    vectors: Vectors,
    products: Mapping[str, Product],
    decided: Mapping[str, Mapping[str, str]],
    folder: Path,
    *,
    encoder: str,
    fitted_to: Collection[str] = (),
    decided_to: int = 0,
) -> LearnedHeads:
    """Learn a head per attribute and publish them in `folder`.

    Photos (`ids`, in the rows of `vectors`) have the labels of their products and those that people
    `decided`, by attribute and photo; photos that people decided are always learned from. How
    often heads are right is measured on photos that the encoder was not `fitted_to`.
    """
    spoken = {photo for known in decided.values() for photo in known}
    drawn = np.random.default_rng(0).permutation(len(ids))
    first = sorted(drawn.tolist(), key=lambda row: ids[row] not in spoken)
    rows = np.sort(np.array(first[:MOST_LEARNED], np.int64))
    chosen = [ids[row] for row in rows]
    shown = [products.get(photo) or Product(photo, "") for photo in chosen]
    labels = {
        name: _labels([p.label(name) for p in shown], chosen, decided.get(name, {}))
        for name in _attributes(shown)
    }
    unseen = np.array([photo not in fitted_to for photo in chosen])
    try:
        heads, held = learn_photos(
            {part: one[rows] for part, one in vectors.items()},
            labels,
            encoder=encoder,
            groups=[p.title or p.id for p in shown],
            unseen=unseen,
        )
    except NotEnoughDataError:
        return LearnedHeads(None)
    heads = ImageClassifier([h for h in heads.heads.values() if _is_worth_it(h)], heads.meta)
    if not heads.heads:
        return LearnedHeads(None)
    heads.meta["decided_to"] = decided_to
    _learn_titled(vectors, rows, shown, labels, unseen, folder.with_name(TITLED), encoder)
    heads.publish(folder)  # last: who sees it reads both
    if "category" not in held:
        return LearnedHeads(heads)
    head, of_kind = heads.heads["category"], held["category"]
    doubted = [one.to_dict() for one in disagreements(head, of_kind, chosen)]
    return LearnedHeads(heads, doubted, _witnesses(head, of_kind, chosen))


def _learn_titled(
    vectors: Vectors,
    rows: NDArray[np.int64],
    shown: Sequence[Product],
    labels: Mapping[str, Sequence[str | None]],
    unseen: NDArray[np.bool_],
    folder: Path,
    encoder: str,
) -> None:
    """Learn and publish heads that read photo and title, of all but the category, which is learned
    from whole titles elsewhere. Where none is worth it, what was learned before stays."""
    titled = np.array([n for n, p in enumerate(shown) if p.title], np.int64)
    chosen = np.sort(np.random.default_rng(0).permutation(titled)[:MOST_TITLED])
    titles = [shown[n].title for n in chosen]
    try:
        heads, _ = learn_photos(
            {part: one[rows[chosen]] for part, one in vectors.items()}
            | {"title": title_vectors(titles)},
            {a: [each[n] for n in chosen] for a, each in labels.items() if a != "category"},
            encoder=encoder,
            groups=titles,
            unseen=unseen[chosen],
            nets=(),
        )
    except NotEnoughDataError:
        return
    if worth := [head for head in heads.heads.values() if _is_worth_it(head)]:
        ImageClassifier(worth, heads.meta).publish(folder)


def _attributes(products: Sequence[Product]) -> list[str]:
    """Category, colour, and the attributes that so many products have that some may be learned."""
    counts = Counter(name for product in products for name, _ in product.attributes)
    return ["category", "colour", *sorted(n for n, c in counts.items() if c >= FEWEST)]


def _is_worth_it(head: Head) -> bool:
    """Whether photos tell an attribute: on photos that it had not seen, a head must be right more
    often than always saying the most frequent label is, by more than chance (one side, 95 %)."""
    if head.attribute in ("category", "colour"):
        return True
    right, usual, n = (head.measured[k] for k in ("accuracy", "most_frequent", "held_out"))
    return right - usual > 1.645 * float(np.sqrt(right * (1 - right) / n))


def _labels(
    listed: Sequence[str], photos: Sequence[str], decided: Mapping[str, str]
) -> list[str | None]:
    """As listed, put right where a person said so."""
    both = zip(listed, photos, strict=True)
    return [decided.get(photo) or label or None for label, photo in both]


def _witnesses(head: Head, held: HeldOut, ids: Sequence[str]) -> dict[str, Witness]:
    likely = chances(held.scores, head.temperature)
    return {
        ids[row]: likeliest(head.labels, found)
        for row, found, judged in zip(held.rows.tolist(), likely, held.judged, strict=True)
        if judged
    }


def likeliest(labels: Sequence[str], found: NDArray[np.floating[Any]]) -> Witness:
    """The likeliest of the labels, by their chances."""
    best = np.argsort(-found, kind="stable")[:LIKELIEST]
    return [(labels[k], round(float(found[k]), 5)) for k in best]
