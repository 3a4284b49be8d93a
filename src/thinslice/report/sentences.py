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
    ours, *others = hit_bars(evaluation)
    said = (
        f"In {ours['text']} of the steps, the product looked at next was among the "
        f"{evaluation['n']} of “{ours['name']}”"
    )
    by_policy = {bar["policy"]: bar for bar in others}
    other = by_policy.get(f"list:{INCUMBENT}") or by_policy.get("popular")
    return f"{said}; for “{other['name']}” it is {other['text']}." if other else f"{said}."


FUNCTIONS = {"audit_headline": audit_headline, "hit_sentence": hit_sentence}
"""Every function of this file by the name that templates use."""
