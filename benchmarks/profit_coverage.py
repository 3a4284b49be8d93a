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
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

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

    def __init__(self, y: NDArray[np.int64], score: Floats, clv: Floats) -> None:
        order = np.argsort(-score)
        self.score = score[order]
        self.running = np.cumsum(worth(y, clv)[order]) / POPULATION

    def at(self, threshold: float) -> float:
        acted = int(np.searchsorted(-self.score, -threshold, side="right"))
        return float(self.running[acted - 1]) if acted else 0.0


TRUTH = Truth(*people(np.random.default_rng(99), POPULATION))


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


def other_score(rng: Rng, y: NDArray[np.int64], score: Floats) -> Floats:
    """Another model's score of the same people: it knows less, and errs much as the first does."""
    luck = 1.5 - 1.5 * y - np.log(1 / score - 1)
    return 1 / (1 + np.exp(1.5 - 1.2 * y - 0.8 * luck - 0.6 * rng.normal(size=len(y))))


@cache
def other_truth() -> Truth:
    rng = np.random.default_rng(95)
    y, score, clv = people(rng, POPULATION)
    return Truth(y, other_score(rng, y, score), clv)


def compared(rng: Rng) -> tuple[float, float, float]:
    """One model less another on the same rows; the truth is what the two thresholds will bring."""
    y, score, clv = people(rng, 1000)
    one, other = (
        evaluate(y, each, PLAN, data={"clv": clv}) for each in (score, other_score(rng, y, score))
    )
    assert one.threshold is not None and other.threshold is not None
    truth = 1000 * (TRUTH.at(one.threshold) - other_truth().at(other.threshold))
    found = one.compare(other)
    return found.low, truth, found.high


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


ITEMS = 60
APPEAL = np.arange(1, ITEMS + 1) ** -1.0
MARGIN = np.exp(np.random.default_rng(96).normal(1, 0.7, ITEMS)).round(2)
LISTS = Payoff.ranking(click=Range(0.02, 0.05, 0.1), purchase="margin")
SHOWN, POPULAR, BUYS = 5, list(range(5)), 0.15


def visitors(rng: Rng, n: int) -> tuple[dict[str, list[list[int]]], list[list[int]], Any]:
    """Visits of n visitors with a taste, three looks each: clicks, purchases, lists, who it was."""
    taste = rng.integers(0, 10, n)
    visits = rng.integers(1, 5, n)
    who = np.repeat(np.arange(n), visits)
    upto = np.cumsum(appeal_to(taste), axis=1)[:, :-1]
    looks = np.stack([(rng.random((len(who), 1)) > upto[who]).sum(axis=1) for _ in range(3)], 1)
    bought = (rng.random(looks.shape) < BUYS).tolist()
    clicks = [sorted(set(row)) for row in looks.tolist()]
    purchases = [
        sorted({item for item, yes in zip(row, buys, strict=True) if yes})
        for row, buys in zip(looks.tolist(), bought, strict=True)
    ]
    return {"click": clicks, "purchase": purchases}, [shown_to(taste[one]) for one in who], who


def appeal_to(taste: NDArray[np.int64]) -> Floats:
    """The chance of every item to be looked at next, by the visitor's taste (n,): (n, ITEMS)."""
    appeal = APPEAL * (1 + 14 * (np.arange(ITEMS) % 10 == taste[:, None]))
    return appeal / appeal.sum(axis=1, keepdims=True)


def shown_to(taste: int) -> list[int]:
    return [int(taste) + 10 * k for k in range(SHOWN)]


@cache
def lists_truth() -> tuple[float, float]:
    """Clicks and margin per visit that the lists hold more than the five best-known items.

    Of three looks with chance p each, at least one is at the item with chance 1 - (1 - p)^3.
    """
    clicks = margin = 0.0
    for taste in range(10):
        chance = appeal_to(np.array([taste]))[0]
        for lists, sign in ((shown_to(taste), 0.1), (POPULAR, -0.1)):
            clicks += sign * float((1 - (1 - chance[lists]) ** 3).sum())
            bought = 1 - (1 - BUYS * chance[lists]) ** 3
            margin += sign * float((MARGIN[lists] * bought).sum())
    return clicks, margin


def ranking(rng: Rng) -> tuple[float, float, float]:
    """Lists against other lists; a click is worth a guess, a purchase its margin."""
    happened, lists, who = visitors(rng, 500)
    plan = Plan(LISTS, baseline=[POPULAR] * len(lists))
    items = {"item": list(range(ITEMS)), "margin": MARGIN}
    found = evaluate(happened, lists, plan, data=items, cluster=who).gain
    click = float(Range(0.02, 0.05, 0.1).sample(rng, 1)[0])
    clicks, margin = lists_truth()
    return found.low, len(lists) * (click * clicks + margin), found.high


def trial(rng: Rng, n: int) -> tuple[NDArray[np.int64], Floats, Floats, NDArray[np.int64]]:
    """Who buys, a score of who is moved by an offer, what a purchase brings, who got one."""
    score = rng.random(n)
    treated = (rng.random(n) < 0.5).astype(np.int64)
    y = (rng.random(n) < 0.1 + treated * np.maximum(0, 0.3 * score - 0.1)).astype(np.int64)
    return y, score, np.exp(rng.normal(3, 0.5, n)), treated


