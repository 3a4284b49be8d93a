"""Headlines that no stage has said yet."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thinslice.domain import INCUMBENT, two_significant
from thinslice.report.drawing import hit_bars
from thinslice.report.numbers import brief_percent, count, day, plural


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


_LEFT_OUT = {
    "visitors_in_two_variants": "visitors who were shown lists of both groups",
    "visitors_who_asked_for_a_variant": "visitors who looked at a preview",
    "robots": "visitors that look like robots",
    "lists_for_the_holdout": "lists for visitors who are kept out of all experiments",
    "lists_while_paused": "lists shown while it was paused",
    "lists_outside_the_traffic": "lists for visitors who take no part",
    "lists_that_a_variant_could_not_fill": "lists for which one of the groups had nothing to show",
    "exposures_without_visitor": "lists shown to visitors without an id",
    "orders_cancelled": "orders that were cancelled and do not count",
    "orders_with_a_refund": "orders of which something was given back, which was taken off",
    "orders_whose_id_is_shared": "orders told by their message, since their id says nothing (such "
    "as “undefined”, or one that many visitors sent)",
    "events_from_the_future": "events that claim to be from the future",
    "exposures_of_unknown_variant": "lists of a group that the experiment does not have",
}


def left_out(reason: str) -> str:
    """Who was left out and why, in words; a reason that has none of its own reads as its name.

    >>> left_out("robots"), left_out("refunds_of_unknown_orders")
    ('visitors that look like robots', 'refunds of unknown orders')
    """
    return _LEFT_OUT.get(reason, reason.replace("_", " "))


def visitors_left_out(counts: Mapping[str, int]) -> str:
    """How many visitors were left out, and why, in one sentence.

    >>> visitors_left_out({"robots": 12, "orders_cancelled": 3})
    'Left out: visitors that look like robots (12).'
    >>> visitors_left_out({"robots": 0, "orders_cancelled": 3})
    'No visitor was left out.'
    """
    out = [
        f"{left_out(reason)} ({count(n)})"
        for reason, n in counts.items()
        if n and left_out(reason).startswith("visitors ")
    ]
    return f"Left out: {', '.join(out)}." if out else "No visitor was left out."


def changed(change: Mapping[str, Any]) -> str:
    """What was done to an experiment, as a line of its history.

    >>> changed({"what": "ramped", "traffic": 0.5}), changed({"what": "killed", "traffic": None})
    ('Opened to 50% of the visitors', 'Killed: everyone back to the list of before')
    """
    share = change["traffic"]
    of_visitors = "" if share is None else f"{brief_percent(share)} of the visitors"
    words = {
        "started": f"Started with {of_visitors}" if of_visitors else "Started",
        "ramped": f"Opened to {of_visitors}",
        "paused": "Paused: everyone sees the list of before",
        "stopped": "Stopped",
        "killed": "Killed: everyone back to the list of before",
        "switched": "Changed what everyone sees",
        "learned": "Wrote down what was learned",
        "noticed": "Something broke",
    }
    return words.get(str(change["what"]), str(change["what"]))


def known_when(outlook: Mapping[str, Any], zone: str = "UTC") -> str:
    """When an experiment that runs will be known, with what that rests on.

    >>> nobody = {"visitors": 0, "per_day": 0.0, "needed": None, "known_us": None, "basis": ""}
    >>> known_when(nobody)
    'No visitor has joined yet, so nobody can say when it will be known.'
    >>> known_when({**nobody, "per_day": 430.0, "needed": 12_000, "worth_finding": 0.1})
    'No visitor has joined yet. About 430 a day could have in the weeks before; at that pace it \
takes more than three years to find a change of 10%, for which about 12,000 are needed.'
    """
    if not outlook["visitors"]:
        return f"No visitor has joined yet{_foreseen(outlook, zone)}"
    joined = f"{plural(outlook['visitors'], 'visitor')} joined so far"
    if outlook["per_day"]:
        joined += f", about {count(max(1, outlook['per_day']))} a day"
    if outlook["needed"] is None:
        return f"{joined}; it cannot be said yet how many are needed."
    why = (
        "to settle the difference that it looks like now"
        if outlook["basis"] == "looks"
        else f"to find a change of {brief_percent(outlook['worth_finding'])}"
    )
    if not outlook["needed"]:
        return f"{joined}: enough {why}, if there is one."
    when = (
        f", which is around {day(outlook['known_us'], zone)}"
        if outlook["known_us"]
        else ", which at this pace is more than three years"
        if outlook["per_day"]
        else ""
    )
    more = f"it takes about {_rounded(outlook['needed'])} more {why}{when}"
    return f"{joined}; {more}.{_sooner(outlook, zone)}"


def _foreseen(outlook: Mapping[str, Any], zone: str) -> str:
    """The rest of the sentence, before anyone has joined."""
    if outlook["needed"] is None or not outlook["per_day"]:
        return ", so nobody can say when it will be known."
    pace = f"About {count(max(1, outlook['per_day']))} a day could have in the weeks before"
    change = f"a change of {brief_percent(outlook['worth_finding'])}"
    found = (
        f"{change} is found around {day(outlook['known_us'], zone)}"
        if outlook["known_us"]
        else f"it takes more than three years to find {change}"
    )
    needed = f"for which about {_rounded(outlook['needed'])} are needed"
    return f". {pace}; at that pace {found}, {needed}.{_sooner(outlook, zone)}"


def _sooner(outlook: Mapping[str, Any], zone: str) -> str:
    sooner_us = outlook.get("with_everyone_us")
    return f" With all visitors it would be around {day(sooner_us, zone)}." if sooner_us else ""


def _rounded(n: float) -> str:
    return count(int(two_significant(n)))


FUNCTIONS = {
    "audit_headline": audit_headline,
    "hit_sentence": hit_sentence,
    "left_out": left_out,
    "visitors_left_out": visitors_left_out,
    "changed": changed,
    "known_when": known_when,
}
"""Every function of this file by the name that templates use."""
