"""How long does an experiment of a million visitors take, beside tea-tasting?

    python benchmarks/experiments.py                  ours
    python benchmarks/experiments.py --peers DIR      and tea-tasting, from the environment in DIR

Six metrics, two of them ratios, and the split of visitors, from a Polars, a pandas and an Arrow
frame; then the same with caps, covariates, and several rows per visitor. Seconds of wall and of CPU
time, the best of several runs, the two in turns, since other work on the machine slows both. DIR is
a virtual environment with tea-tasting, polars, pandas and pyarrow.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


def rows(n: int, seed: int = 0) -> dict[str, Any]:
    """What n visitors of two arms did."""
    rng = np.random.default_rng(seed)
    treated = rng.integers(0, 2, n)
    views = 1 + rng.poisson(5, n)
    clicks = rng.binomial(views, 0.05 + 0.001 * treated)
    orders = rng.binomial(clicks, 0.1)
    revenue = np.round(orders * np.exp(rng.normal(3, 1, n)), 2)
    return {
        "variant": treated,
        "views": views,
        "clicks": clicks,
        "orders": orders,
        "revenue": revenue,
        "bounced": (rng.random(n) < 0.4).astype(int),
        "bought": (orders > 0).astype(int),
        "before": rng.gamma(1, 2, n),
    }


def frame(kind: str, n: int) -> Any:
    """The rows as a frame of that library."""
    if kind == "polars":
        import polars

        return polars.DataFrame(rows(n))
    if kind == "pandas":
        import pandas

        return pandas.DataFrame(rows(n))
    import pyarrow

    return pyarrow.table(rows(n))


def ours(**more: Any) -> Callable[[Any], float]:
    """The six metrics as `experiment` is asked for them; `more` goes to it and to the metrics."""
    from thinslice.outcomes import Metric, experiment

    unit = more.pop("unit", None)
    metrics = [
        Metric("clicks", per="views"),
        Metric("revenue", per="orders"),
        Metric("views"),
        Metric("bounced", better="lower"),
        Metric("bought"),
        Metric("revenue", **more),
    ]

    def work(data: Any) -> float:
        found = experiment(data, control=0, metrics=metrics, unit=unit)
        return found.rows[-1].absolute.estimate

    return work


def tea_tasting() -> Callable[[Any], float]:
    """The same six by tea-tasting; runs in the peer's environment."""
    import tea_tasting as tt  # type: ignore[import-not-found]

    experiment = tt.Experiment(
        click_through=tt.RatioOfMeans("clicks", "views"),
        order_value=tt.RatioOfMeans("revenue", "orders"),
        views=tt.Mean("views"),
        bounced=tt.Mean("bounced"),
        bought=tt.Mean("bought"),
        revenue=tt.Mean("revenue"),
        split=tt.SampleRatio(),
    )
    return lambda data: experiment.analyze(data, control=0)["revenue"].effect_size


def measure(work: Callable[[Any], float], data: Any, times: int) -> list[list[float]]:
    """Wall seconds, CPU seconds and the result of each run."""
    taken = []
    for _ in range(times):
        wall, cpu = time.perf_counter(), time.process_time()
        result = work(data)
        taken.append([time.perf_counter() - wall, time.process_time() - cpu, result])
    return taken


def measure_peer(python: Path, kind: str, n: int, times: int) -> list[list[float]]:
    """The same by tea-tasting, in this file run by the peer's Python."""
    options = ["--as-peer", kind, "--rows", str(n), "--times", str(times)]
    command = [str(python), "-W", "ignore", __file__, *options]
    out = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [[float(x) for x in line.split()] for line in out.splitlines()]


def show(what: str, taken: list[list[float]]) -> None:
    wall, cpu = (min(run[i] for run in taken) for i in (0, 1))
    print(f"{what:58s} {wall:8.3f} {cpu:8.3f}   {taken[-1][2]:+.6f}", flush=True)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--times", type=int, default=5)
    parser.add_argument("--peers", type=Path)
    parser.add_argument("--as-peer", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.as_peer:
        data = frame(options.as_peer, options.rows)
        for run in measure(tea_tasting(), data, options.times):
            print(*run)
        return 0
    python = options.peers / "bin" / "python" if options.peers else None
    print(f"{options.rows:,} visitors{'wall s':>53s} {'CPU s':>8s}   revenue a visitor")
    for kind in ("polars", "pandas", "pyarrow"):
        data = frame(kind, options.rows)
        mine, theirs = [], []
        for _ in range(3):  # in turns
            mine += measure(ours(), data, options.times)
            if python:
                theirs += measure_peer(python, kind, options.rows, options.times)
        show(f"thinslice, {kind}", mine)
        if theirs:
            show(f"tea-tasting, {kind}", theirs)
    data = frame("polars", options.rows)
    show("thinslice, revenue capped, polars", measure(ours(cap=0.999), data, options.times))
    show("thinslice, CUPED, polars", measure(ours(covariate="before"), data, options.times))
    visitors = np.arange(options.rows) // 2
    both = data.with_columns(visitor=visitors, variant=visitors % 2)
    show("thinslice, two rows a visitor, polars", measure(ours(unit="visitor"), both, 3))
    if not python:
        print("tea-tasting: not run, since --peers names no environment", file=sys.stderr)
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