OFFER = Payoff(tp="spend - 1", fp=-1, fn="spend")


def uplift_truth(threshold: float) -> float:
    """What offers to scores of at least this bring per row, over none, by integration."""
    score = (np.arange(1_000_000) + 0.5) / 1_000_000
    spend = math.exp(3 + 0.5**2 / 2)
    return float(
        np.where(score >= threshold, np.maximum(0, 0.3 * score - 0.1) * spend - 1, 0).mean()
    )


def uplift(rng: Rng, threshold: float | None = 0.5) -> tuple[float, float, float]:
    """Of 2,000 people half were treated at random; the truth is what acting causes."""
    y, score, spend, treated = trial(rng, 2000)
    plan = Plan(OFFER, threshold=threshold)
    found = evaluate(y, score, plan, data={"spend": spend}, treatment=treated)
    assert found.threshold is not None
    return found.gain.low, 2000 * uplift_truth(found.threshold), found.gain.high


def tuned_uplift(rng: Rng) -> tuple[float, float, float]:
    return uplift(rng, None)


def weak_score(rng: Rng, skill: float = 0.2) -> tuple[float, float, float]:
    """A score that says almost nothing, so that the tuned threshold jumps from sample to sample.

    Its AUC is the normal distribution function of skill / sqrt(2): 0.556 for 0.2.
    """
    y = (rng.random(1000) < 0.2).astype(np.int64)
    score = skill * y + rng.normal(size=1000)
    found = evaluate(y, score, Plan(Payoff(tp=4, fp=-1)))
    assert found.threshold is not None
    shares = ndtr(skill - found.threshold), ndtr(-found.threshold)
    truth = 1000 * (0.2 * 4 * shares[0] - 0.8 * shares[1])
    return found.profit.low, float(truth), found.profit.high


def middling_score(rng: Rng) -> tuple[float, float, float]:
    """An AUC of 0.6, from where on `Evaluation.warnings` no longer doubts the range."""
    return weak_score(rng, 0.358)


def few_customers(rng: Rng) -> tuple[float, float, float]:
    """400 customers of very unequal size and worth."""
    y, score, clv = people(rng, 400)
    clv = np.exp(3 + (np.log(clv) - 3) * 1.25)
    who = np.repeat(np.arange(400), rng.geometric(0.2, 400))
    plan = Plan(PLAN.payoff, threshold=0.45)
    data = {"clv": clv[who], "who": who}
    found = evaluate(y[who], score[who], plan, data=data, cluster="who").profit
    return found.low, len(who) * few_customers_truth(), found.high


@cache
def few_customers_truth() -> float:
    y, score, clv = people(np.random.default_rng(94), POPULATION)
    clv = np.exp(3 + (np.log(clv) - 3) * 1.25)
    return float(np.where(score >= 0.45, worth(y, clv), 0).mean())


SIMULATIONS: dict[str, Callable[[Rng], tuple[float, float, float]]] = {
    "two classes, a fixed threshold, money by row": fixed_threshold,
    "two classes, a tuned threshold, money by row": tuned_threshold,
    "two classes, a fixed threshold, guessed payoffs": guessed_payoff,
    "two classes, 1,500 customers of several rows": same_customers,
    "three classes, the highest expected payoff": multiclass,
    "lists of 500 visitors, a guessed click, margins": ranking,
    "treated at random, a fixed threshold, money by row": uplift,
    "treated at random, a tuned threshold, money by row": tuned_uplift,
}

HARD: dict[str, Callable[[Rng], tuple[float, float, float]]] = {
    "a tuned threshold on a score that says little": weak_score,
    "a tuned threshold on a score with an AUC of 0.60": middling_score,
    "400 customers of very unequal size and worth": few_customers,
    "two models compared, both thresholds tuned": compared,
}
"""Where the range is known to be too narrow; printed with --hard, and the docs say so."""


def coverage(what: str, runs: int, seed: int = 0) -> Line:
    """How often the range holds the truth in `runs` simulated data sets."""
    streams = np.random.default_rng([seed, *what.encode()]).spawn(runs)
    simulate = {**SIMULATIONS, **HARD}[what]
    held = above = below = 0
    for rng in streams:
        low, truth, high = simulate(rng)
        held += low <= truth <= high
        above += truth < low
        below += truth > high
    return Line(what, runs, held, above, below)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--hard", action="store_true", help="only the cases known to be hard")
    parser.add_argument("--only", default="", help="only the lines with these words")
    given = parser.parse_args()
    start = time.perf_counter()
    lines = []
    for what in HARD if given.hard else SIMULATIONS:
        if given.only not in what:
            continue
        lines.append(coverage(what, given.runs, given.seed))
        print(lines[-1], flush=True)
    print(f"{given.runs} data sets each, {time.perf_counter() - start:.0f} s")
    raise SystemExit(not all(line.passes for line in lines))


if __name__ == "__main__":
    main()
