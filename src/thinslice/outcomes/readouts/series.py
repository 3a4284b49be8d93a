"""The course of an experiment, day by day: a day is the shop's day."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from thinslice.domain import MICROSECONDS, Interval
from thinslice.outcomes.counting.attribution import Cell
from thinslice.outcomes.counting.columns import COLUMNS
from thinslice.outcomes.statistics.comparison import compare, finite, interval_dict
from thinslice.outcomes.statistics.metric import Metric
from thinslice.outcomes.statistics.moments import Moments


@dataclass(frozen=True, slots=True)
class Day:
    """One KPI over all visitors first exposed up to and on this day of the shop.

    `visitors` are those of this day alone, per variant.
    """

    date: date
    visitors: tuple[int, ...]
    control: float
    treatment: float
    absolute: Interval

    def to_dict(self, variants: Sequence[str]) -> dict[str, Any]:
        return {
            "date": self.date.isoformat(),
            "visitors": dict(zip(variants, self.visitors, strict=True)),
            "control": finite(self.control),
            "treatment": finite(self.treatment),
            "absolute": interval_dict(self.absolute),
        }


def days_of(cells: Sequence[Cell], zone: ZoneInfo) -> dict[date, dict[str, Moments]]:
    """The moments per day and variant, of the visitors first exposed on that day."""
    days: dict[date, dict[str, Moments]] = {}
    for cell in cells:
        day = days.setdefault(local_date(cell.quarter_us, zone), {})
        known = day.get(cell.variant)
        day[cell.variant] = cell.moments if known is None else known + cell.moments
    return dict(sorted(days.items()))


def daily(
    days: Mapping[date, Mapping[str, Moments]],
    names: Sequence[str],
    pair: tuple[str, str],
    metric: Metric,
    money_unit: float,
    tuned_for: float | None = None,
) -> tuple[Day, ...]:
    """One KPI's course: each day's line has everyone who had joined by then.

    `tuned_for` makes ranges that hold on all days together (`statistics/sequential.py`).
    """
    found = []
    so_far = {name: Moments.zero(COLUMNS) for name in pair}
    for day, moments in days.items():
        for name in pair:
            so_far[name] += moments.get(name, Moments.zero(COLUMNS))
        arms = so_far[pair[0]], so_far[pair[1]]
        row = compare(metric, *arms, tuned_for=tuned_for, money_unit=money_unit)
        visitors = tuple(moments[name].n if name in moments else 0 for name in names)
        found.append(Day(day, visitors, row.control, row.treatment, row.absolute))
    return tuple(found)


def local_date(time_us: int, zone: ZoneInfo) -> date:
    """The day of the shop on which a moment lies."""
    return datetime.fromtimestamp(time_us // MICROSECONDS, zone).date()
