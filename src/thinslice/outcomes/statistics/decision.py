"""From rows to a verdict, by the rule that Spotify published (Schultzberg et al. 2024).

Ship when at least one success metric is clearly better, every guardrail is shown to be harmless,
nothing clearly deteriorates and the split of visitors is as intended. Success metrics share their
5 %; guardrails are tested at 5 % each, one-sided, without sharing, since all of them have to pass.
Without a success metric, to be harmless is enough.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from thinslice.domain import Verdict
from thinslice.outcomes.statistics.comparison import ENOUGH, Row, percent, spread_of
from thinslice.outcomes.statistics.intervals import more_units
from thinslice.outcomes.statistics.sample_ratio import SampleRatio

MIN_VISITORS = 10
"""Per variant; below it no interval means what it says."""


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
    variants: Sequence[str],
    visitors: Sequence[int],
    split: SampleRatio,
    rows: Sequence[Row],
    *,
    left_out: int = 0,
) -> Decision | None:
    """Why no verdict may be given, None when one may. `left_out` are visitors who do not count."""
    counts = ", ".join(f"{n:,} in {name}" for name, n in zip(variants, visitors, strict=True))
    if sum(visitors) == 0 and left_out:
        who = "The one visitor" if left_out == 1 else f"All {left_out:,} visitors"
        return _no_verdict(
            f"{who} who saw a list of this experiment had to be left out. Look for visitor ids "
            "that are shared, previews, and robots."
        )
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
    asked = [row for row in rows if row.metric.is_success] or [
        row for row in rows if row.metric.is_guardrail
    ]
    if all(row.change == "unknown" for row in asked):
        metric = asked[0].metric
        counted = (metric.counts or f"visitors with {metric.numerator}").replace("_", " ")
        return _no_verdict(
            f"Too early: {metric.label.lower()} needs at least {ENOUGH} {counted} in both "
            "variants together, and visitors who differ, before it says anything."
        )
    return None


def several(variants: Sequence[str]) -> Decision:
    """No verdict on three variants at once: each treatment would need its own share of the 5 %."""
    return _no_verdict(
        f"This experiment has {len(variants)} variants and a verdict compares two. The rows show "
        f"{variants[1]} against {variants[0]}; ask for one treatment to get its verdict."
    )


def decide(rows: Sequence[Row], treatment: str, n: int) -> Decision:
    """The verdict on n visitors; `treatment` is the variant's name, for the sentence."""
    success = [row for row in rows if row.metric.is_success]
    guardrails = [row for row in rows if row.metric.is_guardrail]
    worse = [
        row
        for row in rows
        if (row.metric.is_success or row.metric.is_guardrail)
        and (row.change == "worse" or _violated(row))
    ]
    if worse:
        return _stop(worse, treatment)
    better = [row for row in success if row.change == "better"]
    unproven = [row for row in guardrails if not (row.harmless and row.harmless.proven)]
    held_back = [row for row in rows if row.metric.is_watched and row.change == "worse"]
    if (better or not success) and not unproven and not held_back:
        return _ship(better, guardrails, treatment)
    return _not_proven(success, better, unproven, held_back, treatment, n)


def _no_verdict(reason: str) -> Decision:
    return Decision(None, reason, reason)


def _stop(worse: Sequence[Row], treatment: str) -> Decision:
    row = worse[0]
    if _violated(row):
        reason = f"{_subject(row)} worse by more than the {row.allowed} that the plan allows."
    elif row.harmless and row.harmless.proven:
        reason = (
            f"{_subject(row)} clearly worse, even if by less than the {row.allowed} that "
            "the plan allows."
        )
    else:
        reason = f"{_subject(row)} clearly worse."
    return Decision(Verdict.STOP, reason, f"{_effect(row, treatment)}.")


def _ship(better: Sequence[Row], guardrails: Sequence[Row], treatment: str) -> Decision:
    safe = [f"{_subject(row).lower()} not worse by more than {row.allowed}" for row in guardrails]
    if not better:
        return Decision(
            Verdict.SHIP,
            "Every guardrail is shown to be harmless and nothing deteriorates.",
            f"With {treatment} {_listed(safe)}.",
        )
    gains = [_effect(row, treatment if row is better[0] else "") for row in better]
    gains[1:] = map(_lowered, gains[1:])
    what = "The deciding KPI is" if len(better) == 1 else f"{len(better)} success metrics are"
    harmless = ", every guardrail is shown to be harmless" if guardrails else ""
    return Decision(
        Verdict.SHIP,
        f"{what} clearly better{harmless} and nothing deteriorates.",
        f"{_clauses([*gains, *safe])}.",
    )


