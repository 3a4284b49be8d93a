"""What the report says first: one verdict, and where it comes from.

An experiment outweighs everything else, since only it shows what a list causes. Those that tried
the list made from the running visit come before those that tried anything else, since that list is
what the report is about. Of several the most recent one with a verdict speaks, never the best one:
picking the best of many would find gains where there are none. An experiment that shows the same
list to both groups is a check of the method and never speaks. Without one the offline comparison
speaks, and then no money is stated.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from thinslice.domain import SESSION
from thinslice.report.numbers import plural

Found = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Summary:
    """The top of the page. `speaks` is the experiment that the verdict comes from, if one does."""

    verdict: str
    headline: str
    reasons: tuple[str, ...]
    source: str
    speaks: Found | None = None
    next_command: str = ""
    others: Sequence[Found] = field(default_factory=tuple)


def summarise(findings: Mapping[str, Any]) -> Summary:
    """The one verdict from all that was found; missing parts give the next step instead."""
    readouts = latest_first(findings["readouts"])
    decided = [r for r in readouts if r["judgement"]["verdict"] and not is_check(r)]
    if decided:
        speaks = next(filter(tries_candidate, decided), decided[0])
        return _from_experiment(speaks, readouts)
    if findings["offline"]:
        return _from_evaluation(findings["offline"], readouts)
    return _from_nothing(findings, readouts)


def latest_first(readouts: Sequence[Found]) -> list[Found]:
    """The experiments by their start, the latest first; equal starts keep their order."""
    return sorted(readouts, key=lambda r: -int(r["period"]["start_us"]))


def is_check(readout: Found) -> bool:
    """Whether both groups were shown the same list, which tests the method and no treatment."""
    policies = {v["policy"] for v in readout["variants"]}
    return len(policies) == 1


def tries_candidate(readout: Found) -> bool:
    """Whether the treatment is the list made from the running visit."""
    return any(v["policy"] == SESSION and not v["is_control"] for v in readout["variants"])


def agreed_late(findings: Mapping[str, Any]) -> list[str]:
    """The questions of the experiments that had begun before the plan in force was agreed."""
    plan = findings["plan"]
    if not plan or plan["agreed_us"] is None:
        return []
    return [
        r["question"] or r["experiment"]
        for r in findings["readouts"]
        if r["period"]["start_us"] < plan["agreed_us"]
    ]


def _from_experiment(readout: Found, readouts: Sequence[Found]) -> Summary:
    judgement = readout["judgement"]
    others = [r for r in readouts if r is not readout]
    visitors = plural(sum(v["visitors"] for v in readout["variants"]), "visitor")
    source = f"This is what an experiment with {visitors} showed."
    if others:
        tried = "that tried the list made from the running visit " * tries_candidate(readout)
        source = (
            f"This is what the most recent experiment {tried}showed, with {visitors}; "
            f"{plural(len(others), 'other experiment')} "
            f"{'have their own verdicts' if len(others) > 1 else 'has its own verdict'} below."
        )
    headline = judgement["sentence"] if judgement["money"] else readout["sentence"]
    return Summary(
        judgement["verdict"],
        headline,
        tuple(judgement["reasons"]),
        source,
        speaks=readout,
        others=others,
    )


def _from_evaluation(offline: Found, readouts: Sequence[Found]) -> Summary:
    source = "This is what past visits say. No amount of money is stated: only an experiment can."
    if readouts:
        source = (
            "This is what past visits say, since no experiment has a verdict yet. No amount of "
            "money is stated until one has."
        )
    return Summary(
        offline["verdict"] or "",
        offline["sentence"],
        tuple(r for r in offline["reasons"] if r not in offline["sentence"]),
        source,
        next_command="" if readouts else "thinslice serve",
        others=readouts,
    )


def _from_nothing(findings: Mapping[str, Any], readouts: Sequence[Found]) -> Summary:
    steps = (
        ("audit", "Nothing has been looked at yet.", "thinslice audit EVENTS.csv"),
        ("plan", "Nobody has said yet what would count as success.", "thinslice plan"),
        ("evaluation", "It is not known yet whether it would have worked.", "thinslice evaluate"),
    )
    for part, headline, command in steps:
        if not findings[part]:
            return Summary("", headline, (), "The next step:", None, command, readouts)
    return Summary("", "There is no verdict yet.", (), "", None, "thinslice evaluate", readouts)
