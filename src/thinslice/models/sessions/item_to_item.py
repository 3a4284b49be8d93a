"""Item to item: what is most often seen in the same sessions as the product at hand.

The cosine of two products is c(i, j) / sqrt(c(i) * c(j)), with c(i) the sessions that have i and
c(i, j) those that have both (Linden et al., "Amazon.com recommendations", 2003). It is what many
shops show today, and looks at one product only.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from thinslice.domain import Scored
from thinslice.models.sessions.item_table import ItemTable

if TYPE_CHECKING:
    from thinslice.models.sessions.co_occurrence import Counts
    from thinslice.models.sessions.products import ProductCodes


class ItemToItem:
    """Recommends the nearest products of the last product that the model knows."""

    name = "item_to_item"

    def __init__(self, products: ProductCodes, table: ItemTable) -> None:
        self.products = products
        self.table = table

    def recommend(
        self, session: Sequence[str], n: int, *, now_us: int | None = None
    ) -> list[Scored]:
        """At most n of the nearest products of the session's last known product."""
        last = self.products.distinct_latest_first(session, 1)
        if not last or n < 1:
            return []
        ids = self.products.ids
        start, end = self.table.offsets[last[0] : last[0] + 2].tolist()
        end = min(end, start + n)
        return [
            Scored(ids[code], cosine, ids[last[0]])
            for code, cosine in zip(
                self.table.neighbours[start:end].tolist(),
                self.table.weights[start:end].tolist(),
                strict=True,
            )
        ]


def cosine_table(counts: Counts, length: int) -> ItemTable:
    """Per product the `length` nearest by cosine."""
    rows = np.repeat(np.arange(len(counts.sessions)), np.diff(counts.offsets))
    sessions = counts.sessions.astype(np.float64)
    cosines = counts.count / np.sqrt(sessions[rows] * sessions[counts.neighbours])
    return ItemTable.strongest(rows, counts.neighbours, cosines, len(sessions), length)
