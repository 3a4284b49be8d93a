"""Refusals where the headers end, on real connections to a worker that is full."""

from __future__ import annotations

import select
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from thinslice.domain import Shop
from thinslice.store.control import ControlPlane

BATCH = b'{"batch": []}'


class Wire:
    """One connection: bytes out, whole answers in."""

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=20)
        self._came = b""

    def send(self, data: bytes) -> None:
        self._socket.sendall(data)

    def answer(self, *, has_body: bool = True) -> tuple[int, dict[str, str], bytes]:
        """(status, headers, body) of the next answer; ConnectionError when there is none."""
        while b"\r\n\r\n" not in self._came:
            self._more()
        head, _, self._came = self._came.partition(b"\r\n\r\n")
        first, *rest = head.decode().split("\r\n")
        headers = dict(line.split(": ", 1) for line in rest)
        length = int(headers["content-length"]) if has_body else 0
        while len(self._came) < length:
            self._more()
        body, self._came = self._came[:length], self._came[length:]
        return int(first.split()[1]), headers, body

    def has_come(self) -> bool:
        """Whether anything was answered yet."""
        return bool(select.select([self._socket], [], [], 0)[0])

    def close(self) -> None:
        self._socket.close()

    def _more(self) -> None:
        piece = self._socket.recv(65536)
        if not piece:
            raise ConnectionError("closed")
        self._came += piece


def head(path: str, length: int | None = len(BATCH), method: str = "POST", more: str = "") -> bytes:
    announced = "" if length is None else f"Content-Length: {length}\r\n"
    return f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{announced}{more}\r\n".encode()


def is_let_in(wire: Wire) -> bool:
    """Whether a batch, which has no key, gets as far as to be asked for one."""
    wire.send(head("/v1/batch") + BATCH)
    return wire.answer()[0] == 401


