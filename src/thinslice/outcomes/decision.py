"""From rows to a verdict, by the rule that Spotify published (Schultzberg et al. 2024).

Ship when the deciding KPI improves, every guardrail is shown to be harmless, nothing else clearly
deteriorates and the split of visitors is as intended. Success keeps its 5 % to itself; guardrails
are tested at 5 % each, one-sided, without sharing, since all of them have to pass.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from thinslice.domain import Verdict
from thinslice.outcomes.comparison import ENOUGH, Row, percent, spread_of
from thinslice.outcomes.statistics import SampleRatio, more_units

MIN_VISITORS = 10
"""Per variant; below it no interval means what it says."""

Z_BETTER, Z_HARMLESS = 1.96, 1.645


@dataclass(frozen=True, slots=True)
class Decision:
    """The verdict with its reason and a headline; no verdict when none may be given.

    `more_visitors` is about how many more would settle it: None when it is settled, when nothing
    can be said, or when waiting will not help.
    """

    verdict: Verdict | None
    reason: str
    sentence: str
    more_visitors: int | None = None


def refuse(
    variants: Sequence[str], visitors: Sequence[int], split: SampleRatio, rows: Sequence[Row]
) -> Decision | None:
    """Why no verdict may be given, None when one may."""
    counts = ", ".join(f"{n:,} in {name}" for name, n in zip(variants, visitors, strict=True))
    if sum(visitors) == 0:
        return _no_verdict(
            "Nobody has seen a list of this experiment yet. It is counted from the first list "
            "that a visitor with an id is shown."
        )
    if not split.ok:
        wanted = ", ".join(f"{n:,.0f}" for n in split.expected)
        return _no_verdict(
            f"The split of visitors is broken ({counts}; expected {wanted}), so no difference can "
            "be trusted. Look for a page that shows lists to one variant only, a redirect, a "
            "cache, bots, or events that one variant fails to send."
        )
    if min(visitors) < MIN_VISITORS:
        return _no_verdict(
            f"Too early: a variant needs at least {MIN_VISITORS} visitors ({counts})."
        )
    deciding = next(row for row in rows if row.is_deciding)
    if deciding.change == "unknown":
        counted = deciding.kpi.counts.replace("_", " ")
        return _no_verdict(
            f"Too early: {deciding.kpi.label.lower()} needs at least {ENOUGH} {counted} in both "
            "variants together, and visitors who differ, before it says anything."
        )
    return None


def several(variants: Sequence[str]) -> Decision:
    """No verdict on three variants at once: each treatment would need its own share of the 5 %."""
    return _no_verdict(
        f"This experiment has {len(variants)} variants and a verdict compares two. The rows show "
        f"{variants[1]} against {variants[0]}; ask for one treatment to get its verdict."
    )


def decide(rows: Sequence[Row], held_back: Sequence[Row], treatment: str, n: int) -> Decision:
    """The verdict on n visitors. `held_back`: other KPIs that have clearly deteriorated."""
    deciding = next(row for row in rows if row.is_deciding)
    guardrails = [row for row in rows if row.harmless]
    worse = [r for r in (deciding, *guardrails) if r.change == "worse" or _violated(r)]
    if worse:
        return _stop(worse, treatment)
    unproven = [row for row in guardrails if row.harmless and not row.harmless.proven]
    if deciding.change == "better" and not unproven and not held_back:
        return _ship(deciding, guardrails, treatment)
    return _not_proven(deciding, unproven, held_back, treatment, n)


def _no_verdict(reason: str) -> Decision:
    return Decision(None, reason, reason)


def _stop(worse: Sequence[Row], treatment: str) -> Decision:
    row = worse[0]
    what = _effect(row, treatment)
    if _violated(row):
        reason = (
            f"{row.kpi.label} is worse by more than the {percent(row.max_worse or 0)} that the "
            "plan allows."
        )
    elif row.is_guardrail and row.harmless and row.harmless.proven:
        reason = (
            f"{row.kpi.label} is clearly worse, even if by less than the "
            f"{percent(row.max_worse or 0)} that the plan allows."
        )
    else:
        reason = f"{row.kpi.label} is clearly worse."
    return Decision(Verdict.STOP, reason, f"{what}.")


def _ship(deciding: Row, guardrails: Sequence[Row], treatment: str) -> Decision:
    sentence = _effect(deciding, treatment)
    safe = "".join(
        f", and {row.kpi.label.lower()} is not worse by more than {percent(row.max_worse or 0)}"
        for row in guardrails
    )
    reason = "The deciding KPI is clearly better"
    reason += ", every guardrail is shown to be harmless" if guardrails else ""
    return Decision(Verdict.SHIP, f"{reason} and nothing deteriorates.", f"{sentence}{safe}.")


def _not_proven(
    deciding: Row, unproven: Sequence[Row], held_back: Sequence[Row], treatment: str, n: int
) -> Decision:
    reasons: list[str] = []
    needed: list[int | None] = []
    if deciding.change != "better":
        reasons.append(f"{deciding.kpi.label} is not clearly better.")
        needed.append(more_units(deciding.z, Z_BETTER, n))
    for row in unproven:
        if row.change == "unknown":
            reasons.append(f"There is too little data on {row.kpi.label.lower()}.")
            continue
        allowed = percent(row.max_worse or 0)
        reasons.append(
            f"{row.kpi.label} is not yet shown to be within the {allowed} that it may be worse."
        )
        needed.append(more_units(row.harmless.z if row.harmless else math.nan, Z_HARMLESS, n))
    reasons += [
        f"{row.kpi.label} is clearly worse, which the plan does not name: find out why first."
        for row in held_back
    ]
    settled = [one for one in needed if one is not None]
    more = max(settled) if settled and len(settled) == len(needed) else None
    if more:
        reasons.append(
            f"About {two_digits(more):,} more visitors would settle it if the difference stays "
            "what it looks like now."
        )
    elif needed:
        reasons.append(
            "The difference, if there is one, is too small to be settled by waiting: not even a "
            "hundred times as many visitors would do."
        )
    sentence = (
        f"{deciding.kpi.label} looks {_moved(deciding)} with {treatment}, but the range "
        f"({spread_of(deciding.relative)}) leaves open whether it is"
        if deciding.change == "unclear"
        else f"{_effect(deciding, treatment)}, but it is not shown that nothing else suffers"
    )
    return Decision(
        Verdict.NOT_PROVEN, " ".join(reasons), f"{sentence}.", two_digits(more) if more else None
    )


def two_digits(n: int) -> int:
    """Rounded up to two significant digits: 12,345 is 13,000."""
    step = 10 ** max(0, len(str(n)) - 2)
    return -(-n // step) * step


def _violated(row: Row) -> bool:
    return bool(row.harmless and row.harmless.violated)


def _effect(row: Row, treatment: str) -> str:
    return f"{row.kpi.label} is {_moved(row)} with {treatment} ({spread_of(row.relative)})"


def _moved(row: Row) -> str:
    lift = row.relative.estimate
    if abs(lift) < 0.0005:
        return "about the same"
    if math.isnan(lift):
        return "higher" if row.absolute.estimate > 0 else "lower"
    return f"{percent(abs(lift))} {'higher' if lift >= 0 else 'lower'}"
