"""Do the intervals and tests of `thinslice.outcomes` err as often as they say?

    python benchmarks/intervals.py               20,000 simulated experiments per line
    python benchmarks/intervals.py --runs 2000   a first look

Every line is a simulated truth, a figure, the band it has to lie in, and what was found. A figure
passes when it lies within three standard errors of the simulation of its band.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from thinslice.domain import Verdict
from thinslice.outcomes.comparison import compare_all
from thinslice.outcomes.decision import decide
from thinslice.outcomes.intervals import difference, non_inferiority, relative_lift
from thinslice.outcomes.kpi import COLUMNS, KPIS
from thinslice.outcomes.moments import Estimate, Moments, pairs, ratio
from thinslice.outcomes.sample_ratio import sample_ratio

Rows = NDArray[np.float64]


@dataclass(frozen=True)
class Line:
    """One figure of one simulation: a share of `runs` that should lie in [low, high]."""

    what: str
    low: float
    high: float
    found: float
    runs: int

    @property
    def passes(self) -> bool:
        slack = 3 * math.sqrt(max(self.high * (1 - self.high), 1e-12) / self.runs)
        return self.low - slack <= self.found <= self.high + slack

    def __str__(self) -> str:
        word = "ok" if self.passes else "MISSED"
        band = f"{self.low:.1%} to {self.high:.1%}"
        return f"{self.what:66s} {band:>15s} {self.found:7.2%}  {word}"


def simulate(runs: int, seed: int = 0) -> Iterator[Line]:
    """Every line of the benchmark."""
    rng = np.random.default_rng(seed)
    for p, n, margin in ((0.02, 2000, 0.1), (0.02, 2000, 0.3), (0.1, 10_000, 0.1)):
        yield false_harmless(rng, runs, p, n, margin)
    yield false_harmless_revenue(rng, runs)
    yield from fieller(rng, runs, p=0.02, n=1000)
    yield from per_session(rng, runs)
    yield from nothing_happens(rng, runs)
    yield false_split(rng, runs)


def false_harmless(rng: np.random.Generator, runs: int, p: float, n: int, margin: float) -> Line:
    """Non-inferiority found where the treatment is exactly as much worse as is allowed."""
    control, treatment = rng.binomial(n, p, runs) / n, rng.binomial(n, p * (1 - margin), runs) / n
    found = np.mean(
        [
            non_inferiority(_share(t, n), _share(c, n), margin).proven
            for t, c in zip(treatment, control, strict=True)
        ]
    )
    return Line(
        f"falsely harmless: {p:.0%} buy, n={n:,}, {margin:.0%} worse", 0.04, 0.055, found, runs
    )


def false_harmless_revenue(rng: np.random.Generator, runs: int) -> Line:
    """The same for revenue with a heavy tail: one visitor in twenty buys, lognormal amounts."""
    n, margin = 1000, 0.1
    proven = 0
    for _ in range(runs):
        rows = [(rng.random(n) < 0.05) * rng.lognormal(3, 1.2, n) * k for k in (1, 1 - margin)]
        control, treatment = (Estimate(x.mean(), x.var(ddof=1) / n, n) for x in rows)
        proven += non_inferiority(treatment, control, margin).proven
    what = f"falsely harmless: revenue, 5% buy, n={n:,}, {margin:.0%} worse"
    return Line(what, 0.04, 0.055, proven / runs, runs)


def fieller(rng: np.random.Generator, runs: int, p: float, n: int) -> Iterator[Line]:
    """How often a 95 % interval of the lift lies wholly above or below the truth of 0."""
    above = below = 0
    for c, t in zip(rng.binomial(n, p, runs) / n, rng.binomial(n, p, runs) / n, strict=True):
        lift = relative_lift(_share(t, n), _share(c, n))
        above, below = above + (lift.low > 0), below + (lift.high < 0)
    yield Line(f"lift interval too high: {p:.0%} buy, n={n:,}", 0.02, 0.03, above / runs, runs)
    yield Line(f"lift interval too low: {p:.0%} buy, n={n:,}", 0.02, 0.03, below / runs, runs)


def per_session(rng: np.random.Generator, runs: int) -> Iterator[Line]:
    """Orders per session where visitors differ in how often they come and how much they buy."""
    n, lift = 1500, 0.2
    inside_lift = inside_difference = 0
    truth = 0.08
    for _ in range(runs):
        control, treatment = (
            ratio(_visits(rng, n, truth * k), "orders", "sessions") for k in (1, 1 + lift)
        )
        relative, absolute = (f(treatment, control) for f in (relative_lift, difference))
        inside_lift += relative.low <= lift <= relative.high
        inside_difference += absolute.low <= truth * lift <= absolute.high
    yield Line("per session: lift interval holds +20%", 0.94, 0.96, inside_lift / runs, runs)
    yield Line("per session: difference holds +0.016", 0.94, 0.96, inside_difference / runs, runs)


def nothing_happens(rng: np.random.Generator, runs: int) -> Iterator[Line]:
    """A/A experiments through the whole decision: how often they ship, and how often they stop."""
    n = 1500
    asked = (
        replace(KPIS["conversion"], decides=True),
        replace(KPIS["revenue_per_session"], max_worse=0.05),
    )
    shipped = stopped = 0
    for _ in range(runs):
        control, treatment = (_shoppers(rng, n) for _ in range(2))
        verdict = decide(compare_all(asked, control, treatment), "B", 2 * n).verdict
        shipped, stopped = (
            shipped + (verdict is Verdict.SHIP),
            stopped + (verdict is Verdict.STOP),
        )
    yield Line(f"A/A that ships, n={n:,}", 0.0, 0.025, shipped / runs, runs)
    # Conversion worse, revenue worse, or revenue worse than allowed: two tests of 2.5 %.
    yield Line(f"A/A that stops, n={n:,}", 0.0, 0.05, stopped / runs, runs)


def false_split(rng: np.random.Generator, runs: int) -> Line:
    """A fair split that raises the alarm of a broken one."""
    halves = rng.binomial(5000, 0.5, runs)
    alarms = sum(not sample_ratio([int(h), 5000 - int(h)], [0.5, 0.5]).ok for h in halves)
    return Line("a fair split of 5,000 called broken", 0.0, 0.001, alarms / runs, runs)


def _share(p: float, n: int) -> Estimate:
    return Estimate(float(p), float(p * (1 - p) / n), n)


def _visits(rng: np.random.Generator, n: int, orders_per_session: float) -> Moments:
    sessions = 1 + rng.poisson(rng.gamma(1.0, 1.5, n))
    taste = rng.gamma(2.0, 0.5, n)  # mean 1: visitors' sessions resemble each other
    orders = rng.poisson(sessions * taste * orders_per_session)
    return _moments({"sessions": sessions, "orders": orders})


def _shoppers(rng: np.random.Generator, n: int) -> Moments:
    sessions = 1 + rng.poisson(0.8, n)
    ordering = rng.binomial(sessions, 0.05)
    revenue = np.round(ordering * rng.lognormal(8, 0.6, n)).astype(np.int64)
    columns = {name: np.zeros(n, np.int64) for name in COLUMNS}
    return _moments(
        columns
        | {
            "sessions": sessions,
            "orders": ordering,
            "ordering_sessions": ordering,
            "revenue": revenue,
        }
    )


def _moments(columns: dict[str, NDArray[np.int64]]) -> Moments:
    """As `Moments.of`, which would take a loop over every visitor."""
    n = len(next(iter(columns.values())))
    return Moments(
        tuple(columns),
        n,
        tuple(int(x.sum()) for x in columns.values()),
        tuple(int(columns[a] @ columns[b]) for a, b in pairs(tuple(columns))),
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    start = time.perf_counter()
    lines = []
    for line in simulate(options.runs, options.seed):
        lines.append(line)
        print(line, flush=True)
    missed = sum(not line.passes for line in lines)
    print(f"{len(lines) - missed} of {len(lines)} as they say, {time.perf_counter() - start:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
