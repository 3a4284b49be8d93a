"""Which titles wait for a person, and which of them first."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from thinslice.domain import Product
    from thinslice.models.titles.classifier import TitleAnswer
    from thinslice.profit.asking import AskingTerms

LOOKS_AT = 5000
"""Titles of each source among which the dearest are looked for."""


@dataclass(frozen=True, slots=True)
class WaitingTitle:
    """A title that may need a person: a product's without category ("catalogue"), or one that was
    "asked" so many times."""

    title: str
    source: str
    product: str | None = None
    times: int = 1


@dataclass(frozen=True, slots=True)
class QueuedTitle:
    """A title that waits for a person. `cost` is what taking the answer unseen would cost.

    `source` is "catalogue" (a product without category) or "asked"; `times` how often it came.
    """

    answer: TitleAnswer
    cost: float
    source: str
    product: str | None = None
    times: int = 1

    def to_dict(self) -> dict[str, Any]:
        return {
            **self.answer.to_dict(),
            "cost": self.cost,
            "source": self.source,
            "product": self.product,
            "times": self.times,
        }


def waiting_titles(
    asked: Sequence[tuple[str, int]], products: Iterable[Product]
) -> list[WaitingTitle]:
    """Titles that were asked, with how often, and those of products that are filed nowhere."""
    filed = [
        WaitingTitle(p.title, "catalogue", p.id)
        for p in products
        if p.title and not p.category and not p.hidden
    ]
    once = [WaitingTitle(title, "asked", None, times) for title, times in asked]
    return [*once[:LOOKS_AT], *filed[:LOOKS_AT]]


def dearest_first(
    waiting: Sequence[WaitingTitle],
    answers: Sequence[TitleAnswer],
    spoken: Callable[[str], bool],
    terms: AskingTerms,
) -> list[QueuedTitle]:
    """Those that need a person and on which nobody has spoken, the dearest mistake first."""
    found = [
        QueuedTitle(
            answer,
            (1 - answer.confidence) * terms.cost_of_wrong(answer.category) * each.times,
            each.source,
            each.product,
            each.times,
        )
        for each, answer in zip(waiting, answers, strict=True)
        if answer.needs_person and not spoken(answer.title)
    ]
    return sorted(found, key=lambda q: (-q.cost, q.answer.title))
