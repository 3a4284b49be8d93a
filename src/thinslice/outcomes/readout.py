"""Did it work, and did it hurt anything? The events of an experiment in, a readout out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from thinslice.domain import (
    DAY_US,
    MICROSECONDS,
    Experiment,
    Interval,
    Verdict,
    minor_digits,
)
from thinslice.errors import InputError
from thinslice.outcomes.assignment import check_weights
from thinslice.outcomes.attribution import Attributed, Cell, attribute
from thinslice.outcomes.comparison import Row, compare, compare_all, finite, interval_dict
from thinslice.outcomes.decision import Decision, decide, refuse, several
from thinslice.outcomes.kpi import COLUMNS, KPIS, kpi
from thinslice.outcomes.metric import Metric
from thinslice.outcomes.moments import Moments
from thinslice.outcomes.sample_ratio import SampleRatio, sample_ratio

if TYPE_CHECKING:
    import pyarrow as pa

LOOK_ONCE = (
    "Decide once, when the time that was planned is over. Looking every day and stopping on the "
    "first good one finds differences that are not there."
)
MANY_IN_TWO = 0.01
NOT_A_WEEK = "It covers less than a week, and shoppers differ by weekday."


@dataclass(frozen=True, slots=True)
class Day:
    """The deciding KPI over all visitors first exposed up to and on this day of the shop."""

    date: date
    visitors: tuple[int, ...]
    control: float
    treatment: float
    absolute: Interval


@dataclass(frozen=True)
class Readout:
    """What an experiment says: two variants side by side, and a verdict where one may be given.

    `moments` has the additive sums per variant, the control first. `left_out` counts visitors and
    events that could not be used.
    """

    experiment: Experiment
    treatment: str
    currency: str
    time_zone: str
    end_us: int | None
    moments: Mapping[str, Moments]
    rows: tuple[Row, ...]
    split: SampleRatio
    daily: tuple[Day, ...]
    left_out: Mapping[str, int]
    decision: Decision
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        return self.decision.verdict

    @property
    def reason(self) -> str:
        return self.decision.reason

    @property
    def sentence(self) -> str:
        return self.decision.sentence

    def row(self, name: str) -> Row:
        """The row of a KPI."""
        wanted = kpi(name).name
        return next(row for row in self.rows if row.metric.name == wanted)

    def lines(self) -> list[str]:
        """The readout as lines of text: who was counted, a line per KPI, the reason, the notes."""
        counted = ", ".join(f"{m.n:,} visitors in {name}" for name, m in self.moments.items())
        control = self.experiment.control.name
        return [
            f"{counted}.",
            *(row.line(control, self.treatment) for row in self.rows),
            *([] if self.reason == self.sentence else [self.reason]),
            *self.notes,
        ]

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and pages; a figure that does not exist is None."""
        names = list(self.moments)
        return {
            "question": self.experiment.question,
            "experiment": self.experiment.id,
            "control": self.experiment.control.name,
            "treatment": self.treatment,
            "currency": self.currency,
            "period": self._period(),
            "variants": [self._variant(name) for name in names],
            "rows": [row.to_dict() for row in self.rows],
            "srm": {
                "p": self.split.p_value,
                "expected": dict(zip(names, self.split.expected, strict=True)),
                "observed": dict(zip(names, self.split.observed, strict=True)),
                "ok": self.split.ok,
            },
            "daily": [
                {
                    "date": day.date.isoformat(),
                    "visitors": dict(zip(names, day.visitors, strict=True)),
                    "control": finite(day.control),
                    "treatment": finite(day.treatment),
                    "absolute": interval_dict(day.absolute),
                }
                for day in self.daily
            ],
            "left_out": dict(self.left_out),
            "verdict": self.verdict.value if self.verdict else None,
            "reason": self.reason,
            "sentence": self.sentence,
            "more_visitors": self.decision.more_visitors,
            "notes": list(self.notes),
            "known_effect": self.experiment.known_effect,
        }

    def _period(self) -> dict[str, Any]:
        start = self.experiment.started_us
        zone = ZoneInfo(self.time_zone)
        return {
            "start_us": start,
            "end_us": self.end_us,
            "start": _local_date(start, zone).isoformat(),
            "end": _local_date(self.end_us, zone).isoformat() if self.end_us else None,
            "days": (self.end_us - start) / DAY_US if self.end_us else 0.0,
            "running": self.experiment.stopped_us is None,
            "time_zone": self.time_zone,
        }

    def _variant(self, name: str) -> dict[str, Any]:
        moments = self.moments[name]
        variant = next(v for v in self.experiment.variants if v.name == name)
        revenue = int(moments.total("revenue"))
        return {
            "name": name,
            "policy": variant.policy,
            "weight": variant.weight,
            "is_control": name == self.experiment.control.name,
            "visitors": moments.n,
            "sessions": int(moments.total("sessions")),
            "orders": int(moments.total("orders")),
            "revenue_minor": revenue,
            "revenue": revenue / 10 ** minor_digits(self.currency),
            "views": int(moments.total("views")),
            "lists": int(moments.total("lists")),
            "clicked_lists": int(moments.total("clicked_lists")),
        }


