"""Who opened which page: noted in passing, written in the background, never waited for."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thinslice.errors import ThinsliceError
from thinslice.server.access import viewer_of
from thinslice.store.control import ControlPlane
from thinslice.store.people import Visit

WRITE_EVERY_S = 1.0
MOST_WAITING = 10_000
_STATE_CHARACTERS = 2000

_log = logging.getLogger(__name__)


class VisitBook(threading.Thread):
    """Writes visits, and when keys were last used, in one transaction a second.

    What cannot be written is tried again; beyond `MOST_WAITING` visits the newest are left out.
    """

    def __init__(self, control: ControlPlane, used_keys: Callable[[], set[str]]) -> None:
        super().__init__(name="visits", daemon=True)
        self._control = control
        self._used_keys = used_keys
        self._waiting: list[tuple[str, Visit]] = []
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def note(self, shop: str, visit: Visit) -> None:
        with self._lock:
            if len(self._waiting) < MOST_WAITING:
                self._waiting.append((shop, visit))

    def close(self) -> None:
        """Write what waits and end the thread."""
        self._closing.set()
        if self.ident is not None:
            self.join()

    def run(self) -> None:
        while not self._closing.wait(WRITE_EVERY_S):
            self._write()
        self._write()

    def _write(self) -> None:
        with self._lock:
            visits, self._waiting = self._waiting, []
        used = self._used_keys()
        try:
            if visits:
                self._control.add_visits(visits)
            if used:
                self._control.mark_used(used)
        except ThinsliceError:
            _log.warning("visits could not be written, trying again", exc_info=True)
            with self._lock:
                self._waiting = visits + self._waiting


class NoteVisits:
    """ASGI: notes each page of a shop that was shown, with its address and who saw it."""

    def __init__(self, app: ASGIApp, book: VisitBook) -> None:
        self._app = app
        self._book = book

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or "thinslice.viewer" not in scope:
            await self._app(scope, receive, send)
            return

        async def noted(message: Message) -> None:
            if message["type"] == "http.response.start" and _is_page(message):
                self._note(scope)
            await send(message)

        await self._app(scope, receive, noted)

    def _note(self, scope: Scope) -> None:
        _, shop, *rest = scope["path"].split("/")
        if shop:
            query = scope["query_string"].decode("latin-1")
            address = scope["path"] + (f"?{query}" if query else "")
            self._book.note(
                shop,
                Visit(
                    page="/".join(rest),
                    state=address[:_STATE_CHARACTERS],
                    who=viewer_of(Request(scope)).who(shop),
                    time_us=time.time_ns() // 1000,
                ),
            )


def _is_page(message: Message) -> bool:
    headers = dict(message["headers"])
    is_html: bool = headers.get(b"content-type", b"").startswith(b"text/html")
    return is_html and message["status"] == 200
