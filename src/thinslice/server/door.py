"""Where a connection's requests begin: too many are refused as soon as their headers have come.

A question that has come whole, as nearly all do, is refused before it is parsed; of any other the
headers are read, and nothing else is made for it. Those that were let in are not behind it in any
line. The gate (`admission.py`) says who is too many.
"""

from __future__ import annotations

import asyncio
import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from thinslice.server.admission import (
    LANE,
    PAGE_BYTES,
    WHOLE,
    Gate,
    is_always_let_in,
    is_drained,
    too_busy,
)

if TYPE_CHECKING:
    from starlette.responses import Response


LINGER_S = 1.0
"""How long a refused body is read and dropped before its connection is closed: closed at once, the
other side is reset while it is sending, and may never read why."""

_QUESTION = re.compile(rb"POST (/[^ ?\r\n]*)[^ \r\n]* HTTP/1\.1\r\n")
_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d{1,6})[ \t]*(?=\r\n|$)")
_NOT_PLAIN = re.compile(
    rb"\r\n(?:transfer-encoding|expect|upgrade)|\r\nconnection:[^\r\n]*(?:close|upgrade)"
)


class Door(HttpToolsProtocol):
    """Uvicorn's protocol, with a gate before it where the application is one."""

    _between = True  # two requests: the parser has nothing of the next one
    _ends = False  # what still comes is dropped
    _refused_since = False  # the time to close a silent connection was set

    def data_received(self, data: bytes) -> None:
        if self._ends:
            return
        gate = self.app
        if isinstance(gate, Gate) and gate.is_full() and self._is_refused(gate, data):
            return
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._between = False
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        gate = self.app
        if not isinstance(gate, Gate) or self._is_behind_another():
            super().on_headers_complete()
            return
        path = self.url.partition(b"?")[0].decode("latin-1")
        length = self._length = _announced(self.headers)
        lane = gate.lane(path, length)
        many = gate.too_many(lane, path, length)
        if many is not None and not is_always_let_in(path):
            is_head = self.parser.get_method() == b"HEAD"
            self.cycle = _REFUSED
            self._refuse(too_busy(path, self._stays(path, length), many), has_body=not is_head)
            self.on_response_complete()
            return
        super().on_headers_complete()
        if not is_always_let_in(self.scope["path"]):
            lane.in_flight += 1  # the gate takes it back when the answer is out
            self._note(LANE, lane)

    def on_message_complete(self) -> None:
        self._between = True
        super().on_message_complete()
        if LANE in self.scope and self._length:
            self._note(WHOLE, True)

    def _note(self, what: str, value: object) -> None:
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope[what] = value

    def _is_behind_another(self) -> bool:
        """Whether the request before it on this connection is still being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _stays(self, path: str, length: str) -> bool:
        """Whether the connection can be used again after a refusal."""
        chunked = any(name == b"transfer-encoding" for name, _ in self.headers)
        waits = chunked or self.expect_100_continue
        return is_drained(path, length) and not waits and bool(self.parser.should_keep_alive())

    def _is_refused(self, gate: Gate, data: bytes) -> bool:
        """Refuse what is one whole question and comes when there is no room for it."""
        if not self._between or self._is_behind_another() or self.transport.is_closing():
            return False
        asked = _whole_question(data)
        if asked is None or is_always_let_in(path := asked[0]):
            return False
        lane = gate.lane(*asked)
        if not lane.is_full():
            return False
        self._refuse(too_busy(path, True, lane.in_flight))
        if self.timeout_keep_alive_task is None:
            self.on_response_complete()
        self._refused_since = True
        return True

    def timeout_keep_alive_handler(self) -> None:
        if self._refused_since:  # nobody was silent: what was refused unparsed set no new time
            self._refused_since = False
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )
        else:
            super().timeout_keep_alive_handler()

    def _refuse(self, answer: Response, *, has_body: bool = True) -> None:
        now = b"".join(b"%s: %s\r\n" % header for header in self.server_state.default_headers)
        body = bytes(answer.body) if has_body else b""
        self.transport.write(b"%s%s\r\n%s" % (_head(answer), now, body))
        if b"connection" in dict(answer.raw_headers):
            self._ends = True
            self.loop.call_later(LINGER_S, self.transport.close)


def _whole_question(data: bytes) -> tuple[str, str] | None:
    """(path, length) of a request that is all there and small; None for what must be parsed."""
    first = _QUESTION.match(data)
    head, _, body = data.partition(b"\r\n\r\n")
    plain = head.lower()
    lengths = _LENGTH.findall(plain)
    if first is None or len(lengths) != 1 or plain.count(b"content-length") != 1:
        return None
    if _NOT_PLAIN.search(plain) or int(lengths[0]) != len(body) or len(body) > PAGE_BYTES:
        return None
    return first[1].decode("latin-1"), lengths[0].decode()


class _Refused:
    """What stands for the cycle of a request that was refused: answered, and nothing to wait for.

    Of its body, which may come later, nothing is kept.
    """

    response_complete = True
    message_event = asyncio.Event()


_REFUSED: Any = _Refused()


@lru_cache(maxsize=256)
def _head(answer: Response) -> bytes:
    headers = b"".join(b"%s: %s\r\n" % header for header in answer.raw_headers)
    return STATUS_LINE[answer.status_code] + headers


def _announced(headers: list[tuple[bytes, bytes]]) -> str:
    return next((v.decode("latin-1") for n, v in headers if n == b"content-length"), "")
