"""Does the 90 % range of `thinslice.profit.evaluate` hold the truth in 90 of 100 cases?

    python benchmarks/profit_coverage.py               5,000 simulated data sets per line
    python benchmarks/profit_coverage.py --runs 500    a first look

Every line is a kind of decision whose true profit is known. A line passes when the share of ranges
that hold the truth lies in 88 to 92 %, give or take three standard errors of the simulation.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from thinslice.profit import Payoff, Plan, Range, evaluate

Rng = np.random.Generator
Floats = NDArray[np.float64]
LOW, HIGH = 0.88, 0.92
POPULATION = 2_000_000


@dataclass(frozen=True)
class Line:
    """One kind of decision: how many ranges held the truth, lay above it, lay below it."""

    what: str
    runs: int
    held: int
    above: int
    below: int

    @property
    def share(self) -> float:
        return self.held / self.runs

    @property
    def slack(self) -> float:
        """Three standard errors of the simulation at 90 %."""
        return 3 * math.sqrt(0.9 * 0.1 / self.runs)

    @property
    def passes(self) -> bool:
        return LOW - self.slack <= self.share <= HIGH + self.slack

    def __str__(self) -> str:
        verdict = "ok" if self.passes else "NOT OK"
        return (
            f"{self.what:<52} {self.share:6.1%}   truth below {self.above / self.runs:5.1%}   "
            f"above {self.below / self.runs:5.1%}   {verdict}"
        )


def people(rng: Rng, n: int) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Who would leave (one in five), a score that knows something of it, and what each is worth."""
    y = (rng.random(n) < 0.2).astype(np.int64)
    score = 1 / (1 + np.exp(1.5 - 1.5 * y - rng.normal(size=n)))
    return y, score, np.exp(rng.normal(3, 0.8, n))


def worth(y: NDArray[np.int64], clv: Floats) -> Floats:
    """What acting brings: 0.3 of the value less 3 where it was needed, -3 where it was not."""
    return np.where(y == 1, 0.3 * clv - 3, -3.0)


PLAN = Plan(Payoff(tp="clv * 0.3 - 3", fp=-3))


class Truth:
    """The true profit per row of every threshold, from a population of millions."""

    def __init__(self, seed: int) -> None:
        y, score, clv = people(np.random.default_rng(seed), POPULATION)
        order = np.argsort(-score)
        self.score = score[order]
        self.running = np.cumsum(worth(y, clv)[order]) / POPULATION

    def at(self, threshold: float) -> float:
        acted = int(np.searchsorted(-self.score, -threshold, side="right"))
        return float(self.running[acted - 1]) if acted else 0.0


TRUTH = Truth(99)


def fixed_threshold(rng: Rng) -> tuple[float, float, float]:
    y, score, clv = people(rng, 1000)
    plan = Plan(PLAN.payoff, threshold=0.45)
    found = evaluate(y, score, plan, data={"clv": clv}).profit
    return found.low, 1000 * TRUTH.at(0.45), found.high


def tuned_threshold(rng: Rng) -> tuple[float, float, float]:
    """The truth is what the tuned threshold, used from now on, will bring for as many rows."""
    y, score, clv = people(rng, 1000)
    found = evaluate(y, score, PLAN, data={"clv": clv})
    assert found.threshold is not None
    return found.profit.low, 1000 * TRUTH.at(found.threshold), found.profit.high


def guessed_payoff(rng: Rng) -> tuple[float, float, float]:
    """The truth has its payoffs drawn from the ranges that were stated."""
    y, score, _ = people(rng, 1000)
    tp, fp = Range(2, 8, 11), Range(-5, -3, -2)
    found = evaluate(y, score, Plan(Payoff(tp=tp, fp=fp), threshold=0.45)).profit
    hit, miss = (float(guess.sample(rng, 1)[0]) for guess in (tp, fp))
    return found.low, 1000 * (HITS * hit + MISSES * miss), found.high


def _shares() -> tuple[float, float]:
    y, score, _ = people(np.random.default_rng(98), POPULATION)
    acted = score >= 0.45
    return float((acted & (y == 1)).mean()), float((acted & (y == 0)).mean())


HITS, MISSES = _shares()


def same_customers(rng: Rng) -> tuple[float, float, float]:
    """Rows of one customer share outcome and money; the range knows it from the cluster."""
    y, score, clv = people(rng, 1500)
    who = np.repeat(np.arange(1500), rng.integers(1, 6, 1500))
    plan = Plan(PLAN.payoff, threshold=0.45)
    data = {"clv": clv[who], "who": who}
    found = evaluate(y[who], score[who], plan, data=data, cluster="who").profit
    return found.low, len(who) * TRUTH.at(0.45), found.high


MATRIX = np.array([[0.0, -4, -1], [0, 10, -1], [0, -4, 5]])
KINDS = Payoff.from_matrix(MATRIX, labels=["a", "b", "c"], nothing="a")
NAMES = np.array(["a", "b", "c"])


def three_kinds(rng: Rng, n: int) -> tuple[NDArray[np.int64], Floats]:
    y = rng.choice(3, n, p=[0.7, 0.2, 0.1])
    proba = np.exp(np.array([1.0, 0, -0.7]) + 1.2 * np.eye(3)[y] + 0.7 * rng.normal(size=(n, 3)))
    return y, proba / proba.sum(axis=1, keepdims=True)


def _three_kinds_truth() -> float:
    y, proba = three_kinds(np.random.default_rng(97), POPULATION)
    return float(MATRIX[y, (proba @ MATRIX).argmax(axis=1)].mean())


THREE_KINDS = _three_kinds_truth()


def multiclass(rng: Rng) -> tuple[float, float, float]:
    y, proba = three_kinds(rng, 1000)
    found = evaluate(NAMES[y], proba, Plan(KINDS)).profit
    return found.low, 1000 * THREE_KINDS, found.high


SIMULATIONS: dict[str, Callable[[Rng], tuple[float, float, float]]] = {
    "two classes, a fixed threshold, money by row": fixed_threshold,
    "two classes, a tuned threshold, money by row": tuned_threshold,
    "two classes, a fixed threshold, guessed payoffs": guessed_payoff,
    "two classes, 1,500 customers of several rows": same_customers,
    "three classes, the highest expected payoff": multiclass,
}


def coverage(what: str, runs: int, seed: int = 0) -> Line:
    """How often the range holds the truth in `runs` simulated data sets."""
    streams = np.random.default_rng([seed, *what.encode()]).spawn(runs)
    held = above = below = 0
    for rng in streams:
        low, truth, high = SIMULATIONS[what](rng)
        held += low <= truth <= high
        above += truth < low
        below += truth > high
    return Line(what, runs, held, above, below)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    start = time.perf_counter()
    lines = []
    for what in SIMULATIONS:
        lines.append(coverage(what, given.runs, given.seed))
        print(lines[-1], flush=True)
    print(f"{given.runs} data sets each, {time.perf_counter() - start:.0f} s")
    raise SystemExit(not all(line.passes for line in lines))


if __name__ == "__main__":
    main()
