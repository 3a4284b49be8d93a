"""What the page on a model's money needs beyond the numbers: names in words, scales, places.

Everything here works on `Evaluation.to_dict()`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

Found = Mapping[str, Any]

OUTCOMES = {
    "tp": (
        "Acted on, rightly",
        "{positive}, and we act",
        "acting on someone who is {positive}",
    ),
    "fp": ("Acted on for nothing", "not, and we act", "acting on someone who is not"),
    "fn": ("Missed", "{positive}, and we leave them", "leaving someone who is {positive}"),
    "tn": ("Left alone, rightly", "not, and we leave them", "leaving someone who is not"),
}
"""For every outcome a heading, what happens to these people, and the payoff's name in words."""

PLACES = {"tn": (0, 0), "fp": (0, 1), "fn": (1, 0), "tp": (1, 1)}
"""Where each outcome stands in a matrix of rows true and columns decided."""

BASELINES = {
    "nothing": "Doing nothing",
    "all": "Acting on everyone",
    "random": "Acting on as many, at random",
    "popular": "What is popular",
    "incumbent": "What runs today",
    "oracle": "Knowing the truth beforehand",
}
OF_LISTS = {"nothing": "Showing no list", "random": "As many items, at random"}
CURVE_POINTS = 6
NAMELESS = ("1", "1.0", "yes", "true", "y", "positive")
GENERIC_COLUMNS = ["", *"y y_true true truth target label actual outcome class".split()]
"""Labels and columns that do not say what the model looks for."""


def is_evaluation(found: Found) -> bool:
    """Whether plain values are those of a model's evaluation rather than of a shop."""
    return "decided_by" in found and "gain" in found


def baseline_name(name: str, *, lists: bool = False, limited: bool = False) -> str:
    """A baseline as a person would say it; `limited` where a capacity allows not all rows.

    >>> baseline_name("nothing"), baseline_name("column:old_score"), baseline_name("all churn")
    ('Doing nothing', 'What runs today (old_score)', 'Deciding “churn” for everyone')
    >>> baseline_name("nothing", lists=True), baseline_name("all", limited=True)
    ('Showing no list', 'Acting at random within the capacity')
    """
    if lists and name in OF_LISTS:
        return OF_LISTS[name]
    if name.startswith("column:"):
        return f"What runs today ({name.removeprefix('column:')})"
    if name.startswith("all "):
        who = "at random within the capacity" if limited else "for everyone"
        return f"Deciding “{name[4:]}” {who}"
    if name == "all" and limited:
        return "Acting at random within the capacity"
    return BASELINES.get(name, name)


def toughest(found: Found) -> dict[str, Any]:
    """What the verdict rests on: the plan's baseline, or what needs no model and earns more.

    Its name in `words`, with the model's `gain` over it and the chance `p_beats` of one.
    """
    simplest = found.get("simplest")
    if simplest:
        return dict(simplest)
    words = lower_baseline(found["baseline"], limited=is_limited(found))
    return {"words": words, "gain": found["gain"], "p_beats": found["p_beats"]}


def is_limited(found: Found) -> bool:
    """Whether the plan's capacity allows to act on fewer rows than there are."""
    capacity = found["plan"].get("capacity")
    return capacity is not None and capacity < found["rows"]


def lower_baseline(name: str, *, limited: bool = False) -> str:
    """The same within a sentence.

    >>> lower_baseline("all"), lower_baseline("column:old")
    ('acting on everyone', 'what runs today (old)')
    """
    said = baseline_name(name, limited=limited)
    return said[:1].lower() + said[1:]


def positive_name(found: Found) -> str:
    """What the model looks for, as it stands in a sentence.

    >>> positive_name({"labels": ["stay", "churn"]}), positive_name({"labels": ["0", "1"]})
    ('“churn”', 'positive')
    >>> positive_name({"labels": ["no", "yes"], "columns": {"true": "churned"}})
    '“churned”'
    """
    label = found["labels"][-1] if found["labels"] else ""
    if label.lower() not in NAMELESS:
        return f"“{label}”"
    column = found.get("columns", {}).get("true", "")
    return "positive" if _generic(column) else f"“{column}”"


def payoff_name(name: str, found: Found) -> str:
    """What a bar of a tornado or a break-even point is about.

    >>> payoff_name("fp", {"labels": ["0", "1"]}), payoff_name("tp", {"labels": ["0", "1"]})
    ('acting on someone who is not', 'acting on someone who is positive')
    """
    if name in OUTCOMES:
        return OUTCOMES[name][2].format(positive=positive_name(found))
    return "luck: other people in the sample" if name.startswith("luck") else name


