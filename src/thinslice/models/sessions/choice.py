"""What a shop's session list is made with, and why: the outcome of tuning, kept with the model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from thinslice.models.sessions.entries import EntrySettings
from thinslice.models.sessions.linear import LinearSettings
from thinslice.models.sessions.session_knn import KnnSettings
from thinslice.models.sessions.trees import Trees

KNN, LINEAR, BLEND, RERANKED, POPULAR = "knn", "linear", "blend", "reranked", "popular"
"""The tiers: how the session list may be made. The blend adds up the shares of all sources."""


@dataclass(frozen=True, eq=False)
class Choice:
    """Settings, the tier, the re-ranker's trees where it is switched on, and the report on why.

    `repeats` lets the product at hand be recommended. `entries` is None where plain popularity says
    best what visits begin with.
    """

    knn: KnnSettings = field(default_factory=KnnSettings)
    linear: LinearSettings = field(default_factory=LinearSettings)
    tier: str = KNN
    trees: Trees | None = None
    repeats: bool = False
    entries: EntrySettings | None = None
    report: Mapping[str, Any] = field(default_factory=lambda: {"why": "nothing was tuned"})

    def to_dict(self) -> dict[str, Any]:
        """All but the trees, which are arrays."""
        return {
            "tier": self.tier,
            "repeats": self.repeats,
            "knn": self.knn.to_dict(),
            "linear": self.linear.to_dict(),
            "entries": self.entries.to_dict() if self.entries else None,
            "report": dict(self.report),
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], trees: Trees | None) -> Choice:
        return cls(
            KnnSettings.from_dict(values["knn"]),
            LinearSettings.from_dict(values["linear"]),
            values["tier"],
            trees,
            values["repeats"],
            EntrySettings(**entries) if (entries := values.get("entries")) else None,
            values["report"],
        )
