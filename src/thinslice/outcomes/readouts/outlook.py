"""When will it be known? The visitors an experiment still needs, and the day they will be there."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import reduce
from operator import add
from typing import Any

from thinslice.domain import DAY_US, Verdict
from thinslice.outcomes.readouts.foresight import WORTH_FINDING, visitors_needed
from thinslice.outcomes.readouts.readout import Readout

WEEK_US = 7 * DAY_US
FAR_US = 3 * 365 * DAY_US
"""A day further off than this is not named."""


@dataclass(frozen=True, slots=True)
class Outlook:
    """How many visitors there are, come each day and are needed still, and when that will be.

    `with_everyone_us` is that day if all visitors took part from now on, where only some do.
    `basis` is "looks" where the number needed is for the difference as it looks now, and "design"
    where it is for a change of `WORTH_FINDING`. What cannot be said yet is None.
    """

    visitors: int
    per_day: float
    needed: int | None
    known_us: int | None
    basis: str
    with_everyone_us: int | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values for pages."""
        return {
            "visitors": self.visitors,
            "per_day": self.per_day,
            "needed": self.needed,
            "known_us": self.known_us,
            "with_everyone_us": self.with_everyone_us,
            "basis": self.basis,
            "worth_finding": WORTH_FINDING,
        }


def outlook(readout: Readout, now_us: int) -> Outlook | None:
    """What to expect of an experiment that runs and is not settled; None for any other.

    New visitors a day are those so far over the days it ran, each day counted by its traffic;
    before anyone has joined, those of the weeks before. The day is a whole number of weeks after
    the start, since shoppers differ by weekday.
    """
    experiment = readout.experiment
    settled = readout.verdict not in (None, Verdict.NOT_PROVEN)
    if experiment.stopped_us is not None or settled or not readout.split.ok:
        return None
    visitors = sum(moments.n for moments in readout.moments.values())
    per_day = _per_day(readout, visitors, now_us)
    needed, basis = _needed(readout, visitors)
    known_us = _known_us(readout, needed, per_day, now_us)
    sooner_us = None
    if 0 < experiment.traffic < 1:
        sooner_us = _known_us(readout, needed, per_day / experiment.traffic, now_us)
    return Outlook(
        *(visitors, per_day, needed, known_us, basis),
        with_everyone_us=None if sooner_us == known_us else sooner_us,
    )


def _per_day(readout: Readout, visitors: int, now_us: int) -> float:
    experiment = readout.experiment
    days = experiment.traffic_days(now_us)
    if visitors and days > 0.01:
        return visitors / days * experiment.traffic
    return experiment.planned.per_day * experiment.traffic if experiment.planned else 0.0


def _known_us(readout: Readout, needed: int | None, per_day: float, now_us: int) -> int | None:
    """The end of the week in which as many as are needed will have joined."""
    if needed is None or not per_day > 0:
        return None
    started_us = readout.experiment.started_us
    wait_us = int(needed / per_day * DAY_US)
    weeks = max(1, math.ceil((now_us + wait_us - started_us) / WEEK_US))
    known_us = started_us + weeks * WEEK_US
    return known_us if known_us - now_us <= FAR_US else None


def _needed(readout: Readout, visitors: int) -> tuple[int | None, str]:
    """How many more, and what for."""
    if readout.decision.more_visitors:
        return readout.decision.more_visitors, "looks"
    experiment, total = readout.experiment, None
    if visitors:
        metrics = [row.metric for row in readout.rows]
        everyone = reduce(add, readout.moments.values())
        total = visitors_needed(metrics, everyone, experiment)
    if total is None and experiment.planned:
        total = experiment.planned.visitors
    return (None if total is None else max(0, total - visitors)), "design"
