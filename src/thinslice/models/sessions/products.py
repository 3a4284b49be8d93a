"""The products that a model knows: a code for every id, and an id for every code."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ProductCodes:
    """Product ids by position: the code of `ids[3]` is 3.

    >>> codes = ProductCodes(("lamp", "sofa"))
    >>> codes.of("sofa"), codes.of("unknown")
    (1, None)
    """

    def __init__(self, ids: Sequence[str]) -> None:
        self.ids = tuple(ids)
        self._codes = {product: code for code, product in enumerate(self.ids)}
        self.of = self._codes.get

    def __len__(self) -> int:
        return len(self.ids)

    def distinct_latest_first(self, session: Sequence[str], limit: int) -> list[int]:
        """Codes of the last `limit` different known products of a session, the latest first."""
        codes: dict[int, None] = {}
        for product in reversed(session):
            code = self.of(product)
            if code is not None:
                codes[code] = None
                if len(codes) == limit:
                    break
        return list(codes)

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """The ids as UTF-8 bytes and offsets, which need no pickle to be stored."""
        encoded = [product.encode() for product in self.ids]
        offsets = np.zeros(len(encoded) + 1, np.int64)
        np.cumsum([len(text) for text in encoded], out=offsets[1:])
        return {"bytes": np.frombuffer(b"".join(encoded), np.uint8), "offsets": offsets}

    @classmethod
    def from_arrays(cls, arrays: dict[str, NDArray[np.generic]]) -> ProductCodes:
        """The inverse of `to_arrays`."""
        text = arrays["bytes"].tobytes()
        offsets = arrays["offsets"].tolist()
        pairs: Iterable[tuple[int, int]] = zip(offsets[:-1], offsets[1:], strict=True)
        return cls([text[start:end].decode() for start, end in pairs])
