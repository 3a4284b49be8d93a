"""kill -9 of workers under load: nothing acknowledged is lost, nothing is counted twice."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thinslice.config import Settings
from thinslice.domain import Shop
from thinslice.engine import Engine
from thinslice.store.control import ControlPlane

pytestmark = pytest.mark.faults

KILLS = 20
CLIENTS = 6


class Client(threading.Thread):
    """Sends batches of ten and sends each again until it is acknowledged, as Segment's do."""

    def __init__(self, port: int, key: str) -> None:
        super().__init__()
        self.acknowledged: list[str] = []
        self.statuses: Counter[int] = Counter()
        self.broken = 0
        self._port, self._key = port, key
        self._connection: http.client.HTTPConnection | None = None
        self.enough = threading.Event()

    def run(self) -> None:
        while not self.enough.is_set():
            ids = [uuid.uuid4().hex for _ in range(10)]
            body = json.dumps({"writeKey": self._key, "batch": [view(i) for i in ids]})
            pause = 0.02
            while not self._is_taken(body):
                time.sleep(random.uniform(0, pause))
                pause = min(1.0, pause * 2)
            self.acknowledged += ids
        self._close()

    def _is_taken(self, body: str) -> bool:
        try:
            if self._connection is None:
                self._connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=10)
            self._connection.request("POST", "/v1/batch", body)
            response = self._connection.getresponse()
            response.read()
        except (OSError, http.client.HTTPException):
            self.broken += 1
            self._close()
            return False
        self.statuses[response.status] += 1
        return response.status == 200

    def _close(self) -> None:
        if self._connection is not None:
            self._connection.close()
        self._connection = None


def view(message_id: str) -> dict[str, Any]:
    item = {"type": "track", "messageId": message_id, "anonymousId": message_id[:4]}
    return {**item, "event": "Product Viewed", "properties": {"product_id": message_id[:2]}}


def test_20_kills_lose_no_acknowledged_event_and_count_none_twice(
    start_service: Callable[..., Any], eventually: Any, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    control = ControlPlane(data / "control.sqlite")
    control.add_shop(Shop("lamps", "Lamps"))
    key = control.create_key("lamps", "write")
    service = start_service(data, workers=2, hot_max_events=20_000)
    clients = [Client(service.port, key) for _ in range(CLIENTS)]
    for client in clients:
        client.start()

    for _ in range(KILLS):
        time.sleep(random.uniform(0.5, 2.5))
        os.kill(random.choice(eventually(service.workers)), signal.SIGKILL)

    for client in clients:
        client.enough.set()
    for client in clients:
        client.join()
    acknowledged = {i for client in clients for i in client.acknowledged}
    statuses = sum((client.statuses for client in clients), Counter[int]())
    broken = sum(client.broken for client in clients)
    print(f"\n{KILLS} kills, {len(acknowledged)} acknowledged, answers {dict(statuses)}, ", end="")
    print(f"{broken} connections broken")
    assert set(statuses) <= {200, 503}

    engine = Engine(Settings(data=data))
    check(engine, acknowledged, "while it runs")
    assert service.stop() == 0
    check(engine, acknowledged, "after the end")
    engine.log.seal()
    check(engine, acknowledged, "sealed")


def check(engine: Engine, acknowledged: set[str], when: str) -> None:
    kept = engine.log.events("lamps").column("message_id").to_pylist()
    lost, twice = len(acknowledged - set(kept)), len(kept) - len(set(kept))
    print(f"{when}: {len(kept)} in the log, {lost} lost, {twice} counted twice")
    assert (lost, twice) == (0, 0), when


def test_20_kills_of_the_housekeeper_change_no_count(
    start_service: Callable[..., Any], eventually: Any, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    control = ControlPlane(data / "control.sqlite")
    control.add_shop(Shop("lamps", "Lamps"))
    key = control.create_key("lamps", "write")
    service = start_service(data, workers=1, hot_max_events=500, seal_seconds=0.05)
    client = Client(service.port, key)
    client.start()
    for _ in range(KILLS):
        time.sleep(random.uniform(0.5, 2.0))
        try:
            os.kill(service.housekeeper(), signal.SIGKILL)
        except (StopIteration, ProcessLookupError):
            continue
    client.enough.set()
    client.join()
    acknowledged = set(client.acknowledged)
    engine = Engine(Settings(data=data))
    check(engine, acknowledged, "while it runs")
    assert service.stop() == 0
    engine.log.seal()
    check(engine, acknowledged, "sealed")


def test_workers_killed_while_they_start_are_replaced(
    start_service: Callable[..., Any], eventually: Any, tmp_path: Path
) -> None:
    service = start_service(tmp_path / "data", workers=2)
    killed: set[int] = set()
    began = time.monotonic()
    while len(killed) < 16:
        for pid in set(service.workers()) - killed:
            time.sleep(random.uniform(0, 1))
            os.kill(pid, signal.SIGKILL)
            killed.add(pid)
        assert time.monotonic() - began < 240, "the killed ones were not replaced"
        time.sleep(0.05)
    print(f"\n{len(killed)} workers killed in {time.monotonic() - began:.0f} s")
    began = time.monotonic()
    assert service.call("GET", "/readyz").status == 200
    print(f"answered {time.monotonic() - began:.1f} s after the last")
    assert service.stop() == 0


def test_a_killed_service_leaves_no_process_behind_and_loses_nothing(
    start_service: Callable[..., Any], eventually: Any, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    control = ControlPlane(data / "control.sqlite")
    control.add_shop(Shop("lamps", "Lamps"))
    key = control.create_key("lamps", "write")
    service = start_service(data, workers=2)
    processes = [*service.workers(), service.housekeeper()]
    answer = service.call("POST", "/v1/batch", {"batch": [view("m1")]}, key=key)
    assert answer.status == 200
    service.process.kill()
    eventually(lambda: not any(is_running(pid) for pid in processes))
    check(Engine(Settings(data=data)), {"m1"}, "after the end")
    service.stop()


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False
