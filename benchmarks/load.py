"""Load on the service over HTTP: starting it, clients of raw sockets, and what they saw.

Clients are processes of their own, each with some connections that are kept open, as browsers keep
theirs, and with one request at a time on each. `at_capacity` asks again as soon as it is answered.
`office` asks at a rate, at times drawn at random: a client who was kept waiting asks at once what
was due meanwhile, so that the rate is reached wherever the answers allow it. Clients who `obey`
stay away as long as Retry-After says; the others ask on as if nothing had happened.

A wait is from when a client could ask (it was due, and the answer before had come) to the answer;
with `since_due` it is from when it was due, whatever kept the client from asking.
With `apart`, service and clients have cores of their own; else they share the machine's, and what
they measure is an upper end.
"""

from __future__ import annotations

import heapq
import multiprocessing
import os
import random
import select
import signal
import socket
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from thinslice.config import Settings
from thinslice.server.service import environment

WARM_UP_S = 2.0
_START = """
import sys
from thinslice.config import Settings
from thinslice.server import service
service.APP = sys.argv[1]
service.serve(Settings(), ready=lambda address: print(address, flush=True))
"""
APP = "thinslice.server.app:create_app"


@dataclass(frozen=True)
class Service:
    """A running service: its port, and the process that everything else of it descends from."""

    port: int
    process: int

    def cpu_seconds(self) -> float:
        """Of all its processes until now."""
        ticks = sum(_ticks(process) for process in _family(self.process))
        return ticks / os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Cores:
    """Where service and clients run; None is anywhere."""

    service: set[int] | None = None
    clients: set[int] | None = None

    @classmethod
    def apart(cls, workers: int) -> Cores:
        """The first cores for the workers, the others for the clients."""
        every = sorted(os.sched_getaffinity(0))
        return cls(set(every[:workers]), set(every[workers:])) if workers < len(every) else cls()

    def sentence(self) -> str:
        if self.service is None:
            return "service and clients share the cores"
        return f"service on core {_listed(self.service)}, clients on core {_listed(self.clients)}"


@dataclass(frozen=True)
class Seen:
    """What clients saw, a row per request: its status (0: none came), the wait in seconds, whether
    it said when to come back; and how long they asked and what the service worked, in seconds."""

    status: Any
    wait: Any
    told: Any
    seconds: float
    cpu_seconds: float

    @property
    def asked_per_s(self) -> float:
        return len(self.status) / self.seconds

    @property
    def served_per_cpu_s(self) -> float:
        """Per second that the service worked: what a machine busy elsewhere does not spoil."""
        return float((self.status == 200).sum()) / self.cpu_seconds

    @property
    def served_per_s(self) -> float:
        return float((self.status == 200).sum()) / self.seconds

    def wait_ms(self, status: int, *quantiles: float) -> list[float]:
        waits = self.wait[self.status == status] * 1000
        return np.quantile(waits, quantiles).tolist() if len(waits) else []

    def tell(self, full: Seen) -> None:
        """What came of it, in a few lines, beside the same clients `at_capacity`."""
        capacity = full.served_per_s
        counts = {int(s): n for s, n in sorted(Counter(self.status.tolist()).items())}
        refused = self.status == 503
        print(
            f"  asked {self.asked_per_s:,.0f} a second, {self.asked_per_s / capacity:.2f} times "
            f"the capacity; served {self.served_per_s / capacity:.1%} of it, "
            f"{self.served_per_cpu_s / full.served_per_cpu_s:.1%} per second of the service's CPU\n"
            f"  answers by status {counts}"
        )
        if waits := self.wait_ms(200, 0.5, 0.99):
            print("  accepted: p50 {:.1f} ms, p99 {:.1f} ms".format(*waits))
        if waits := self.wait_ms(503, 0.5, 0.99):
            told = bool(self.told[refused].all())
            print("  refused: p50 {:.1f} ms, p99 {:.1f} ms".format(*waits), end="")
            print(f"; all with Retry-After: {told}", flush=True)


