"""Did it work, and did it hurt anything? The events of an experiment in, a readout out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from thinslice.domain import (
    DAY_US,
    Experiment,
    Verdict,
    minor_digits,
)
from thinslice.errors import InputError
from thinslice.outcomes.assignment import check_weights
from thinslice.outcomes.counting.ask import Ask
from thinslice.outcomes.counting.attribution import Cell, attribute
from thinslice.outcomes.counting.columns import COLUMNS
from thinslice.outcomes.counting.left_out import VISITORS_LEFT_OUT
from thinslice.outcomes.counting.rules import ProductFacts, Rules
from thinslice.outcomes.kpi import asked_by, kpi
from thinslice.outcomes.readouts.foresight import tuned_for
from thinslice.outcomes.readouts.segments import Segment, segments_dict, segments_of
from thinslice.outcomes.readouts.series import Day, daily, days_of, local_date
from thinslice.outcomes.statistics.comparison import Row, compare_all, percent
from thinslice.outcomes.statistics.decision import Decision, decide, refuse, several
from thinslice.outcomes.statistics.metric import Metric
from thinslice.outcomes.statistics.moments import Moments
from thinslice.outcomes.statistics.sample_ratio import SampleRatio, sample_ratio

if TYPE_CHECKING:
    import pyarrow as pa

LOOK_ONCE = (
    "Decide once, when the time that was planned is over. Looking every day and stopping on the "
    "first good one finds differences that are not there."
)
MANY_IN_TWO = 0.01
NOT_A_WEEK = "It covers less than a week, and shoppers differ by weekday."


@dataclass(frozen=True)
class Readout:
    """What an experiment says: two variants side by side, and a verdict where one may be given.

    `moments` has the additive sums per variant, the control first. `left_out` counts visitors and
    events that could not be used. `courses` has every KPI's course by day, the deciding one first.
    """

    experiment: Experiment
    treatment: str
    currency: str
    time_zone: str
    end_us: int | None
    moments: Mapping[str, Moments]
    rows: tuple[Row, ...]
    split: SampleRatio
    courses: Mapping[str, tuple[Day, ...]]
    segments: tuple[Segment, ...]
    left_out: Mapping[str, int]
    rules: Rules
    margin_source: str | None
    decision: Decision
    notes: tuple[str, ...] = ()

    @property
    def verdict(self) -> Verdict | None:
        return self.decision.verdict

    @property
    def daily(self) -> tuple[Day, ...]:
        """The course of the deciding KPI."""
        return next(iter(self.courses.values()))

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
        """Plain values for JSON and pages; a figure that does not exist is None.

        daily         the deciding KPI's course: date, visitors by variant (new on that day), and
                      control, treatment, absolute over everyone who had joined by then
        daily_by_kpi  the same for every KPI of `rows`, by its name
        segments      note (say it first), compared, kinds: kind, label, missing (why there are
                      none), segments: name, visitors by variant, rows as above for a few KPIs
        rules         attribution_days, vat_rate, margin_share, bot_events_per_minute, bot_views
                      (`Rules`) and margin_source (None: no margin is shown)
        left_out      how many of what was left out, the reason being the name
        """
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
                "doubtful": self.split.doubtful,
            },
            "daily": [day.to_dict(names) for day in self.daily],
            "daily_by_kpi": {
                kpi: [day.to_dict(names) for day in course] for kpi, course in self.courses.items()
            },
            "segments": segments_dict(self.segments, (names[0], self.treatment)),
            "rules": {**self.rules.to_dict(), "margin_source": self.margin_source},
            "left_out": dict(self.left_out),
            "verdict": self.verdict.value if self.verdict else None,
            "reason": self.reason,
            "sentence": self.sentence,
            "more_visitors": self.decision.more_visitors,
            "notes": list(self.notes),
            "known_effect": self.experiment.known_effect,
            "sequential": self.experiment.sequential,
        }

    def _period(self) -> dict[str, Any]:
        start = self.experiment.started_us
        zone = ZoneInfo(self.time_zone)
        return {
            "start_us": start,
            "end_us": self.end_us,
            "start": local_date(start, zone).isoformat(),
            "end": local_date(self.end_us, zone).isoformat() if self.end_us else None,
            "days": (self.end_us - start) / DAY_US if self.end_us else 0.0,
            "traffic_days": self.experiment.traffic_days(self.end_us) if self.end_us else 0.0,
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
    events: pa.Table | Ask,
    *,
    plan: Mapping[str, Any],
    currency: str,
    time_zone: str = "UTC",
    treatment: str | None = None,
    rules: Rules | None = None,
    products: ProductFacts | None = None,
    now_us: int | None = None,
) -> Readout:
    """Compare the treatment with the control on what the plan asked for.

    `events` has the columns of `domain.Event` and `session_key`, or computes expressions over such
    (`ask.Ask`). Visitors count from their first exposure on, in the variant they saw; who saw two
    is left out. `plan` has the plan's terms: kpi, and guardrails, which maps KPIs to how much worse
    each may be. `treatment` is the second variant if not given. What claims to be from more than a
    day after `now_us`, the clock, does not count.

    Raises `InputError` for an unknown KPI, variant or time zone, for fewer than two variants, for
    a plan that says something else, and for one that asks for a margin where nothing says what it
    is.
    """
    rules, products = rules or Rules(), products or ProductFacts()
    names = _variant_names(experiment)
    pair = (names[0], _treatment(names, treatment))
    metrics = asked_by(plan, has_margin=products.has_margin(rules))
    zone = _zone(time_zone)
    found = attribute(
        events,
        experiment.id,
        names,
        currency,
        rules=rules,
        products=products,
        started_us=experiment.started_us,
        stopped_us=experiment.stopped_us,
        now_us=now_us,
    )
    moments = _per_variant(found.cells, names)
    control, treated = (moments[name] for name in pair)
    money_unit = 10.0 ** -minor_digits(currency)
    looks = tuned_for(experiment)
    rows = compare_all(metrics, control, treated, tuned_for=looks, money_unit=money_unit)
    visitors = [moments[name].n for name in names]
    weights = [variant.weight for variant in experiment.variants]
    split = sample_ratio(visitors, weights, sequential=experiment.sequential)
    left_out = sum(found.left_out[reason] for reason in VISITORS_LEFT_OUT)
    decision = refuse(names, visitors, split, rows, left_out=left_out) or decide(
        rows, pair[1], control.n + treated.n
    )
    if treatment is None and len(names) > 2 and decision.verdict:
        decision = several(names)
    end_us = experiment.stopped_us or found.last_us
    days = days_of(found.cells, zone)
    return Readout(
        experiment,
        pair[1],
        currency,
        time_zone,
        end_us,
        moments,
        rows,
        split,
        {metric.name: daily(days, names, pair, metric, money_unit, looks) for metric in metrics},
        segments_of(found.segments, pair, _for_segments(metrics), money_unit, looks),
        found.left_out,
        rules,
        _margin_source(rules, products, found.uncosted, moments),
        decision,
        (
            *([split.warning] if split.warning else []),
            *_notes(experiment, end_us, found.left_out["visitors_in_two_variants"], sum(visitors)),
        ),
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


def _for_segments(metrics: Sequence[Metric]) -> list[Metric]:
    """What the plan asks for, and conversion and revenue: few, since there are many segments."""
    also = ("conversion", "revenue_per_visitor")
    return [m for m in metrics if m.is_success or m.is_guardrail or m.name in also]


def _margin_source(
    rules: Rules, products: ProductFacts, uncosted: int, moments: Mapping[str, Moments]
) -> str | None:
    """Where the margin comes from, in words; None where nothing says."""
    stated = None if rules.margin_share is None else f"{percent(rules.margin_share)} of net revenue"
    if not products.costs:
        return stated and f"{stated}, as stated"
    if not uncosted:
        return "net revenue less the costs in the catalogue"
    orders = int(sum(some.total("orders") for some in moments.values()))
    which = f"{uncosted:,} of {orders:,} orders with a product of unknown cost"
    if stated is None:
        return f"net revenue less the costs in the catalogue; the {which} count with no margin"
    return f"net revenue less the costs in the catalogue, and {stated} for the {which}"


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


def _notes(
    experiment: Experiment, end_us: int | None, in_two: int, visitors: int
) -> tuple[str, ...]:
    notes = []
    if in_two > MANY_IN_TWO * (in_two + visitors):
        notes.append(
            f"{in_two:,} visitors saw two variants and were left out, which is too many: look for "
            "visitor ids that are shared or weights that were changed on the way."
        )
    if experiment.stopped_us is None and not experiment.sequential:
        notes.append(LOOK_ONCE)
    if visitors and end_us is not None and end_us - experiment.started_us < 7 * DAY_US:
        notes.append(NOT_A_WEEK)
    return tuple(notes)
