"""What a shop's lists may be ranked for, learned where it can be: chances and worths together."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.domain import CLICKS, MARGIN, ORDERS
from thinslice.errors import InputError
from thinslice.evaluation.objectives import Order, compare_objectives, place_chances
from thinslice.models.sessions.purchases import PurchaseRates, learn_purchase_rates
from thinslice.profit.payoff.expected import expected_worth
from thinslice.profit.payoff.payoff import Payoff
from thinslice.ranking.objective import DEPTH, RankedFor, Worth, reordered

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.domain import Product, SessionLog
    from thinslice.evaluation.splits import Split
    from thinslice.interfaces import Recommender
    from thinslice.outcomes.counting.rules import Rules
    from thinslice.store.catalog import ShopCatalog
    from thinslice.store.results import Results

PAYOFFS = {ORDERS: Payoff.ranking(purchase=1), MARGIN: Payoff.ranking(purchase="margin")}
"""What a shop gains by each outcome of a product on a list; a margin is that of one piece."""


@dataclass(frozen=True, eq=False)
class Objectives:
    """What an evaluation learned: the chance of each place, and how often products are bought."""

    chances: tuple[float, ...]
    rates: PurchaseRates
    vat_rate: float = 0.0
    margin_share: float | None = None

    @classmethod
    def learn(
        cls,
        earlier: Recommender,
        validation: SessionLog,
        train: SessionLog,
        products: Mapping[str, Product],
        counting: Rules,
    ) -> Objectives:
        """`earlier` has not seen the validation sessions, on which the chances are counted."""
        categories = {p.id: p.category for p in products.values()}
        chances = place_chances(earlier, validation, DEPTH)
        rates = learn_purchase_rates(train, categories)
        return cls(tuple(chances), rates, counting.vat_rate, counting.margin_share)

    def to_dict(self) -> dict[str, Any]:
        return {
            "chances": list(self.chances),
            "rates": self.rates.of,
            "usual_rate": self.rates.usual,
            "vat_rate": self.vat_rate,
            "margin_share": self.margin_share,
        }

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> Objectives:
        rates = PurchaseRates(kept["rates"], kept["usual_rate"])
        return cls(tuple(kept["chances"]), rates, kept["vat_rate"], kept["margin_share"])

    def worths(self, products: Mapping[str, Product]) -> dict[str, Worth]:
        """What a look at each product is worth, by objective; those that nothing is known for lack.

        Without an order in the log there are no rates, and without costs or a margin share no
        margins.
        """
        if self.rates.usual <= 0:
            return {}
        margins = self._margins(products)
        bought = np.array([self.rates.of.get(p, self.rates.usual) for p in products])
        data = {"margin": margins} if margins is not None else {}
        found = {}
        for objective, payoff in PAYOFFS.items():
            if objective == MARGIN and margins is None:
                continue
            worth = expected_worth(payoff, data, {"purchase": bought})
            usual = float(worth.mean()) if len(worth) else 0.0
            found[objective] = Worth(dict(zip(products, worth.tolist(), strict=True)), usual)
        return found

    def ranked_for(self, objective: str, worth: Worth, maker: Recommender) -> RankedFor:
        return RankedFor(maker, objective, self.chances, worth)

    def compare(
        self, maker: Recommender, split: Split, worths: Mapping[str, Worth], n: int
    ) -> dict[str, Any]:
        """What each objective would have cost and gained on the test sessions; for the page."""

        def order(objective: str, worth: Worth) -> Order:
            return lambda shown: [p for p, _ in reordered(shown, objective, self.chances, worth)]

        orders = {o: order(o, worth) for o, worth in worths.items()}
        rows = compare_objectives(maker, split.test, orders, worths, n=n, depth=DEPTH)
        return {"n": n, "rows": rows, "missing": [o for o in PAYOFFS if o not in worths]}

    def _margins(self, products: Mapping[str, Product]) -> NDArray[np.float64] | None:
        """The margin of one piece, in minor units and without tax; None where nobody knows any.

        A product of unknown margin counts as the mean of the others.
        """
        found = np.full(len(products), np.nan)
        for i, product in enumerate(products.values()):
            if product.price_minor is None:
                continue
            net = product.price_minor / (1 + self.vat_rate)
            if product.cost_minor is not None:
                found[i] = net - product.cost_minor
            elif self.margin_share is not None:
                found[i] = net * self.margin_share
        if np.isnan(found).all():
            return None
        return np.where(np.isnan(found), np.nanmean(found), found)


Maker = Callable[["Recommender"], RankedFor]
"""From a list maker to the same one, ranked for an objective."""

_KEPT = "objectives"
_WORTH_S = 60.0
"""For so long prices and costs may be those of before: what they make takes a look at each."""


class ServedObjectives:
    """What lists are ranked for by the latest evaluation that was kept; a newer one counts at once.

    Any process may evaluate: the others notice by the time at which it was saved.
    """

    def __init__(self, results: Results, catalog: ShopCatalog) -> None:
        self._results = results
        self._catalog = catalog
        self._asked: tuple[str, int] = (CLICKS, 0)
        self._products: Mapping[str, Product] | None = None
        self._looked_at = -1e9
        self._maker: Maker | None = None

    def known(self) -> Objectives | None:
        """What the latest evaluation learned about chances and purchases; None before one."""
        kept = self._results.load(_KEPT)
        return Objectives.from_dict(kept) if kept else None

    def keep(self, objectives: Objectives) -> None:
        """What lists are ranked by from now on."""
        self._results.save(_KEPT, objectives.to_dict())

    def check(self, objective: str) -> None:
        """Raise InputError where nothing is known that lists could be ranked by."""
        found = self.known()
        if found is None:
            raise InputError(
                f"lists are ranked for {objective} once it is known what that costs; "
                "run thinslice evaluate"
            )
        if objective not in found.worths(self._catalog.all()):
            raise InputError(
                f"nothing is known to rank for {objective}: that takes orders in the log, and for "
                "margin the products' costs or a margin share; import them, or state one with "
                "thinslice shop, then run thinslice evaluate"
            )

    def maker_of(self, objective: str) -> Maker | None:
        """What ranks a list maker for the objective; the same one until something changed.

        None where lists stay as they are: for clicks, and where nothing is known to rank by.
        """
        if objective == CLICKS:
            return None
        asked, products = (objective, self._results.saved_ns(_KEPT)), self._catalog.all()
        faded = products is not self._products and time.monotonic() - self._looked_at > _WORTH_S
        if asked != self._asked or faded:
            known = self.known()
            worth = known.worths(products).get(objective) if known else None
            self._maker = partial(known.ranked_for, objective, worth) if known and worth else None
            self._asked, self._products = asked, products
            self._looked_at = time.monotonic()
        return self._maker
