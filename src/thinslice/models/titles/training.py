"""Learn the title classifier: features, a linear model of scikit-learn, held-out calibration.

Titles are divided so that equal ones, or those of one product (`groups`), never stand on both
sides. The model of each fold answers titles it has not seen; from those answers come the
calibration, the bars and the list of suspected labels, and from those of models that a whole kind
was kept from comes the sense for unknown kinds (`held_out.py`, `novelty.py`). The model that is
served learns from all. scikit-learn is imported only when something is learned.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

import thinslice
from thinslice.errors import NotEnoughDataError
from thinslice.models.calibration import (
    best_temperature,
    calibrated,
    calibration_error,
    chances,
    curve,
)
from thinslice.models.titles.classifier import TitleClassifier
from thinslice.models.titles.features import clean
from thinslice.models.titles.held_out import (
    Asked,
    HeldOut,
    ask_unseen_classes,
    ask_unseen_titles,
    likeliest,
)
from thinslice.models.titles.linear import Features, fit
from thinslice.models.titles.novelty import (
    Answers,
    Novelty,
    limits_for_precision,
    unknown_share,
)
from thinslice.models.titles.taxonomy import Taxonomy, levels, path_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.integer]

MIN_TITLES = 5
"""Titles of a category below which it is not learned, and its titles are for a person."""

FOLDS = 5


def learn_titles(
    titles: Sequence[str],
    categories: Sequence[str],
    *,
    groups: Sequence[str] | None = None,
    precision: float = 0.99,
    folds: int = FOLDS,
    rng_seed: int = 0,
) -> tuple[TitleClassifier, HeldOut]:
    """Learn from titles with their categories, paths such as "Home > Lighting > Lamps".

    `precision` sets the bars: of the held-out answers above them that share was right. `groups`
    name the product of a title where several titles have the same. Equal input gives an equal
    model. Raises NotEnoughDataError for fewer than two categories with `MIN_TITLES` titles.
    """
    cleaned = [clean(title) for title in titles]
    classes, labels, kept = _classes(cleaned, categories)
    texts = [cleaned[i] for i in kept]
    group_of = [str(groups[i]) for i in kept] if groups is not None else texts
    features, tree = Features.of(texts), Taxonomy.of(classes)
    asked = ask_unseen_titles(features, texts, labels, group_of, classes, folds, rng_seed)
    strange = ask_unseen_classes(features, texts, labels, classes, rng_seed)
    own = labels[asked.rows]
    temperature = best_temperature(asked.scores, own)
    likely = chances(asked.scores, temperature)
    knots = np.stack([curve(*level) for level in levels(likely, own, tree)]).astype(np.float32)
    best, confidences = likeliest(likely, knots)
    novelty, said = _strangeness(asked, best[:, 0], own, confidences, strange, temperature, knots)
    chance_of_own = likely[np.arange(len(own)), own]
    rows = np.asarray(kept)[asked.rows]
    found = HeldOut(classes, rows, own, best, confidences, chance_of_own, said)
    share = unknown_share(len(classes), len(texts))
    bar, limit = limits_for_precision(said, precision, share)
    fitted = fit(features, np.arange(len(texts)), labels, len(classes))
    meta = {
        "classes": list(classes),
        "nodes": list(tree.paths),
        "temperature": temperature,
        "strange": limit,
        "unknown_share": share,
        "decided": {},
        "code_version": thinslice.__version__,
        "seed": rng_seed,
        "settings": {"precision": precision, "folds": folds, "min_titles": MIN_TITLES},
        "counts": {
            "titles": len(texts),
            "classes": len(classes),
            "features": len(fitted["idf"]),
            "titles_left_out": len(titles) - len(texts),
        },
        "held_out": _measured(found, bar, limit),
    }
    arrays = {
        **fitted,
        "knots": knots,
        "parents": tree.parents,
        "depths": tree.depths,
        "class_nodes": tree.class_nodes,
        "bars": bars_of(len(tree.paths), tree.class_nodes, bar, precision),
        "usual": novelty.usual,
        "strangeness": novelty.weights,
        "foreign": novelty.foreign,
    }
    return TitleClassifier(arrays, meta), found


def bars_of(nodes: int, class_nodes: Ints, bar: float, precision: float) -> NDArray[np.float32]:
    """One bar per node: of a level above the classes the precision itself, since whatever is
    answered there was not sure enough below."""
    bars = np.full(nodes, precision, np.float32)
    bars[class_nodes] = bar
    return bars


def _classes(
    cleaned: Sequence[str], categories: Sequence[str]
) -> tuple[tuple[str, ...], Ints, list[int]]:
    """The categories with titles enough, the class of each title kept, and which those are."""
    paths = [path_of(category) for category in categories]
    count: dict[str, int] = {}
    for text, path in zip(cleaned, paths, strict=True):
        if text and path:
            count[path] = count.get(path, 0) + 1
    classes = tuple(sorted(path for path, n in count.items() if n >= MIN_TITLES))
    if len(classes) < 2:
        raise NotEnoughDataError(
            f"titles are learned from at least two categories with {MIN_TITLES} titles each, got "
            f"{len(classes)} such of {len(count)}; import products with categories: "
            "thinslice import --products PRODUCTS.csv"
        )
    code = {path: i for i, path in enumerate(classes)}
    kept = [i for i, path in enumerate(paths) if path in code and cleaned[i]]
    return classes, np.array([code[paths[i]] for i in kept], np.int64), kept


def _strangeness(
    asked: Asked,
    answered: Ints,
    own: Ints,
    confidences: NDArray[np.floating],
    strange: Asked,
    temperature: float,
    knots: NDArray[np.floating],
) -> tuple[Novelty, Answers]:
    """What is learned of unknown kinds, and the answers from which their limit is set."""
    hit = answered == own
    mistaken = strange.scores.argmax(axis=1)
    novelty = Novelty.learn(
        asked.signs, answered, hit, strange.signs, mistaken, asked.scores.shape[1]
    )
    sure = chances(strange.scores, temperature).max(axis=1, initial=0.0)
    return novelty, Answers(
        confidences[:, 0],
        hit,
        novelty.of(asked.signs, answered),
        answered,
        calibrated(sure, knots[0]),
        novelty.of(strange.signs, mistaken),
        mistaken,
    )


def _measured(found: HeldOut, bar: float, limit: float) -> dict[str, Any]:
    said = found.said
    accepted = (said.confidence >= bar) & (said.novelty <= limit)
    of_unknown = (said.unknown_confidence >= bar) & (said.unknown_novelty <= limit)
    right = found.hit[accepted]
    return {
        "titles": len(found.rows),
        "top_1": float(found.hit.mean()),
        "top_3": float((found.best == found.labels[:, None]).any(axis=1).mean()),
        "accepted": float(accepted.mean()),
        "precision": float(right.mean()) if len(right) else 0.0,
        "unknown_accepted": float(of_unknown.mean()) if len(of_unknown) else None,
        "calibration_error": calibration_error(found.confidences[:, 0], found.hit),
    }
