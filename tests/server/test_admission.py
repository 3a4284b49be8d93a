from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import Request

from thinslice.config import Settings
from thinslice.server import admission
from thinslice.server.admission import Gate, Lane, Turns
from thinslice.server.photo_turns import PhotoTurns

SETTINGS = Settings(max_in_flight=2, max_waiting_events=10, max_batch_bytes=100)


class Asked:
    """An application that says which bodies it was asked to read, and waits to be let go."""

    def __init__(self) -> None:
        self.read: list[bytes] = []
        self.go_on = asyncio.Event()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        await self.go_on.wait()
        body = b""
        while (message := await receive())["type"] == "http.request":
            body += message["body"]
            if not message.get("more_body"):
                break
        self.read.append(body)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b""})


async def call(
    gate: Gate, path: str, *chunks: bytes, headers: Any = (), stalls: bool = False
) -> tuple[int, Any, bool]:
    """(status, headers, whether the body was asked for)"""
    sent: list[Any] = []
    waiting = [{"type": "http.request", "body": c, "more_body": True} for c in chunks]
    waiting.append({"type": "http.request", "body": b"", "more_body": False})
    asked = False

    async def receive() -> Any:
        nonlocal asked
        asked = True
        if stalls and len(waiting) == 1:
            await asyncio.sleep(3600)
        return waiting.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "path": path, "method": "POST", "headers": list(headers)}
    await gate(scope, receive, send)
    return sent[0]["status"], dict(sent[0]["headers"]), asked


def test_one_request_too_many_is_sent_away_before_its_body_is_read() -> None:
    async def story() -> None:
        app = Asked()
        gate = Gate(app, SETTINGS, lambda: 0)
        first = [asyncio.create_task(call(gate, "/v1/batch", b"x")) for _ in range(2)]
        await asyncio.sleep(0)
        status, headers, asked = await call(gate, "/v1/batch", b"x")
        assert (status, headers[b"retry-after"], asked) == (503, b"1", False)
        app.go_on.set()
        assert [(await task)[0] for task in first] == [200, 200]
        assert (await call(gate, "/v1/batch", b"x"))[0] == 200
        assert gate.in_flight == 0

    asyncio.run(story())


def test_the_quick_lane_has_room_for_as_many_as_leave_while_one_waits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 1000.0
    monkeypatch.setattr(admission.time, "monotonic", lambda: now)
    lane = Lane(2, Turns(16), wait_s=0.2)
    lane.in_flight = 2
    assert lane.is_full()
    for _ in range(2000):  # one each half millisecond: 400 in 0.2 seconds
        now += 0.0005
        lane.in_flight += 1
        lane.leave()
    lane.in_flight = 390
    assert not lane.is_full()
    lane.in_flight = 410
    assert lane.is_full()
    lane.in_flight = 3
    assert not lane.is_full()
    now += 2  # nobody has left for two seconds
    assert lane.is_full()
    lane.in_flight = 1
    assert not lane.is_full()


def test_a_lane_without_a_wait_has_its_places_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1000.0
    monkeypatch.setattr(admission.time, "monotonic", lambda: now)
    lane = Lane(2, Turns(4))
    for _ in range(2000):
        now += 0.0005
        lane.in_flight += 1
        lane.leave()
    lane.in_flight = 2
    assert lane.is_full()


def test_events_are_sent_away_while_too_many_wait_for_the_disk() -> None:
    async def story() -> None:
        waiting = 10
        app = Asked()
        app.go_on.set()
        gate = Gate(app, SETTINGS, lambda: waiting)
        assert (await call(gate, "/v1/batch"))[0] == 503
        assert (await call(gate, "/v1/recommendations"))[0] == 200
        assert (await call(gate, "/lamps/shop"))[0] == 200
        waiting = 20
        assert (await call(gate, "/v1/recommendations"))[0] == 503
        waiting = 9
        assert (await call(gate, "/v1/batch"))[0] == 200

    asyncio.run(story())


def test_health_and_style_are_always_answered() -> None:
    async def story() -> None:
        app = Asked()
        gate = Gate(app, SETTINGS, lambda: 10**9)
        busy = [asyncio.create_task(call(gate, "/lamps/")) for _ in range(2)]
        await asyncio.sleep(0)
        assert (await call(gate, "/lamps/"))[0] == 503
        always = [asyncio.create_task(call(gate, p)) for p in ("/healthz", "/static/a.css")]
        await asyncio.sleep(0)
        app.go_on.set()
        assert [(await task)[0] for task in busy + always] == [200] * 4

    asyncio.run(story())


def test_a_body_announced_as_too_large_is_not_read() -> None:
    async def story() -> None:
        gate = Gate(Asked(), SETTINGS, lambda: 0)
        status, _, asked = await call(gate, "/v1/batch", headers=[(b"content-length", b"101")])
        assert (status, asked) == (413, False)

    asyncio.run(story())


def test_a_body_that_turns_out_too_large_is_cut_off() -> None:
    async def story() -> None:
        app = Asked()
        app.go_on.set()
        gate = Gate(app, SETTINGS, lambda: 0)
        assert (await call(gate, "/v1/batch", b"x" * 60, b"x" * 40))[0] == 200
        assert (await call(gate, "/v1/batch", b"x" * 60, b"x" * 41))[0] == 413
        assert gate.in_flight == 0

    asyncio.run(story())


def test_a_body_that_does_not_come_lets_the_next_one_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(admission, "BODY_SECONDS", 0.05)

    async def story() -> None:
        app = Asked()
        app.go_on.set()
        gate = Gate(app, SETTINGS, lambda: 0)
        slow = [call(gate, path, b"x", stalls=True) for path in ("/sign-in", "/v1/batch")]
        assert [status for status, _, _ in await asyncio.gather(*slow)] == [408, 408]
        assert gate.in_flight == 0
        assert (await call(gate, "/lamps/shop"))[0] == 200

    asyncio.run(story())


def test_one_who_leaves_while_sending_is_no_error() -> None:
    async def story() -> None:
        async def left(scope: Any, receive: Any, send: Any) -> None:
            await Request(scope, receive).body()

        gate = Gate(left, SETTINGS, lambda: 0)
        scope = {"type": "http", "path": "/v1/batch", "method": "POST", "headers": []}
        sent: list[Any] = []

        async def receive() -> Any:
            return {"type": "http.disconnect"}

        async def send(message: Any) -> None:
            sent.append(message)

        await gate(scope, receive, send)
        assert (sent, gate.in_flight) == ([], 0)

    asyncio.run(story())


def test_a_photo_is_refused_at_the_door_where_no_photo_is_taken_on() -> None:
    turns = PhotoTurns()
    gate = Gate(Asked(), Settings(), lambda: 0, turns)
    sent = ("/v1/search/image", "200000"), ("/lamps/photo", "300")
    others = ("/lamps/photo", ""), ("/v1/recommendations", "40"), ("/v1/search/image", "0")
    turns.taken = int(turns.limit)
    assert [gate.too_many(gate.lane(*one), *one) for one in sent] == [turns.taken] * 2
    assert [gate.too_many(gate.lane(*one), *one) for one in others] == [None] * 3
    turns.taken -= 1
    assert [gate.too_many(gate.lane(*one), *one) for one in sent] == [None] * 2
