"""How often a product that is looked at is bought in the same visit.

Few products have enough visits to say so by themselves. A product's rate is drawn towards that of
its category, and a category's towards the shop's, as if `WEIGHT` visits more had gone as usual
there (the mean of a beta distribution).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from thinslice.domain import BROWSING, EventType

if TYPE_CHECKING:
    from thinslice.domain import SessionLog

WEIGHT = 50.0
_BOUGHT = BROWSING.index(EventType.ORDER_COMPLETED)


class PurchaseRates(NamedTuple):
    """Chances by product; `usual` is the shop's, for a product that nobody has looked at."""

    of: dict[str, float]
    usual: float


def learn_purchase_rates(log: SessionLog, categories: Mapping[str, str]) -> PurchaseRates:
    """The rates from all sessions; a session counts once for each product that it touched."""
    n = len(log.products)
    session = np.repeat(np.arange(log.n_sessions, dtype=np.int64), np.diff(log.offsets))
    touched = np.bincount(np.unique(session * n + log.codes) % max(n, 1), minlength=n)
    is_order = log.types == _BOUGHT
    ordered = np.unique((session * n + log.codes)[is_order]) % max(n, 1)
    bought = np.bincount(ordered, minlength=n)
    shop = float(bought.sum() / max(touched.sum(), 1))
    names, group = np.unique([categories.get(p, "") for p in log.products], return_inverse=True)
    by_group = [np.bincount(group, weights=x, minlength=len(names)) for x in (bought, touched)]
    usual = (by_group[0] + WEIGHT * shop) / (by_group[1] + WEIGHT)
    rates = (bought + WEIGHT * usual[group]) / (touched + WEIGHT)
    return PurchaseRates(dict(zip(log.products, rates.tolist(), strict=True)), shop)
