"""How well and how fast the list makers predict real sessions, on data that you have.

    python benchmarks/sessions.py --data FOLDER

FOLDER holds the example log of Serenade (https://github.com/bolcom/serenade, Apache-2.0):
`train.txt` and `test.txt`, plain or .gz, tab-separated SessionId, ItemId, Time in seconds. Every
step of every test session is predicted from what came before it; the product at hand is removed
from every list. All hyper-parameters are the defaults: none was chosen on the test sessions.
"""

from __future__ import annotations

import argparse
import gzip
import statistics
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from thinslice.config import Settings
from thinslice.domain import SessionLog
from thinslice.evaluation.offline import evaluate
from thinslice.evaluation.splits import Split
from thinslice.interfaces import Recommender
from thinslice.models.bundle import learn

KNOWN = {"plain VMIS-kNN, measured on the same predictions": (0.6627, 0.3406)}
"""HitRate@20 and MRR@20 on test.txt with the product at hand removed."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, help="folder with train.txt and test.txt")
    parser.add_argument("--test", default="test.txt", help="the file that is predicted")
    arguments = parser.parse_args()
    if arguments.data is None or not list(arguments.data.glob("train.txt*")):
        print(f"not run: --data must be a folder with train.txt, got {arguments.data}")
        return
    train = session_log(rows(arguments.data / "train.txt"))
    test = session_log(rows(arguments.data / arguments.test))
    learn(train, Settings()).warm_up()  # compiles
    started = time.perf_counter()
    bundle = learn(train, Settings())
    build_s = time.perf_counter() - started
    evaluation = evaluate(bundle.recommenders, Split(train, test, int(test.times_us.min())))

    print(f"{bundle.sentence()} {build_s:.3f} s to build.")
    sizes = evaluation.sizes
    print(f"{sizes['predictions']} predictions in {sizes['test_sessions']} sessions.")
    print(f"{'':50}{'HitRate@20':>24}{'MRR@20':>24}{'us p50':>8}{'us p90':>8}")
    for name, recommender in bundle.recommenders.items():
        figures = "".join(
            f"{v.estimate:>10.4f} ({v.low:.3f}-{v.high:.3f})"
            for v in (evaluation.value(name, metric) for metric in ("HitRate", "MRR"))
        )
        p50, p90 = query_us(recommender, test)
        print(f"{name:50}{figures}{p50:>8.0f}{p90:>8.0f}")
    for name, (hit_rate, mrr) in KNOWN.items() if arguments.test == "test.txt" else ():
        print(f"{name:50}{hit_rate:>10.4f}{'':14}{mrr:>10.4f}")


def query_us(recommender: Recommender, log: SessionLog) -> tuple[float, float]:
    """Median and 90th percentile of one call for 20 products, over all prefixes."""
    took = []
    for start, end in zip(log.offsets[:-1].tolist(), log.offsets[1:].tolist(), strict=True):
        products = [log.products[code] for code in log.codes[start:end].tolist()]
        for step in range(1, len(products)):
            began = time.perf_counter_ns()
            recommender.recommend(products[:step], 20)
            took.append((time.perf_counter_ns() - began) / 1000)
    deciles = statistics.quantiles(took, n=10)
    return deciles[4], deciles[8]


def rows(path: Path) -> Iterator[tuple[str, str, float]]:
    """(session, product, seconds) of a tab-separated file, of `path` or `path`.gz."""
    if not path.exists():
        path = path.with_name(path.name + ".gz")
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        next(file)
        for line in file:
            session, product, seconds = line.split("\t")
            yield session, product, float(seconds)


def session_log(events: Iterator[tuple[str, str, float]]) -> SessionLog:
    """The events as sessions, in the order in which they ended."""
    sessions: dict[str, list[tuple[float, int, str]]] = {}
    for line, (session, product, seconds) in enumerate(events):
        sessions.setdefault(session, []).append((seconds, line, product))
    ordered = sorted((max(lines)[0], session) for session, lines in sessions.items())
    products = tuple(sorted({line[2] for lines in sessions.values() for line in lines}))
    code_of = {product: code for code, product in enumerate(products)}
    touched = [line for _, session in ordered for line in sorted(sessions[session])]
    lengths = [len(sessions[session]) for _, session in ordered]
    return SessionLog(
        products=products,
        offsets=np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64),
        codes=np.array([code_of[product] for _, _, product in touched], np.int32),
        times_us=np.array([int(seconds * 1e6) for seconds, _, _ in touched], np.int64),
        types=np.zeros(len(touched), np.int8),
        ids=tuple(session for _, session in ordered),
    )


if __name__ == "__main__":
    main()
