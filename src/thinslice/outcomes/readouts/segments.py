"""The same comparison within parts of the visitors: exploratory, few, and labelled as such."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from thinslice.outcomes.counting.columns import COLUMNS
from thinslice.outcomes.statistics.comparison import Row, compare, finite, interval_dict
from thinslice.outcomes.statistics.metric import Metric
from thinslice.outcomes.statistics.moments import Moments

MOST = 6
"""Segments of one kind; the others are shown together."""

OTHERS = "all others"

KINDS = {
    "device": ("Device", "No event says on which kind of device it happened."),
    "visits": ("New or returning", ""),
    "category": ("Category of the page at the first list", "No product page has a category."),
}
"""How each kind of segment is called, and what is said where it has none."""


@dataclass(frozen=True, slots=True)
class Segment:
    """Some of the visitors, per variant, and a few KPIs over them."""

    kind: str
    name: str
    visitors: tuple[int, ...]
    rows: tuple[Row, ...]

    def to_dict(self, variants: Sequence[str]) -> dict[str, Any]:
        return {
            "name": self.name,
            "visitors": dict(zip(variants, self.visitors, strict=True)),
            "rows": [
                {
                    "kpi": row.metric.name,
                    "label": row.metric.label,
                    "unit": row.metric.unit,
                    "control": finite(row.control),
                    "treatment": finite(row.treatment),
                    "absolute": interval_dict(row.absolute),
                    "relative": interval_dict(row.relative),
                    "change": row.change,
                    "reading": row.reading,
                }
                for row in self.rows
            ],
        }


def segments_of(
    found: Mapping[tuple[str, str, str], Moments],
    pair: tuple[str, str],
    metrics: Sequence[Metric],
    money_unit: float,
    tuned_for: float | None = None,
) -> tuple[Segment, ...]:
    """Every segment with its rows, the largest first; at most `MOST` of a kind, and the others.

    `found` has the moments per kind, name and variant. Each interval holds by itself, at 95 % (a
    guardrail's at 90 %): once, or with `tuned_for` at all looks together
    (`statistics/sequential.py`).
    """
    segments = []
    for kind in KINDS:
        moments: dict[str, dict[str, Moments]] = defaultdict(dict)
        own = {(name, variant): m for (k, name, variant), m in found.items() if k == kind}
        names = _short_names([name for name, _ in own]) if kind == "category" else {}
        for (name, variant), one in own.items():
            part = moments[names.get(name, name)]
            part[variant] = part[variant] + one if variant in part else one
        for name, sides in _largest(moments, pair).items():
            control, treatment = (sides.get(side, Moments.zero(COLUMNS)) for side in pair)
            rows = [
                compare(m, control, treatment, tuned_for=tuned_for, money_unit=money_unit)
                for m in metrics
            ]
            segments.append(Segment(kind, name, (control.n, treatment.n), tuple(rows)))
    return tuple(segments)


def segments_dict(segments: Sequence[Segment], pair: tuple[str, str]) -> dict[str, Any]:
    """All segments for a page, with the words of caution that belong to them."""
    kinds = []
    for kind, (label, missing) in KINDS.items():
        own = [segment.to_dict(pair) for segment in segments if segment.kind == kind]
        kinds.append(
            {"kind": kind, "label": label, "missing": "" if own else missing, "segments": own}
        )
    clear = sum(row.change in ("better", "worse") for s in segments for row in s.rows)
    compared = sum(row.change != "unknown" for s in segments for row in s.rows)
    return {"note": _caution(compared, clear), "compared": compared, "kinds": kinds}


def _caution(compared: int, clear: int) -> str:
    """How many of these differences chance alone would make look clear."""
    if not compared:
        return "There is too little data in any segment to compare the variants."
    return (
        f"Exploratory: {compared} comparisons, of which {clear} look clear; without any effect "
        f"about {max(1, round(compared / 20))} or fewer would, by chance. They decide "
        "nothing: what looks promising is the question of the next experiment."
    )


def _short_names(paths: Sequence[str]) -> dict[str, str]:
    """Each category's path cut to as few levels as tell at least two of them apart."""
    levels = {path: [level.strip() for level in path.split(">")] for path in paths}
    depth = 1
    deepest = max((len(level) for level in levels.values()), default=1)
    while depth < deepest and len({tuple(level[:depth]) for level in levels.values()}) < 2:
        depth += 1
    return {path: " > ".join(level[:depth]) for path, level in levels.items()}


def _largest(
    moments: Mapping[str, Mapping[str, Moments]], pair: tuple[str, str]
) -> dict[str, dict[str, Moments]]:
    sizes = Counter(
        {name: sum(sides[s].n for s in pair if s in sides) for name, sides in moments.items()}
    )
    in_order = sorted(sizes, key=lambda name: (-sizes[name], name))
    kept = {name: dict(moments[name]) for name in in_order[:MOST] if sizes[name]}
    rest: dict[str, Moments] = {}
    for name in in_order[MOST:]:
        for side, one in moments[name].items():
            rest[side] = rest[side] + one if side in rest else one
    return {**kept, OTHERS: rest} if rest else kept
