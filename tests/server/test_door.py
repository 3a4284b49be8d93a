"""Refusals where the headers end, on real connections to a worker that is full."""

from __future__ import annotations

import select
import socket
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
