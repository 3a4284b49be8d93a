"""Where the catalogue itself is in doubt: held-out answers in; suspected labels and classes out.

What models that had not seen a product say of it, against what it is filed under: a confident
disagreement is a mislabelled product or a class that titles cannot tell from another.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.models.titles.features import clean

if TYPE_CHECKING:
    from thinslice.models.titles.held_out import HeldOut

CONFUSED = 0.15
"""Share of a class's titles that are taken for one other class, from which it is worth a word."""

_FEWEST = 20
_KIND_SHARE = 0.2


@dataclass(frozen=True, slots=True)
class Suspect:
    """A product that may be filed wrongly: `row` is its place in the titles that were learned from.

    `confidence` is how sure the held-out model is of `likeliest`, `chance` what it leaves to the
    category the product is `filed` under, `cost` what the mistake costs times the confidence.
    """

    row: int
    title: str
    filed: str
    likeliest: str
    confidence: float
    chance: float
    cost: float

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def suspects(
    found: HeldOut,
    titles: Sequence[str],
    cost_of_wrong: Callable[[str], float] = lambda _: 1.0,
    *,
    n: int = 500,
) -> list[Suspect]:
    """The products whose category is most likely, and most dearly, wrong; the worst first."""
    wrong = np.flatnonzero(~found.hit)
    listed = []
    for i in wrong.tolist():
        filed = found.classes[found.labels[i]]
        confidence = float(found.confidences[i, 0])
        row = int(found.rows[i])
        listed.append(
            Suspect(
                row,
                titles[row],
                filed,
                found.classes[found.best[i, 0]],
                confidence,
                float(found.chance_of_label[i]),
                confidence * cost_of_wrong(filed),
            )
        )
    return sorted(listed, key=lambda s: (-s.cost, s.row))[:n]


@dataclass(frozen=True, slots=True)
class ClassAdvice:
    """What might be done about a class, with the figures that say so.

    `advice` is "merge or tell apart" (with `other`), "split" (`words` name the kinds), or
    "describe better". `titles` is the sample, `right` the share of held-out titles put right.
    """

    category: str
    advice: str
    titles: int
    right: float
    other: str = ""
    share: float = 0.0
    words: tuple[str, ...] = ()

    @property
    def sentence(self) -> str:
        seen = f"{self.right:.0%} of its {self.titles:,} titles are put right"
        match self.advice:
            case "merge or tell apart":
                return (
                    f"{self.category}: {self.share:.0%} of its titles read like {self.other}; "
                    f"merge the two, or write into the titles what tells them apart ({seen})."
                )
            case "split":
                kinds = ", ".join(f"“{word}”" for word in self.words)
                return f"{self.category} holds several kinds of thing ({kinds}); consider a split."
        return f"{self.category}: titles say too little; describe its products better ({seen})."

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "words": list(self.words), "sentence": self.sentence}


def class_report(found: HeldOut, titles: Sequence[str]) -> list[ClassAdvice]:
    """The classes worth a word, those with most titles put wrongly first."""
    advice = []
    for c, name in enumerate(found.classes):
        own = np.flatnonzero(found.labels == c)
        if len(own) == 0:
            continue
        right = float(found.hit[own].mean())
        answered = np.bincount(found.best[own, 0], minlength=len(found.classes)) / len(own)
        answered[c] = 0
        other = int(answered.argmax())
        share = float(answered[other])
        if share >= CONFUSED:
            rival = found.classes[other]
            advice.append(ClassAdvice(name, "merge or tell apart", len(own), right, rival, share))
        elif right < 1 - 2 * CONFUSED:
            advice.append(ClassAdvice(name, "describe better", len(own), right))
        elif words := _kinds([titles[i] for i in found.rows[own].tolist()]):
            advice.append(ClassAdvice(name, "split", len(own), right, words=words))
    return sorted(advice, key=lambda a: (a.advice == "split", -(1 - a.right) * a.titles))


def _kinds(titles: Sequence[str]) -> tuple[str, ...]:
    """The nouns that a class's titles end in, where several are frequent."""
    last = Counter(text.rpartition(" ")[2].removesuffix("s") for text in map(clean, titles) if text)
    few = max(_FEWEST, _KIND_SHARE * len(titles))
    often = [word for word, n in last.most_common(4) if n >= few and not word.isdecimal()]
    return tuple(often) if len(often) > 1 else ()
