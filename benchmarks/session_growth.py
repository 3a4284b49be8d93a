"""How time and memory to learn grow with the clicks: from 1e5 to 1e7, as an exponent.

    python benchmarks/session_growth.py [--most 10000000]
    python benchmarks/session_growth.py --servable 1000000 [--minutes 2]

The sessions are made up: a visitor walks among the neighbours of popular and unpopular products,
1 product for every 100 clicks up to 100,000. Each size runs in a process of its own, so that the
largest memory is its own. An exponent of 1 means that ten times the clicks take ten times as much.
`index` is the session kNN alone; a tier is its whole bundle, item-to-item and popularity included.
`--servable` writes so many clicks to a Parquet file, imports it into an empty folder and builds:
seconds until a list is answered, without tuning unless `--minutes` allows some.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
import pyarrow.parquet
from numpy.typing import NDArray

from thinslice.config import Settings
from thinslice.domain import MICROSECONDS, Query, SessionLog, Shop
from thinslice.engine import Engine
from thinslice.models.sessions.bundle import learn
from thinslice.models.sessions.choice import BLEND, KNN, LINEAR, Choice
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.session_knn import KnnSettings, learn_session_knn
from thinslice.models.sessions.training import training_sessions

START_US = 1_767_225_600 * MICROSECONDS
"""The first of January 2026."""

SIZES = (100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--most", type=int, default=SIZES[-1])
    parser.add_argument("--servable", type=int)
    parser.add_argument("--minutes", type=float, default=0.0, help="of tuning, for --servable")
    parser.add_argument("--one", type=int, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.servable:
        servable(log_of(given.servable), given.minutes)
        return
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
    log = log_of(n_clicks)
    before = _memory_mb()
    stopwatch = Stopwatch()
    sessions = training_sessions(log, KnnSettings().max_products)
    index = learn_session_knn(sessions, ProductCodes(log.products))
    found = stopwatch.read("index") | {"index MB": _size_mb(index.arrays)}
    del sessions, index
    for tier in (KNN, LINEAR, BLEND):
        stopwatch = Stopwatch()
        bundle = learn(log, Settings(), Choice(tier=tier))
        found |= stopwatch.read(tier)
        part = {KNN: ("knn",), LINEAR: ("linear",), BLEND: tuple(bundle.parts)}[tier]
        found[f"{tier} MB"] = sum(_size_mb(bundle.parts[name]) for name in part)
        del bundle
        found[f"{tier} peak MB"] = max(_memory_mb() - before, 1.0)
    return found


def servable(log: SessionLog, minutes: float) -> None:
    """From a Parquet file of clicks to an answer, with so many minutes of tuning between."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        session_of = np.repeat(np.arange(log.n_sessions), np.diff(log.offsets))
        table = pyarrow.table(
            {
                "visitor_id": pyarrow.array(session_of).cast(pyarrow.string()),
                "product_id": pyarrow.DictionaryArray.from_arrays(log.codes, list(log.products)),
                "time": pyarrow.array(START_US + log.times_us, pyarrow.timestamp("us", "UTC")),
            }
        )
        pyarrow.parquet.write_table(table, folder / "events.parquet")
        engine = Engine(Settings(data=folder / "data"))
        engine.control.add_shop(Shop("shop", "A shop", "EUR", "UTC"))
        stopwatch = Stopwatch()
        report = engine.import_events("shop", folder / "events.parquet")
        found = stopwatch.read("import")
        bundle = engine.build("shop", minutes=minutes)
        listed = engine.recommend("shop", Query(items=log.products[:2], n=20))
        found |= stopwatch.read("answered")
        text = ", ".join(f"{name} {value:,.1f}" for name, value in found.items())
        print(f"{report.new:,} clicks: {text}; {len(listed.recommendations)} products listed")
        print(bundle.chosen())


class Stopwatch:
    """CPU and other seconds since it was made."""

    def __init__(self) -> None:
        self._began = time.process_time(), time.perf_counter()

    def read(self, name: str) -> dict[str, float]:
        cpu, clock = time.process_time() - self._began[0], time.perf_counter() - self._began[1]
        return {f"{name} cpu s": max(cpu, 1e-3), f"{name} s": max(clock, 1e-3)}


def _size_mb(arrays: Mapping[str, NDArray[Any]]) -> float:
    return sum(array.nbytes for array in arrays.values()) / 1e6


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
