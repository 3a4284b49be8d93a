"""The whole office asks for categories at once: what is served, how fast, and what is refused.

    python benchmarks/titles_http.py [--seconds 10] [--clients 200] [--workers 2]
        [--max-in-flight N] [--what api|page]

First some clients ask as fast as they are answered: that is the capacity. Then 200 ask at twice
that rate together, each on a connection of its own that is kept open as a browser does, one request
at a time, at times drawn at random. A wait counts from when a request was due to be sent. Clients
and service share the machine's cores, so that what they measure is an upper end.
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from urllib.parse import urlencode

import numpy as np

from thinslice.config import Settings
from thinslice.domain import Product, Shop
from thinslice.engine import Engine
from thinslice.server.service import environment

STYLES = "red blue green plain striped dotted small large old new wide soft bright dark".split()
NOUNS = "lamp mug boot chair shirt kettle scarf table clock towel".split()
WARM_UP_S = 2.0
START = """
from thinslice.config import Settings
from thinslice.server import service
service.serve(Settings(), ready=lambda address: print(address, flush=True))
"""


class Client:
    """One connection that is kept open, and opened anew where the service closed it."""

    def __init__(self, port: int, request: bytes) -> None:
        self._port, self._request = port, request
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self) -> tuple[int, bool, float]:
        """The status, whether it says when to come back, and when the answer began to be waited."""
        sent = time.perf_counter()
        try:
            if self._streams is None:
                self._streams = await asyncio.open_connection("127.0.0.1", self._port)
            reader, writer = self._streams
            writer.write(self._request)
            head = (await reader.readuntil(b"\r\n\r\n")).lower()
            length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
            await reader.readexactly(length)
        except (OSError, asyncio.IncompleteReadError):
            self.close()
            return 0, False, sent
        if b"connection: close" in head:
            self.close()
        return int(head[9:12]), b"retry-after:" in head, sent

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


async def capacity(port: int, request: bytes, seconds: float) -> float:
    """Answers a second when sixteen ask again as soon as they are answered."""
    done = 0
    begin = time.perf_counter() + WARM_UP_S
    until = begin + seconds

    async def loop() -> None:
        nonlocal done
        client = Client(port, request)
        while time.perf_counter() < until:
            status, _, _ = await client.ask()
            assert status == 200, status
            done += time.perf_counter() > begin
        client.close()

    await asyncio.gather(*(loop() for _ in range(16)))
    return done / seconds


async def office(
    port: int, request: bytes, clients: int, rate: float, seconds: float
) -> list[tuple[int, bool, float, float]]:
    """(status, says when to come back, wait since due, wait since sent) of every request."""
    found: list[tuple[int, bool, float, float]] = []
    begin = time.perf_counter() + 0.5

    async def person(seed: int) -> None:
        rng = np.random.default_rng(seed)
        client, due = Client(port, request), begin + rng.exponential(clients / rate)
        while due < begin + seconds:
            await asyncio.sleep(max(0.0, due - time.perf_counter()))
            status, again, sent = await client.ask()
            now = time.perf_counter()
            found.append((status, again, now - due, now - sent))
            due = max(due, now) + rng.exponential(clients / rate)
        client.close()

    await asyncio.gather(*(person(seed) for seed in range(clients)))
    return found


def requests(port: int, key: str) -> dict[str, bytes]:
    """One title asked of the API, and one typed on the page."""
    login = base64.b64encode(f"{key}:".encode()).decode()
    title = "bright striped kettle 17"
    api = json.dumps({"title": title}).encode()
    page = urlencode({"title": title}).encode()
    return {
        "api": _post("/v1/classify/title", port, api, f"Authorization: Basic {login}\r\n"),
        "page": _post(
            "/shop/title",
            port,
            page,
            f"Accept: application/json\r\nOrigin: http://127.0.0.1:{port}\r\n",
        ),
    }


def _post(path: str, port: int, body: bytes, headers: str) -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def prepare(data: Path) -> str:
    """A shop of ten categories that are learned; returns its secret key."""
    engine = Engine(Settings(data=data))
    engine.control.add_shop(Shop("shop", "Shop"))
    engine.shelf("shop").catalog.upsert(
        Product(f"p{i}", f"{STYLES[i % 14]} {STYLES[i // 14 % 14]} {noun} {i}", f"Home > {noun}")
        for i in range(3000)
        for noun in (NOUNS[i % len(NOUNS)],)
    )
    engine.titles("shop").learn()
    return engine.control.create_key("shop", "secret")


def tell(
    what: str, able: float, found: list[tuple[int, bool, float, float]], seconds: float
) -> None:
    """What came of it, in a few lines."""
    counts = Counter(status for status, *_ in found)
    due = np.array([wait for status, _, wait, _ in found if status == 200]) * 1000
    away = np.array([wait for status, _, _, wait in found if status == 503]) * 1000
    told = all(again for status, again, *_ in found if status == 503)
    print(f"{what}: capacity {able:,.0f} a second; asked {len(found) / seconds:,.0f} a second")
    print(
        f"  answers by status {dict(counts)}; served {counts[200] / seconds / able:.0%} of capacity"
    )
    if len(due):
        print(f"  accepted: p50 {np.median(due):.0f} ms, p99 {np.quantile(due, 0.99):.0f} ms")
    if len(away):
        p50, p99 = np.quantile(away, [0.5, 0.99])
        print(f"  refused: p50 {p50:.1f} ms, p99 {p99:.1f} ms; all with Retry-After: {told}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--clients", type=int, default=200)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--max-in-flight", type=int, default=Settings().max_in_flight)
    parser.add_argument("--what", choices=("api", "page"), action="append")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder) / "data"
        key = prepare(data)
        settings = Settings(
            data=data, port=0, workers=args.workers, max_in_flight=args.max_in_flight
        )
        service = subprocess.Popen(
            [sys.executable, "-c", START],
            env=os.environ | environment(settings),
            stdout=-1,
            text=True,
        )
        try:
            assert service.stdout is not None
            port = int(service.stdout.readline().strip().rsplit(":", 1)[1])
            for what, request in requests(port, key).items():
                if args.what and what not in args.what:
                    continue
                able = asyncio.run(capacity(port, request, args.seconds))
                found = asyncio.run(office(port, request, args.clients, 2 * able, args.seconds))
                tell(what, able, found, args.seconds)
        finally:
            service.terminate()
            service.wait(30)


if __name__ == "__main__":
    main()
