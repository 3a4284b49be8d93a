"""Learn the title classifier: features, a linear model of scikit-learn, held-out calibration.

Titles are divided so that equal ones, or those of one product (`groups`), never stand on both
sides. The model of each fold answers titles it has not seen; from those answers come the
calibration, the bars and the list of suspected labels; the model that is served learns from all.
scikit-learn is imported here only, when something is learned.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import thinslice
from thinslice.errors import NotEnoughDataError
from thinslice.models.calibration import (
    bar_for_precision,
    best_temperature,
    calibrated,
    calibration_error,
    chances,
    curve,
)
from thinslice.models.titles.classifier import SEPARATOR, TitleClassifier
from thinslice.models.titles.features import clean, features_of
from thinslice.models.titles.kernels import fill_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.integer]

MIN_TITLES = 5
"""Titles of a category below which it is not learned, and its titles are for a person."""

FOLDS = 5
MAX_CELLS = 3_000_000
"""Weights of a model, a byte each; the features that matter least are dropped above it."""

FEWEST_FEATURES = 20_000
STRANGE = 0.01
"""Share of held-out titles that are less familiar than what counts as a known kind."""

LEAST_SPREAD = (0.1, 0.1, 0.5)
LEAST_DISTANCE = 7.0
LEAST_BAR = 0.5
"""An answer that is rather wrong than right is never taken over, however good the others are."""

_HELD_OUT_CELLS = 60_000_000
_STRENGTH = 1.0


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What models that had not seen a title said of it.

    Shapes: `rows` (n,) places in the titles that were given, `labels` (n,) the class it is filed
    under, `best` (n, 3) the likeliest classes, `confidences` (n, 3), `chance_of_label` (n,).
    """

    classes: tuple[str, ...]
    rows: Ints
    labels: Ints
    best: Ints
    confidences: NDArray[np.floating]
    chance_of_label: NDArray[np.floating]

    @property
    def hit(self) -> NDArray[np.bool_]:
        return np.asarray(self.best[:, 0] == self.labels)


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
    features = _Features.of(texts)
    held = _held_out(features, texts, labels, group_of, classes, folds, rng_seed)
    scores, known, shown = held
    temperature = best_temperature(scores, labels[shown])
    likely = chances(scores, temperature)
    tree = _Tree.of(classes)
    levels = _levels(likely, labels[shown], tree)
    knots = np.stack([curve(chance, hit) for chance, hit in levels]).astype(np.float32)
    found = _found(likely, knots, labels[shown], np.asarray(kept)[shown], classes)
    bars = _bars(len(tree.paths), tree.class_nodes, found.confidences[:, 0], found.hit, precision)
    fitted = _fit(features, np.arange(len(texts)), labels, len(classes))
    meta = {
        "classes": list(classes),
        "nodes": list(tree.paths),
        "temperature": temperature,
        "familiar": _familiar(known, scores.max(axis=1)),
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
        "held_out": _measured(found, bars[tree.class_nodes]),
    }
    arrays = {
        **fitted,
        "knots": knots,
        "parents": tree.parents,
        "depths": tree.depths,
        "class_nodes": tree.class_nodes,
        "bars": bars.astype(np.float32),
    }
    return TitleClassifier(arrays, meta), found


# what is learned from


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


def path_of(category: str) -> str:
    """A category path in one writing.

    >>> path_of(" Home >Lighting>  Lamps ")
    'Home > Lighting > Lamps'
    """
    return SEPARATOR.join(part.strip() for part in category.split(">") if part.strip())


@dataclass(frozen=True, eq=False)
class _Features:
    """The features of all titles as one compressed sparse row table."""

    vocabulary: NDArray[np.uint32]
    columns: Ints
    starts: Ints

    @classmethod
    def of(cls, texts: Sequence[str]) -> _Features:
        hashes, starts = features_of(texts)
        vocabulary, columns = np.unique(hashes, return_inverse=True)
        return cls(vocabulary, columns.astype(np.int32), starts)

    def table(self) -> Any:
        import scipy.sparse

        ones = np.ones(len(self.columns), np.float32)
        shape = (len(self.starts) - 1, len(self.vocabulary))
        return scipy.sparse.csr_matrix((ones, self.columns, self.starts), shape=shape)


def _folds(groups: Sequence[str], folds: int, seed: int) -> Ints:
    """A fold for every title, the same for all titles of a group."""
    _, code = np.unique(np.array(groups), return_inverse=True)
    order = np.random.default_rng(seed).permutation(int(code.max()) + 1)
    return np.asarray(order[code] % folds)


# the linear model


