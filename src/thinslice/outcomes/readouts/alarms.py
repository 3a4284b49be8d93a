"""What is broken in an experiment, so that somebody must be told now and not at its end."""

from __future__ import annotations

from dataclasses import dataclass

from thinslice.outcomes.readouts.readout import Readout
from thinslice.outcomes.statistics.comparison import percent, spread_of

SAMPLE_RATIO = "sample_ratio"


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something broken: `about` is the guardrail's name or SAMPLE_RATIO, `text` says it all."""

    about: str
    text: str

    @property
    def is_guardrail(self) -> bool:
        return self.about != SAMPLE_RATIO


def alarms(readout: Readout) -> tuple[Alarm, ...]:
    """Guardrails that are worse by more than allowed beyond doubt, or a split that is broken.

    With a broken split nothing is said about guardrails, since no difference can be trusted. The
    readout's intervals hold at every look, so that asking often raises no false alarm.
    """
    question = readout.experiment.question or readout.experiment.id
    if not readout.split.ok:
        return (Alarm(SAMPLE_RATIO, f"{question} {readout.reason}"),)
    return tuple(
        Alarm(
            row.metric.name,
            f"{question} {row.metric.label} {row.metric.verb} worse by more than the "
            f"{percent(row.metric.max_worse or 0)} that the plan allows: "
            f"{spread_of(row.relative)} with {readout.treatment}.",
        )
        for row in readout.rows
        if row.harmless and row.harmless.violated
    )
