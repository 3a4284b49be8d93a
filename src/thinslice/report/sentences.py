"""Headlines that no stage has said yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thinslice.domain import INCUMBENT
from thinslice.report.drawing import hit_bars


def audit_headline(audit: Mapping[str, Any]) -> str:
    """Do we have the data?

    >>> audit_headline({"learnable_sessions": 900, "orders": 0, "revenue": {}})
    'There is enough to learn from, but no purchases: nothing can say what it earns.'
    """
    if not audit["learnable_sessions"]:
        return "Not yet: no visit has two different products, so there is nothing to learn from."
    if not audit["orders"]:
        return "There is enough to learn from, but no purchases: nothing can say what it earns."
    if not audit["revenue"]:
        return "There is enough to learn from and to count orders; their amounts are missing."
    return "Yes: there is enough to learn from, and the log has the purchases to measure it by."


def hit_sentence(evaluation: Mapping[str, Any]) -> str:
    """The hit rate of the first list maker in plain words, beside what is shown today if known."""
    bars = hit_bars(evaluation)
    names = [row["name"] for row in evaluation["rows"]]
    said = (
        f"In {bars[0]['text']} of the steps, the product looked at next was among the "
        f"{evaluation['n']} of “{bars[0]['name']}”"
    )
    rival = next((r for r in (f"list:{INCUMBENT}", "popular") if r in names[1:]), None)
    if rival is None:
        return f"{said}."
    other = bars[names.index(rival)]
    return f"{said}; for “{other['name']}” it is {other['text']}."


FUNCTIONS = {"audit_headline": audit_headline, "hit_sentence": hit_sentence}
"""Every function of this file by the name that templates use."""
