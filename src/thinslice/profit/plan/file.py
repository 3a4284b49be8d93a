"""A plan's file: YAML that a stakeholder can read and fill in, a comment above every field."""

from __future__ import annotations

from collections.abc import Mapping
from textwrap import wrap
from typing import Any

from thinslice.domain import KPI_NAMES
from thinslice.errors import InputError
from thinslice.profit.plan.fields import USUAL_MAX_WORSE

COMMENTS = {
    "question": "What do we want to know? One sentence, as you would ask it aloud.",
    "kpi": f"The number that decides. One of: {', '.join(KPI_NAMES)}.",
    "guardrails": (
        "The numbers that must not get worse, from the same list, and how much worse each may at "
        "most be: {bounce_rate: 0.05} allows 5 %. {} if there are none."
    ),
    "baseline": (
        "What it is compared with: incumbent (what the shop shows today), popular (what sells "
        "most), item_to_item, or list:NAME for a list of your own."
    ),
    "currency": "The currency of every amount below, in three letters.",
    "click_value": (
        "What one more click on a list is worth by itself, beyond the orders it leads to: low, "
        "likely, high. Leave it at 0 unless clicks are paid for."
    ),
    "order_value": (
        "What the shop keeps of one order after the cost of goods: low, likely, high. Without it "
        "(null) no money can be stated."
    ),
    "sessions_per_month": (
        "Visits a month in which the list would be shown. null takes it from the experiment."
    ),
    "must_beat": "What it must earn a year, at least, to ship as more than a small win.",
    "fixed_cost": "What building and running it costs a year.",
    "agreed": "When this plan was agreed on; written by thinslice.",
    "digest": "The fingerprint of all of the above, to show later changes; written by thinslice.",
}
"""The line above each field of the file, for whoever reads it."""

PREDICTION_COMMENTS = {
    "payoff": (
        "What each outcome of a prediction is worth: tp acting on a positive, fp acting on a "
        "negative, fn leaving a positive alone, tn leaving a negative alone. Numbers, columns, "
        "arithmetic of columns, or low, likely, high. Money in is positive."
    ),
    "threshold": (
        "Act on scores of at least this; 'expected payoff' decides row by row from probabilities; "
        "null tunes the threshold on other rows than it is judged on."
    ),
    "capacity": "The most rows that can be acted on, of rows like those evaluated; null is any.",
    "per_year": "How many times a year such a set of rows is decided on; 12 for a month of rows.",
    "discount": (
        "How much less money in a year is worth than money today: 0.08 is 8 %. A year's money "
        "comes half a year from now on average; the fixed cost is paid today."
    ),
    "constraints": (
        "What it has to keep whatever it earns: [precision >= 0.3], also recall and share_acted, "
        "with >= or <=."
    ),
}
"""The same for the fields that only predictions need; a file has them when it has a payoff."""

BASELINE_OF_PREDICTIONS = (
    "What it is compared with: nothing, all, random, or column:NAME for a column of the decisions "
    "or scores of what runs today."
)


def written(values: Mapping[str, Any], *, predicts: bool) -> str:
    """The fields of a plan as the text of a file."""
    words = {**COMMENTS, **PREDICTION_COMMENTS}
    if predicts:
        words["baseline"] = BASELINE_OF_PREDICTIONS
    return "\n".join(_field(name, value, words[name]) for name, value in values.items())


def read_fields(text: str) -> dict[Any, Any]:
    """The fields of a file as they stand there, the first plans' guardrail as guardrails.

    Raises `InputError` for what is no YAML, has no fields, or has one twice.
    """
    import yaml

    try:
        found = yaml.load(text, Loader=_loader()) or {}  # noqa: S506 - a safe loader
    except yaml.YAMLError as error:
        raise InputError(f"a plan is a YAML file with one field per line: {error}") from None
    except RecursionError:
        raise InputError(
            "a plan is a YAML file with one field per line, got brackets within brackets within "
            "brackets; write it anew with thinslice plan"
        ) from None
    if not isinstance(found, Mapping):
        raise InputError(f"a plan has fields such as 'kpi: conversion', got {found!r}")
    return _in_todays_words(dict(found))


def _in_todays_words(found: dict[Any, Any]) -> dict[Any, Any]:
    if "guardrails" in found and found["guardrails"] is None:
        found["guardrails"] = {}
    first = {name: found.pop(name) for name in ("guardrail", "max_worse") if name in found}
    if not first:
        return found
    if "guardrails" in found:
        raise InputError(
            f"{' and '.join(first)} say the same as guardrails; keep guardrails: {{KPI: SHARE}}"
        )
    name = first.get("guardrail", "revenue_per_session")
    share = first.get("max_worse", USUAL_MAX_WORSE)
    return {**found, "guardrails": {} if name is None else {name: share}}


def _loader() -> Any:
    """The safe loader of YAML, which here refuses a field that stands there twice."""
    import yaml

    class Once(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            seen = set()
            for key, _ in node.value:
                if key.value in seen:
                    line = key.start_mark.line + 1
                    raise InputError(
                        f"{key.value!r} stands there twice, again in line {line}; keep one of them"
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    return Once


def _field(name: str, value: Any, words: str) -> str:
    import yaml

    comment = "".join(f"# {line}\n" for line in wrap(words, 95))
    return comment + yaml.safe_dump(
        {name: _plain(value)},
        allow_unicode=True,
        sort_keys=False,
        default_flow_style=None if isinstance(value, Mapping | list) else False,
        width=1000,
    )


def _plain(value: Any) -> Any:
    """50000.0 as a person writes it: 50000."""
    if isinstance(value, Mapping):
        return {name: _plain(inner) for name, inner in value.items()}
    return int(value) if isinstance(value, float) and value.is_integer() else value
