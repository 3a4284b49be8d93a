"""How long do a profit curve and its bootstrap take, beside the floor and empulse?

    python benchmarks/profit.py                   1,000,000 rows; the bootstrap with 100,000
    python benchmarks/profit.py --rows 100000     a first look
    python benchmarks/profit.py --large           and 10,000,000 rows, with the memory they take

CPU seconds of one process, the best of several runs, everything in the same run. The floor is what
no exact curve can go below: one sort, one gather, one cumulative sum and the ends of equal scores.
empulse needs installing (it is in the test group).
"""

from __future__ import annotations

import argparse
import resource
import time
from collections.abc import Callable
from typing import Any

import numpy as np
from empulse.metrics import CostMatrix, EmpiricalMaxProfit, Metric
from numpy.typing import NDArray

from thinslice.profit import Payoff, Plan, evaluate
from thinslice.profit.predictions.curve import profit_curve, resample_best

REPLICATES = 2000
PEER_REPLICATES = 10
Floats = NDArray[np.float64]


def rows(n: int, seed: int = 0) -> tuple[NDArray[np.int64], Floats, Floats, Floats]:
    """Outcome (one in twenty), score, what a hit brings, what a miss costs."""
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.05).astype(np.int64)
    score = 1 / (1 + np.exp(-(-3 + 1.5 * y + rng.normal(size=n))))
    return y, score, np.exp(rng.normal(4, 1, n)), 5 + 10 * rng.random(n)


def best_of(work: Callable[[], Any], times: int = 7) -> tuple[float, Any]:
    """The fewest CPU seconds of `times` runs, and the result."""
    taken, result = [], None
    for _ in range(times):
        start = time.process_time()
        result = work()
        taken.append(time.process_time() - start)
    return min(taken), result


def floor(y: Any, score: Floats, won: Floats, lost: Floats) -> float:
    order = np.argsort(score)[::-1]
    running = np.cumsum(np.where(y == 1, won, -lost)[order])
    ordered = score[order]
    last = np.empty(len(ordered), bool)
    last[:-1] = ordered[1:] != ordered[:-1]
    last[-1] = True
    return max(0.0, float(np.where(last, running, -np.inf).max()))


def ours(y: Any, score: Floats, won: Floats, lost: Floats) -> float:
    curve = profit_curve(score, np.where(y == 1, won, -lost))
    return float(curve.profit[curve.best()])


PEER = Metric(CostMatrix().add_tp_benefit("won").add_fp_cost("lost"), EmpiricalMaxProfit())


def empulse(y: Any, score: Floats, won: Floats, lost: Floats) -> float:
    return len(y) * float(PEER(y, score, won=won, lost=lost))


def curves(n: int) -> None:
    data = rows(n)
    print(f"profit curve over all thresholds, {n:,} rows, money by row")
    lowest = 0.0
    for name, work in (("floor", floor), ("thinslice", ours), ("empulse (best only)", empulse)):
        seconds, found = best_of(lambda work=work: work(*data))  # type: ignore[misc]
        lowest = lowest or seconds
        print(f"  {name:<28} {seconds:8.4f} s  {seconds / lowest:5.2f} x   best {found:,.2f}")


def bootstrap(n: int) -> None:
    y, score, won, lost = rows(n, 1)
    act = np.where(y == 1, won, -lost)
    resample_best(score[:100], act[:100], replicates=2)  # compiled once, kept on disk
    mine, spread = best_of(lambda: resample_best(score, act, replicates=REPLICATES), 3)
    rng = np.random.default_rng(0)

    def loop() -> list[float]:
        found = []
        for _ in range(PEER_REPLICATES):
            i = rng.integers(0, n, n)
            found.append(empulse(y[i], score[i], won[i], lost[i]))
        return found

    theirs = best_of(loop, 3)[0] * REPLICATES / PEER_REPLICATES
    print(f"{REPLICATES:,} bootstrap replicates of the highest profit, {n:,} rows, money by row")
    print(f"  {'thinslice':<28} {mine:8.2f} s   sd {spread.std():,.0f}")
    print(
        f"  {'a loop over empulse':<28} {theirs:8.2f} s  {theirs / mine:5.1f} x   "
        f"({PEER_REPLICATES} measured)"
    )


def whole(n: int) -> None:
    """`evaluate` with an expression of columns: threshold tuned, range, all baselines."""
    y, score, won, _ = rows(n, 2)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    plan = Plan(Payoff(tp="won * 0.3 - 5", fp=-5))
    start = time.perf_counter()
    found = evaluate(y, score, plan, data={"won": won})
    taken, peak = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    print(f"evaluate, {n:,} rows: {taken:.1f} s, at most {(peak - before) / 1024:,.0f} MiB more")
    print(f"  {found.sentence}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--large", action="store_true")
    given = parser.parse_args()
    curves(given.rows)
    bootstrap(given.rows // 10)
    whole(given.rows)
    if given.large:
        curves(10 * given.rows)
        whole(10 * given.rows)


if __name__ == "__main__":
    main()
