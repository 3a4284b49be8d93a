"""What a drawing needs beyond the numbers: scales, tones, and the sentence said in its place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from thinslice.report.numbers import count, day, figure, percent, signed, signed_percent
from thinslice.report.words import list_maker, list_maker_meaning

Row = Mapping[str, Any]


def change_tone(row: Row) -> str:
    """The colour of a KPI's change: "" good, "bad", or "open" where nothing is shown either way."""
    reading = str(row["reading"])
    if row["change"] == "worse" or reading.startswith("worse"):
        return "bad"
    return "" if row["change"] == "better" or reading.startswith("not worse") else "open"


def change_limit(row: Row) -> float | None:
    """The change at which a guarded KPI is worse by more than allowed."""
    if not row["is_guardrail"]:
        return None
    allowed = float(row["max_worse"])
    return allowed if row["better"] == "lower" else -allowed


def toward_better(row: Row) -> dict[str, float | None]:
    """The ends of a change as they are drawn, better always on the right, and the limit.

    >>> fewer = {"low": -0.2, "estimate": -0.1, "high": 0.05}
    >>> row = {"better": "lower", "is_guardrail": True, "max_worse": 0.02, "relative": fewer}
    >>> toward_better(row)
    {'low': -0.05, 'estimate': 0.1, 'high': 0.2, 'limit': -0.02}
    """
    low, estimate, high = (row["relative"][end] for end in ("low", "estimate", "high"))
    limit = None if change_limit(row) is None else -float(row["max_worse"])
    if row["better"] == "lower":
        low, estimate, high = (None if end is None else -end for end in (high, estimate, low))
    return {"low": low, "estimate": estimate, "high": high, "limit": limit}


def change_span(rows: Sequence[Row]) -> float:
    """The change at the edge of the scale that holds the ranges of these rows, 1% to 100%.

    >>> change_span([{"relative": {"low": -0.02, "high": 0.25}, "max_worse": None}])
    0.27
    """
    ends = [
        abs(end)
        for row in rows
        for end in (row["relative"]["low"], row["relative"]["high"], row["max_worse"])
        if end is not None
    ]
    return float(min(max(0.01, *ends, 0.0) * 1.08, 1.0))


def change_range(row: Row) -> str:
    """The range of a change as it reads in a table.

    >>> change_range({"relative": {"low": -0.008, "high": 0.039}})
    '−0.8% to +3.9%'
    """
    low, high = row["relative"]["low"], row["relative"]["high"]
    if low is None or high is None:
        return "not known"
    return f"{signed_percent(low)} to {signed_percent(high)}"


def change_words(row: Row) -> str:
    """What the interval of a KPI shows, for those who do not see it."""
    likely = signed_percent(row["relative"]["estimate"])
    allowed = change_limit(row)
    limit = "" if allowed is None else f"; the limit is {signed_percent(allowed)}"
    return f"{row['label']}: {change_range(row)}, likely {likely}{limit}"


