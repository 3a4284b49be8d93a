"""Where a connection's requests begin: too many are refused as soon as their headers have come.

Refusing costs what reading the headers does. Nothing else is made for such a request, and those
that were let in are not behind it in any line. The gate (`admission.py`) says who is too many.
"""

from __future__ import annotations

import asyncio
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from thinslice.server.admission import LANE, WHOLE, Gate, is_always_let_in, is_short, too_busy

if TYPE_CHECKING:
    from starlette.responses import Response


class Door(HttpToolsProtocol):
    """Uvicorn's protocol, with a gate before it where the application is one."""

    def on_headers_complete(self) -> None:
        gate = self.app
        if not isinstance(gate, Gate) or self._is_behind_another():
            super().on_headers_complete()
            return
        path = self.url.partition(b"?")[0].decode("latin-1")
        length = self._length = _announced(self.headers)
        lane = gate.lane(path, length)
        if lane.in_flight >= lane.most and not is_always_let_in(path):
            self._refuse(too_busy(path, self._stays(length), lane.in_flight))
            return
        super().on_headers_complete()
        if not is_always_let_in(self.scope["path"]):
            lane.in_flight += 1  # the gate takes it back when the answer is out
            self._note(LANE, lane)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        if LANE in self.scope and self._length:
            self._note(WHOLE, True)

    def _note(self, what: str, value: object) -> None:
        scope: dict[str, Any] = self.scope  # type: ignore[assignment]
        scope[what] = value

    def _is_behind_another(self) -> bool:
        """Whether the request before it on this connection is still being answered."""
        return self.cycle is not None and not self.cycle.response_complete

    def _stays(self, length: str) -> bool:
        """Whether the connection can be used again after a refusal."""
        chunked = any(name == b"transfer-encoding" for name, _ in self.headers)
        waits = chunked or self.expect_100_continue
        return is_short(length) and not waits and bool(self.parser.should_keep_alive())

    def _refuse(self, answer: Response) -> None:
        self.cycle = _REFUSED
        now = b"".join(b"%s: %s\r\n" % header for header in self.server_state.default_headers)
        body = b"" if self.parser.get_method() == b"HEAD" else bytes(answer.body)
        self.transport.write(b"%s%s\r\n%s" % (_head(answer), now, body))
        if b"connection" in dict(answer.raw_headers):
            self.transport.close()
        self.on_response_complete()


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