@pytest.fixture(scope="module")
def port(start_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> int:
    data = Path(tmp_path_factory.mktemp("door")) / "data"
    ControlPlane(data / "control.sqlite").add_shop(Shop("lamps", "Lamps"))
    return int(start_service(data, workers=1, max_in_flight=1).port)


@pytest.fixture
def open_wire(port: int) -> Iterator[Callable[[], Wire]]:
    wires: list[Wire] = []

    def wire() -> Wire:
        wires.append(Wire(port))
        return wires[-1]

    yield wire
    for each in wires:
        each.close()


@pytest.fixture
def busy(open_wire: Callable[[], Wire], eventually: Callable[..., Any]) -> Wire:
    """A connection whose body has not come: it takes the one place there is."""

    def holds_the_place() -> Wire | None:
        first, other = open_wire(), open_wire()
        first.send(head("/v1/batch"))
        other.send(head("/v1/batch") + BATCH)
        is_full = other.answer()[0] == 503
        return first if is_full and not first.has_come() else None

    holder: Wire = eventually(holds_the_place)
    return holder


def test_one_too_many_is_told_when_to_come_back_and_can_stay(
    busy: Wire, open_wire: Callable[[], Wire]
) -> None:
    late = open_wire()
    late.send(head("/v1/batch"))
    status, headers, body = late.answer()
    assert (status, headers["retry-after"]) == (503, "1")
    assert b"1 requests are being answered" in body
    assert headers["access-control-allow-origin"] == "*"
    busy.send(BATCH)
    assert busy.answer()[0] == 401
    late.send(BATCH)  # what nobody waits for is no request
    late.send(head("/v1/batch") + BATCH)
    assert late.answer()[0] == 401


WHOLE = head("/v1/batch", more="Authorization: Basic bm8ta2V5Og==\r\n") + BATCH


def test_what_comes_whole_is_refused_as_what_comes_in_pieces_is(
    busy: Wire, open_wire: Callable[[], Wire]
) -> None:
    wire = open_wire()
    answers = []
    for cut in (len(WHOLE), 0, 1, 30, len(WHOLE) - 1, len(WHOLE)):
        wire.send(WHOLE[:cut])
        wire.send(WHOLE[cut:])
        status, headers, body = wire.answer()
        answers.append((status, {**headers, "date": ""}, body))
    assert answers[0][:2] == (503, answers[0][1] | {"retry-after": "1"})
    assert answers == answers[:1] * len(answers)
    busy.send(BATCH)
    assert busy.answer()[0] == 401
    wire.send(WHOLE)
    assert wire.answer()[0] == 401


@pytest.mark.parametrize(
    "request_",
    [
        head("/v1/batch", more="Transfer-Encoding: chunked\r\n") + BATCH,
        head("/v1/batch", more="Content-Length: 0\r\n") + BATCH,
        head("/v1/batch", more="Content-Length : 0\r\n") + BATCH,
        head("/v1/batch", 2) + BATCH,
        b"POST /v1/batch HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST  HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_what_can_be_read_in_two_ways_ends_the_connection(
    busy: Wire, open_wire: Callable[[], Wire], request_: bytes
) -> None:
    wire = open_wire()
    wire.send(request_)
    statuses = []
    with pytest.raises(ConnectionError):
        while True:
            statuses.append(wire.answer()[0])
    assert set(statuses) <= {400, 503}


def test_questions_on_end_are_each_refused_once(busy: Wire, open_wire: Callable[[], Wire]) -> None:
    wire = open_wire()
    wire.send(WHOLE * 3)
    assert [wire.answer()[0] for _ in range(3)] == [503] * 3
    wire.send(WHOLE)
    assert wire.answer()[0] == 503


def test_who_is_refused_again_and_again_keeps_the_connection_and_who_is_silent_does_not(
    busy: Wire, open_wire: Callable[[], Wire]
) -> None:
    talks, silent = open_wire(), open_wire()
    silent.send(WHOLE)
    assert silent.answer()[0] == 503
    until = time.monotonic() + 6  # uvicorn closes a silent connection after five seconds
    while time.monotonic() < until:
        talks.send(WHOLE)
        assert talks.answer()[0] in (503, 401)  # 401 once the busy one was given up
        time.sleep(0.2)
    with pytest.raises(ConnectionError):
        silent.answer()


def test_a_refused_page_is_text(busy: Wire, open_wire: Callable[[], Wire]) -> None:
    wire = open_wire()
    wire.send(head("/lamps/shop", None, "GET"))
    status, headers, body = wire.answer()
    assert (status, headers["refresh"]) == (503, "3")
    assert body.startswith(b"Too many people")
    wire.send(head("/lamps/shop", None, "HEAD"))
    assert wire.answer(has_body=False)[0] == 503
    wire.send(head("/lamps/shop", None, "GET"))
    assert wire.answer()[0] == 503


@pytest.mark.parametrize(
    ("length", "more"),
    [
        (100_000, ""),
        (None, "Transfer-Encoding: chunked\r\n"),
        (13, "Expect: 100-continue\r\n"),
        (13, "Connection: close\r\n"),
    ],
)
def test_whose_body_would_have_to_be_read_to_the_end_must_come_anew(
    busy: Wire, open_wire: Callable[[], Wire], length: int | None, more: str
) -> None:
    wire = open_wire()
    wire.send(head("/v1/batch", length, more=more))
    status, headers, _ = wire.answer()
    assert (status, headers["connection"]) == (503, "close")
    with pytest.raises(ConnectionError):
        wire.answer()


def test_health_and_quick_questions_have_their_own_way(
    busy: Wire, open_wire: Callable[[], Wire], eventually: Callable[..., Any]
) -> None:
    wire = open_wire()
    wire.send(head("/healthz", None, "GET"))
    assert wire.answer()[0] == 200
    wire.send(head("/v1/classify/title") + BATCH)
    assert wire.answer()[0] == 400
    slow = [open_wire() for _ in range(4)]
    for each in slow:
        each.send(head("/v1/classify/title"))

    def is_full() -> bool:
        wire.send(head("/v1/classify/title") + BATCH)
        return wire.answer()[0] == 503

    eventually(is_full)
    wire.send(head("/healthz", None, "GET"))
    assert wire.answer()[0] == 200


def test_many_on_one_connection_are_answered_in_their_order(
    port: int, eventually: Callable[..., Any]
) -> None:
    with closing(Wire(port)) as wire:
        eventually(lambda: is_let_in(wire))
        wire.send((head("/v1/batch") + BATCH) * 5 + head("/healthz", None, "GET"))
        assert [wire.answer()[0] for _ in range(6)] == [401] * 5 + [200]


def test_who_leaves_while_waiting_takes_no_place(
    busy: Wire, open_wire: Callable[[], Wire], eventually: Callable[..., Any]
) -> None:
    busy.close()
    wire = open_wire()
    eventually(lambda: is_let_in(wire))


def test_an_address_that_cannot_be_read_takes_no_place(
    open_wire: Callable[[], Wire], eventually: Callable[..., Any]
) -> None:
    for _ in range(3):
        wire = open_wire()
        wire.send(b"POST http://[/v1/batch HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n")
        assert wire.answer()[0] == 400
    after = open_wire()
    eventually(lambda: is_let_in(after))


def test_a_photo_too_many_is_refused_before_it_is_read_and_its_sender_reads_why(
    port: int, busy: Wire, open_wire: Callable[[], Wire]
) -> None:
    """A photo as the page sends it is dropped and the connection stays; a larger one is read for a
    while, so that who is still sending is not reset."""
    for size, stays in ((300_000, True), (3_000_000, False)):
        wire = open_wire()
        wire.send(head("/v1/search/image", size))
        wire.send(b"x" * size)
        status, headers, _ = wire.answer()
        assert (status, headers["retry-after"]) == (503, "1")
        assert ("connection" not in headers) is stays
        if stays:
            wire.send(head("/healthz", None, "GET"))
            assert wire.answer()[0] == 200
        else:
            with pytest.raises(ConnectionError):
                wire.answer()
