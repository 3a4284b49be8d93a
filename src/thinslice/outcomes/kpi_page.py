"""The page of the KPIs, made from their definitions: `python -m thinslice.outcomes.kpi_page`."""

from __future__ import annotations

from thinslice.outcomes.counting.columns import COUNTED
from thinslice.outcomes.kpi import KPIS

# ruff: noqa: E501 -- a paragraph of the page is one line

_HEAD = """# KPIs: what each figure means

This page is made from the definitions in the code (`python -m thinslice.outcomes.kpi_page`); what a readout, a report or a plan calls by one of these names is computed this way and no other.

A KPI is one sum over another, each over the visitors of a variant, so that days and machines add up to the cent. Money is in the shop's currency, without value-added tax. A day is a day in the shop's time zone, and a visitor belongs to the day of the first list.
"""

_COUNTED = """
## What is counted

A visitor counts from the first list of the experiment that was shown to them, in the variant that it had.
"""

_LEFT_OUT = """
## Who is left out

Each is reported with its number. The rules are the same in all variants, and none asks for something that the lists could move much.

- **Visitors in two variants**: who was shown lists of more than one.
- **Visitors who asked for a variant**, such as colleagues who looked at a preview.
- **Robots**: a browser that calls itself one (the log keeps the kind of device only); more than `bot_events_per_minute` events in one minute of the clock; a session with at least `bot_views` product views and neither a cart nor an order.
- **Lists that do not count**: shown outside the experiment's traffic, to the holdout, while it was paused, or where one of the variants had nothing of its own to show. The last is decided for each request by asking all variants, whichever the visitor is in.
- **Exposures** without a visitor id, or of a variant that the experiment does not have.
- **Amounts in another currency**: the order counts, its money does not.
- **Order ids that tell no order from another**: a word such as "undefined", or an id that three or more visitors sent (two may be a browser and a back office). Each such order is told by its message, and no refund can be matched to it.
- **Events from the future**: more than a day after the clock when the readout is made.

## Refunds and cancellations

An order that was cancelled, or refunded without naming products or an amount, is no order any more. A refund with an amount takes back that amount; one that names products without an amount takes back what these cost in the order. No refund takes more than the order's total, the same refund counts once, and one whose order is not in the log counts nowhere and is reported. Refunds count until 60 days after the experiment's end.

## Daily figures and segments

A day's line has all visitors who had been shown their first list up to that day. Segments (device, new or returning, category of the product page at the first list) are made of what was known before the list was shown. They are exploratory: of twenty segments without any difference one looks clear by chance, so they raise questions for the next experiment and decide nothing.
"""


def kpi_page() -> str:
    """The page as Markdown."""
    rows = "".join(
        f"| `{k.name}` | **{k.label}**: {k.definition} | {k.unit} | {k.better} |\n"
        for k in KPIS.values()
    )
    counted = "".join(f"- `{name}`: {words}\n" for name, words in COUNTED.items())
    table = f"| name | what it is | unit | better |\n| --- | --- | --- | --- |\n{rows}"
    return f"{_HEAD}\n{table}{_COUNTED}\n{counted}{_LEFT_OUT}"


if __name__ == "__main__":
    print(kpi_page(), end="")
