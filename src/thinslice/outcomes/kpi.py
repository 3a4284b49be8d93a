"""The KPIs, each defined once: what is counted, over what, and what happens at the edges.

A KPI is the sum of one column of the per-visitor table (`attribution.py`) over the sum of
another, so the figure of two days is never an average of averages.
"""

from __future__ import annotations

from difflib import get_close_matches

from thinslice.domain import KPI_NAMES
from thinslice.errors import InputError
from thinslice.outcomes.metric import Better, Metric, Unit

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


def _kpi(
    name: str,
    label: str,
    numerator: str,
    per: str,
    unit: Unit,
    better: Better,
    counts: str,
    holds_back: bool,
    definition: str,
) -> Metric:
    """A KPI is a metric that is not asked anything until a plan names it."""
    return Metric(
        numerator,
        per,
        better,
        unit=unit,
        decides=False,
        holds_back=holds_back,
        counts=counts,
        name=name,
        label=label,
        definition=definition,
    )


_ALL = (
    _kpi(
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
    _kpi(
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
    _kpi(
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
    _kpi(
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
    _kpi(
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
    _kpi(
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
    _kpi(
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

KPIS: dict[str, Metric] = {kpi.name: kpi for kpi in _ALL}
"""Every KPI by the name that a plan uses, in the order in which a readout shows them."""

assert tuple(KPIS) == KPI_NAMES


def kpi(name: str) -> Metric:
    """The KPI of that name; `InputError` with the closest name when there is none."""
    if name in KPIS:
        return KPIS[name]
    close = get_close_matches(name, KPIS, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    raise InputError(f"no KPI is called {name!r}; {hint}There are: {', '.join(KPIS)}")
