"""A title's answer in the words and the strengths that the pages show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thinslice.models.titles.classifier import TitleAnswer
    from thinslice.shelf.titles.titles import Titles

LONGEST = 1000
"""Characters of a title that are looked at."""

_SURE = (
    (0.99, "almost certain"),
    (0.95, "very likely"),
    (0.80, "likely"),
    (0.50, "more likely than not"),
)
_TABS = (
    ("title", "Ask", ""),
    ("review", "Review", "/review"),
    ("bar", "When a person is asked", "/bar"),
)


def tabs(shop: str, current: str) -> list[dict[str, Any]]:
    """The three pages about titles, as links."""
    return [
        {"label": label, "href": f"/{shop}/title{end}", "current": key == current}
        for key, label, end in _TABS
    ]


def sure_words(confidence: float) -> str:
    """A confidence in words.

    >>> sure_words(0.97), sure_words(0.3)
    ('very likely', 'a guess')
    """
    return next((words for least, words in _SURE if confidence >= least), "a guess")


def shown(titles: Titles, title: str, filed: str = "") -> dict[str, Any]:
    """The answer to a title as the page shows it; `filed` is where the catalogue has it."""
    title = title[:LONGEST]
    (found,) = titles.classify([title])
    words = word_strengths(found)
    strong = {w["word"] for w in words if w["strength"] > 0}
    return {
        "title": title,
        "filed": filed,
        "empty": not title.strip(),
        "category": found.category,
        "confidence": found.confidence,
        "sure": sure_words(found.confidence),
        "verdict": found.verdict,
        "needs_person": found.needs_person,
        "bar": found.bar,
        "alternatives": found.alternatives,
        "likeliest": found.likeliest,
        "words": words,
        "spoke": [w for w in found.spoke_for() if w in strong],
    }


def word_strengths(found: TitleAnswer) -> list[dict[str, Any]]:
    """Each word of the cleaned title with what it added: 0 nothing, 1 to 4 for, -1 against.

    In parts of the strongest word's.
    """
    most = max((abs(value) for _, value in found.words), default=0.0) or 1.0
    return [
        {"word": word, "strength": _strength(value / most), "weight": value}
        for word, value in found.words
    ]


def _strength(share: float) -> int:
    """A share of the strongest as a step.

    >>> [_strength(x) for x in (1.0, 0.5, 0.02, -0.5)]
    [4, 2, 0, -1]
    """
    if share < -0.05:
        return -1
    return round(4 * share) if share > 0 else 0
