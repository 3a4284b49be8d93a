"""From what was known beforehand (a score, or the decision) to the chances of what turns out.

Learned on rows whose outcome is known; how far an expected amount may be off by their luck comes
from the influence of each of them on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

BINS = 10
STEPS_FROM = 1000
"""Rows from which isotonic regression beats a logistic curve (Niculescu-Mizil, Caruana 2005)."""

FEWEST = 50
FEWEST_OF_A_CLASS = 10
SMALLEST_STEP = 50
MOST_STEPS = 200

Floats = NDArray[np.float64]
Codes = NDArray[np.int64]


class Calibration(Protocol):
    """Chances of each class, and what each row it learned from adds to an expected total."""

    @property
    def how(self) -> str: ...

    def chances(self, signal: NDArray[Any]) -> Floats:
        """The chance of each class, shape (n, K)."""
        ...

    def influence(self, signal: NDArray[Any], worth: list[Floats]) -> Floats:
        """What each learned row adds to the expected total of `worth` (K of shape (n, F)).

        Shape (rows learned from, F); its scatter over rows or clusters is the variance of that
        total that comes from the luck of what was learned from.
        """
        ...


def calibrate(signal: NDArray[Any], y: Codes, classes: int, *, score: bool) -> Calibration | None:
    """Steps or a logistic curve for a score, shares for decisions; None from too few rows."""
    seen = np.bincount(y, minlength=classes)
    if len(y) < FEWEST or (score and seen.min() < FEWEST_OF_A_CLASS):
        return None
    if not score:
        return _Steps.of(np.arange(classes), signal, y, classes, "the shares of each decision")
    if len(y) < STEPS_FROM:
        return _Logistic.of(signal, y)
    return _isotonic(signal, y)


def calibration_error(
    chance: Floats, happened: NDArray[Any], learned: int, together: float = 1.0
) -> tuple[float, float]:
    """How far chances are from what happened, and the probability that luck alone does that.

    The error is the mean over ten groups of equal size, by chance, of the distance between their
    mean chance and their share that happened (expected calibration error); the probability comes
    from the sum of their squared distances (Hosmer and Lemeshow 1980), luck on both sides counted.
    `together` is by how much rows that depend on each other widen that luck.
    """
    from scipy.special import chdtrc

    inner = np.unique(np.quantile(chance, np.linspace(0, 1, BINS + 1)[1:-1]))
    group = np.searchsorted(inner, chance, side="left")
    rows = np.bincount(group)
    kept = rows > 0
    rows = rows[kept]
    said = np.bincount(group, chance)[kept] / rows
    gap = np.bincount(group, happened)[kept] / rows - said
    luck = np.maximum(said * (1 - said), 1 / rows) * (1 / rows + len(rows) / learned) * together
    error = float((rows * np.abs(gap)).sum() / rows.sum())
    return error, float(chdtrc(len(rows), float((gap**2 / luck).sum())))


@dataclass(frozen=True, eq=False)
class _Steps:
    """The same chances for all rows between two edges."""

    edges: NDArray[Any]
    table: Floats
    place: Codes
    y: Codes
    how: str

    @classmethod
    def of(cls, edges: NDArray[Any], signal: NDArray[Any], y: Codes, k: int, how: str) -> _Steps:
        """Shares (n_class + usual) / (n + 1): a step without rows has the usual shares."""
        place = _place(edges, signal)
        counts = np.zeros((len(edges), k))
        np.add.at(counts, (place, y), 1)
        usual = np.bincount(y, minlength=k) / len(y)
        table = (counts + usual) / (counts.sum(axis=1, keepdims=True) + 1)
        return cls(edges, table, place, y, how)

    def chances(self, signal: NDArray[Any]) -> Floats:
        return np.asarray(self.table[_place(self.edges, signal)])

    def influence(self, signal: NDArray[Any], worth: list[Floats]) -> Floats:
        steps, k = self.table.shape
        place = _place(self.edges, signal)
        size = np.bincount(self.place, minlength=steps)[:, None] + 1
        found = np.zeros((len(self.y), worth[0].shape[1]))
        for i in range(k):
            weight = np.stack([np.bincount(place, w, steps) for w in worth[i].T], axis=1) / size
            off = (self.y == i) - self.table[self.place, i]
            found += off[:, None] * weight[self.place]
        return found


@dataclass(frozen=True, eq=False)
class _Logistic:
    """Platt's curve: the logit of the chance is a line in the logit of the score."""

    line: Floats
    inverse: Floats
    scale: tuple[bool, float, float]
    inputs: Floats
    y: Codes
    how: str = "a logistic curve of the score"

    @classmethod
    def of(cls, signal: NDArray[Any], y: Codes) -> _Logistic:
        logit = bool(signal.min() >= 0 and signal.max() <= 1)
        flat = _logit(signal) if logit else signal
        scale = (logit, float(flat.mean()), float(flat.std()) or 1.0)
        inputs = _inputs(signal, scale)
        line, ridge = np.zeros(2), 1e-3 * np.eye(2)
        for _ in range(50):  # Newton's method
            chance = 1 / (1 + np.exp(-inputs @ line))
            bend = (inputs * (chance * (1 - chance))[:, None]).T @ inputs + ridge
            step = np.linalg.solve(bend, inputs.T @ (y - chance) - ridge @ line)
            line = np.clip(line + step, -30, 30)
            if np.abs(step).max() < 1e-8:
                break
        return cls(line, np.asarray(np.linalg.inv(bend)), scale, inputs, y)

    def chances(self, signal: NDArray[Any]) -> Floats:
        chance = 1 / (1 + np.exp(-_inputs(signal, self.scale) @ self.line))
        return np.stack([1 - chance, chance], axis=1)

    def influence(self, signal: NDArray[Any], worth: list[Floats]) -> Floats:
        chance = self.chances(signal)
        slope = _inputs(signal, self.scale) * np.prod(chance, axis=1, keepdims=True)
        off = self.y - self.chances_learned()
        moves = off[:, None] * (self.inputs @ self.inverse)
        return np.asarray(moves @ (slope.T @ (worth[1] - worth[0])))

    def chances_learned(self) -> Floats:
        return np.asarray(1 / (1 + np.exp(-self.inputs @ self.line)))


def _isotonic(signal: NDArray[Any], y: Codes) -> _Steps:
    """Steps that never fall: rows in small groups by score, merged by pool-adjacent-violators."""
    from scipy.optimize import isotonic_regression

    groups = int(np.clip(len(y) // SMALLEST_STEP, 1, MOST_STEPS))
    edges = np.unique(np.quantile(signal, np.linspace(0, 1, groups + 1)[:-1], method="lower"))
    place = _place(edges, signal)
    rows = np.bincount(place, minlength=len(edges))
    share = np.bincount(place, y, len(edges)) / rows
    steps = isotonic_regression(share, weights=rows).blocks[:-1]
    return _Steps.of(edges[steps], signal, y, 2, "isotonic regression on the score")


def _place(edges: NDArray[Any], signal: NDArray[Any]) -> Codes:
    return np.asarray(np.maximum(np.searchsorted(edges, signal, side="right") - 1, 0))


def _logit(score: NDArray[Any]) -> Floats:
    inside = np.clip(score, 1e-6, 1 - 1e-6)
    return np.asarray(np.log(inside / (1 - inside)))


def _inputs(signal: NDArray[Any], scale: tuple[bool, float, float]) -> Floats:
    logit, mean, deviation = scale
    flat = _logit(signal) if logit else signal
    return np.stack([np.ones(len(flat)), (flat - mean) / deviation], axis=1)
