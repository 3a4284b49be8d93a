"""How time and memory to learn grow with the clicks: from 1e5 to 1e7, as an exponent.

    python benchmarks/session_growth.py [--most 10000000]

The sessions are made up: a visitor walks among the neighbours of popular and unpopular products,
1 product for every 100 clicks up to 100,000. Each size runs in a process of its own, so that the
largest memory is its own. An exponent of 1 means that ten times the clicks take ten times as much.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time

import numpy as np

from thinslice.config import Settings
from thinslice.domain import MICROSECONDS, SessionLog
from thinslice.models.sessions.bundle import learn
from thinslice.models.sessions.choice import BLEND, KNN, LINEAR, Choice

SIZES = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=SIZES[-1])
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.one)))
        return
    found = []
    for size in (s for s in SIZES if s <= given.most):
        ran = subprocess.run(
            [sys.executable, __file__, "--one", str(size)], capture_output=True, check=True
        )
        found.append((size, json.loads(ran.stdout)))
        text = ", ".join(f"{name} {value:,.1f}" for name, value in found[-1][1].items())
        print(f"{size:>12,} clicks: {text}", flush=True)
    for name in found[0][1]:
        sizes, values = zip(*((size, values[name]) for size, values in found), strict=True)
        print(f"{name:20} grows as clicks ** {np.polyfit(np.log(sizes), np.log(values), 1)[0]:.2f}")


def one(n_clicks: int) -> dict[str, float]:
    """Seconds and MB of arrays by tier, and the largest memory in MB."""
    learn(log_of(20_000), Settings(), Choice(tier=BLEND))  # compiles
    log, found = log_of(n_clicks), {}
    before = _memory_mb()
    for tier in (KNN, LINEAR, BLEND):
        began = time.process_time(), time.perf_counter()
        bundle = learn(log, Settings(), Choice(tier=tier))
        found[f"{tier} cpu s"] = time.process_time() - began[0]
        found[f"{tier} s"] = time.perf_counter() - began[1]
        part = {KNN: ("knn",), LINEAR: ("linear",), BLEND: tuple(bundle.parts)}[tier]
        arrays = (a for name in part for a in bundle.parts[name].values())
        found[f"{tier} MB"] = sum(a.nbytes for a in arrays) / 1e6
        del bundle
        found[f"{tier} peak MB"] = max(_memory_mb() - before, 1.0)
    return found


def log_of(n_clicks: int, seed: int = 0) -> SessionLog:
    """About that many clicks in sessions of 4.5 on average, 30 days long."""
    rng = np.random.default_rng(seed)
    n_products = int(np.clip(n_clicks // 100, 1_000, 100_000))
    lengths = np.minimum(rng.geometric(1 / 3.5, n_clicks // 5) + 1, 40)
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    start = (n_products * rng.random(len(lengths)) ** 2.5).astype(np.int64)
    steps = np.round(rng.standard_cauchy(int(offsets[-1])) * 5).astype(np.int64)
    codes = np.abs(np.repeat(start, lengths) + steps) % n_products
    times = np.linspace(0, 30 * 86_400 * MICROSECONDS, len(codes)).astype(np.int64)
    return SessionLog(
        products=tuple(f"p{i:06}" for i in range(n_products)),
        offsets=offsets,
        codes=codes.astype(np.int32),
        times_us=times,
        types=np.zeros(len(codes), np.int8),
        ids=tuple(map(str, range(len(lengths)))),
    )


def _memory_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


if __name__ == "__main__":
    main()
