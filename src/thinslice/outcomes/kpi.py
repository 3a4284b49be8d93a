"""The KPIs, each defined once: what is counted, over what, and what happens at the edges.

A KPI is the sum of one column of the per-visitor table (`attribution.py`) over the sum of
another, so the figure of two days is never an average of averages.
"""

from __future__ import annotations

from dataclasses import dataclass
from difflib import get_close_matches
from typing import Literal

from thinslice.domain import KPI_NAMES
from thinslice.errors import InputError
from thinslice.outcomes.statistics import Better, Estimate, Moments, ratio

COLUMNS = (
    "sessions",
    "orders",
    "ordering_sessions",
    "revenue",
    "bounced",
    "views",
    "lists",
    "clicked_lists",
)
"""What is summed per visitor; `attribution.per_visitor` says how each is counted."""


@dataclass(frozen=True, slots=True)
class KPI:
    """One KPI. `definition` is the formula with its edge cases, in the words of the docs.

    `counts` is the column that says how much there is to go by: below ten in both variants
    together nothing is concluded. `holds_back`: a clear worsening speaks against shipping even
    where the plan does not name this KPI.
    """

    name: str
    label: str
    numerator: str
    denominator: str
    unit: Literal["share", "money", "number"]
    better: Better
    counts: str
    holds_back: bool
    definition: str

    def estimate(self, moments: Moments) -> Estimate:
        """The KPI over these visitors; money in minor units. nan when the denominator is 0."""
        return ratio(moments, self.numerator, self.denominator)


_ALL = (
    KPI(
        "conversion",
        "Conversion",
        "ordering_sessions",
        "sessions",
        "share",
        "higher",
        "orders",
        True,
        "Sessions with at least one order / sessions. Two orders in one session count once. "
        "Unknown without sessions.",
    ),
    KPI(
        "revenue_per_session",
        "Revenue per session",
        "revenue",
        "sessions",
        "money",
        "higher",
        "orders",
        True,
        "Sum of the orders' totals / sessions, in the shop's currency; where an order has no "
        "total, the sum of price times quantity of its lines. The same order id twice counts "
        "once. An order in another currency adds no revenue and is reported. Refunds are not "
        "taken back yet.",
    ),
    KPI(
        "average_order_value",
        "Average order value",
        "revenue",
        "orders",
        "money",
        "higher",
        "orders",
        False,  # falls when hesitant visitors begin to buy, which harms nobody
        "Sum of the orders' totals / orders. Unknown without orders.",
    ),
    KPI(
        "bounce_rate",
        "Bounce rate",
        "bounced",
        "sessions",
        "share",
        "lower",
        "sessions",
        True,
        "Sessions with at most one product viewed, at most one page viewed, nothing put into the "
        "cart, no order and no click on a list / sessions.",
    ),
    KPI(
        "views_per_session",
        "Product views per session",
        "views",
        "sessions",
        "number",
        "higher",
        "views",
        False,  # who finds it at once looks at less
        "Product pages viewed / sessions; the same product twice counts twice.",
    ),
    KPI(
        "click_through",
        "Click-through of lists",
        "clicked_lists",
        "lists",
        "share",
        "higher",
        "clicked_lists",
        False,  # a means, not an end
        "Lists of the experiment with at least one click / lists shown, matched by exposure id. "
        "Two clicks on one list count once. Unknown when no list was shown.",
    ),
    KPI(
        "clicks_per_session",
        "Clicked lists per session",
        "clicked_lists",
        "sessions",
        "number",
        "higher",
        "clicked_lists",
        False,
        "Lists of the experiment with at least one click / sessions.",
    ),
)

KPIS: dict[str, KPI] = {kpi.name: kpi for kpi in _ALL}
"""Every KPI by the name that a plan uses, in the order in which a readout shows them."""

assert tuple(KPIS) == KPI_NAMES


def kpi(name: str) -> KPI:
    """The KPI of that name; `InputError` with the closest name when there is none."""
    if name in KPIS:
        return KPIS[name]
    close = get_close_matches(name, KPIS, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise InputError(f"no KPI is called {name!r}; {hint}There are: {', '.join(KPIS)}")
