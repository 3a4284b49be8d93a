"""Learn from people's corrections in a second or two, without learning everything anew.

The weights of a built version are the start of a few passes of stochastic gradient descent over the
corrections and a sample of the catalogue's titles, so that what was known stays known. Features
that only the corrections have get rows of their own; calibration and bars are the build's. A title
that a person decided is answered as decided, word for word.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.models.titles.classifier import TitleClassifier
from thinslice.models.titles.features import clean, features_of
from thinslice.models.titles.linear import both_sides, packed, weighted
from thinslice.models.titles.taxonomy import path_of

if TYPE_CHECKING:
    from numpy.typing import NDArray

SAMPLE = 4000
"""Titles of the catalogue that are looked at again beside the corrections."""

PASSES = 4
STEP = 0.1
"""Step of the descent: large enough to learn a correction, small enough to forget nothing."""


def refit_titles(
    base: TitleClassifier,
    titles: Sequence[str],
    categories: Sequence[str],
    corrected: Sequence[tuple[str, str]],
    *,
    rng_seed: int = 0,
) -> TitleClassifier:
    """The base version with what people said since: (title, right category) pairs, oldest first.

    `titles` with `categories` are the catalogue's own, of which a sample is drawn. A category that
    the base does not know is answered for the corrected titles only, until the next build.
    """
    decided = {clean(title): path_of(category) for title, category in corrected if clean(title)}
    code = {path: i for i, path in enumerate(base.classes)}
    fixed = [(text, code[path]) for text, path in decided.items() if path in code]
    arrays = dict(base.arrays)
    if fixed:
        old = _sample(titles, categories, decided, code, rng_seed)
        arrays |= _descended(base, old, fixed, rng_seed)
    meta = {
        **base.meta,
        "decided": decided,
        "corrections": len(decided),
        "base_version": base.meta.get("base_version") or base.version,
    }
    return TitleClassifier(arrays, meta)


def _sample(
    titles: Sequence[str],
    categories: Sequence[str],
    decided: dict[str, str],
    code: dict[str, int],
    seed: int,
) -> list[tuple[str, int]]:
    order = np.random.default_rng(seed).permutation(len(titles))
    drawn: list[tuple[str, int]] = []
    for i in order.tolist():
        path = path_of(categories[i])
        text = clean(titles[i]) if path in code else ""
        if text and text not in decided:
            drawn.append((text, code[path]))
        if len(drawn) == SAMPLE:
            break
    return drawn


def _descended(
    base: TitleClassifier, old: list[tuple[str, int]], fixed: list[tuple[str, int]], seed: int
) -> dict[str, Any]:
    from sklearn.linear_model import SGDClassifier

    texts = [text for text, _ in (*old, *fixed)]
    labels = np.array([label for _, label in (*old, *fixed)])
    hashes, idf, weights = _dense(base)
    found, starts = features_of(texts)
    new = np.setdiff1d(found[starts[len(old)] :], hashes)
    hashes = np.r_[hashes, new]
    idf = np.r_[idf, np.full(len(new), idf.max(initial=1.0), np.float32)]
    weights = np.vstack([weights, np.zeros((len(new), len(base.classes)), np.float32)])
    data = weighted(_table(found, starts, hashes), idf)
    intercepts = np.asarray(base.arrays["intercepts"], np.float64)
    touched, seen = np.unique(data.indices), np.unique(labels)
    if len(seen) < 2:
        return {}
    model = SGDClassifier(
        loss="modified_huber",
        penalty=None,
        learning_rate="constant",
        eta0=STEP,
        max_iter=PASSES,
        tol=None,
        random_state=seed,
    )
    start = weights[touched].T.astype(np.float64)
    one_side = seen[1:] if len(seen) == 2 else seen
    model.fit(
        data[:, touched], labels, coef_init=start[one_side], intercept_init=intercepts[one_side]
    )
    start[seen], intercepts[seen] = both_sides(model.coef_, model.intercept_)
    weights[touched] = start.T
    return packed(hashes, idf, weights, intercepts, np.full(len(hashes), 2.0))


def _dense(
    base: TitleClassifier,
) -> tuple[NDArray[np.uint32], NDArray[np.float32], NDArray[np.float32]]:
    """Hashes, idf and weights of the base, row by row."""
    keys, rows = np.asarray(base.arrays["keys"]), np.asarray(base.arrays["rows"])
    idf, scales = np.asarray(base.arrays["idf"]), np.asarray(base.arrays["scales"])
    hashes = np.zeros(len(idf), np.uint32)
    hashes[rows[keys != 0]] = keys[keys != 0]
    weights = np.asarray(base.arrays["weights"], np.float32) * scales[:, None]
    return hashes, idf.astype(np.float32), weights


def _table(found: Any, starts: Any, hashes: Any) -> Any:
    """The known features of titles, as a sparse table over the rows of the model."""
    import scipy.sparse

    order = np.argsort(hashes)
    place = np.minimum(np.searchsorted(hashes, found, sorter=order), len(hashes) - 1)
    columns = order[place]
    ones = (hashes[columns] == found).astype(np.float32)
    shape = (len(starts) - 1, len(hashes))
    table = scipy.sparse.csr_matrix((ones, columns, starts), shape=shape)
    table.eliminate_zeros()
    return table