def _fit(features: _Features, rows: Ints, labels: Ints, n_classes: int) -> dict[str, Any]:
    """The arrays of a model that learned from some of the titles."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    table = features.table()[rows]
    seen = np.asarray(table.sum(axis=0)).ravel()
    columns = np.flatnonzero(seen >= min(2, seen.max()))
    idf = (np.log((1 + len(rows)) / (1 + seen[columns])) + 1).astype(np.float32)
    data = weighted(table[:, columns], idf)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # close enough is what is asked for
        model = LinearSVC(C=_STRENGTH, dual=True, tol=1e-3, max_iter=300, random_state=0)
        model.fit(data, labels[rows])
    coefficients, intercepts = both_sides(model.coef_, model.intercept_)
    weights = np.zeros((len(columns), n_classes), np.float32)
    weights[:, model.classes_] = coefficients.T
    offsets = np.full(n_classes, -1.0, np.float32)
    offsets[model.classes_] = intercepts
    return packed(features.vocabulary[columns], idf, weights, offsets, seen[columns])


def weighted(table: Any, idf: NDArray[np.floating]) -> Any:
    """Every row times idf, then of length 1."""
    import scipy.sparse

    data = (table @ scipy.sparse.diags(idf)).tocsr()
    length = np.sqrt(np.asarray(data.multiply(data).sum(axis=1)).ravel())
    length[length == 0] = 1
    return (scipy.sparse.diags((1 / length).astype(np.float32)) @ data).tocsr()


def both_sides(coefficients: Any, intercepts: Any) -> tuple[Any, Any]:
    """One row per class, where scikit-learn has a single one for two classes."""
    if len(coefficients) > 1:
        return coefficients, intercepts
    return np.vstack([-coefficients, coefficients]), np.r_[-intercepts, intercepts]


def packed(
    hashes: NDArray[np.uint32], idf: Any, weights: Any, intercepts: Any, seen: Any
) -> dict[str, Any]:
    """The weights as int8 with a scale per feature, and the table that finds a feature's row."""
    most = max(FEWEST_FEATURES, MAX_CELLS // weights.shape[1])
    largest = np.abs(weights).max(axis=1)
    if len(hashes) > most:
        kept = np.sort(np.argsort(-largest * np.sqrt(seen), kind="stable")[:most])
        hashes, idf, weights, largest = hashes[kept], idf[kept], weights[kept], largest[kept]
    scales = np.where(largest > 0, largest / 127, 1).astype(np.float32)
    size = 1 << max(4, int(len(hashes) * 1.4).bit_length())
    keys, rows = np.zeros(size, np.uint32), np.zeros(size, np.int32)
    fill_table(hashes, keys, rows)
    return {
        "keys": keys,
        "rows": rows,
        "idf": idf.astype(np.float32),
        "scales": scales,
        "weights": np.round(weights / scales[:, None]).astype(np.int8),
        "intercepts": np.asarray(intercepts, np.float32),
    }


# what held-out titles say


def _held_out(
    features: _Features,
    texts: Sequence[str],
    labels: Ints,
    groups: Sequence[str],
    classes: tuple[str, ...],
    folds: int,
    seed: int,
) -> tuple[NDArray[np.float32], NDArray[np.float32], Ints]:
    """Scores (n, classes), known words (n,), and which titles these are."""
    fold_of = _folds(groups, folds, seed)
    most = max(1, _HELD_OUT_CELLS // len(classes))
    shown = np.arange(len(texts))
    if len(texts) > most:
        shown = np.sort(np.random.default_rng(seed).choice(len(texts), most, replace=False))
    scores = np.empty((len(shown), len(classes)), np.float32)
    known = np.empty((len(shown), 2), np.float32)

    for fold in range(folds):  # one by one: liblinear's random numbers are the process's
        here = np.flatnonzero(fold_of[shown] == fold)
        rest = np.flatnonzero(fold_of != fold)
        if len(here) == 0 or len(np.unique(labels[rest])) < 2:
            scores[here], known[here] = -1.0, 0.0
            continue
        arrays = _fit(features, rest, labels, len(classes))
        model = TitleClassifier({**arrays, **_no_tree()}, _no_meta(classes))
        scores[here], known[here] = model.scores([texts[i] for i in shown[here]])
    return scores, known, shown


def _no_tree() -> dict[str, Any]:
    return {name: np.zeros(0) for name in ("knots", "parents", "depths", "class_nodes", "bars")}


def _no_meta(classes: tuple[str, ...]) -> dict[str, Any]:
    return {"classes": classes, "nodes": (), "temperature": 1, "familiar": [0]}


@dataclass(frozen=True, eq=False)
class _Tree:
    """The taxonomy: every class and every level above one is a node; depth 1 is the top."""

    paths: tuple[str, ...]
    parents: Ints
    depths: Ints
    class_nodes: Ints

    @classmethod
    def of(cls, classes: tuple[str, ...]) -> _Tree:
        place: dict[str, int] = {}
        for path in classes:
            parts = path.split(SEPARATOR)
            for depth in range(1, len(parts) + 1):
                place.setdefault(SEPARATOR.join(parts[:depth]), len(place))
        paths = tuple(place)
        parents = [place.get(path.rpartition(SEPARATOR)[0], -1) for path in paths]
        depths = [path.count(SEPARATOR) + 1 for path in paths]
        return cls(
            paths,
            np.array(parents, np.int32),
            np.array(depths, np.int32),
            np.array([place[path] for path in classes], np.int32),
        )

    def at_depth(self, depth: int) -> Ints:
        """The node of that depth that each class is or lies under, -1 for a shallower class."""
        at = self.class_nodes.copy()
        for _ in range(int(self.depths.max(initial=1))):
            deeper = (at >= 0) & (self.depths[at] > depth)
            at[deeper] = self.parents[at[deeper]]
        at[(at < 0) | (self.depths[at] != depth)] = -1
        return at


def _levels(
    likely: NDArray[np.floating], labels: Ints, tree: _Tree
) -> list[tuple[NDArray[np.floating], NDArray[np.bool_]]]:
    """(chance, hit) of the classes first, then of the nodes of each depth above the deepest."""
    found = [(likely.max(axis=1), np.asarray(likely.argmax(axis=1) == labels))]
    for depth in range(1, int(tree.depths.max(initial=1))):
        node_of = tree.at_depth(depth)
        nodes, code = np.unique(node_of, return_inverse=True)
        sums = np.zeros((len(likely), len(nodes)), np.float32)
        for c in range(likely.shape[1]):
            sums[:, code[c]] += likely[:, c]
        sums[:, nodes < 0] = -1
        best = nodes[sums.argmax(axis=1)]
        found.append((np.clip(sums.max(axis=1), 0, 1), np.asarray(best == node_of[labels])))
    return found


def bars_for_precision(
    model: TitleClassifier, confidence: Any, hit: Any, precision: float
) -> NDArray[np.float64]:
    """One bar per node: of the classes what keeps the precision, of a level above the precision
    itself, since whatever is answered there was not sure enough below."""
    class_nodes = model.arrays["class_nodes"]
    return _bars(len(model.nodes), np.asarray(class_nodes), confidence, hit, precision)


def _bars(
    nodes: int, class_nodes: Ints, confidence: Any, hit: Any, precision: float
) -> NDArray[np.float64]:
    bars = np.full(nodes, precision)
    bars[class_nodes] = max(LEAST_BAR, bar_for_precision(confidence, hit, precision))
    return bars


def _found(likely: Any, knots: Any, labels: Ints, rows: Ints, classes: tuple[str, ...]) -> HeldOut:
    best = np.argsort(-likely, axis=1, kind="stable")[:, :3]
    if best.shape[1] < 3:
        best = np.hstack([best, np.full((len(best), 3 - best.shape[1]), -1)])
    chance = np.where(best >= 0, np.take_along_axis(likely, np.maximum(best, 0), axis=1), 0.0)
    first = calibrated(chance[:, 0], knots[0])
    rest = (1 - first) / np.maximum(1 - chance[:, 0], 1e-9)
    others = np.minimum(chance[:, 1:] * rest[:, None], first[:, None])
    confidences = np.column_stack([first, others])
    own = likely[np.arange(len(labels)), labels]
    return HeldOut(classes, rows, labels, best, confidences, own)


def _familiar(known: NDArray[np.floating], top: NDArray[np.floating]) -> list[float]:
    """How to tell an unknown kind of product: weights of known words, known features and the best
    score, each by its spread, and what all but one in a hundred held-out titles reach.

    Titles made to one pattern spread little, and another wording is no other kind of product:
    hence the least spreads and the least distance from the middle.
    """
    signs = np.column_stack([known, top])
    weights = 1 / np.maximum(signs.std(axis=0), LEAST_SPREAD)
    familiar = signs @ weights
    least = min(np.quantile(familiar, STRANGE), familiar.mean() - LEAST_DISTANCE)
    return [*weights.tolist(), float(least)]


def _measured(found: HeldOut, bars: NDArray[np.floating]) -> dict[str, Any]:
    accepted = found.confidences[:, 0] >= bars[found.best[:, 0]]
    right = found.hit[accepted]
    return {
        "titles": len(found.rows),
        "top_1": float(found.hit.mean()),
        "top_3": float((found.best == found.labels[:, None]).any(axis=1).mean()),
        "accepted": float(accepted.mean()),
        "precision": float(right.mean()) if len(right) else 0.0,
        "calibration_error": calibration_error(found.confidences[:, 0], found.hit),
    }
