"""Did it keep its promise? A log of decisions in production against the plan, period by period."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import TYPE_CHECKING, Any

from thinslice.errors import InputError
from thinslice.profit.payoff.payoff import Payoff
from thinslice.profit.plan.plan import Plan
from thinslice.profit.production import words
from thinslice.profit.production.course import Course
from thinslice.profit.production.foresight import SETTLED
from thinslice.profit.production.log import read_log
from thinslice.profit.production.promise import promise_of

if TYPE_CHECKING:
    from thinslice.profit.predictions.evaluation import Evaluation


def track(
    data: Any,
    plan: Plan | Payoff,
    *,
    by: str = "month",
    time: Any = "time",
    y_true: Any = "y_true",
    y_score: Any = None,
    y_pred: Any = None,
    pos_label: Any = None,
    cluster: Any = None,
    planned: Evaluation | Mapping[str, Any] | None = None,
    until: date | str | None = None,
    settled: float = SETTLED,
    seed: int = 0,
) -> Tracking:
    """What a model in production has realised against the plan, and what is expected on top.

    `data` is the log, one row per decision; `time`, `y_true` (missing where the label has not
    arrived), `y_score` and `y_pred` are its columns (those names are taken where they are not
    given) or arrays. `by` is day, week, month, quarter or year. `planned` is the evaluation that
    was agreed on (or its `to_dict()`): the planned range comes from it, else only from the plan.
    `until` is the last day that the log covers, `settled` the share of a period's labels that must
    have arrived before its money counts as realised. Raises `InputError` or `NotEnoughDataError` as
    `evaluate` does.
    """
    if isinstance(plan, Payoff):
        plan = Plan(plan)
    if not isinstance(plan, Plan) or plan.payoff is None:
        raise InputError("track needs a plan with a payoff: Plan(Payoff(tp=..., fp=...))")
    promise = promise_of(planned, plan)
    if not 0 < settled <= 1:
        raise InputError(f"settled is a share of the labels such as 0.95, got {settled!r}")
    log = read_log(
        data,
        plan,
        time=time,
        y_true=y_true,
        y_score=y_score,
        y_pred=y_pred,
        by=by,
        pos_label=pos_label,
        cluster=cluster,
        until=until,
        labels=promise.labels if promise else None,
        threshold=promise.threshold if promise else None,
    )
    return Tracking(log, by, promise, settled, seed)


class Tracking(Course):
    """What was found: `table`, one entry per period, the `sentence`, and `warnings`."""

    def __repr__(self) -> str:
        return f"<Tracking of {self.log.n:,} rows. {self.sentence}>"

    @property
    def sentence(self) -> str:
        """What was realised first, low end first; what is only expected is said apart."""
        return words.sentence(self)

    @property
    def warnings(self) -> list[str]:
        """What someone should look at, in sentences; empty when all is well."""
        return words.warnings(self)

    @property
    def assumptions(self) -> list[str]:
        """What the numbers rest on, in sentences."""
        return words.assumptions(self)

    def to_dict(self) -> dict[str, Any]:
        """Plain values for JSON and pages."""
        plan, calibration = self.log.plan, self.foresight.calibration
        return {
            "question": plan.question,
            "plan": plan.to_dict(),
            "by": self.by,
            "currency": plan.currency,
            "status": self.status,
            "sentence": self.sentence,
            "warnings": self.warnings,
            "realised": self.realised._asdict() if self.realised else None,
            "expected": self.expected._asdict() if self.expected else None,
            "planned": self.planned_in(self.done)._asdict(),
            "rows": self.log.n,
            "calibration": calibration.how if calibration else None,
            "calibration_error": self.calibration_error,
            "table": self.table,
            "assumptions": self.assumptions,
            "seed": self.seed,
        }
