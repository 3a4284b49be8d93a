"""`Trial`: what an experiment on a table of visitors says, as values, text and plain data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from thinslice.domain import Verdict
from thinslice.errors import InputError
from thinslice.outcomes.statistics.comparison import Row, figure, signed_percent, spread_of
from thinslice.outcomes.statistics.decision import Decision
from thinslice.outcomes.statistics.metric import asked
from thinslice.outcomes.statistics.moments import Moments
from thinslice.outcomes.statistics.sample_ratio import SRM_WARNING, SampleRatio


@dataclass(frozen=True, slots=True)
class Comparison:
    """One treatment against the control."""

    treatment: str
    rows: tuple[Row, ...]
    decision: Decision


@dataclass(frozen=True, slots=True)
class Trial:
    """What an experiment says. With several treatments, `verdict`, `reason`, `sentence` and `rows`
    are those of the best one; `comparisons` has them all.

    `moments` has the additive sums per arm, the control first. `tuned_for` is None where the data
    may be looked at once.
    """

    moments: Mapping[str, Moments]
    comparisons: tuple[Comparison, ...]
    split: SampleRatio
    weights: Mapping[str, float]
    tuned_for: float | None
    question: str
    currency: str
    notes: tuple[str, ...]

    @property
    def best(self) -> Comparison:
        """The treatment to ship where one may be; else the one that came nearest to it."""
        return min(self.comparisons, key=_rank)

    @property
    def verdict(self) -> Verdict | None:
        return self.best.decision.verdict

    @property
    def reason(self) -> str:
        return self.best.decision.reason

    @property
    def sentence(self) -> str:
        return self.best.decision.sentence

    @property
    def rows(self) -> tuple[Row, ...]:
        return self.best.rows

    @property
    def control(self) -> str:
        return next(iter(self.moments))

    @property
    def visitors(self) -> dict[str, int]:
        return {arm: moments.n for arm, moments in self.moments.items()}

    @property
    def table(self) -> list[dict[str, Any]]:
        """Plain values, a row per treatment and metric; low to high is the relative change."""
        return [
            {
                "treatment": comparison.treatment,
                "metric": row.metric.name,
                "asked": asked(row.metric),
                "control_value": row.control,
                "treatment_value": row.treatment,
                "change": row.relative.estimate,
                "low": row.relative.low,
                "high": row.relative.high,
                "confidence": row.relative.confidence,
                "reading": row.reading,
            }
            for comparison in self.comparisons
            for row in comparison.rows
        ]

    def to_dict(self, treatment: str | None = None) -> dict[str, Any]:
        """Plain values for JSON and pages, in the shape of `Readout.to_dict`.

        What a table of visitors does not tell, such as the period, is None. `treatment` picks one
        of several.
        """
        chosen = self.best if treatment is None else self._comparison(treatment)
        arms = list(self.moments)
        return {
            "question": self.question,
            "experiment": self.question or "experiment",
            "control": self.control,
            "treatment": chosen.treatment,
            "currency": self.currency,
            "period": None,
            "variants": [self._variant(arm) for arm in arms],
            "rows": [row.to_dict() for row in chosen.rows],
            "srm": {
                "p": self.split.p_value,
                "expected": dict(zip(arms, self.split.expected, strict=True)),
                "observed": dict(zip(arms, self.split.observed, strict=True)),
                "ok": self.split.ok,
                "doubtful": self.split.doubtful,
            },
            "daily": [],
            "left_out": {},
            "verdict": chosen.decision.verdict.value if chosen.decision.verdict else None,
            "reason": chosen.decision.reason,
            "sentence": chosen.decision.sentence,
            "more_visitors": chosen.decision.more_visitors,
            "notes": [*self.notes, *self._others(chosen)],
            "known_effect": None,
            "sequential": self.tuned_for is not None,
        }

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _split(self) -> str:
        return "split as meant" if self.split.p_value >= SRM_WARNING else "split not as meant"

    def _comparison(self, treatment: str) -> Comparison:
        for comparison in self.comparisons:
            if comparison.treatment == treatment:
                return comparison
        raise InputError(
            f"no treatment is called {treatment!r}; there are: "
            f"{', '.join(c.treatment for c in self.comparisons)}"
        )

    def _others(self, chosen: Comparison) -> list[str]:
        """What a page about one treatment says of the others."""
        return [
            f"{c.treatment}: {c.decision.verdict or 'no verdict'}. {c.decision.sentence}"
            for c in self.comparisons
            if c is not chosen
        ]

    def _variant(self, arm: str) -> dict[str, Any]:
        return {
            "name": arm,
            "policy": None,
            "weight": self.weights[arm],
            "is_control": arm == self.control,
            "visitors": self.moments[arm].n,
        }

    def _lines(self) -> list[str]:
        lines = [*self.notes, *([""] if self.notes else [])]
        for c in self.comparisons:
            lines.append(f"{c.decision.verdict or 'no verdict'}: {c.decision.sentence}")
            if c.decision.reason != c.decision.sentence:
                lines.append(c.decision.reason)
            lines += ["", *_aligned(self.control, c), ""]
        counted = ", ".join(f"{n:,} in {arm}" for arm, n in self.visitors.items())
        looks = "as often as you like" if self.tuned_for else "once"
        lines.append(
            f"{counted} ({self._split()}: p = {self.split.p_value:.2g}). Ranges hold when looked "
            f"at {looks}."
        )
        return lines


def _rank(comparison: Comparison) -> tuple[int, float]:
    order = [Verdict.SHIP, Verdict.NOT_PROVEN, Verdict.STOP, None]
    z = max((r.z for r in comparison.rows if r.metric.is_success and r.z == r.z), default=0.0)
    return order.index(comparison.decision.verdict), -z


def _aligned(control: str, comparison: Comparison) -> list[str]:
    """The rows as text in columns."""
    cells = [["", "asked", control, comparison.treatment, "change", "range", ""]]
    for row in comparison.rows:
        lift = row.relative
        cells.append(
            [
                row.metric.name,
                asked(row.metric),
                figure(row.control, row.metric.unit),
                figure(row.treatment, row.metric.unit),
                signed_percent(lift.estimate) if lift.estimate == lift.estimate else "",
                spread_of(lift) if row.change != "unknown" else "",
                row.reading,
            ]
        )
    widths = [max(len(line[i]) for line in cells) for i in range(len(cells[0]))]
    return [
        "  ".join(
            cell.rjust(width) if 2 <= i <= 4 else cell.ljust(width)
            for i, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in cells
    ]
