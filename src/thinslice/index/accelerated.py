"""The nearest rows of a very large segment by faiss, where it is installed (extra `faiss`).

Product quantisation with 4-bit codes, compared 32 at a time in registers (André et al. 2015; faiss
*FastScan*), takes the place of the sketches. Parts stand side by side, so that their weights go
into the query:

    sum over parts of weight * (q . x)  =  (all weight * q, side by side) . (all x, side by side)

What it finds is scored exactly afterwards, like what the sketches find. Where a filter leaves less
than half of the rows the sketches are scanned, which skip what is left out. An index whose reader
has no faiss is scanned as well.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.errors import InputError, StorageError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Vectors = Mapping[str, NDArray[np.floating[Any]]]

FILE = "codes.faiss"

MOST_CODES = 128
"""Codes of half a byte that a row has at most; each stands for 2, 4 or 8 of its numbers."""

LEARNED_FROM = 20_000
"""Rows that the codes are learned from."""

_WHOLE = 8


def faiss_or_none() -> Any:
    """The faiss package, None where it is not installed."""
    try:
        import faiss
    except ImportError:
        return None
    return faiss


def require_faiss() -> Any:
    """The faiss package; InputError says how to get it."""
    faiss = faiss_or_none()
    if faiss is None:
        raise InputError(
            "a large index is made faster by faiss, which is not installed; install it with: "
            "pip install 'thinslice[faiss]'"
        )
    return faiss


def write_codes(folder: Path, vectors: Vectors, *, block: int = 50_000) -> None:
    """Learn the codes of a segment's vectors and write them to its folder."""
    faiss = require_faiss()
    rows = len(next(iter(vectors.values())))
    example = _beside(vectors, slice(0, rows, max(1, rows // LEARNED_FROM)))
    dim = example.shape[1]
    each = next((n for n in (2, 4, 8) if dim // n <= MOST_CODES), 8)
    index = faiss.IndexPQFastScan(dim, dim // each, 4, faiss.METRIC_INNER_PRODUCT)
    index.train(example)
    for first in range(0, rows, block):
        index.add(_beside(vectors, slice(first, first + block)))
    faiss.write_index(index, str(folder / FILE))


class Codes:
    """The codes of one segment; `dims` are the dimensions of its parts, in their order."""

    def __init__(self, path: Path, dims: Mapping[str, int]) -> None:
        try:
            self._index = require_faiss().read_index(str(path))
        except RuntimeError as error:
            raise StorageError(
                f"the photo index {path.parent} is damaged ({error}); build it again: "
                "thinslice build"
            ) from error
        self._dims = dims

    def nearest(
        self, query: Vectors, weights: Mapping[str, float], allowed: NDArray[np.bool_], n: int
    ) -> NDArray[np.int64] | None:
        """About the n allowed rows nearest to the query, in no order; None where so few are
        allowed that these are found sooner by scanning."""
        if 2 * int(allowed.sum()) < len(allowed):
            return None
        asked = {
            part: np.asarray(query[part], np.float32)[None] * np.float32(weights[part])
            if part in weights
            else np.zeros((1, dim), np.float32)
            for part, dim in self._dims.items()
        }
        _, rows = self._index.search(_beside(asked, slice(None)), min(2 * n, len(allowed)))
        found: NDArray[np.int64] = rows[0][rows[0] >= 0]
        return found[allowed[found]][:n]


def _beside(vectors: Vectors, rows: slice) -> NDArray[np.float32]:
    """The parts of some rows side by side as faiss reads them, filled up to whole codes."""
    parts = [np.asarray(part[rows], np.float32) for part in vectors.values()]
    missing = -sum(part.shape[1] for part in parts) % _WHOLE
    filled = [*parts, np.zeros((len(parts[0]), missing), np.float32)]
    return np.ascontiguousarray(np.concatenate(filled, axis=1))
