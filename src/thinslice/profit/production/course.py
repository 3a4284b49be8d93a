"""The course of a model in production: what each period realised, or is expected to.

Where the labels have arrived, the money is realised. Where they have not, it is expected, from
chances learned where they have; an expected amount is never called realised.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.profit.production.drift import stability
from thinslice.profit.production.foresight import EMPTY, EXPECTED, REALISED, WAITING, Foresight
from thinslice.profit.production.log import ProductionLog
from thinslice.profit.production.promise import Promise
from thinslice.profit.uncertainty import Spread


@dataclass(frozen=True)
class Row:
    """One period. `gain` is model minus baseline minus its share of the fixed cost.

    `kind` is realised (enough labels have arrived), expected, waiting (no amount can be given)
    or no rows. `foreseen` is what was expected of a realised period from those before it,
    `against_plan` below, within or above, `cumulative` the gain up to here, `psi` the stability
    index of the score, `calibration_error` how far the chances were off.
    """

    period: str
    words: str
    kind: str
    rows: int
    labelled: int
    acted: int | None
    gain: Spread | None = None
    foreseen: float | None = None
    planned: Spread | None = None
    against_plan: str | None = None
    cumulative: Spread | None = None
    psi: float | None = None
    drifted: bool = False
    calibration_error: float | None = None
    calibration_gone: bool = False

    def to_dict(self) -> dict[str, Any]:
        def plain(value: Any) -> Any:
            return value._asdict() if isinstance(value, Spread) else value

        return {name: plain(value) for name, value in self.__dict__.items()}


@dataclass(frozen=True, eq=False)
class Course:
    """A log cut into periods, each valued and held against what was promised.

    `by` is the length of a period, `share` how many of its labels make it realised.
    """

    log: ProductionLog
    by: str
    promise: Promise | None
    share: float
    seed: int

    @property
    def table(self) -> list[dict[str, Any]]:
        """The periods as plain dictionaries, such as a frame is made of."""
        return [row.to_dict() for row in self.rows]

    @cached_property
    def rows(self) -> list[Row]:
        return [self._row(k) for k in range(len(self.log.periods))]

    @cached_property
    def realised(self) -> Spread | None:
        """The gain of all realised periods together; None before the first."""
        return self._gain(self.done)

    @cached_property
    def expected(self) -> Spread | None:
        """The gain of all periods that are only expected; None where there are none."""
        return self._gain(self.periods(EXPECTED))

    @property
    def calibration_error(self) -> float | None:
        """Of all realised rows, each by chances learned from other rows; None without."""
        return self.foresight.cross_fitted_error

    @property
    def status(self) -> str:
        """Realised against the plan: on plan, above plan, below plan, or too early to say."""
        gain, plan = self.realised, self.planned_in(self.done)
        if gain is None:
            return "too early to say"
        if gain.high < plan.low or gain.high < 0:
            return "below plan"
        if self.promise is None:
            return "on plan" if gain.low > 0 and gain.likely >= plan.low else "too early to say"
        if gain.low > plan.high:
            return "above plan"
        return "on plan" if gain.likely >= plan.low else "too early to say"

    @cached_property
    def foresight(self) -> Foresight:
        return Foresight(self.log, self.share, self.seed)

    def periods(self, kind: str) -> list[int]:
        """The places of the periods of a kind."""
        return [k for k, each in enumerate(self.foresight.kinds) if each == kind]

    @property
    def done(self) -> list[int]:
        """Realised periods, and those without rows: what they cost is known."""
        done = self.periods(REALISED)
        return sorted([*(k for k in self.periods(EMPTY) if done and k < done[-1]), *done])

    def _row(self, k: int) -> Row:
        log, period, kind = self.log, self.log.periods[k], self.foresight.kinds[k]
        here = log.place == k
        gain, planned = self._gain([k]), self.planned_in([k])
        drift = self._drift(here)
        error = self.foresight.error(k)
        foreseen = self.foresight.amount(k)
        return Row(
            period.name,
            period.words,
            kind,
            rows=int(here.sum()),
            labelled=int(log.known[here].sum()),
            acted=int((log.decided[here] != 0).sum()) if len(log.labels) == 2 else None,
            gain=gain,
            foreseen=None if foreseen is None else foreseen - log.plan.fixed_cost * period.share,
            planned=planned,
            against_plan=self._left(gain, planned) if kind == REALISED and gain else None,
            cumulative=self._gain([j for j in range(k + 1) if self.foresight.kinds[j] != WAITING]),
            psi=drift[0] if drift else None,
            drifted=bool(drift and drift[1]),
            calibration_error=error[0] if error else None,
            calibration_gone=bool(error and error[1]),
        )

    def _gain(self, which: list[int]) -> Spread | None:
        """The gain of some periods together, each less its share of the fixed cost."""
        valued = [k for k in which if self.foresight.kinds[k] != WAITING]
        if not valued:
            return None
        fixed = self.log.plan.fixed_cost * sum(self.log.periods[k].share for k in valued)
        counted = np.zeros(len(self.log.periods), bool)
        counted[valued] = True
        sums = self.foresight.sums(counted[self.log.place])
        return sums.draws(self.log.cells, seed=self.seed).spread().times(1.0, fixed)

    def planned_in(self, which: list[int]) -> Spread:
        """What the plan says of some periods: of the evaluation agreed on, else must_beat."""
        plan = self.log.plan
        share = sum(self.log.periods[k].share for k in which)
        if self.promise is None:
            return Spread(*[plan.must_beat * share] * 3)
        undiscounted = plan.per_year / plan.yearly()
        return Spread(
            *(
                ((g + plan.fixed_cost) * undiscounted - plan.fixed_cost) * share
                for g in self.promise.gain
            )
        )

    def _left(self, gain: Spread, planned: Spread) -> str:
        """Whether a period has left the plan: by luck in 5 of 100 cases, all periods together."""
        from scipy.special import ndtri

        wider = float(ndtri(1 - 0.05 / len(self.periods(REALISED))) / ndtri(0.95))
        if gain.likely + wider * (gain.high - gain.likely) < planned.low:
            return "below"
        over = gain.likely - wider * (gain.likely - gain.low) > planned.high
        return "above" if over and self.promise is not None else "within"

    def _drift(self, here: NDArray[np.bool_]) -> tuple[float, bool] | None:
        """Against the scores of the evaluation, else against those of the first period."""
        log = self.log
        if log.score is not None and self.promise and self.promise.score is not None:
            return stability(self.promise.score, log.score[here])
        first = log.place == 0
        return None if here[first].any() else stability(log.signal[first], log.signal[here])