@contextmanager
def service(
    settings: Settings, cores: Cores | None = None, *, app: str = APP, path: Path | None = None
) -> Iterator[Service]:
    """The service in processes of its own until the block ends; `path` is where `app` is found."""
    variables = os.environ | environment(settings)
    if path is not None:
        variables["PYTHONPATH"] = str(path)
    where = (cores or Cores()).service
    process = subprocess.Popen(
        [sys.executable, "-c", _START, app],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=(lambda: os.sched_setaffinity(0, where)) if where else None,
    )
    try:
        assert process.stdout is not None
        port = int(process.stdout.readline().strip().rsplit(":", 1)[1])
        yield Service(port, process.pid)
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(60)
        if process.stdout:
            process.stdout.close()


def post(path: str, port: int, body: bytes, headers: str = "") -> bytes:
    """A request as it goes over the wire; `headers` are whole lines."""
    head = f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\n{headers}"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def at_capacity(
    target: Service,
    requests: Sequence[bytes],
    *,
    seconds: float,
    connections: int = 16,
    processes: int = 1,
    cores: Cores | None = None,
) -> Seen:
    """Each connection asks again as soon as it is answered."""
    return _ask(target, requests, connections, processes, cores, seconds, None, obey=False)


def office(
    target: Service,
    requests: Sequence[bytes],
    *,
    rate: float,
    seconds: float,
    clients: int = 200,
    processes: int = 1,
    cores: Cores | None = None,
    obey: bool = False,
    since_due: bool = False,
) -> Seen:
    """All clients together ask `rate` times a second."""
    each = rate / clients
    return _ask(
        *(target, requests, clients, processes, cores, seconds, each),
        obey=obey,
        since_due=since_due,
    )


def _ask(
    target: Service,
    requests: Sequence[bytes],
    connections: int,
    processes: int,
    cores: Cores | None,
    seconds: float,
    rate: float | None,
    *,
    obey: bool,
    since_due: bool = False,
) -> Seen:
    """Start the processes together, leave out their warm-up, and put together what they saw."""
    context = multiprocessing.get_context("spawn")
    where = (cores or Cores()).clients
    started = []
    for n in range(processes):
        here, there = context.Pipe()
        share = len(range(n, connections, processes))
        given = (there, target.port, requests, share, rate, obey, since_due, n, where)
        process = context.Process(target=_client_process, args=given)
        process.start()
        started.append((process, here))
    for _, pipe in started:
        pipe.recv()
    begin = time.perf_counter() + WARM_UP_S
    for _, pipe in started:
        pipe.send((begin, begin + seconds))
    time.sleep(max(0.0, begin - time.perf_counter()))
    before = target.cpu_seconds()
    time.sleep(seconds)
    cpu_seconds = target.cpu_seconds() - before
    rows = np.concatenate([pipe.recv() for _, pipe in started])
    for process, _ in started:
        process.join()
    return Seen(rows[:, 0].astype(int), rows[:, 1], rows[:, 2] > 0, seconds, cpu_seconds)


def _client_process(
    pipe: Any,
    port: int,
    requests: Sequence[bytes],
    connections: int,
    rate: float | None,
    obey: bool,
    since_due: bool,
    seed: int,
    cores: set[int] | None,
) -> None:
    if cores:
        os.sched_setaffinity(0, cores)
    clients = _Clients(port, requests, connections, rate, obey, since_due, random.Random(seed))
    pipe.send("ready")
    begin, end = pipe.recv()
    seen = clients.run(begin - WARM_UP_S, begin, end)
    pipe.send(np.array(seen, float).reshape(-1, 3))


class _Connection:
    """One client: its socket, what has come of the answer, and when it could ask, is due next."""

    __slots__ = ("asked", "due", "number", "received", "sock", "unsent")

    def __init__(self, due: float, number: int) -> None:
        self.sock: socket.socket | None = None
        self.received = b""
        self.unsent = memoryview(b"")
        self.asked = 0.0
        self.due = due
        self.number = number


