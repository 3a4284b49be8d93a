"""New versions of the model under load: no answer fails, and each is of one version."""

from __future__ import annotations

import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thinslice.config import Settings
from thinslice.domain import Event, Product, Shop
from thinslice.engine import Engine, clock_us

pytestmark = pytest.mark.faults

SWAPS = 20
CLIENTS = 4
PRODUCTS = 60


class Asker(threading.Thread):
    """Asks for lists without a pause, and never asks again for one that failed."""

    def __init__(self, port: int, key: str) -> None:
        super().__init__()
        self.versions: Counter[str] = Counter()
        self.failed: list[Any] = []
        self.slowest_s = 0.0
        self.enough = threading.Event()
        self._port, self._key = port, key

    def run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        headers = {"Authorization": f"Bearer {self._key}"}
        number = 0
        while not self.enough.is_set():
            number += 1
            body = json.dumps({"items": [f"p{number % PRODUCTS}"], "n": 10})
            began = time.perf_counter()
            try:
                connection.request("POST", "/v1/recommendations", body, headers)
                response = connection.getresponse()
                answer = json.loads(response.read())
            except (OSError, http.client.HTTPException, ValueError) as error:
                self.failed.append(error)
                return
            self.slowest_s = max(self.slowest_s, time.perf_counter() - began)
            if response.status != 200 or len(answer["products"]) != 10:
                self.failed.append((response.status, answer))
            else:
                self.versions[answer["model_version"]] += 1
        connection.close()


def views(round_: int, sessions: int = 200) -> list[Event]:
    """Sessions that walk along neighbouring products."""
    now_us = clock_us() - 3_600_000_000
    return [
        Event(
            message_id=f"{round_}-{s}-{step}",
            type="Product Viewed",
            time_us=now_us + s * 1_000_000 + step,
            visitor=f"{round_}-{s}",
            session=f"{round_}-{s}",
            product=f"p{(s * 7 + step * (round_ + 1)) % PRODUCTS}",
        )
        for s in range(sessions)
        for step in range(4)
    ]


def test_20_new_versions_under_load_fail_no_answer(
    start_service: Callable[..., Any], eventually: Any, tmp_path: Path
) -> None:
    data = tmp_path / "data"
    engine = Engine(Settings(data=data))
    engine.control.add_shop(Shop("lamps", "Lamps"))
    shelf = engine.shelf("lamps")
    shelf.catalog.upsert(Product(f"p{n}", f"Lamp {n}", "Lamps", price_minor=1) for n in range(60))
    engine.log.append("lamps", views(0))
    published = [engine.build("lamps").version]
    key = engine.control.create_key("lamps", "write")
    service = start_service(data, workers=2, max_in_flight=1000)
    askers = [Asker(service.port, key) for _ in range(CLIENTS)]
    for asker in askers:
        asker.start()

    for round_ in range(1, SWAPS + 1):
        engine.log.append("lamps", views(round_))
        published.append(engine.build("lamps").version)
        eventually(
            lambda newest=published[-1]: (
                any(asker.versions[newest] for asker in askers)
                or any(asker.failed for asker in askers)
            )
        )

    time.sleep(1)
    for asker in askers:
        asker.enough.set()
    for asker in askers:
        asker.join()
    versions = sum((asker.versions for asker in askers), Counter[str]())
    slowest_ms = max(asker.slowest_s for asker in askers) * 1000
    print(f"\n{SWAPS} swaps, {versions.total()} answers, the slowest {slowest_ms:.0f} ms")
    assert [failure for asker in askers for failure in asker.failed] == []
    assert set(versions) == set(published)
    assert service.stop() == 0
