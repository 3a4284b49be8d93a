"""A verdict with its reasons, and money where there may be any."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from thinslice.domain import Verdict


@dataclass(frozen=True)
class Judgement:
    """A verdict with its headline and reasons; money only where an experiment gives a cause.

    `money` has per_month and per_year as low, likely, high (P5, P50, P95), chance_of_loss,
    cost_of_being_wrong (for ship and do_not_ship: the chance that it is a mistake, what it then
    costs a year on average, and both multiplied) and what they rest on.
    """

    verdict: Verdict | None
    sentence: str
    reasons: tuple[str, ...] = ()
    money: dict[str, Any] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and pages."""
        return {
            "verdict": self.verdict.value if self.verdict else None,
            "sentence": self.sentence,
            "reasons": list(self.reasons),
            "money": self.money,
        }
