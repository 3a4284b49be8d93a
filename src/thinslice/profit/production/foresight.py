"""What a log's rows are worth: realised where labels have arrived, expected from them elsewhere."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thinslice.profit.production.calibration import Calibration, calibrate, calibration_error
from thinslice.profit.production.log import ProductionLog
from thinslice.profit.uncertainty import Sums

REALISED, EXPECTED, WAITING, EMPTY = "realised", "expected", "waiting", "no rows"
"""What a period can be; waiting is one whose rows cannot be valued before labels arrive."""

SETTLED = 0.95
"""The usual share of labels that must have arrived before a period's money is realised."""

GONE = 0.2
"""A calibration error of this part of the usual share is large enough to be told."""

GONE_CHANCE = 0.001
FOLDS = 5
ENOUGH = 100_000
"""Rows to learn chances from; periods before the latest with so many are left out."""

Floats = NDArray[np.float64]
Rows = NDArray[np.bool_]


class Foreseen(NamedTuple):
    """Of one realised period: its rows (n,), their chances (rows, K) learned from `learned`

    earlier rows by `by`, or in five parts from its own other rows where `by` is None.
    """

    rows: Rows
    chances: Floats
    learned: int
    by: Calibration | None
    earlier: Rows


@dataclass(frozen=True, eq=False)
class Foresight:
    """What has arrived, what can be learned from it, and the money of any set of rows."""

    log: ProductionLog
    share: float
    seed: int

    @cached_property
    def settled(self) -> list[bool]:
        """Of each period, whether its money is realised."""
        log = self.log
        rows = np.bincount(log.place, minlength=len(log.periods))
        arrived = np.bincount(log.place[log.known], minlength=len(log.periods))
        found: list[bool] = ((rows > 0) & (arrived >= self.share * rows)).tolist()
        return found

    @cached_property
    def realised(self) -> Rows:
        """Rows (n,) whose money is realised: their label is there and their period settled."""
        return np.asarray(np.array(self.settled)[self.log.place] & self.log.known)

    @cached_property
    def kinds(self) -> list[str]:
        """Of each period: realised, expected, waiting or no rows."""
        rows = np.bincount(self.log.place, minlength=len(self.settled))
        unsettled = WAITING if self.calibration is None else EXPECTED
        return [
            REALISED if settled else (unsettled if n else EMPTY)
            for n, settled in zip(rows.tolist(), self.settled, strict=True)
        ]

    @property
    def latest(self) -> Rows:
        """The realised rows (n,) that chances are learned from."""
        return self._learning[1]

    @cached_property
    def calibration(self) -> Calibration | None:
        """Learned from the latest realised rows; None from too few."""
        return self._learned(self.latest)

    def sums(self, inside: Rows) -> Sums:
        """The gain of some rows before the fixed cost, with how far it may be off.

        What is realised varies as a sum of rows (or clusters) does. What is expected varies by the
        luck of what turns out, by how much periods differ, and by the luck of the rows that the
        chances were learned from, which are realised ones themselves: their influence on the
        expected total is added row by row before the scatter is taken.
        """
        log, calibration = self.log, self.calibration
        known, guessed = inside & self.realised, inside & ~self.realised
        true = _true(log.worth, log.y, known)
        if calibration is None or not guessed.any():
            return self._scatter(true, known)
        worth = [part[guessed] for part in log.worth]
        chances = calibration.chances(log.signal[guessed])
        luck = _luck(chances, worth) * self.together
        rows = np.bincount(log.place[guessed]).astype(np.float64)
        luck[0, 0] += (self.between or 0.0) * float((rows**2).sum())
        moved = np.zeros((log.n, len(log.weights)))
        moved[known] = true - true.mean(axis=0) if len(true) else true
        moved[self.latest] += calibration.influence(log.signal[guessed], worth)
        units = known | self.latest
        found = self._scatter(moved[units], units)
        total = true.sum(axis=0) + _expected(chances, worth).sum(axis=0)
        return replace(found, total=total, spread=found.spread + luck)

    @property
    def foreseen(self) -> dict[int, Foreseen]:
        """What was to be expected of each realised period, by chances learned before it."""
        return self._learning[0]

    @cached_property
    def _learning(self) -> tuple[dict[int, Foreseen], Rows]:
        """Period by period; what came before a calibration that had gone is learned from no more.

        Until there are enough rows since then, all earlier ones are.
        """
        log, found, since = self.log, {}, 0
        for k, settled in enumerate(self.settled):
            if not settled:
                continue
            rows, earlier = self.realised & (log.place == k), self._since(since, k)
            by = self._learned(earlier)
            if by is not None:
                chances = by.chances(log.signal[rows])
                found[k] = Foreseen(rows, chances, int(earlier.sum()), by, earlier)
            elif (parts := self._in_parts(rows)) is not None:
                found[k] = Foreseen(rows, parts, int(rows.sum()), None, earlier)
            if k in found and (error := self._error(found[k])) and error[1]:
                since = k
        return found, self._since(since, len(self.settled))

    def _since(self, first: int, end: int) -> Rows:
        """The realised rows of the periods from `first` to before `end`, the latest of them."""
        place, before = self.log.place, self.realised & (self.log.place < end)
        rows = self._latest(before & (place >= first))
        return rows if self._learned(rows) is not None else self._latest(before)

    def amount(self, k: int) -> float | None:
        """The gain that was to be expected of a realised period, before the fixed cost."""
        if k not in self.foreseen:
            return None
        worth = [part[self.foreseen[k].rows] for part in self.log.worth]
        return float((_expected(self.foreseen[k].chances, worth) @ self.log.weights).sum())

    def error(self, k: int) -> tuple[float, bool] | None:
        """How far the chances of a realised period were off, and whether luck cannot be it."""
        return self._error(self.foreseen[k]) if k in self.foreseen else None

    def _error(self, found: Foreseen) -> tuple[float, bool] | None:
        if len(self.log.labels) > 2:
            return None
        chance, happened = found.chances[:, 1], self.log.y[found.rows] == 1
        error, luck = calibration_error(chance, happened, found.learned, self.together)
        usual = min(chance.mean(), 1 - chance.mean())
        return error, bool(error > GONE * usual and luck < GONE_CHANCE)

    @cached_property
    def cross_fitted_error(self) -> float | None:
        """The calibration error over all realised rows, each by chances from other rows."""
        if len(self.log.labels) > 2 or not self.foreseen:
            return None
        chance = np.concatenate([f.chances[:, 1] for f in self.foreseen.values()])
        happened = np.concatenate([self.log.y[f.rows] == 1 for f in self.foreseen.values()])
        return calibration_error(chance, happened, len(chance))[0]

    @cached_property
    def together(self) -> float:
        """By how much the rows of a cluster widen the luck of their outcomes, at least 1."""
        log, rows = self.log, self._latest(self.realised)
        calibration = self._learned(rows) if log.cluster is not None else None
        if log.cluster is None or calibration is None:
            return 1.0
        worth = [part[rows] for part in log.worth]
        chances = calibration.chances(log.signal[rows])
        off = (_true(log.worth, log.y, rows) - _expected(chances, worth)) @ log.weights
        sums, alone = np.bincount(log.cluster[rows], off), float((off**2).sum())
        return max(1.0, float((sums**2).sum()) / alone) if alone else 1.0

    @cached_property
    def between(self) -> float | None:
        """The variance of the gain of a row between periods, beyond luck; None if it is unknown.

        By the method of moments, from how far each realised period was from what its predecessors
        led to expect.
        """
        log, found = self.log, []
        for rows, chances, _, by, earlier in self.foreseen.values():
            if by is None:
                continue
            worth = [part[rows] for part in log.worth]
            off = (_true(log.worth, log.y, rows) - _expected(chances, worth)) @ log.weights
            influence = by.influence(log.signal[rows], worth)
            luck = _luck(chances, worth) * self.together + self._scatter(influence, earlier).spread
            variance = float(log.weights @ luck @ log.weights)
            found.append((float(off.sum()) ** 2 - variance) / float(rows.sum()) ** 2)
        return max(0.0, float(np.mean(found))) if found else None

    def _scatter(self, features: Floats, rows: Rows) -> Sums:
        """The sum over some rows and how it varies; nothing varies without rows."""
        log = self.log
        if not len(features):
            size = len(log.weights)
            return Sums(np.zeros(size), np.zeros((size, size)), 0.0, 1)
        groups = None
        if log.cluster is not None:
            groups = np.unique(log.cluster[rows], return_inverse=True)[1]
        return Sums.of(features, log.weights[1:].tolist(), groups)

    def _latest(self, rows: Rows) -> Rows:
        counts = np.bincount(self.log.place[rows], minlength=len(self.settled))
        since = np.cumsum(counts[::-1])[::-1]
        return np.asarray(rows & (since - counts < ENOUGH)[self.log.place])

    def _learned(self, rows: Rows) -> Calibration | None:
        log = self.log
        score = log.score is not None
        return calibrate(log.signal[rows], log.y[rows], len(log.labels), score=score)

    def _in_parts(self, rows: Rows) -> Floats | None:
        log, places = self.log, np.flatnonzero(rows)
        unit = places if log.cluster is None else log.cluster[places]
        part = np.random.default_rng(self.seed).permutation(int(unit.max()) + 1)[unit] % FOLDS
        chances = np.zeros((len(places), len(log.labels)))
        for fold in range(FOLDS):
            others = np.zeros(log.n, bool)
            others[places[part != fold]] = True
            learned = self._learned(others)
            if learned is None:
                return None
            chances[part == fold] = learned.chances(log.signal[places[part == fold]])
        return chances


def _true(worth: list[Floats], y: NDArray[np.int64], rows: Rows) -> Floats:
    """What came true in some rows, shape (rows, 1 + U)."""
    found = np.zeros((int(rows.sum()), worth[0].shape[1]))
    for i, part in enumerate(worth):
        true = y[rows] == i
        found[true] = part[rows][true]
    return found


def _expected(chances: Floats, worth: list[Floats]) -> Floats:
    return np.asarray(sum(chances[:, [i]] * part for i, part in enumerate(worth)))


def _luck(chances: Floats, worth: list[Floats]) -> Floats:
    """The covariance of the total over what may turn out, rows independent."""
    mean = _expected(chances, worth)
    squares = sum((chances[:, [i]] * part).T @ part for i, part in enumerate(worth))
    return np.asarray(squares - mean.T @ mean)
