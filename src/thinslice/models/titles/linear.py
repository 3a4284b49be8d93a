"""One class against the rest: titles' features in, the arrays of a linear model out."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.models.titles.features import features_of
from thinslice.models.titles.kernels import fill_table

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Ints = NDArray[np.integer]

MAX_CELLS = 3_000_000
"""Weights of a model, a byte each; the features that matter least are dropped above it."""

FEWEST_FEATURES = 20_000
_STRENGTH = 1.0


@dataclass(frozen=True, eq=False)
class Features:
    """The features of all titles as one compressed sparse row table."""

    vocabulary: NDArray[np.uint32]
    columns: Ints
    starts: Ints

    @classmethod
    def of(cls, texts: Sequence[str]) -> Features:
        hashes, starts = features_of(texts)
        vocabulary, columns = np.unique(hashes, return_inverse=True)
        return cls(vocabulary, columns.astype(np.int32), starts)

    def table(self) -> Any:
        import scipy.sparse

        ones = np.ones(len(self.columns), np.float32)
        shape = (len(self.starts) - 1, len(self.vocabulary))
        return scipy.sparse.csr_matrix((ones, self.columns, self.starts), shape=shape)


def fit(features: Features, rows: Ints, labels: Ints, n_classes: int) -> dict[str, Any]:
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
