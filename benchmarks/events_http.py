"""Events acknowledged over HTTP: thinslice's file per writer beside writers that share one file.

    python benchmarks/events_http.py [--seconds 10] [--workers 2] [--clients 4] [--connections 8]

The same service is started twice, with the same workers, handlers and group commit; only the file
that the writers commit to differs. Clients are processes of their own, each with some connections
that send batches of 10 and wait for the answer. Every commit is synced before it is acknowledged,
and at the end the log is counted against what was acknowledged. Clients and service share the
machine's cores: trust the ratio rather than the figures.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import sqlite3
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import load
from thinslice.config import Settings
from thinslice.domain import Shop
from thinslice.store.control import ControlPlane
from thinslice.store.log.hot_log import INSERT, TABLES, HotLog

BATCH = 10
WARM_UP_S = 2.0
EVENT = (
    '{"type":"track","messageId":"%s-%d-%d","anonymousId":"%s-%d","event":"Product Viewed",'
    '"timestamp":"2026-11-01T10:00:00.000Z","sentAt":"2026-11-01T10:00:00.000Z",'
    '"properties":{"product_id":"p%d","price":19.99,"currency":"EUR","session_id":"%s-%d",'
    '"list":"search","referrer":"https://www.example.org/lamps?page=2","width":1280}}'
)


class SharedFile(HotLog):
    """The same table in one file that all writers share."""

    def __init__(self, folder: Path, *, max_events: int, max_minutes: float) -> None:
        super().__init__(folder, max_events=max_events, max_minutes=max_minutes)
        self._shared = shared_connection(folder)

    def append_rows(self, rows: Any) -> int:
        self._shared.execute("begin immediate")
        self._shared.executemany(INSERT, rows)
        self._shared.execute("commit")
        return len(rows)

    def close(self) -> None:
        self._shared.close()


def shared_app() -> Any:
    """What uvicorn starts in place of `create_app`: the same, but for the file."""
    import thinslice.store.log.event_log
    from thinslice.server.app import create_app

    thinslice.store.log.event_log.HotLog = SharedFile
    return create_app()


@dataclass
class Measured:
    """What clients saw after the warm-up."""

    events_per_s: float
    p50_ms: float
    p99_ms: float
    refused: int
    acknowledged: int
    kept: int


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("--seconds", type=float, default=10)
    arguments.add_argument("--workers", type=int, default=2)
    arguments.add_argument("--clients", type=int, default=4)
    arguments.add_argument("--connections", type=int, default=8, help="per client")
    arguments.add_argument("--rounds", type=int, default=1)
    arguments.add_argument("--folder", type=Path, default=None, help="on the disk to measure")
    given = arguments.parse_args()
    print(f"{'file':18}{'events/s':>10}{'p50 ms':>9}{'p99 ms':>9}{'refused':>9}{'lost':>6}")
    ratios = []
    for _ in range(given.rounds):
        own = measure("one per writer", "thinslice.server.app:create_app", given)
        shared = measure("shared by all", "events_http:shared_app", given)
        ratios.append((own.events_per_s / shared.events_per_s, shared.p99_ms / own.p99_ms))
    rate, p99 = np.median(np.array(ratios), axis=0)
    print(f"a file each: {rate:.2f} times the events, p99 {p99:.2f} times as short")


def measure(name: str, app: str, given: argparse.Namespace) -> Measured:
    """Start the service, let the clients send, stop it, and count."""
    with tempfile.TemporaryDirectory(dir=given.folder, prefix="events-http-") as folder:
        data = Path(folder) / "data"
        control = ControlPlane(data / "control.sqlite")
        control.add_shop(Shop("bench", "Bench"))
        key = control.create_key("bench", "write")
        settings = Settings(data=data, port=0, workers=given.workers)
        with load.service(settings, app=app, path=Path(__file__).parent) as target:
            seen = send_all(target.port, key, given)
        result = summary(seen, given.seconds, count(data, shared="shared" in app))
    print(
        f"{name:18}{result.events_per_s:>10,.0f}{result.p50_ms:>9.1f}{result.p99_ms:>9.1f}"
        f"{result.refused:>9}{result.acknowledged - result.kept:>6}",
        flush=True,
    )
    return result


def send_all(port: int, key: str, given: argparse.Namespace) -> list[tuple[Any, int, int]]:
    """(latencies after the warm-up in seconds, refused, acknowledged in all) per connection."""
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    begin = time.time() + 3.0
    clients = [
        context.Process(
            target=client,
            args=(port, key, f"c{n}", given.connections, begin, given.seconds, results),
        )
        for n in range(given.clients)
    ]
    for process in clients:
        process.start()
    seen = [results.get() for _ in range(given.clients * given.connections)]
    for process in clients:
        process.join()
    return seen


def client(
    port: int, key: str, name: str, connections: int, begin: float, seconds: float, results: Any
) -> None:
    """One process: threads with a connection each."""
    threads = [
        threading.Thread(
            target=connection, args=(port, key, f"{name}.{n}", begin, seconds, results)
        )
        for n in range(connections)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def connection(port: int, key: str, name: str, begin: float, seconds: float, results: Any) -> None:
    """Send, wait, send: a batch that is refused is sent again."""
    sock = socket.create_connection(("127.0.0.1", port))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    latencies: list[float] = []
    refused = number = 0
    time.sleep(max(0.0, begin - time.time()))
    measured_from, until = begin + WARM_UP_S, begin + WARM_UP_S + seconds
    while time.time() < until:
        request = a_request(key, name, number)
        sent = time.time()
        sock.sendall(request)
        status = answer_of(sock)
        if status == 200:
            number += 1
            if sent >= measured_from:
                latencies.append(time.time() - sent)
        else:
            refused += 1
            time.sleep(0.05)
            sock.close()
            sock = socket.create_connection(("127.0.0.1", port))
    sock.close()
    results.put((np.array(latencies), refused, number * BATCH))


def a_request(key: str, name: str, number: int) -> bytes:
    events = ",".join(
        EVENT % (name, number, i, name, number % 97, (number * 7 + i) % 500, name, number % 97)
        for i in range(BATCH)
    )
    body = f'{{"writeKey":"{key}","batch":[{events}]}}'.encode()
    head = f"POST /v1/batch HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


def answer_of(sock: socket.socket) -> int:
    received = b""
    while b"\r\n\r\n" not in received:
        received += sock.recv(65536) or b"HTTP/1.1 000\r\n\r\n"
    head, _, body = received.partition(b"\r\n\r\n")
    length = next(
        (int(x[15:]) for x in head.lower().split(b"\r\n") if x.startswith(b"content-length:")), 0
    )
    while len(body) < length and (more := sock.recv(65536)):
        body += more
    return int(head[9:12])


def summary(seen: list[tuple[Any, int, int]], seconds: float, kept: int) -> Measured:
    latencies = np.concatenate([s[0] for s in seen]) * 1000
    return Measured(
        events_per_s=len(latencies) * BATCH / seconds,
        p50_ms=float(np.percentile(latencies, 50)),
        p99_ms=float(np.percentile(latencies, 99)),
        refused=sum(s[1] for s in seen),
        acknowledged=sum(s[2] for s in seen),
        kept=kept,
    )


def count(data: Path, *, shared: bool) -> int:
    """Events in the log, each once."""
    if shared:
        with sqlite3.connect(data / "hot" / "shared.db") as db:
            return int(db.execute("select count(*) from events").fetchone()[0])
    from thinslice.engine import Engine

    return int(Engine(Settings(data=data)).log.events("bench").num_rows)


def shared_connection(folder: Path) -> sqlite3.Connection:
    """One more read-write connection to the file of all; not `.sqlite`, so nobody seals it."""
    db = sqlite3.connect(
        folder / "shared.db", timeout=60, isolation_level=None, check_same_thread=False
    )
    db.execute("pragma journal_mode=wal")
    db.execute("pragma synchronous=full")
    db.execute("begin immediate")
    if not db.execute("select 1 from sqlite_master where name = 'events'").fetchone():
        for statement in TABLES:
            db.execute(statement)
    db.execute("commit")
    return db


if __name__ == "__main__":
    main()
