"""More than can be kept in order: sent away at the door, and what was let in is served."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thinslice.config import Settings
from thinslice.domain import Shop
from thinslice.engine import Engine
from thinslice.store.control import ControlPlane

pytestmark = pytest.mark.faults

SECONDS = 5


def test_overload_is_answered_503_and_what_is_accepted_is_kept(
    start_service: Callable[..., Any], tmp_path: Path
) -> None:
    data = tmp_path / "data"
    control = ControlPlane(data / "control.sqlite")
    control.add_shop(Shop("lamps", "Lamps"))
    key = control.create_key("lamps", "write")
    service = start_service(data, workers=1, max_in_flight=4)
    answers: list[tuple[int, str | None, list[str]]] = []
    until = time.monotonic() + SECONDS

    def client() -> None:
        while time.monotonic() < until:
            ids = [uuid.uuid4().hex for _ in range(50)]
            batch = [{"type": "page", "messageId": i, "anonymousId": "a"} for i in ids]
            answer = service.call("POST", "/v1/batch", {"batch": batch}, key=key)
            answers.append((answer.status, answer.headers["retry-after"], ids))

    clients = [threading.Thread(target=client) for _ in range(24)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()
    served = [ids for status, _, ids in answers if status == 200]
    refused = [retry for status, retry, _ in answers if status == 503]
    print(f"\n{len(served)} batches served, {len(refused)} sent away")
    assert len(served) + len(refused) == len(answers)
    assert served
    assert set(refused) == {"1"}
    assert service.call("GET", "/readyz").status == 200
    assert service.stop() == 0
    kept = Engine(Settings(data=data)).log.events("lamps").column("message_id").to_pylist()
    assert {i for ids in served for i in ids} <= set(kept)
    assert len(kept) == len(set(kept))
