"""Item to item: what is most often seen in the same sessions as the product at hand.

The cosine of two products is c(i, j) / sqrt(c(i) * c(j)), with c(i) the sessions that have i and
c(i, j) those that have both (Linden et al., "Amazon.com recommendations", 2003). It is what many
shops show today, and looks at one product only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

from thinslice.domain import Scored
from thinslice.models.selection import select_best
from thinslice.models.session_knn_kernels import build_postings

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.models.products import ProductCodes
    from thinslice.models.training import TrainingSessions

ARRAYS = ("offsets", "neighbours", "cosines")
"""The arrays of a learned model: per product its nearest ones, the nearest first."""


class ItemToItem:
    """Recommends the nearest products of the last product that the model knows."""

    name = "item_to_item"

    def __init__(self, products: ProductCodes, arrays: dict[str, NDArray[np.generic]]) -> None:
        self.products = products
        self.arrays = {name: arrays[name] for name in ARRAYS}

    def recommend(
        self, session: Sequence[str], n: int, *, now_us: int | None = None
    ) -> list[Scored]:
        """At most n of the nearest products of the session's last known product."""
        last = self.products.distinct_latest_first(session, 1)
        if not last or n < 1:
            return []
        ids = self.products.ids
        start, end = self.arrays["offsets"][last[0] : last[0] + 2].tolist()
        end = min(end, start + n)
        return [
            Scored(ids[code], cosine, ids[last[0]])
            for code, cosine in zip(
                self.arrays["neighbours"][start:end].tolist(),
                self.arrays["cosines"][start:end].tolist(),
                strict=True,
            )
        ]


def learn_item_to_item(
    sessions: TrainingSessions, products: ProductCodes, length: int = 50
) -> ItemToItem:
    """Keep the `length` nearest of every product, ties by code.

    Takes the sum over sessions of the square of their products, which the cap on a session's
    products bounds.
    """
    n_sessions = max(sessions.n_sessions, 1)
    starts, postings, counts = build_postings(
        sessions.offsets, sessions.codes, sessions.n_products, n_sessions
    )
    offsets, neighbours, cosines = _nearest(
        sessions.offsets, sessions.codes, starts, postings, counts, length
    )
    return ItemToItem(products, {"offsets": offsets, "neighbours": neighbours, "cosines": cosines})


@numba.njit(cache=True)
def _nearest(offsets: Any, codes: Any, starts: Any, postings: Any, counts: Any, length: int) -> Any:
    n_products = len(counts)
    out_offsets = np.zeros(n_products + 1, np.int64)
    out_codes = np.empty(n_products * length, np.int32)
    out_cosines = np.empty(n_products * length, np.float64)
    cosines = np.zeros(n_products, np.float64)
    touched = np.empty(n_products, np.int32)
    best = np.empty(length, np.int32)
    end = 0
    for i in range(n_products):
        n_touched = 0
        for p in range(starts[i], starts[i + 1]):
            s = postings[p]
            for x in range(offsets[s], offsets[s + 1]):
                j = codes[x]
                if j == i:
                    continue
                if cosines[j] == 0.0:
                    touched[n_touched] = j
                    n_touched += 1
                cosines[j] += 1.0
        for a in range(n_touched):
            cosines[touched[a]] /= np.sqrt(float(counts[i] * counts[touched[a]]))
        found = select_best(cosines, touched, n_touched, length, best)
        for place in range(found):
            out_codes[end] = best[place]
            out_cosines[end] = cosines[best[place]]
            end += 1
        out_offsets[i + 1] = end
        for a in range(n_touched):
            cosines[touched[a]] = 0.0
    return out_offsets, out_codes[:end].copy(), out_cosines[:end].copy()
