"""Do the intervals, tests and verdicts of `thinslice.outcomes` err as often as they say?

    python benchmarks/intervals.py               20,000 simulated experiments per line: minutes
    python benchmarks/intervals.py --runs 1000   a first look
    python benchmarks/intervals.py --only daily_power every_day

Every line is a simulated truth, a figure, the band it has to lie in, and what was found. A figure
passes when it lies within three standard errors of the simulation of its band.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import brentq
from scipy.special import ndtri

from thinslice.domain import Verdict
from thinslice.outcomes.notebook.sizing import design
from thinslice.outcomes.statistics.comparison import compare, compare_all
from thinslice.outcomes.statistics.covariate import estimates
from thinslice.outcomes.statistics.decision import decide
from thinslice.outcomes.statistics.intervals import difference, non_inferiority, relative_lift
from thinslice.outcomes.statistics.metric import Metric
from thinslice.outcomes.statistics.moments import Estimate, Moments, ratio
from thinslice.outcomes.statistics.sample_ratio import SampleRatio, sample_ratio

Table = NDArray[np.int64]
Make = Callable[[np.random.Generator, int], Iterator[Moments]]

BATCH = 200
"""Experiments simulated at a time."""

DAYS, DAILY = 28, 400
"""What is looked at every day: four weeks, and so many new visitors per arm and day."""


@dataclass(frozen=True)
class Line:
    """One figure: a share of `runs`, or a difference of two, that should lie in [low, high]."""

    what: str
    low: float
    high: float
    found: float
    runs: int
    standard_error: float | None = None

    @property
    def passes(self) -> bool:
        spread = self.standard_error
        if spread is None:
            spread = math.sqrt(max(self.high * (1 - self.high), 1e-12) / self.runs)
        return self.low - 3 * spread <= self.found <= self.high + 3 * spread

    def __str__(self) -> str:
        word = "ok" if self.passes else "MISSED"
        return (
            f"{self.what:70s} {f'{self.low:.1%} to {self.high:.1%}':>16s} {self.found:8.2%}  {word}"
        )


def simulate(runs: int, seed: int = 0, only: Sequence[str] = ()) -> Iterator[Line]:
    """Every line of the benchmark, or those of some of its parts."""
    rng = np.random.default_rng(seed)
    for part in PARTS:
        if not only or part.__name__ in only:
            yield from part(rng, runs)


# What a shop's visitors do: the moments of an arm, for so many experiments


def buyers(p: float, n: int) -> Make:
    """A share p of n visitors buys something."""

    def make(rng: np.random.Generator, size: int) -> Iterator[Moments]:
        for bought in rng.binomial(n, p, size).tolist():
            yield Moments(("x",), n, (bought,), (bought,))

    return make


def spenders(p: float, n: int, factor: float = 1.0) -> Make:
    """A share p of n visitors spends, with a heavy tail: lognormal amounts."""

    def make(rng: np.random.Generator, size: int) -> Iterator[Moments]:
        for bought in rng.binomial(n, p, size):
            spent = factor * rng.lognormal(3, 1.2, bought)
            yield Moments(("x",), n, (float(spent.sum()),), (float(spent @ spent),))

    return make


def visits(n: int, orders_per_session: float = 0.08) -> Make:
    """Visitors who differ in how often they come and how much they buy, before and now."""

    def make(rng: np.random.Generator, size: int) -> Iterator[Moments]:
        shape = (size, n)
        often, taste = rng.gamma(1.0, 1.5, shape), rng.gamma(2.0, 0.5, shape)
        sessions = 1 + rng.poisson(often)
        orders = rng.poisson(sessions * taste * orders_per_session)
        before = rng.poisson((1 + often) * taste * 0.3)
        yield from _moments({"orders": orders, "sessions": sessions, "before": before})

    return make


def experiments(rng: np.random.Generator, runs: int, *arms: Make) -> Iterator[tuple[Moments, ...]]:
    """The moments of each arm, one experiment after the other."""
    for start in range(0, runs, BATCH):
        size = min(BATCH, runs - start)
        yield from zip(*(arm(rng, size) for arm in arms), strict=True)


def _moments(columns: dict[str, Table]) -> Iterator[Moments]:
    block = np.stack(list(columns.values()), axis=1).astype(float)
    sums, grams = block.sum(axis=2), block @ block.transpose(0, 2, 1)
    upper = np.triu_indices(len(columns))
    for total, gram in zip(sums, grams, strict=True):
        yield Moments(
            tuple(columns), block.shape[2], tuple(total.tolist()), tuple(gram[upper].tolist())
        )


# One look


def nothing_happens(rng: np.random.Generator, runs: int) -> Iterator[Line]:
    """How often a difference is found where there is none."""
    for what, make, metric in (
        ("2% buy, n=2,000", buyers(0.02, 2000), Metric("x")),
        ("revenue, 5% buy, n=2,000", spenders(0.05, 2000), Metric("x")),
        ("orders per session, n=1,500", visits(1500), Metric("orders", per="sessions")),
        (
            "orders per visitor, CUPED, n=1,500",
            visits(1500),
            Metric("orders", covariate="before"),
        ),
        (
            "orders per session, CUPED, n=1,500",
            visits(1500),
            Metric("orders", per="sessions", covariate=("before", "sessions")),
        ),
    ):
        found = sum(
            compare(metric, *pair).change in ("better", "worse")
            for pair in experiments(rng, runs, make, make)
        )
        yield Line(f"A/A, one look: {what}", 0.04, 0.06, found / runs, runs)


def lifts(rng: np.random.Generator, runs: int) -> Iterator[Line]:
    """How often a 95 % interval of the lift lies wholly above or below the truth."""
    for what, control, treatment, metric, truth in (
        ("2% buy, n=1,000", buyers(0.02, 1000), buyers(0.02, 1000), Metric("x"), 0.0),
        ("5% buy, n=2,000, +20%", buyers(0.05, 2000), buyers(0.06, 2000), Metric("x"), 0.2),
        (
            "orders per session, n=1,500, +20%",
            visits(1500),
            visits(1500, 0.096),
            Metric("orders", per="sessions"),
            0.2,
        ),
        (
            "orders per visitor, CUPED, n=1,500, +20%",
            visits(1500),
            visits(1500, 0.096),
            Metric("orders", covariate="before"),
            0.2,
        ),
    ):
        above = below = 0
        for pair in experiments(rng, runs, control, treatment):
            c, t = estimates(metric, *pair)
            lift = relative_lift(t, c)
            above, below = above + (lift.low > truth), below + (lift.high < truth)
        yield Line(f"lift interval too high: {what}", 0.02, 0.03, above / runs, runs)
        yield Line(f"lift interval too low: {what}", 0.02, 0.03, below / runs, runs)


SETTINGS = (
    ("2% buy, n=2,000", 0.1, buyers(0.02, 2000), buyers(0.018, 2000)),
    ("2% buy, n=2,000", 0.3, buyers(0.02, 2000), buyers(0.014, 2000)),
    ("10% buy, n=10,000", 0.1, buyers(0.1, 10_000), buyers(0.09, 10_000)),
    ("revenue, 5% buy, n=1,000", 0.1, spenders(0.05, 1000), spenders(0.05, 1000, 0.9)),
)
"""What, how much worse is allowed, the control, and the treatment that is as much worse."""


def harmless(rng: np.random.Generator, runs: int) -> Iterator[Line]:
    """Non-inferiority in every setting."""
    for setting in SETTINGS:
        yield from _harmless(rng, runs, *setting)


def _harmless(
    rng: np.random.Generator, runs: int, what: str, margin: float, control: Make, worst: Make
) -> Iterator[Line]:
    """Non-inferiority at the boundary, and its power where nothing changes, against two peers."""
    what = f"{what}, {margin:.0%} allowed"
    falsely = 0
    for c, t in _pairs(rng, runs, control, worst):
        falsely += non_inferiority(t, c, margin).proven
    yield Line(f"falsely harmless: {what}", 0.04, 0.055, falsely / runs, runs)
    found = np.zeros((runs, 3), dtype=bool)
    for i, (c, t) in enumerate(_pairs(rng, runs, control, control)):
        found[i] = (
            non_inferiority(t, c, margin).proven,
            known_margin(t, c, margin),
            delta_lift(t, c, margin),
        )
    ours, *peers = found.T
    best = max(peers, key=np.mean)
    more = ours.astype(int) - best
    yield Line(
        f"  power {ours.mean():.1%}, peers {peers[0].mean():.1%}, {peers[1].mean():.1%}: ahead by",
        0.0,
        1.0,
        float(more.mean()),
        runs,
        float(more.std() / math.sqrt(runs)),
    )


def known_margin(treatment: Estimate, control: Estimate, margin: float) -> bool:
    """The margin taken as a known number, as spotify-confidence does."""
    gap = treatment.value - (1 - margin) * control.value
    spread = math.sqrt(treatment.variance + control.variance)
    return spread > 0 and gap / spread > ndtri(0.95)


def delta_lift(treatment: Estimate, control: Estimate, margin: float) -> bool:
    """The delta method on the relative lift, as gbstats does."""
    t, c = treatment, control
    if c.value <= 0:
        return False
    spread = math.sqrt(t.variance / c.value**2 + c.variance * t.value**2 / c.value**4)
    return spread > 0 and (t.value / c.value - 1 + margin) / spread > ndtri(0.95)


def _pairs(
    rng: np.random.Generator, runs: int, control: Make, treatment: Make
) -> Iterator[tuple[Estimate, Estimate]]:
    for pair in experiments(rng, runs, control, treatment):
        c, t = (ratio(moments, "x") for moments in pair)
        yield c, t


def verdicts(rng: np.random.Generator, runs: int) -> Iterator[Line]:
    """A/A experiments through the whole decision: how often they ship, and how often they stop."""
    n = 1500
    asked = (
        Metric("orders", per="sessions"),
        Metric("sessions", max_worse=0.1),
    )
    found = [
        decide(compare_all(asked, *pair), "B", 2 * n).verdict
        for pair in experiments(rng, runs, visits(n), visits(n))
    ]
    yield Line("A/A that ships", 0.0, 0.025, found.count(Verdict.SHIP) / runs, runs)
    # Orders worse, sessions worse, or sessions worse than allowed: two tests of 2.5 %.
    yield Line("A/A that stops", 0.0, 0.05, found.count(Verdict.STOP) / runs, runs)
    several = (Metric("orders", per="sessions"), Metric("sessions"), Metric("before"))
    shipped = 0
    for control, *treatments in experiments(rng, runs, *[visits(n)] * 3):
        shipped += any(
            decide(compare_all(several, control, t, alpha=0.025), "B", 2 * n).verdict
            is Verdict.SHIP
            for t in treatments
        )
    yield Line("A/A/A of 3 success metrics that ships any", 0.0, 0.025, shipped / runs, runs)


# A look every day


def every_day(rng: np.random.Generator, runs: int) -> Iterator[Line]:
    """What holds at all looks together, and what becomes of ranges that are made for one."""
    planned = 2 * DAYS * DAILY
    for what, make, metric in (
        ("5% buy", buyers(0.05, DAILY), Metric("x")),
        ("revenue, 5% buy", spenders(0.05, DAILY), Metric("x")),
        ("orders per session", visits(DAILY), Metric("orders", per="sessions")),
    ):
        wrong = dict.fromkeys((planned, 10_000), 0)
        for looks in _courses(rng, runs, make, make):
            for tuned_for in wrong:
                wrong[tuned_for] += any(_excludes(metric, look, tuned_for) for look in looks)
        for tuned_for, times in wrong.items():
            where = f"A/A, {DAYS} daily looks, tuned for {tuned_for:,}: {what}"
            yield Line(where, 0.0, 0.05, times / runs, runs)
    metric = Metric("x")
    naive = sum(
        any(_excludes(metric, look, None) for look in looks)
        for looks in _courses(rng, runs, buyers(0.05, DAILY), buyers(0.05, DAILY))
    )
    yield Line(
        "  the same with ranges made for one look (no promise)", 0.0, 1.0, naive / runs, runs
    )
    yield from _daily_guardrails(rng, runs, planned)
    yield from _daily_verdicts(rng, runs, planned)


def _daily_guardrails(rng: np.random.Generator, runs: int, planned: int) -> Iterator[Line]:
    """A guardrail exactly as much worse as allowed, and the lift that its range has to hold."""
    harmless = missed = 0
    for looks in _courses(rng, runs, buyers(0.1, DAILY), buyers(0.09, DAILY)):
        figures = [(ratio(t, "x"), ratio(c, "x")) for c, t in looks]
        harmless += any(non_inferiority(t, c, 0.1, tuned_for=planned).proven for t, c in figures)
        missed += any(
            not lift.low <= -0.1 <= lift.high
            for lift in (relative_lift(t, c, tuned_for=planned) for t, c in figures)
        )
    yield Line("falsely harmless at any daily look: 10% allowed", 0.0, 0.05, harmless / runs, runs)
    yield Line("lift interval misses -10% at any daily look", 0.0, 0.05, missed / runs, runs)


def _daily_verdicts(rng: np.random.Generator, runs: int, planned: int) -> Iterator[Line]:
    asked = (Metric("orders", per="sessions"), Metric("sessions", max_worse=0.1))
    shipped = 0
    for looks in _courses(rng, runs, visits(DAILY), visits(DAILY)):
        shipped += any(
            decide(compare_all(asked, *look, tuned_for=planned), "B", look[0].n).verdict
            is Verdict.SHIP
            for look in looks
        )
    yield Line("A/A that ships at any daily look", 0.0, 0.025, shipped / runs, runs)


def daily_power(rng: np.random.Generator, runs: int) -> Iterator[Line]:
    """What a look every day finds within four weeks: ranges made for the visitors who are planned.

    The change is one that `design` plans for with 80 % power; against it, ranges made for 10,000
    visitors whatever the shop, and one look at the end.
    """
    bought = Metric("x")
    for daily, share in ((40, 0.05), (DAILY, 0.05), (4000, 0.02)):
        planned = 2 * DAYS * daily
        known = Moments(("x",), 10**6, (10**6 * share,), (10**6 * share,))
        change = _planned_change(bought, known, planned)
        found = np.zeros((runs, 3), dtype=bool)
        courses = _courses(rng, runs, buyers(share, daily), buyers(share * (1 + change), daily))
        for i, looks in enumerate(courses):
            for j, tuned_for in enumerate((planned, 10_000)):
                found[i, j] = any(_better(bought, look, tuned_for) for look in looks)
            found[i, 2] = _better(bought, looks[-1], None)
        ours, fixed, once = found.mean(axis=0)
        paired = found[:, 0].astype(int) - found[:, 1]
        what = f"{share:.0%} of {planned:,} buy, +{change:.0%}"
        yield Line(f"found at any daily look: {what}", 0.8, 1.0, ours, runs)
        yield Line(
            f"  made for 10,000: {fixed:.1%}, one look: {once:.1%}; ahead of 10,000 by",
            0.0,
            1.0,
            float(paired.mean()),
            runs,
            float(paired.std() / math.sqrt(runs)),
        )


def _planned_change(metric: Metric, known: Moments, visitors: int) -> float:
    """The smallest change that an experiment of so many visitors is designed to find."""

    def too_many(change: float) -> float:
        return design(metric, data=known, mde=change, sequential=True).visitors - visitors

    return float(brentq(too_many, 0.001, 5.0, xtol=1e-4))


def _better(metric: Metric, look: tuple[Moments, Moments], tuned_for: float | None) -> bool:
    c, t = (metric.estimate(moments) for moments in look)
    return difference(t, c, tuned_for=tuned_for).low > 0


def _courses(
    rng: np.random.Generator, runs: int, control: Make, treatment: Make
) -> Iterator[Sequence[tuple[Moments, Moments]]]:
    """What is known of both arms at the end of each day, one experiment after the other."""
    days = experiments(rng, runs * DAYS, control, treatment)
    for _ in range(runs):
        c, t = next(days)
        looks = [(c, t)]
        for _ in range(DAYS - 1):
            more_c, more_t = next(days)
            c, t = c + more_c, t + more_t
            looks.append((c, t))
        yield looks


def _excludes(metric: Metric, look: tuple[Moments, Moments], tuned_for: float | None) -> bool:
    """Whether the range of the difference excludes 0."""
    c, t = (metric.estimate(moments) for moments in look)
    gap = difference(t, c, tuned_for=tuned_for)
    return gap.low > 0 or gap.high < 0


# The split of visitors


def splits(rng: np.random.Generator, runs: int) -> Iterator[Line]:
    """A fair split called broken, and a broken one found out."""
    fair = sum(not _split(rng.binomial(5000, 0.5), 5000).ok for _ in range(runs))
    yield Line("a fair split of 5,000 called broken", 0.0, 0.001, fair / runs, runs)
    broken = sum(not _split(rng.binomial(20_000, 50 / 96), 20_000).ok for _ in range(runs))
    yield Line("a split of 50 to 46 in 20,000 found out", 0.99, 1.0, broken / runs, runs)
    days = np.arange(1, DAYS + 1) * 2 * DAILY
    for what, share, low, high in (
        ("a fair split called broken at any daily look", 0.5, 0.0, 0.001),
        ("a split of 50 to 45 found out by day 28", 50 / 95, 0.99, 1.0),
    ):
        alarms = sum(
            any(
                not _split(seen, n, sequential=True).ok
                for seen, n in zip(rng.binomial(2 * DAILY, share, DAYS).cumsum(), days, strict=True)
            )
            for _ in range(runs)
        )
        yield Line(what, low, high, alarms / runs, runs)


def _split(seen: int, n: int, sequential: bool = False) -> SampleRatio:
    return sample_ratio([int(seen), int(n - seen)], [0.5, 0.5], sequential=sequential)


PARTS = (nothing_happens, lifts, harmless, verdicts, every_day, daily_power, splits)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    names = [part.__name__ for part in PARTS]
    parser.add_argument("--only", nargs="+", choices=names, default=(), help="parts to run")
    options = parser.parse_args()
    start = time.perf_counter()
    lines = []
    for line in simulate(options.runs, options.seed, options.only):
        lines.append(line)
        print(line, flush=True)
    missed = sum(not line.passes for line in lines)
    print(f"{len(lines) - missed} of {len(lines)} as they say, {time.perf_counter() - start:.0f} s")
    return 1 if missed else 0


if __name__ == "__main__":
    raise SystemExit(main())