def settling(readout: Mapping[str, Any], row: Row | None = None) -> dict[str, Any] | None:
    """A KPI's difference as days went by, the deciding one's unless stated.

    None below two days with a range.
    """
    rows = readout["rows"]
    deciding = row or next((row for row in rows if row["is_deciding"]), rows[0])
    courses = readout.get("daily_by_kpi", {})
    course = courses.get(deciding["kpi"], readout["daily"] if row is None else [])
    days = [
        {"day": day(d["date"]), "visitors": sum(d["visitors"].values()), **d["absolute"]}
        for d in course
        if None not in (d["absolute"]["low"], d["absolute"]["high"])
    ]
    if len(days) < 2:
        return None
    # The first days range far; the scale is the second half's, so that the end can be read.
    later = days[len(days) // 2 :]
    allowed = change_limit(deciding)
    limit = (
        None if allowed is None or deciding["control"] is None else allowed * deciding["control"]
    )
    bottom = min(0.0, limit or 0.0, *(d["low"] for d in later))
    top = max(0.0, limit or 0.0, *(d["high"] for d in later))
    room = (top - bottom) * 0.25 or 1.0
    bottom, top = bottom - room, top + room

    def words(value: float) -> str:
        return figure(value, deciding["unit"], readout["currency"])

    last = days[-1]
    return {
        "days": days,
        "kpi": deciding["label"],
        "limit": limit,
        "bottom": bottom,
        "top": top,
        "low_text": words(bottom),
        "high_text": words(top),
        "unit": deciding["unit"],
        "label": f"{deciding['label']}, difference of the two groups: on the last day "
        f"{words(last['low'])} to {words(last['high'])}, likely {words(last['estimate'])}",
    }


def beside(readout: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What past visits said about the lists of the groups, in the groups' order; may be empty."""
    evaluation = readout.get("offline")
    if not evaluation:
        return []
    label = f"HitRate@{evaluation['n']}"
    rates = {row["name"]: row["metrics"][label] for row in evaluation["rows"]}
    return [
        {"name": v["name"], "n": evaluation["n"], **rates[v["policy"]]}
        for v in readout["variants"]
        if v["policy"] in rates
    ]


def hit_bars(evaluation: Mapping[str, Any]) -> list[dict[str, Any]]:
    """One bar per list maker, the first being ours and the others by their hit rate."""
    label = f"HitRate@{evaluation['n']}"
    ours = evaluation["rows"][0]["name"]
    gaps = {d["b"]: d for d in evaluation["differences"] if d["a"] == ours and d["metric"] == label}
    first, *rest = [_hit_bar(row, label, ours, gaps.get(row["name"])) for row in evaluation["rows"]]
    return [first, *sorted(rest, key=lambda bar: -float(bar["value"]))]


def _hit_bar(row: Row, label: str, ours: str, gap: Row | None) -> dict[str, Any]:
    rate = row["metrics"][label]
    name = list_maker(row["name"])
    text = f"{percent(rate['estimate'])} ({percent(rate['low'])} to {percent(rate['high'])})"
    return {
        "policy": row["name"],
        "name": name,
        "text": text,
        "value": rate["estimate"],
        "low": rate["low"],
        "high": rate["high"],
        "ours": row["name"] == ours,
        "label": f"{name}: {text}",
        "note": f"{list_maker(ours)}: {_points(gap)}" if gap else list_maker_meaning(row["name"]),
    }


def _points(gap: Row) -> str:
    """A difference of two shares, in points of a hundred."""
    low, high = gap["low"] * 100, gap["high"] * 100
    if low <= 0 <= high:
        return f"no proven difference ({signed(low, 1)} to {signed(high, 1)} points)"
    size, (near, far) = abs(gap["estimate"] * 100), sorted((abs(low), abs(high)))
    return f"{size:.1f} points {'more' if low > 0 else 'fewer'} ({near:.1f} to {far:.1f})"


def day_columns(audit: Mapping[str, Any]) -> dict[str, Any] | None:
    """Events per day as columns of a drawing 100 wide and 48 high; None for less than a week."""
    if audit["period"]["days"] < 7:
        return None
    counts = dict.fromkeys(audit["quiet_days"], 0) | audit["daily"]
    days = sorted(counts)
    top = max(counts.values())
    least, most = min(days, key=counts.__getitem__), max(days, key=counts.__getitem__)
    width = 100 / len(days)
    return {
        "columns": [
            {"x": i * width, "width": width * 0.82, "height": 48 * counts[d] / top}
            for i, d in enumerate(days)
        ],
        "first": day(days[0]),
        "last": day(days[-1]),
        "label": f"Events per day: from {count(counts[least])} on {day(least)} "
        f"to {count(counts[most])} on {day(most)}",
    }


FUNCTIONS = {
    "day_columns": day_columns,
    "hit_bars": hit_bars,
    "change_tone": change_tone,
    "change_limit": change_limit,
    "toward_better": toward_better,
    "beside": beside,
    "change_span": change_span,
    "change_range": change_range,
    "change_words": change_words,
    "settling": settling,
}
"""Every function of this file by the name that templates use."""
