"""How often does the range of an expected month hold what turns out?

    python benchmarks/profit_tracking.py --runs 200

Simulated logs whose last months have no labels yet; 90 of 100 ranges should hold the money that is
then realised. In the last case months truly differ, which a handful of months tells only roughly.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np

from thinslice.profit import Payoff, Plan, track

PLAN = Plan(Payoff(tp="clv", fp=-15), per_year=12, threshold=0.3)


def log(
    rng: np.random.Generator, rows: int, months: int, known: int, customer: int, differ: float
) -> tuple[dict[str, Any], float]:
    """A log of `rows` a month, and the money of the months without labels.

    `customer` is how many rows one has on average (0: each its own), `differ` the standard
    deviation of the log odds between months.
    """
    n = rows * months
    place = np.repeat(np.arange(months), rows)
    who = rng.integers(0, n // customer, n) if customer else np.arange(n)
    own = rng.normal(size=n)[who]
    x = own + 0.5 * rng.normal(size=n)
    odds = -1.5 + x + 0.8 * own * bool(customer) + (differ * rng.normal(size=months))[place]
    y = (rng.random(n) < 1 / (1 + np.exp(-odds))).astype(float)
    score = 1 / (1 + np.exp(-(-1 + 1.3 * x)))
    clv = np.exp(rng.normal(3.5, 0.6, n))
    earned = np.where(score >= 0.3, np.where(y == 1, clv, -15), 0)
    time = (np.datetime64("2026-01") + place).astype("datetime64[D]")
    seen = np.where(place < known, y, np.nan)
    columns = {"time": time, "y_true": seen, "y_score": score, "clv": clv, "who": who}
    return columns, float(earned[place >= known].sum())


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=200)
    runs = parser.parse_args().runs
    cases = {
        "3 months known, 1 expected, 2,000 rows each": (2000, 4, 3, 0, 0.0),
        "2 known, 1 expected, 300 rows each": (300, 3, 2, 0, 0.0),
        "2 known, 2 expected, 1,500 rows, 5 a customer": (1500, 4, 2, 5, 0.0),
        "6 known, 2 expected, 1,000 rows, months differ": (1000, 8, 6, 0, 0.3),
    }
    for name, case in cases.items():
        held = 0
        for seed in range(runs):
            columns, truth = log(np.random.default_rng(seed), *case)
            found = track(columns, PLAN, cluster="who" if case[3] else None).expected
            held += found is not None and found.low <= truth <= found.high
        print(f"{name:<50} {held / runs:6.1%} of {runs} ranges hold it")


if __name__ == "__main__":
    main()