def read_out(
    experiment: Experiment,
    events: pa.Table,
    *,
    plan: Mapping[str, Any],
    currency: str,
    time_zone: str = "UTC",
    treatment: str | None = None,
) -> Readout:
    """Compare the treatment with the control on what the plan asked for.

    `events` has the columns of `domain.Event` and `session_key`. Visitors count from their first
    exposure on, in the variant they saw; who saw two is left out. `plan` has the plan's terms:
    kpi, and guardrails, which maps KPIs to how much worse each may be (or one, as guardrail and
    max_worse). `treatment` is the second variant if not given.

    Raises `InputError` for an unknown KPI, variant or time zone and for fewer than two variants.
    """
    names = _variant_names(experiment)
    pair = (names[0], _treatment(names, treatment))
    metrics = _asked(plan)
    zone = _zone(time_zone)
    found = attribute(events, experiment.id, names, currency)
    moments = _per_variant(found.cells, names)
    control, treated = (moments[name] for name in pair)
    money_unit = 10.0 ** -minor_digits(currency)
    rows = compare_all(metrics, control, treated, money_unit=money_unit)
    visitors = [moments[name].n for name in names]
    split = sample_ratio(visitors, [variant.weight for variant in experiment.variants])
    decision = refuse(names, visitors, split, rows) or decide(rows, pair[1], control.n + treated.n)
    if treatment is None and len(names) > 2 and decision.verdict:
        decision = several(names)
    end_us = experiment.stopped_us or found.last_us
    return Readout(
        experiment,
        pair[1],
        currency,
        time_zone,
        end_us,
        moments,
        rows,
        split,
        _daily(found, names, pair, metrics[0], zone, money_unit),
        found.left_out,
        decision,
        _notes(experiment, end_us, found.left_out["visitors_in_two_variants"], sum(visitors)),
    )


def _variant_names(experiment: Experiment) -> tuple[str, ...]:
    names = tuple(variant.name for variant in experiment.variants)
    check_weights(experiment)
    if len(set(names)) < 2 or len(set(names)) != len(names):
        raise InputError(
            "an experiment compares at least two variants of different names, got "
            f"{', '.join(names)}"
        )
    return names


def _treatment(names: Sequence[str], treatment: str | None) -> str:
    if treatment is not None and treatment not in names[1:]:
        raise InputError(f"no treatment is called {treatment!r}; there are: {', '.join(names[1:])}")
    return treatment or names[1]


def _asked(plan: Mapping[str, Any]) -> list[Metric]:
    """Every KPI with what the plan asks of it: the deciding one first, then the guardrails."""
    deciding = kpi(str(plan["kpi"])).name
    guardrails = {kpi(str(name)).name: float(worse) for name, worse in _guardrails(plan).items()}
    first = dict.fromkeys([deciding, *guardrails])
    return [
        replace(KPIS[name], decides=name == deciding, max_worse=guardrails.get(name))
        for name in [*first, *(name for name in KPIS if name not in first)]
    ]


def _guardrails(plan: Mapping[str, Any]) -> Mapping[str, Any]:
    """The plan's guardrails with how much worse each may be."""
    if "guardrails" in plan:
        return plan["guardrails"] or {}
    name = plan.get("guardrail")
    return {name: plan.get("max_worse") or 0.0} if name else {}


def _zone(time_zone: str) -> ZoneInfo:
    try:
        return ZoneInfo(time_zone)
    except (KeyError, ValueError, OSError):
        raise InputError(
            f"a time zone has a name like Europe/Paris or UTC, got {time_zone!r}"
        ) from None


def _per_variant(cells: Sequence[Cell], names: Sequence[str]) -> dict[str, Moments]:
    total = {name: Moments.zero(COLUMNS) for name in names}
    for cell in cells:
        total[cell.variant] += cell.moments
    return total


def _daily(
    found: Attributed,
    names: Sequence[str],
    pair: tuple[str, str],
    deciding: Metric,
    zone: ZoneInfo,
    money_unit: float,
) -> tuple[Day, ...]:
    by_day: dict[date, list[Cell]] = {}
    for cell in found.cells:
        by_day.setdefault(_local_date(cell.quarter_us, zone), []).append(cell)
    days, so_far = [], {name: Moments.zero(COLUMNS) for name in names}
    for day in sorted(by_day):
        for cell in by_day[day]:
            so_far[cell.variant] += cell.moments
        row = compare(deciding, so_far[pair[0]], so_far[pair[1]], money_unit=money_unit)
        new = _per_variant(by_day[day], names)
        visitors = tuple(new[name].n for name in names)
        days.append(Day(day, visitors, row.control, row.treatment, row.absolute))
    return tuple(days)


def _local_date(time_us: int, zone: ZoneInfo) -> date:
    return datetime.fromtimestamp(time_us // MICROSECONDS, zone).date()


def _notes(
    experiment: Experiment, end_us: int | None, in_two: int, visitors: int
) -> tuple[str, ...]:
    notes = []
    if in_two > MANY_IN_TWO * (in_two + visitors):
        notes.append(
            f"{in_two:,} visitors saw two variants and were left out, which is too many: look for "
            "visitor ids that are shared or weights that were changed on the way."
        )
    if experiment.stopped_us is None:
        notes.append(LOOK_ONCE)
    if end_us is not None and end_us - experiment.started_us < 7 * DAY_US:
        notes.append(NOT_A_WEEK)
    return tuple(notes)
