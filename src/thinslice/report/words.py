"""Plain words for names that are jargon: list makers, metrics, KPIs and verdicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from thinslice.domain import INCUMBENT, Verdict

_LIST_MAKERS = {
    "session": ("This visit's clicks", "Past visits like this one vote on what is next"),
    "item_to_item": ("Seen together", "What others viewed beside the latest product"),
    "popular": ("Popular now", "The same list for everyone, the most viewed of late"),
    f"list:{INCUMBENT}": ("What the shop shows today", "The list that is in place now"),
}

_METRICS = {
    "HitRate": "how often the product looked at next was among the {n} shown",
    "MRR": "how far up it stood: 1 is always first, 0.5 always second, 0 never among the {n}",
    "Recall": "of all the visitor still went on to look at, the share that was among the {n}",
    "NDCG": "like Recall, but a place further down the list counts for less",
    "coverage": "the share of all products that anyone was shown at all",
    "novelty": "how little known the shown products are, in bits: 1 more is half as many views",
    "gini": "how unequally products are shown: 0 is all alike, 1 is one takes every place",
    "diversity": "the share of a list's pairs of products that are of different categories",
    "popularity": "how popular the shown products are: 1 is best sellers only, 0.5 any product",
}

_VERDICTS = {
    Verdict.SHIP: "Put it in place for everyone.",
    Verdict.SMALL_WIN: "Put it in place, keep watching what is guarded, and be ready to go back.",
    Verdict.NOT_PROVEN: "No gain and no harm is shown. Run it longer or leave things as they are.",
    Verdict.STOP: "Take it out: it does harm, or what it earns does not pay for it.",
    Verdict.WORTH_TESTING: "Put it before real visitors, in an experiment.",
    Verdict.NOT_WORTH_TESTING: "Not before something about it changes.",
}


_MODEL_STEPS = {
    Verdict.SHIP: "Put it to work.",
    Verdict.SMALL_WIN: "Put it to work with a way to abstain, a fallback and an undo.",
    Verdict.NOT_PROVEN: "Do not build on it yet.",
    Verdict.STOP: "Do not put it to work.",
}


def model_step(verdict: str) -> str:
    """What the verdict on a model asks for, in one sentence."""
    return _MODEL_STEPS.get(Verdict(verdict), next_step(verdict))


def list_maker(policy: str) -> str:
    """What makes a list, as a person would call it.

    >>> list_maker("session"), list_maker("list:editors"), list_maker("gru")
    ("This visit's clicks", 'The list “editors”', 'gru')
    """
    if policy in _LIST_MAKERS:
        return _LIST_MAKERS[policy][0]
    return f"The list “{policy[5:]}”" if policy.startswith("list:") else policy


def list_maker_meaning(policy: str) -> str:
    """One line on how the list comes about; empty when its name says all that is known."""
    return _LIST_MAKERS.get(policy, ("", ""))[1]


def metric_meaning(label: str) -> str:
    """A metric in a plain sentence, from its printed name; empty for one that is not known.

    >>> metric_meaning("HitRate@20")
    'how often the product looked at next was among the 20 shown'
    """
    name, _, n = label.partition("@")
    return _METRICS.get(name, "").format(n=n)


def objective_sentences(objectives: Mapping[str, Any]) -> list[str]:
    """What each objective would have gained and cost against ranking for clicks."""
    return [said for row in objectives["rows"] if (said := _objective_sentence(row))]


def _objective_sentence(row: Mapping[str, Any]) -> str:
    gained, clicks = row[row["objective"]], row["clicks"]
    if not gained or not clicks:
        return ""
    what = {"orders": "expected orders", "margin": "expected margin"}[row["objective"]]
    return (
        f"Ranking for {row['objective']} shows lists with {_more(gained, what, 'less')} and "
        f"{_more(clicks, 'clicks', 'fewer')} than ranking for clicks.{_bought(row.get('bought'))}"
    )


def _bought(change: Mapping[str, float] | None) -> str:
    """Whether the objective foresees what is really bought; empty where nothing was."""
    if not change:
        return ""
    low, likely, high = (100 * change[end] for end in ("low", "estimate", "high"))
    word = "more" if likely >= 0 else "less"
    return (
        f" What visitors went on to buy was in the list {abs(likely):.1f}% {word} often "
        f"(range {low:+.1f}% to {high:+.1f}%)."
    )


def _more(change: Mapping[str, float], what: str, less: str) -> str:
    low, likely, high = (100 * change[end] for end in ("low", "estimate", "high"))
    word = "more" if likely >= 0 else "fewer" if what.endswith("orders") else less
    return f"{abs(likely):.1f}% {word} {what} (range {low:+.1f}% to {high:+.1f}%)"


def kpi(name: str) -> str:
    """A KPI's name in words.

    >>> kpi("revenue_per_session")
    'revenue per session'
    """
    return name.replace("_", " ")


def next_step(verdict: str | None) -> str:
    """What a verdict asks for, in one sentence; empty for no verdict."""
    return _VERDICTS.get(Verdict(verdict), "") if verdict else ""


FILTERS = {
    "list_maker": list_maker,
    "list_maker_meaning": list_maker_meaning,
    "metric_meaning": metric_meaning,
    "objective_sentences": objective_sentences,
    "kpi": kpi,
    "next_step": next_step,
    "model_step": model_step,
}
"""Every filter of this file by the name that templates use."""
