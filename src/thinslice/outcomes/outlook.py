"""When will it be known? The visitors an experiment still needs, and the day they will be there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

from thinslice.domain import DAY_US, Verdict
from thinslice.errors import NotEnoughDataError
from thinslice.outcomes.moments import Moments
from thinslice.outcomes.readout import Readout
from thinslice.outcomes.sizing import design

WORTH_FINDING = 0.1
"""The relative change to be found where the data do not yet say how large it looks."""

WEEK_US = 7 * DAY_US
FAR_US = 3 * 365 * DAY_US
"""A day further off than this is not named."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """How many visitors there are, come each day and are needed still, and when that will be.

    `basis` is "looks" where the number needed is for the difference as it looks now, and "design"
    where it is for a change of `WORTH_FINDING`. What cannot be said yet is None.
    """

    visitors: int
    per_day: float
    needed: int | None
    known_us: int | None
    basis: str

    def to_dict(self) -> dict[str, Any]:
        """Plain values for pages."""
        return {
            "visitors": self.visitors,
            "per_day": self.per_day,
            "needed": self.needed,
            "known_us": self.known_us,
            "basis": self.basis,
            "worth_finding": WORTH_FINDING,
        }


def outlook(readout: Readout, now_us: int) -> Outlook | None:
    """What to expect of an experiment that runs and is not settled; None for any other.

    New visitors a day are those so far over the days it ran, each day counted by its traffic. The
    day is a whole number of weeks after the start, since shoppers differ by weekday.
    """
    experiment = readout.experiment
    settled = readout.verdict not in (None, Verdict.NOT_PROVEN)
    if experiment.stopped_us is not None or settled or not readout.split.ok:
        return None
    visitors = sum(moments.n for moments in readout.moments.values())
    days = experiment.traffic_days(now_us)
    per_day = visitors / days * experiment.traffic if days > 0.01 else 0.0
    needed, basis = _needed(readout, visitors)
    known_us = None
    if needed is not None and per_day > 0:
        wait_us = int(needed / per_day * DAY_US)
        weeks = math.ceil((now_us + wait_us - experiment.started_us) / WEEK_US)
        known_us = experiment.started_us + weeks * WEEK_US
    if known_us is not None and known_us - now_us > FAR_US:
        known_us = None
    return Outlook(visitors, per_day, needed, known_us, basis)


def _needed(readout: Readout, visitors: int) -> tuple[int | None, str]:
    if readout.decision.more_visitors:
        return readout.decision.more_visitors, "looks"
    if not visitors:
        return None, "design"
    everyone: Moments | None = None
    for moments in readout.moments.values():
        everyone = moments if everyone is None else everyone + moments
    asked = [row.metric for row in readout.rows if row.metric.is_success or row.metric.is_guardrail]
    try:
        planned = design(asked, data=everyone, mde=WORTH_FINDING)
    except NotEnoughDataError:
        return None, "design"
    return max(0, planned.visitors - visitors), "design"
