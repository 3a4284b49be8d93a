"""How long after the kill switch anyone still sees the treatment, with real workers under load.

    python benchmarks/kill_switch.py [--kills 20] [--workers 4] [--clients 8]

Starts the service on a shop of its own, lets clients ask for lists as fast as they can, kills an
experiment over the API, and takes the time from the answer to the kill until the last list of the
treatment that any client was answered with.
"""

from __future__ import annotations

import argparse
import base64
import http.client
import json
import tempfile
import threading
import time
from pathlib import Path

from thinslice.config import Settings
from thinslice.demo.service import free_port, running_service
from thinslice.domain import Product, Shop
from thinslice.engine import Engine

QUIET_S = 3.0
"""Listened for after a kill; a late list of the treatment would be heard."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--clients", type=int, default=8)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        port = free_port("127.0.0.1", 0)
        settings = Settings(data=Path(folder) / "data", port=port, workers=asked.workers)
        engine = Engine(settings)
        engine.control.add_shop(Shop("kill", "Kill switch"))
        catalog = engine.shelf("kill").catalog
        catalog.upsert(Product(f"p{n}", f"Lamp {n}") for n in range(100))
        for name in ("incumbent", "other"):
            catalog.set_list(name, {f"p{n}": ("p1", "p2", "p3") for n in range(100)})
        key = engine.control.create_key("kill", "secret")
        with running_service(settings) as service:
            service.wait_until_ready()
            load = Load(port, key, asked.clients)
            late = [load.late_after_kill(f"kill-{n}") for n in range(asked.kills)]
            load.stop()
    late.sort()
    print(
        f"{asked.kills} kills, {asked.workers} workers, {load.rate:,.0f} lists a second: the last "
        f"list of the treatment came {late[len(late) // 2]:.2f} s after the kill (median), "
        f"{late[-1]:.2f} s at most; answers that failed: {load.failed}"
    )


class Load:
    """Clients that ask for lists without a pause, and note when they last saw the treatment."""

    def __init__(self, port: int, key: str, clients: int) -> None:
        self._port = port
        encoded = base64.b64encode(f"{key}:".encode()).decode()
        self._headers = {"Authorization": f"Basic {encoded}"}
        self._stopping = threading.Event()
        self._last_seen: dict[str, float] = {}
        self._answers, self._began, self.failed = 0, time.perf_counter(), 0
        self.rate = 0.0
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in range(clients)]
        for thread in self._threads:
            thread.start()

    def late_after_kill(self, name: str) -> float:
        """Start an experiment, wait until all see it, kill it, and listen."""
        lists = {"control": "list:incumbent", "treatment": "list:other"}
        self._call("/v1/experiments", {"id": name, "placement": "product", **lists})
        time.sleep(QUIET_S)
        self._call(f"/v1/experiments/{name}/kill", {})
        killed = time.perf_counter()
        time.sleep(QUIET_S)
        assert name in self._last_seen, "nobody saw the treatment before the kill"
        return max(0.0, self._last_seen[name] - killed)

    def stop(self) -> None:
        self.rate = self._answers / (time.perf_counter() - self._began)
        self._stopping.set()
        for thread in self._threads:
            thread.join()

    def _call(self, path: str, body: object) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        connection.request("POST", path, json.dumps(body), self._headers)
        answer = connection.getresponse()
        assert answer.status == 200, answer.read()
        connection.close()

    def _ask(self, client: int) -> None:
        number, connection = 0, http.client.HTTPConnection("127.0.0.1", self._port, timeout=30)
        while not self._stopping.is_set():
            number += 1
            body = {"items": ["p5"], "n": 3, "visitor_id": f"{client}-{number}"}
            connection.request("POST", "/v1/recommendations", json.dumps(body), self._headers)
            answer = connection.getresponse()
            shown = json.loads(answer.read())
            self._answers += 1
            if answer.status != 200:
                self.failed += 1
            elif shown["policy"] == "list:other":
                self._last_seen[shown["experiment"]] = time.perf_counter()
            if number % 50 == 0:  # a new connection may reach another worker
                connection.close()


if __name__ == "__main__":
    main()
