"""What do models say of titles, and of whole kinds, that they have not seen?

Each fold of the titles is answered by a model that learned from the others, and each part of the
classes by one that never met them. Calibration, bars, doubts and the sense for what is strange all
come from these answers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.models.calibration import calibrated
from thinslice.models.titles.classifier import TitleClassifier
from thinslice.models.titles.kernels import SHOWN
from thinslice.models.titles.linear import Features, fit
from thinslice.models.titles.novelty import Answers

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.integer]

PARTS = 5
"""Into how many parts the classes are divided, of which each is left out once."""

_HELD_OUT_CELLS = 60_000_000
_MISSING = -1e9


@dataclass(frozen=True, eq=False)
class HeldOut:
    """What models that had not seen a title said of it.

    Shapes: `rows` (n,) places in the titles that were given, `labels` (n,) the class it is filed
    under, `best` (n, 3) the likeliest classes, `confidences` (n, 3), `chance_of_label` (n,). `said`
    has what the limits are set from, titles of kinds left out included.
    """

    classes: tuple[str, ...]
    rows: Ints
    labels: Ints
    best: Ints
    confidences: NDArray[np.floating]
    chance_of_label: NDArray[np.floating]
    said: Answers

    @property
    def hit(self) -> NDArray[np.bool_]:
        return np.asarray(self.best[:, 0] == self.labels)


@dataclass(frozen=True, eq=False)
class Asked:
    """What was asked of models that had not seen it, and what they scored.

    `rows` (n,) places in the texts, `scores` (n, classes), `signs` (n, 5) as of the compiled loop.
    """

    rows: Ints
    scores: NDArray[np.float32]
    signs: NDArray[np.float32]

    @classmethod
    def nothing_yet(cls, rows: Ints, classes: int) -> Asked:
        scores = np.full((len(rows), classes), -1.0, np.float32)
        return cls(rows, scores, np.zeros((len(rows), SHOWN), np.float32))


def ask_unseen_titles(
    features: Features,
    texts: Sequence[str],
    labels: Ints,
    groups: Sequence[str],
    classes: tuple[str, ...],
    folds: int,
    seed: int,
) -> Asked:
    """Each title of a model that knows none of its group."""
    fold_of = _folds(groups, folds, seed)
    asked = Asked.nothing_yet(_sample(len(texts), len(classes), seed), len(classes))
    for fold in range(folds):  # one by one: liblinear's random numbers are the process's
        here = np.flatnonzero(fold_of[asked.rows] == fold)
        rest = np.flatnonzero(fold_of != fold)
        if len(here) == 0 or len(np.unique(labels[rest])) < 2:
            continue
        arrays = fit(features, rest, labels, len(classes))
        _ask(arrays, classes, [texts[i] for i in asked.rows[here]], asked, here)
    return asked


def ask_unseen_classes(
    features: Features, texts: Sequence[str], labels: Ints, classes: tuple[str, ...], seed: int
) -> Asked:
    """Each title of a model that knows nothing of its class: what an unknown kind looks like.

    Nothing is asked where fewer than three classes leave none to be mistaken for.
    """
    n = len(classes)
    parts = min(PARTS, n) if n > 2 else 0
    part_of = np.empty(n, np.int64)
    part_of[np.random.default_rng(seed).permutation(n)] = np.arange(n) % max(parts, 1)
    rows = _sample(len(texts), n, seed) if parts else np.zeros(0, np.int64)
    asked = Asked.nothing_yet(rows, n)
    asked.scores[:] = _MISSING
    for part in range(parts):
        here = np.flatnonzero(part_of[labels[rows]] == part)
        rest, met = np.flatnonzero(part_of[labels] != part), np.flatnonzero(part_of != part)
        if len(here) == 0:
            continue
        arrays = fit(features, rest, labels, n)
        arrays["weights"] = np.ascontiguousarray(arrays["weights"][:, met])
        arrays["intercepts"] = arrays["intercepts"][met]
        few = Asked.nothing_yet(here, len(met))
        those = [texts[i] for i in rows[here]]
        _ask(arrays, tuple(classes[c] for c in met), those, few, np.arange(len(here)))
        asked.scores[np.ix_(here, met)], asked.signs[here] = few.scores, few.signs
    return asked


def _ask(arrays: Any, classes: tuple[str, ...], texts: list[str], asked: Asked, at: Ints) -> None:
    missing = ("knots", "parents", "depths", "class_nodes", "bars")
    nothing = {name: np.zeros(0) for name in missing} | {
        "usual": np.zeros((2, len(classes), 4), np.float32),
        "strangeness": np.zeros(7, np.float32),
        "foreign": np.zeros(5, np.float32),
    }
    meta = {"classes": classes, "nodes": (), "temperature": 1, "strange": 0}
    asked.scores[at], asked.signs[at] = TitleClassifier({**arrays, **nothing}, meta).scores(texts)


def _sample(titles: int, classes: int, seed: int) -> Ints:
    """Which titles are asked about: all, or as many as their scores have room."""
    most = max(1, _HELD_OUT_CELLS // classes)
    if titles <= most:
        return np.arange(titles)
    return np.sort(np.random.default_rng(seed).choice(titles, most, replace=False))


def _folds(groups: Sequence[str], folds: int, seed: int) -> Ints:
    """A fold for every title, the same for all titles of a group."""
    _, code = np.unique(np.array(groups), return_inverse=True)
    order = np.random.default_rng(seed).permutation(int(code.max()) + 1)
    return np.asarray(order[code] % folds)


def likeliest(
    likely: NDArray[np.floating], knots: NDArray[np.floating]
) -> tuple[Ints, NDArray[np.floating]]:
    """The three likeliest classes (n, 3), -1 where there are fewer, and their confidences."""
    best = np.argsort(-likely, axis=1, kind="stable")[:, :3]
    if best.shape[1] < 3:
        best = np.hstack([best, np.full((len(best), 3 - best.shape[1]), -1)])
    chance = np.where(best >= 0, np.take_along_axis(likely, np.maximum(best, 0), axis=1), 0.0)
    first = calibrated(chance[:, 0], knots[0])
    rest = (1 - first) / np.maximum(1 - chance[:, 0], 1e-9)
    others = np.minimum(chance[:, 1:] * rest[:, None], first[:, None])
    return best, np.column_stack([first, others])
