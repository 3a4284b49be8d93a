"""256 bits per vector, and a scan over them that costs about ten nanoseconds a product.

Each bit is the side of a random hyperplane through the mean on which a vector lies (Charikar
2002), so the share of bits that differ grows with the angle. Vectors are rotated at random first,
which spreads what they know evenly over the bits. The scan counts differing bits, weighted per
part, and returns the nearest rows; the caller scores those exactly.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numba import njit, uint64

if TYPE_CHECKING:
    from numpy.typing import NDArray

WORD = 64
FINEST = 64
"""Weights of parts are rounded to whole numbers of at most this, so that a distance is one too."""


@dataclass(frozen=True)
class Hyperplanes:
    """What turns vectors of one part into bits: their mean and a random rotation."""

    mean: NDArray[np.float32]
    planes: NDArray[np.float32]

    @classmethod
    def learn(cls, vectors: NDArray[np.floating[Any]], bits: int, seed: int = 0) -> Hyperplanes:
        """From at most 50,000 of the vectors (n, dim); `bits` is a multiple of 64."""
        sample = np.asarray(vectors[:: max(1, len(vectors) // 50_000)], dtype=np.float32)
        dim = vectors.shape[1]
        rng = np.random.default_rng(seed)
        turns = [np.linalg.qr(rng.standard_normal((dim, dim)))[0].T for _ in range(-(-bits // dim))]
        planes = np.concatenate(turns)[:bits].astype(np.float32)
        mean = sample.mean(axis=0) if len(sample) else np.zeros(dim, np.float32)
        return cls(mean.astype(np.float32), planes)

    @property
    def words(self) -> int:
        return len(self.planes) // WORD

    def sketch(self, vectors: NDArray[np.floating[Any]], block: int = 50_000) -> NDArray[np.uint64]:
        """The bits of (n, dim) vectors, one row per word: (words, n) uint64."""
        packed = [
            np.packbits(
                (np.asarray(vectors[i : i + block], np.float32) - self.mean) @ self.planes.T > 0,
                axis=1,
            ).view(np.uint64)
            for i in range(0, len(vectors), block)
        ]
        rows = np.concatenate(packed) if packed else np.empty((0, self.words), np.uint64)
        return np.ascontiguousarray(rows.T)


def nearest_rows(
    sketches: NDArray[np.uint64],
    query: NDArray[np.uint64],
    weights: NDArray[np.uint16],
    allowed: NDArray[np.bool_],
    n: int,
) -> NDArray[np.int64]:
    """About the n allowed rows whose bits differ least from the query's, in no order.

    sketches (words, rows), query (words,), weights (words,) whole numbers from 0 to FINEST,
    allowed (rows,). More than n come back where several are equally far.
    """
    if n <= 0 or not sketches.shape[1]:
        return np.empty(0, np.int64)
    distances = np.empty(sketches.shape[1], np.uint16)
    _differing_bits(sketches, query, weights, allowed, distances)
    found: NDArray[np.int64] = _closest(distances, WORD * int(weights.sum()), n)
    return found


_OUT = np.uint16(65_535)


@njit(cache=True, inline="always")
def _bits_set(x: Any) -> Any:  # LLVM makes one instruction of it
    x = x - ((x >> uint64(1)) & uint64(0x5555555555555555))
    x = (x & uint64(0x3333333333333333)) + ((x >> uint64(2)) & uint64(0x3333333333333333))
    x = (x + (x >> uint64(4))) & uint64(0x0F0F0F0F0F0F0F0F)
    return (x * uint64(0x0101010101010101)) >> uint64(56)


@njit(cache=True, nogil=True)
def _differing_bits(sketches: Any, query: Any, weights: Any, allowed: Any, distances: Any) -> None:
    """Word by word, so that each pass reads and writes in a row and LLVM makes it vectors."""
    distances[:] = 0
    for word in range(len(weights)):
        weight = uint64(weights[word])
        if weight:
            for i in range(len(distances)):
                distances[i] += weight * _bits_set(sketches[word, i] ^ query[word])
    for i in range(len(distances)):
        if not allowed[i]:
            distances[i] = _OUT


@njit(cache=True, nogil=True)
def _closest(distances: Any, farthest: int, n: int) -> Any:
    """Rows up to the distance at which n are reached, by counting rows per distance."""
    counts = np.zeros(farthest + 1, np.int64)
    for distance in distances:
        if distance <= farthest:
            counts[distance] += 1
    reached, limit = 0, -1
    while limit < farthest and reached < n:
        limit += 1
        reached += counts[limit]
    found = np.empty(reached, np.int64)
    k = 0
    for i in range(len(distances)):
        if distances[i] <= limit:
            found[k] = i
            k += 1
    return found