def _generic(column: str) -> bool:
    return column.lower().strip("_") in GENERIC_COLUMNS


def outcomes(found: Found) -> list[dict[str, Any]]:
    """The four cells of a two-class evaluation: how many people, times how much, makes how much.

    `each` is the average amount of the people in the cell, None where nobody is in it.
    """
    payoff = found["plan"]["payoff"]
    positive = positive_name(found)
    cells = []
    for name in ("tp", "fp", "fn", "tn"):
        i, j = PLACES[name]
        count, money = found["counts"][i][j], found["money"][i][j]
        heading, fate, _ = OUTCOMES[name]
        given = _given(payoff, name)
        cells.append(
            {
                "name": name,
                "heading": heading,
                "fate": fate.format(positive=positive),
                "count": count,
                "each": money / count if count else None,
                "total": money,
                "range": given if isinstance(given, Mapping) and "low" in given else None,
                "by_row": isinstance(given, str),
                "weighted": bool(count) and _is_other(given, money / count),
            }
        )
    return cells


def _is_other(given: Any, each: float) -> bool:
    """A known amount that does not come out: the people treated at random stand for all."""
    known = isinstance(given, int | float)
    return known and abs(each - given) > 1e-6 * max(1.0, abs(given))


def _given(payoff: Found, name: str) -> Any:
    if "matrix" in payoff:
        i, j = PLACES[name]
        return payoff["matrix"][i][j]
    return payoff.get(name, 0.0)


def curve_shape(found: Found) -> dict[str, Any] | None:
    """The profit curve as places in a drawing 400 wide and 140 high; None where there is none."""
    points = found.get("curve")
    if not points or len(points) < 2:
        return None
    amounts = [float(point["profit"]) for point in points]
    bottom, top = min(*amounts, 0.0), max(*amounts, 0.0)
    room = (top - bottom) * 0.06 or 1.0
    bottom, top = bottom - room, top + room
    most = max(int(points[-1]["acted"]), 1)

    def x(acted: float) -> float:
        return float(round(400 * acted / most, 1))

    def y(amount: float) -> float:
        return float(round(140 * (top - amount) / (top - bottom), 1))

    chosen = _chosen(points, found["threshold"])
    return {
        "line": " ".join(f"{x(p['acted'])},{y(p['profit'])}" for p in points),
        "zero": y(0.0),
        "chosen": x(chosen["acted"]) if chosen else None,
        "chosen_y": y(chosen["profit"]) if chosen else None,
        "at": chosen,
        "top": max(amounts),
        "bottom": min(amounts),
        "best": max(points, key=lambda point: float(point["profit"])),
        "everybody": points[-1],
        "table": _some(points, chosen),
    }


def _chosen(points: Sequence[Found], threshold: float | None) -> Found | None:
    """The point of the threshold in use: the last one that does not go below it."""
    if threshold is None:
        return None
    reached = [p for p in points if p["threshold"] is None or p["threshold"] >= threshold]
    return reached[-1] if reached else None


def _some(points: Sequence[Found], chosen: Found | None) -> list[Found]:
    step = (len(points) - 1) / (CURVE_POINTS - 1)
    picked = {round(k * step) for k in range(CURVE_POINTS)}
    if chosen is not None:
        picked.add(points.index(chosen))
    return [points[k] for k in sorted(picked)]


def tornado_shape(found: Found, most: int = 6) -> dict[str, Any] | None:
    """The widest bars, and the ends of the scale they share; None where nothing moves the gain."""
    bars = [bar for bar in found["tornado"] if bar["gain_at_low"] != bar["gain_at_high"]][:most]
    if not bars:
        return None
    ends = [end for bar in bars for end in (bar["gain_at_low"], bar["gain_at_high"])]
    goal = found["plan"]["must_beat"]
    low, high = min(*ends, 0.0), max(*ends, 0.0)
    room = (high - low) * 0.04
    return {"bars": bars, "low": low - room, "high": high + room, "goal": goal}


FILTERS = {"lower_baseline": lower_baseline, "zip": zip}
FUNCTIONS = {
    "baseline_name": baseline_name,
    "is_limited": is_limited,
    "curve_shape": curve_shape,
    "outcomes": outcomes,
    "payoff_name": payoff_name,
    "positive_name": positive_name,
    "tornado_shape": tornado_shape,
    "toughest": toughest,
}
"""Every function of this file by the name that templates use."""
