"""The KPIs, each defined once: what is counted, over what, and what happens at the edges.

A KPI is the sum of one column of the per-visitor table (`counting/attribution.py`) over the sum of
another, or per visitor, so the figure of two days is never an average of averages. `docs/kpi.md`
is made from these definitions by `kpi_page.py`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from difflib import get_close_matches
from typing import Any

from thinslice.domain import KPI_NAMES
from thinslice.errors import InputError
from thinslice.outcomes.statistics.metric import VISITOR, Better, Metric, Unit


def _kpi(
    name: str,
    label: str,
    numerator: str,
    per: str,
    unit: Unit,
    definition: str,
    *,
    counts: str,
    better: Better = "higher",
    holds_back: bool = False,
) -> Metric:
    """A KPI is a metric that is not asked anything until a plan names it."""
    return Metric(
        numerator,
        per,
        better,
        may_be_negative=numerator == "margin",
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
        "Sessions with at least one order / sessions. Two orders in one session count once, one "
        "that was cancelled or came back whole does not. Unknown without sessions.",
        counts="orders",
        holds_back=True,
    ),
    _kpi(
        "revenue_per_session",
        "Revenue per session",
        "revenue",
        "sessions",
        "money",
        "Revenue / sessions: the orders' totals without tax and without what came back.",
        counts="orders",
        holds_back=True,
    ),
    _kpi(
        "margin_per_session",
        "Margin per session",
        "margin",
        "sessions",
        "money",
        "Margin / sessions: revenue less the cost of what was sold, or the stated share of it.",
        counts="orders",
        holds_back=True,
    ),
    _kpi(
        "revenue_per_visitor",
        "Revenue per visitor",
        "revenue",
        VISITOR,
        "money",
        "Revenue / visitors. Unlike revenue per session it does not fall when visitors return.",
        counts="orders",
    ),
    _kpi(
        "margin_per_visitor",
        "Margin per visitor",
        "margin",
        VISITOR,
        "money",
        "Margin / visitors.",
        counts="orders",
    ),
    _kpi(
        "average_order_value",
        "Average order value",
        "revenue",
        "orders",
        "money",
        "Revenue / orders. Unknown without orders.",
        counts="orders",  # falls when hesitant visitors begin to buy, which harms nobody
    ),
    _kpi(
        "bounce_rate",
        "Bounce rate",
        "bounced",
        "sessions",
        "share",
        "Sessions with at most one product viewed, at most one page viewed, nothing put into the "
        "cart, no order and no click on a list / sessions.",
        counts="sessions",
        better="lower",
        holds_back=True,
    ),
    _kpi(
        "views_per_session",
        "Product views per session",
        "views",
        "sessions",
        "number",
        "Product pages viewed / sessions; the same product twice counts twice, and a session adds "
        "at most 200.",
        counts="views",  # who finds it at once looks at less
    ),
    _kpi(
        "seconds_per_session",
        "Seconds per session",
        "seconds",
        "sessions",
        "number",
        "Seconds between the first and the last event of a session / sessions. A session of one "
        "event took 0 seconds; one adds at most 4 hours.",
        counts="seconds",
    ),
    _kpi(
        "click_through",
        "Click-through of lists",
        "clicked_lists",
        "lists",
        "share",
        "Lists of the experiment with at least one click / lists shown, matched by exposure id. "
        "Two clicks on one list count once. Unknown when no list was shown.",
        counts="clicked_lists",  # a means, not an end
    ),
    _kpi(
        "clicks_per_session",
        "Clicked lists per session",
        "clicked_lists",
        "sessions",
        "number",
        "Lists of the experiment with at least one click / sessions.",
        counts="clicked_lists",
    ),
    _kpi(
        "clicks_per_visitor",
        "Clicked lists per visitor",
        "clicked_lists",
        VISITOR,
        "number",
        "Lists of the experiment with at least one click / visitors.",
        counts="clicked_lists",
    ),
    _kpi(
        "attributed_orders_per_visitor",
        "Orders by recommendation, per visitor",
        "attributed_orders",
        VISITOR,
        "number",
        "Orders with a product that the visitor had clicked in a list of the experiment / "
        "visitors. Each product of an order belongs to the last list in which the visitor clicked "
        "it, at most `attribution_days` before the order.",
        counts="attributed_orders",
    ),
    _kpi(
        "attributed_revenue_per_visitor",
        "Revenue by recommendation, per visitor",
        "attributed_revenue",
        VISITOR,
        "money",
        "The revenue of these products / visitors. It says through which list a sale went, not "
        "that it would not have happened without: that is what revenue per visitor compares.",
        counts="attributed_orders",
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


def asked_by(plan: Mapping[str, Any], *, has_margin: bool) -> list[Metric]:
    """Every KPI with what the plan asks of it: the deciding one first, then the guardrails.

    Raises `InputError` for a plan that says something else, and for one that asks for a margin
    where nothing says what it is.
    """
    if not {"kpi"} <= set(plan) <= {"kpi", "guardrails"}:
        raise InputError(
            f"a plan's terms are kpi and guardrails, got {', '.join(map(str, plan)) or 'none'}; "
            "write {'kpi': 'conversion', 'guardrails': {'bounce_rate': 0.02}}"
        )
    deciding = kpi(str(plan["kpi"])).name
    allowed = plan.get("guardrails") or {}
    guardrails = {kpi(str(name)).name: float(worse) for name, worse in allowed.items()}
    first = dict.fromkeys([deciding, *guardrails])
    shown = [name for name in KPIS if has_margin or KPIS[name].numerator != "margin"]
    for name in first:
        if name not in shown:
            raise InputError(
                f"{name} needs to know what margin is; import the products' costs, or say it: "
                "thinslice shop --margin-share 0.35"
            )
    return [
        replace(KPIS[name], decides=name == deciding, max_worse=guardrails.get(name))
        for name in [*first, *(name for name in shown if name not in first)]
    ]
