"""The door: more work than can be kept in order is answered 503 before its body is read.

Counted per worker: requests that are being answered, and event lines that wait for a commit.
What was let in is served. A body is cut off at the size its address allows, and one that does not
arrive in time makes room for the next.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thinslice.config import Settings
from thinslice.server.answers import problem

RETRY_AFTER_S = 1
PAGE_BYTES = 64_000
PRODUCTS_BYTES = 5_000_000
MONEY_BYTES = 4_000_000
"""The predictions that a person sends to the money page, and every slider's question about them."""
TITLES_BYTES = 10_000_000
"""The table of titles that a person drops on a page."""
FORM_BYTES = 64_000
"""What a form adds to the photo that is sent in it."""
BODY_SECONDS = 10

_ALWAYS = ("/static/", "/healthz", "/readyz", "/favicon.ico")
READABLE_ELSEWHERE = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "retry-after",
}
"""Lets a page of any site read what went wrong, and when to come back."""


class Turns:
    """One at a time for work that is done on the loop itself.

    Between two turns whoever has arrived is counted, and sent away at once where there are too
    many: work that never waits for anything would otherwise keep the door shut.
    """

    def __init__(self) -> None:
        self._lock = asyncio.Lock()

    async def __aenter__(self) -> None:
        await self._lock.acquire()
        try:
            await asyncio.sleep(0)
        except BaseException:
            self._lock.release()
            raise

    async def __aexit__(self, *_: object) -> None:
        self._lock.release()


class Gate:
    """ASGI: lets a request in, or tells it when to come back."""

    def __init__(self, app: ASGIApp, settings: Settings, waiting_lines: Callable[[], int]) -> None:
        self._app = app
        self._settings = settings
        self._waiting_lines = waiting_lines
        self.in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(_ALWAYS):
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await refusal(scope, receive, send)
            return
        self.in_flight += 1
        try:
            await self._app(scope, _limited(receive, self._limit(scope["path"])), send)
        except HTTPException as error:  # a body was refused before the application began to answer
            await _refused(scope["path"], error)(scope, receive, send)
        except ClientDisconnect:
            pass  # they left while they were sending: nobody is there to be told anything
        finally:
            self.in_flight -= 1

    def _refusal(self, scope: Scope) -> Response | None:
        path, length = scope["path"], Headers(scope=scope).get("content-length", "")
        if self.in_flight >= self._settings.max_in_flight:
            return _busy(path, f"{self.in_flight} requests are being answered")
        allowed = self._settings.max_waiting_events * (1 if path == "/v1/batch" else 2)
        if path.startswith("/v1/") and (waiting := self._waiting_lines()) >= allowed:
            return _busy(path, f"{waiting} events wait to be written")
        if length.isdigit() and int(length) > self._limit(path):
            return _too_large(path, self._limit(path))
        return None

    def _limit(self, path: str) -> int:
        if path == "/v1/batch":
            return self._settings.max_batch_bytes
        if path.startswith(("/v1/products", "/v1/classify/title", "/v1/corrections/title")):
            return PRODUCTS_BYTES
        if path.endswith("/title/table") and path.count("/") == 3:
            return TITLES_BYTES
        if _has_photo(path):
            return self._settings.max_photo_bytes + FORM_BYTES
        return MONEY_BYTES if _is_money(path) else PAGE_BYTES


def _is_money(path: str) -> bool:
    return path.endswith("/money") and path.count("/") == 2


def _has_photo(path: str) -> bool:
    """Whether a photo is sent there: to the API, or to the page /SHOP/photo."""
    of_page = path.endswith("/photo") and path.count("/") == 2
    return of_page or path in ("/v1/search/image", "/v1/classify/image")


def _limited(receive: Receive, limit: int) -> Receive:
    """What gives the body piece by piece; HTTPException 413 or 408 for one too large or slow."""
    taken, more = 0, True
    until = asyncio.get_running_loop().time() + BODY_SECONDS

    async def limited() -> Message:
        nonlocal taken, more
        if not more:  # what comes now is the end of the connection, whenever that is
            return await receive()
        try:
            async with asyncio.timeout_at(until):
                message = await receive()
        except TimeoutError as error:
            rule = f"a body arrives within {BODY_SECONDS} seconds; send it again"
            raise HTTPException(408, rule, {"connection": "close"}) from error
        more = message.get("more_body", False)
        taken += len(message.get("body", b""))
        if taken > limit:
            raise HTTPException(413, _size_rule(limit), {"connection": "close"})
        return message

    return limited


def _busy(path: str, why: str) -> Response:
    headers = {"retry-after": str(RETRY_AFTER_S), "connection": "close"}
    if path.startswith("/v1/"):
        message = f"no more is let in than can be kept in order, {why}; come back after a second"
        return problem(503, message, headers | READABLE_ELSEWHERE)
    text = "Too many people are here at this moment. The page comes back by itself."
    return PlainTextResponse(text, 503, headers | {"refresh": str(RETRY_AFTER_S + 2)})


def _too_large(path: str, limit: int) -> Response:
    return _refused(path, HTTPException(413, _size_rule(limit), {"connection": "close"}))


def _refused(path: str, error: HTTPException) -> Response:
    headers = dict(error.headers or {})
    if path.startswith("/v1/"):
        return problem(error.status_code, error.detail, headers | READABLE_ELSEWHERE)
    return PlainTextResponse(error.detail, error.status_code, headers)


def _size_rule(limit: int) -> str:
    return f"a body here has at most {limit} bytes, got more; send it in parts"
