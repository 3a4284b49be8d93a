"""`Design`: how large an experiment has to be and why, as values, text and plain data."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from thinslice.outcomes.statistics.comparison import figure, percent
from thinslice.outcomes.statistics.decision import two_digits
from thinslice.outcomes.statistics.metric import Metric, asked

WEEK = 7

LONG = 8
"""More weeks than this are rarely to be had: the shop has changed by then."""


@dataclass(frozen=True, slots=True)
class Need:
    """What one metric takes. `effect` is the relative change that is to be found, or ruled out.

    `cost` is what the experiment would save, in visitors, if a guardrail were not asked for.
    """

    metric: Metric
    baseline: float
    effect: float
    visitors_per_arm: int
    cost: int


@dataclass(frozen=True, slots=True)
class Design:
    """How large an experiment has to be. `power` is that of the whole decision, `power_each` that
    of every metric's own test, `sequential_cost` the visitors that looking every day costs.
    """

    needs: tuple[Need, ...]
    arms: int
    alpha: float
    power: float
    power_each: float
    sequential: bool
    sequential_cost: int
    visitors_per_day: float | None

    @property
    def visitors_per_arm(self) -> int:
        return max(need.visitors_per_arm for need in self.needs)

    @property
    def visitors(self) -> int:
        """In all arms together."""
        return self.visitors_per_arm * self.arms

    @property
    def days(self) -> int | None:
        return math.ceil(self.visitors / self.visitors_per_day) if self.visitors_per_day else None

    @property
    def weeks(self) -> int | None:
        """Whole ones, since shoppers differ by weekday."""
        return math.ceil(self.days / WEEK) if self.days else None

    @property
    def most(self) -> Need:
        """The metric that needs most visitors."""
        return max(self.needs, key=lambda need: need.visitors_per_arm)

    @property
    def sentence(self) -> str:
        size = (
            f"It takes {two_digits(self.visitors_per_arm):,} visitors in each of {self.arms} arms"
        )
        if self.weeks and self.visitors_per_day:
            size = f"Run it {_weeks(self.weeks)}: {size[0].lower()}{size[1:]}" + (
                f", {_times(self.days or 0, 'day')} at {_rate(self.visitors_per_day)} a day"
            )
        parts = [f"{size}."]
        if len(self.needs) > 1:
            parts.append(f"{self.most.metric.label} needs most.")
        parts += [
            f"Without the guardrail on {need.metric.label.lower()} "
            f"{two_digits(need.cost):,} fewer would do."
            for need in self.needs
            if need.cost
        ]
        if self.weeks and self.weeks > LONG and self.visitors_per_day:
            parts += self._in_time(LONG * WEEK * self.visitors_per_day)
        if self.sequential:
            parts.append(
                f"Looking every day costs {two_digits(self.sequential_cost):,} of them, if it has "
                "to run to the end."
            )
        return " ".join(parts)

    @property
    def table(self) -> list[dict[str, Any]]:
        """Plain values, a row per metric."""
        return [
            {
                "metric": need.metric.name,
                "asked": asked(need.metric),
                "baseline": need.baseline,
                "effect": need.effect,
                "visitors_per_arm": need.visitors_per_arm,
                "weeks": self._weeks_for(need),
                "cost": need.cost,
            }
            for need in self.needs
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and pages."""
        return {
            "sentence": self.sentence,
            "visitors_per_arm": self.visitors_per_arm,
            "visitors": self.visitors,
            "arms": self.arms,
            "days": self.days,
            "weeks": self.weeks,
            "visitors_per_day": self.visitors_per_day,
            "alpha": self.alpha,
            "power": self.power,
            "power_each": self.power_each,
            "sequential": self.sequential,
            "sequential_cost": self.sequential_cost,
            "most": self.most.metric.name,
            "rows": self.table,
        }

    def __repr__(self) -> str:
        lines = [self.sentence, ""]
        for need in self.needs:
            lines.append(
                f"{need.metric.name} ({asked(need.metric)}): "
                f"{figure(need.baseline, need.metric.unit)} today, "
                f"{need.visitors_per_arm:,} visitors per arm"
            )
        return "\n".join(lines)

    def _in_time(self, visitors: float) -> list[str]:
        """What could be found with fewer visitors; an effect shrinks with the root of them."""
        success = [need for need in self.needs if need.metric.is_success]
        if not success:
            return []
        need = max(success, key=lambda need: need.visitors_per_arm)
        found = abs(need.effect) * math.sqrt(need.visitors_per_arm * self.arms / visitors)
        if found <= abs(need.effect):
            return []
        return [
            f"In {LONG} weeks it would find a change of {percent(found)} instead of "
            f"{percent(abs(need.effect))}."
        ]

    def _weeks_for(self, need: Need) -> int | None:
        if not self.visitors_per_day:
            return None
        return math.ceil(need.visitors_per_arm * self.arms / self.visitors_per_day / WEEK)


def _weeks(weeks: int) -> str:
    return "one whole week" if weeks == 1 else f"{weeks:,} whole weeks"


def _rate(visitors: float) -> str:
    return f"{visitors:,.0f}" if visitors >= 10 else f"{visitors:.2g}"


def _times(n: int, word: str) -> str:
    return f"{n:,} {word}{'s' * (n != 1)}"
