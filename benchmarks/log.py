"""How fast events become durable: a file per writer against one file that all writers share.

    python benchmarks/log.py [--seconds 5] [--processes 4] [--threads 8] [--folder DISK]

In each process, threads submit batches of 10 and wait for the commit, as requests do, through the
same `Writer`: only the file differs. Every commit is synced. Run it on an idle machine, and trust
the ratios rather than the figures.
"""

from __future__ import annotations

import argparse
import hashlib
import multiprocessing
import sqlite3
import tempfile
import threading
import time
from itertools import count
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from thinslice.domain import Event
from thinslice.store.log.hot_log import INSERT, TABLES, HotLog, Row
from thinslice.store.log.writer import Writer

BATCH = 10
PROPERTIES = '{"referrer":"https://www.example.org/lamps?page=2","width":1280,"list":"search"}'
HEADER = ("files", "processes", "threads", "events/s", "p50 ms", "p99 ms")


class SharedFile(HotLog):
    """The same table in one file for all: what a file per writer is compared with."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, max_events=1, max_minutes=1)
        self._db = shared_connection(folder)

    def append_rows(self, rows: list[Row]) -> int:
        self._db.execute("begin immediate")
        self._db.executemany(INSERT, rows)
        self._db.execute("commit")
        return len(rows)

    def close(self) -> None:
        self._db.close()


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--seconds", type=float, default=5)
    arguments.add_argument("--processes", type=int, default=4)
    arguments.add_argument("--threads", type=int, default=8)
    arguments.add_argument("--folder", type=Path, default=None)
    given = arguments.parse_args()
    print("{:18}{:>10}{:>9}{:>11}{:>9}{:>9}".format(*HEADER))
    measure("file per writer", 1, given)
    own_rate, own_p99 = measure("file per writer", given.processes, given)
    shared_rate, shared_p99 = measure("one shared file", given.processes, given)
    print(
        f"{given.processes} processes, a file each against one shared file: "
        f"{own_rate / shared_rate:.1f} times the events, "
        f"p99 {shared_p99 / own_p99:.1f} times as short"
    )


def measure(name: str, processes: int, given: argparse.Namespace) -> tuple[float, float]:
    """(events per second, p99 in ms) of that many processes together."""
    shared = name == "one shared file"
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        if shared:
            make_shared(Path(folder))
        with multiprocessing.get_context("spawn").Pool(processes) as pool:
            starts = time.time() + 2  # all have started by then
            work = (Path(folder), shared, given.threads, starts, given.seconds)
            waits = np.concatenate(pool.starmap(submit_all, [work] * processes, chunksize=1))
    rate = len(waits) * BATCH / given.seconds
    p50, p99 = np.percentile(waits, [50, 99]) * 1000
    row = f"{name:18}{processes:>10}{given.threads:>9}{rate:>11,.0f}{p50:>9.1f}{p99:>9.1f}"
    print(row, flush=True)
    return rate, float(p99)


def submit_all(
    folder: Path, shared: bool, threads: int, starts: float, seconds: float
) -> NDArray[np.float64]:
    """The seconds that each batch of one process waited for its commit."""
    hot = SharedFile(folder) if shared else HotLog(folder, max_events=200_000, max_minutes=10)
    writer = Writer(hot)
    writer.start()
    waits: list[float] = []
    time.sleep(max(0, starts - time.time()))
    ends = starts + seconds
    clients = [threading.Thread(target=submit, args=(writer, ends, waits)) for _ in range(threads)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    writer.close()
    return np.array(waits)


def submit(writer: Writer, ends: float, waits: list[float]) -> None:
    """One client: a batch, its answer, the next batch."""
    client = f"{time.time_ns():x}-{threading.get_ident():x}"
    for number in count():
        events = batch(client, number)
        answer: list[Exception | None] = []
        answered = threading.Event()
        started = time.monotonic()
        writer.submit("lamps", events, lambda e, a=answer, d=answered: (a.append(e), d.set()))  # type: ignore[misc]
        answered.wait()
        waits.append(time.monotonic() - started)
        if answer != [None]:
            raise RuntimeError(answer)
        if time.time() > ends:
            return


def batch(client: str, number: int) -> list[Event]:
    """Lines of about 400 bytes with message ids in no order, like those of browsers."""
    return [
        Event(
            hashlib.md5(f"{client}-{number}-{i}".encode(), usedforsecurity=False).hexdigest(),
            "Product Viewed",
            number,
            f"{client}-{number % 50}",
            session=f"session-{number % 50}",
            product=f"product-{number * 7 % 1000}",
            price_minor=1999,
            currency="EUR",
            properties=PROPERTIES,
        )
        for i in range(BATCH)
    ]


def make_shared(folder: Path) -> None:
    db = shared_connection(folder)
    db.execute("pragma journal_mode=wal")
    for statement in TABLES:
        db.execute(statement)
    db.close()


def shared_connection(folder: Path) -> sqlite3.Connection:
    db = sqlite3.connect(
        folder / "shared.sqlite", isolation_level=None, timeout=60, check_same_thread=False
    )
    db.execute("pragma synchronous=full")
    return db


if __name__ == "__main__":
    main()