def _not_proven(
    success: Sequence[Row],
    better: Sequence[Row],
    unproven: Sequence[Row],
    held_back: Sequence[Row],
    treatment: str,
    n: int,
) -> Decision:
    reasons: list[str] = []
    needed: list[int | None] = []
    if success and not better:
        labels = [row.metric.label for row in success]
        reasons.append(
            f"{_subject(success[0])} not clearly better."
            if len(labels) == 1
            else f"None of {_listed([label.lower() for label in labels])} is clearly better."
        )
        # One of them is enough, and one that looks worse is not to be waited for.
        waits = [more_units(row.z, row.critical, n) for row in success]
        needed.append(min((wait for wait in waits if wait is not None), default=None))
    for row in unproven:
        if row.change == "unknown":
            reasons.append(f"There is too little data on {row.metric.label.lower()}.")
            continue
        reasons.append(
            f"{_subject(row)} not yet shown to be within the {row.allowed} that it may be worse."
        )
        needed.append(
            more_units(row.harmless.z, row.harmless.critical, n) if row.harmless else None
        )
    reasons += [
        f"{_subject(row)} clearly worse, which the plan does not name: find out why first."
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
    return Decision(
        Verdict.NOT_PROVEN,
        " ".join(reasons),
        _open_question(success, better, unproven, held_back, treatment),
        two_digits(more) if more else None,
    )


def _open_question(
    success: Sequence[Row],
    better: Sequence[Row],
    unproven: Sequence[Row],
    held_back: Sequence[Row],
    treatment: str,
) -> str:
    """The headline of what is not proven."""
    if better:
        return f"{_effect(better[0], treatment)}, but it is not shown that nothing else suffers."
    known = [row for row in success or unproven if row.change != "unknown"]
    if known:  # the best of those of which one is enough, the worst of those that all have to pass
        row = (max if success else min)(known, key=lambda row: row.z)
        they, looks = ("they", "look") if row.metric.verb == "are" else ("it", "looks")
        found = f"{row.metric.label} {looks} {_moved(row)} with {treatment}, but the range "
        if success:
            return (
                f"{found}({spread_of(row.relative)}) leaves open whether {they} {row.metric.verb}."
            )
        return (
            f"{found}({spread_of(row.relative)}) does not rule out that {they} {row.metric.verb} "
            f"worse by more than {row.allowed}."
        )
    if unproven:
        return f"There is too little data on {unproven[0].metric.label.lower()} with {treatment}."
    return f"No guardrail suffers, but {_lowered(_effect(held_back[0], treatment))}."


def two_digits(n: int) -> int:
    """Rounded up to two significant digits: 12,345 is 13,000."""
    step = 10 ** max(0, len(str(n)) - 2)
    return -(-n // step) * step


def _violated(row: Row) -> bool:
    return bool(row.harmless and row.harmless.violated)


def _subject(row: Row) -> str:
    return f"{row.metric.label} {row.metric.verb}"


def _effect(row: Row, treatment: str) -> str:
    where = f" with {treatment}" if treatment else ""
    return f"{_subject(row)} {_moved(row)}{where} ({spread_of(row.relative)})"


def _moved(row: Row) -> str:
    lift = row.relative.estimate
    if abs(lift) < 0.0005:
        return "about the same"
    if math.isnan(lift):
        return "higher" if row.absolute.estimate > 0 else "lower"
    return f"{percent(abs(lift))} {'higher' if lift >= 0 else 'lower'}"


def _lowered(sentence: str) -> str:
    return sentence[:1].lower() + sentence[1:]


def _clauses(parts: Sequence[str]) -> str:
    """Clauses as a sentence joins them, each with figures of its own: "a, b, and c"."""
    return ", and ".join([", ".join(parts[:-1]), parts[-1]] if len(parts) > 1 else parts)


def _listed(words: Sequence[str]) -> str:
    """Words as a sentence lists them: "a, b and c"."""
    return " and ".join([", ".join(words[:-1]), words[-1]] if len(words) > 1 else words)
