"""A title as one more part beside a photo's vectors: hashed words, for heads that read both.

The hashing trick (Weinberger et al., ICML 2009): each word adds 1 or -1 to one of DIM places, so
that nothing is learned and nothing is kept but the heads' own weights.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

DIM = 1024


def title_vectors(titles: Sequence[str]) -> NDArray[np.float32]:
    """Unit vectors (n, DIM); zeros for a title without words."""
    found = np.zeros((len(titles), DIM), np.float32)
    for row, title in enumerate(titles):
        for word in set(re.findall(r"\w+", title.casefold())):
            code = zlib.crc32(word.encode("utf-8", "surrogatepass"))
            found[row, code % DIM] += 1 if code >> 31 else -1
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    unit: NDArray[np.float32] = found / np.maximum(lengths, 1e-6)
    return unit
