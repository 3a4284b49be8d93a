"""`experiment`: visitors and what they did in, a verdict out. For notebooks; open this file first.

The readout of the product (`readouts/readout.py`) counts visitors from the event log and then goes
the same way: moments, rows, decision.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from thinslice.domain import Verdict
from thinslice.errors import InputError
from thinslice.outcomes.notebook.arms import control_first, given_sums, intended_shares
from thinslice.outcomes.notebook.capping import cap_rows
from thinslice.outcomes.notebook.rows import Rows, name_of, read_rows, sum_rows
from thinslice.outcomes.statistics.comparison import (
    ALPHA,
    Row,
    compare_all,
    figure,
    signed_percent,
    spread_of,
)
from thinslice.outcomes.statistics.covariate import differs_before
from thinslice.outcomes.statistics.decision import Decision, decide, refuse
from thinslice.outcomes.statistics.metric import Metric, asked, check_metrics, number, with_unit
from thinslice.outcomes.statistics.moments import Moments
from thinslice.outcomes.statistics.sample_ratio import SampleRatio, sample_ratio
from thinslice.outcomes.statistics.sequential import TUNED_FOR


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
            f"{counted} (split as meant: p = {self.split.p_value:.2g}). Ranges hold when looked "
            f"at {looks}."
        )
        return lines


def experiment(
    data: Any,
    variant: str = "variant",
    *,
    metrics: Metric | Sequence[Metric],
    control: Any = "A",
    unit: str | None = None,
    sequential: bool = False,
    tuned_for: float | None = None,
    weights: Mapping[Any, float] | None = None,
    alpha: float = ALPHA,
    question: str = "",
    currency: str = "",
) -> Trial:
    """Compare every other arm with the control, and say whether to ship it.

    data        one row per visitor: a frame of pandas, Polars or Arrow, a dictionary of lists, or
                a dictionary of `Moments` by arm where only sums are known
    variant     the column that says which arm a visitor was in
    unit        the column with the visitor's id, where a visitor has several rows: they are added
                up, and who is in two arms is an error
    sequential  whether the data are looked at more than once: wider ranges and a test of the split
                that hold at all looks together, narrowest at `tuned_for` visitors in all (10,000),
                which is to be chosen before the first look
    weights     the intended share of each arm, equal ones unless stated
    alpha       0.05; with several treatments each gets an equal part of it

    Raises `InputError` (`ColumnError` for a column) for a name that does not exist, with the
    closest one, for an empty arm, and for values that are missing or make no sense.
    """
    asked_for = check_metrics(metrics)
    _check(variant, alpha, sequential, tuned_for)
    if _are_moments(data):
        moments, seen = given_sums(data, asked_for), {}
    else:
        rows, asked_for = cap_rows(read_rows(data, asked_for, variant, unit), asked_for)
        moments, seen = sum_rows(rows), {m.name: _nonzero(rows, m) for m in asked_for}
    moments = control_first(moments, name_of(control), weights)
    asked_for = tuple(with_unit(metric, moments.values()) for metric in asked_for)
    shares = intended_shares(moments, weights)
    looks = (tuned_for or TUNED_FOR) if sequential or tuned_for else None
    visitors = [sums.n for sums in moments.values()]
    split = sample_ratio(visitors, list(shares.values()), sequential=looks is not None)
    first, *treatments = moments
    comparisons = []
    for arm in treatments:
        pair = moments[first], moments[arm]
        found = compare_all(
            asked_for,
            *pair,
            alpha=alpha / len(treatments),
            tuned_for=looks,
            seen={name: by_arm[first] + by_arm[arm] for name, by_arm in seen.items()},
        )
        decision = (
            refuse(list(moments), visitors, split, found)
            or _late_covariate(asked_for, *pair)
            or decide(found, arm, pair[0].n + pair[1].n)
        )
        comparisons.append(Comparison(arm, found, decision))
    return Trial(
        moments,
        tuple(comparisons),
        split,
        shares,
        looks,
        question,
        currency,
        (split.warning,) if split.warning else (),
    )


def _check(variant: str, alpha: float, sequential: bool, tuned_for: float | None) -> None:
    if not isinstance(variant, str):
        raise InputError(f"variant names the column of the arms, got {variant!r}")
    if not 0 < number(alpha, "alpha") < 1:
        raise InputError(f"alpha is a share between 0 and 1, got {alpha}; 0.05 is usual")
    if not isinstance(sequential, bool):
        raise InputError(
            f"sequential is True or False, got {sequential!r}; a number of visitors is tuned_for"
        )
    if tuned_for is not None and not number(tuned_for, "tuned_for") > 0:
        raise InputError(f"tuned_for is a number of visitors above 0, got {tuned_for}")


def _are_moments(data: Any) -> bool:
    return isinstance(data, Mapping) and any(isinstance(x, Moments) for x in data.values())


def _nonzero(rows: Rows, metric: Metric) -> dict[str, int]:
    """Per arm, the visitors who have any of what the metric counts."""
    some = rows.columns[metric.counts or metric.numerator] != 0
    return {arm: int(np.count_nonzero(some & mask)) for arm, mask in rows.arms.items()}


def _late_covariate(
    metrics: Sequence[Metric], control: Moments, treatment: Moments
) -> Decision | None:
    for metric in metrics:
        if differs_before(metric, control, treatment):
            reason = (
                f"The covariate of {metric.label.lower()} ({_said(metric)}) differs between the "
                "variants, which nothing from before the experiment does. If it was measured after "
                "the first exposure, it takes out the effect itself: leave it out. If not, "
                "visitors were not split by chance."
            )
            return Decision(None, reason, reason)
    return None


def _said(metric: Metric) -> str:
    return " per ".join(filter(None, metric.before))


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