class _Clients:
    """Many clients in one loop, so that they take little of the machine from the service."""

    def __init__(
        self,
        port: int,
        requests: Sequence[bytes],
        connections: int,
        rate: float | None,
        obey: bool,
        since_due: bool,
        rng: random.Random,
    ) -> None:
        self._port, self._requests, self._n = port, requests, connections
        self._rate, self._obey, self._since_due, self._rng = rate, obey, since_due, rng
        self._poll = select.epoll()
        self._open: dict[int, _Connection] = {}
        self._waiting: list[tuple[float, int, _Connection]] = []
        self._seen: list[tuple[int, float, bool]] = []

    def run(self, start: float, begin: float, end: float) -> list[tuple[int, float, bool]]:
        """Ask from `start` to `end`; (status, wait, told) of what was asked since `begin`."""
        self._begin = begin
        for n in range(self._n):
            client = _Connection(start + self._gap(), self._rng.randrange(len(self._requests)))
            heapq.heappush(self._waiting, (client.due, n, client))
        serial = self._n
        while (now := time.perf_counter()) < end:
            while self._waiting and self._waiting[0][0] <= now:
                due, _, client = heapq.heappop(self._waiting)
                self._send(client, due)
            soon = self._waiting[0][0] if self._waiting else end
            for file, what in self._poll.poll(max(0.0, min(soon, end) - now)):
                client = self._open[file]
                if what == select.EPOLLOUT:
                    self._send_more(client)
                    continue
                when = self._receive(client)
                if when is not None:
                    serial += 1
                    heapq.heappush(self._waiting, (when, serial, client))
        for client in list(self._open.values()):
            self._close(client)
        return self._seen

    def _send(self, client: _Connection, due: float) -> None:
        client.asked = min(due, client.due) if self._since_due else due
        if client.sock is None:
            client.sock = socket.create_connection(("127.0.0.1", self._port))
            client.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            client.sock.setblocking(False)
            self._open[client.sock.fileno()] = client
            self._poll.register(client.sock.fileno(), select.EPOLLIN)
        client.number = (client.number + 1) % len(self._requests)
        client.unsent = memoryview(self._requests[client.number])
        self._send_more(client)

    def _send_more(self, client: _Connection) -> None:
        """Send what the connection takes; a photo is more than fits at once."""
        assert client.sock is not None
        with suppress(OSError):  # the service closed it, as `_receive` finds
            client.unsent = client.unsent[client.sock.send(client.unsent) :]
        wanted = select.EPOLLIN | (select.EPOLLOUT if client.unsent else 0)
        self._poll.modify(client.sock.fileno(), wanted)

    def _receive(self, client: _Connection) -> float | None:
        """When the client asks next; None while the answer is not whole."""
        assert client.sock is not None
        try:
            piece = client.sock.recv(262_144)
        except OSError:
            piece = b""
        client.received += piece
        head, found, body = client.received.partition(b"\r\n\r\n")
        if piece and (not found or len(body) < _length(head)):
            return None
        now = time.perf_counter()
        status = int(head[9:12]) if found else 0
        told = status == 503 and b"retry-after:" in head.lower()
        if client.asked >= self._begin:
            self._seen.append((status, now - client.asked, told))
        client.received = b""
        if not piece or client.unsent or b"connection: close" in head.lower():
            self._close(client)  # answered before all was sent: what is left would not be read
        if told and self._obey:
            client.due = now + _retry_after(head)
            return client.due
        client.due = max(client.due, now - 1.0) + self._gap()
        return max(client.due, now)

    def _gap(self) -> float:
        return self._rng.expovariate(self._rate) if self._rate else 0.0

    def _close(self, client: _Connection) -> None:
        if client.sock is not None:
            self._open.pop(client.sock.fileno())
            self._poll.unregister(client.sock.fileno())
            client.sock.close()
            client.sock = None


def _length(head: bytes) -> int:
    place = head.find(b"content-length: ")
    return int(head[place + 16 :].split(b"\r", 1)[0]) if place >= 0 else 0


def _retry_after(head: bytes) -> float:
    return float(head.lower().split(b"retry-after:")[1].split(b"\r")[0])


def _family(process: int) -> list[int]:
    """A process and all that descend from it."""
    children = Path(f"/proc/{process}/task/{process}/children")
    try:
        found = [int(child) for child in children.read_text().split()]
    except OSError:
        return []
    return [process, *(p for child in found for p in _family(child))]


def _ticks(process: int) -> int:
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _listed(cores: set[int] | None) -> str:
    return ", ".join(map(str, sorted(cores or ())))
