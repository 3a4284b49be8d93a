"""The door: more work than can be kept in order is answered 503 before its body is read.

Counted per worker: requests that are being answered, in two lanes, and event lines that wait for a
commit. Short questions to an address that answers in well under a millisecond have the quick lane:
it is four times as long, and longer still while whoever comes last is answered within `WAIT_S`:
to send them away would cost a good part of what their answer does. What was let in is served. A
body is cut off at the size its address allows, and one that does not arrive in time makes room for
the next.

`door.py` asks the same gate where a request's headers end, before anything is made for it.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable
from functools import lru_cache

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thinslice.config import Settings
from thinslice.server.answers import problem
from thinslice.server.photo_turns import PhotoTurns

RETRY_AFTER_S = 1
PAGE_BYTES = 64_000
PRODUCTS_BYTES = 5_000_000
MONEY_BYTES = 4_000_000
"""The predictions that a person sends to the money page, and every slider's question about them."""
TITLES_BYTES = 10_000_000
"""The table of titles that a person drops on a page."""
FORM_BYTES = 64_000
"""What a form adds to the photo that is sent in it."""
DRAINED_PHOTO_BYTES = 1_000_000
"""A photo of at most this that is refused is read and dropped: to send it on costs less than a new
connection, and who is still sending would not see the answer where it is cut."""
BODY_SECONDS = 10
QUICK = 4
"""How many times `max_in_flight` the quick lane takes at any rate."""

WAIT_S = 0.2
"""How long whoever comes last may wait in the quick lane."""

MOST_WAITING = 2000
_RATE_S = 0.1
_STALE_S = 1.0

LANE = "thinslice.lane"
"""Where a scope has the lane in which the door has counted it."""

WHOLE = "thinslice.whole"
"""Where a scope says that its body, of the length announced, is there."""

_QUICK = ("/v1/classify/title", "/v1/recommendations")
_ALWAYS = ("/static/", "/healthz", "/readyz", "/favicon.ico")
READABLE_ELSEWHERE = {
    "access-control-allow-origin": "*",
    "access-control-expose-headers": "retry-after",
}
"""Lets a page of any site read what went wrong, and when to come back."""


class Turns:
    """So many begin in one turn of the loop, the others in the next ones, in their order.

    Between two turns whoever has arrived is counted, and sent away at once where there are too
    many: work that never waits for anything would otherwise keep the door shut.
    """

    def __init__(self, most: int) -> None:
        self._most = self._left = most
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._goes_on = False

    async def mine(self) -> None:
        """Return in the turn of whoever asks."""
        loop = asyncio.get_running_loop()
        if not self._goes_on:
            self._goes_on = True
            loop.call_soon(self._next, loop)
        if self._left and not self._waiting:
            self._left -= 1
            return
        turn = loop.create_future()
        self._waiting.append(turn)
        await turn

    def _next(self, loop: asyncio.AbstractEventLoop) -> None:
        self._goes_on = self._left < self._most or bool(self._waiting)
        self._left = self._most
        while self._left and self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(None)
                self._left -= 1
        if self._goes_on:
            loop.call_soon(self._next, loop)


class Lane:
    """Requests that are answered side by side, some begun in one turn.

    There is room for `least`, and with `wait_s` for as many more as have left in such a time: by
    Little's law (1961) the last of them waits that long. Where nobody leaves, nobody is let in.
    """

    def __init__(self, least: int, turns: Turns, wait_s: float = 0.0) -> None:
        self.least = least
        self.turns = turns
        self.in_flight = 0
        self._wait_s = wait_s
        self._gone, self._since, self._per_second = 0, 0.0, 0.0

    def is_full(self) -> bool:
        """Whether one more would be too many."""
        if self.in_flight < self.least:
            return False
        if time.monotonic() - self._since > _STALE_S:  # they do not leave as they did
            return True
        return self.in_flight >= min(MOST_WAITING, self._wait_s * self._per_second)

    def leave(self) -> None:
        """One has been answered."""
        self.in_flight -= 1
        self._gone += 1
        now = time.monotonic()
        if now - self._since >= _RATE_S:
            self._per_second = self._gone / (now - self._since)
            self._gone, self._since = 0, now


class Gate:
    """ASGI: lets a request in, or tells it when to come back."""

    def __init__(
        self,
        app: ASGIApp,
        settings: Settings,
        waiting_lines: Callable[[], int],
        photos: PhotoTurns | None = None,
    ) -> None:
        self._app = app
        self._photos = photos or PhotoTurns()
        self._settings = settings
        self._waiting_lines = waiting_lines
        self._quick = Lane(QUICK * settings.max_in_flight, Turns(16), WAIT_S)
        self._other = Lane(settings.max_in_flight, Turns(4))

    @property
    def in_flight(self) -> int:
        """Requests that are being answered."""
        return self._quick.in_flight + self._other.in_flight

    def is_full(self) -> bool:
        """Whether anyone would be sent away."""
        return self._quick.is_full() or self._other.is_full()

    def too_many(self, lane: Lane, path: str, length: str) -> int | None:
        """How many are being answered where there is no room for one more, None where there is. A
        photo takes a turn of the photos as well."""
        if lane.is_full():
            return lane.in_flight
        of_photo = length not in ("", "0") and _has_photo(path)
        return self._photos.taken if of_photo and self._photos.is_full() else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_always_let_in(scope["path"]):
            await self._app(scope, receive, send)
            return
        path, length = scope["path"], Headers(scope=scope).get("content-length", "")
        lane = scope.get(LANE)
        if lane is None:
            lane = self.lane(path, length)
            if lane.is_full():
                await too_busy(path, is_short(length), lane.in_flight)(scope, receive, send)
                return
            lane.in_flight += 1
        try:
            refusal = self._refusal(path, length)
            if refusal is not None:
                await refusal(scope, receive, send)
                return
            await lane.turns.mine()
            if WHOLE not in scope:
                receive = _limited(receive, self._limit(path))
            await self._app(scope, receive, send)
        except HTTPException as error:  # a body was refused before the application began to answer
            await _refused(path, error)(scope, receive, send)
        except ClientDisconnect:
            pass  # they left while they were sending: nobody is there to be told anything
        finally:
            lane.leave()

    def lane(self, path: str, length: str) -> Lane:
        """Where a request is counted: by its address, and the length that it announces."""
        return self._quick if _is_quick(path, length) and is_short(length) else self._other

    def _refusal(self, path: str, length: str) -> Response | None:
        allowed = self._settings.max_waiting_events * (1 if path == "/v1/batch" else 2)
        if path.startswith("/v1/") and (waiting := self._waiting_lines()) >= allowed:
            return _busy(path, is_short(length), f"{waiting} events wait to be written")
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


def is_always_let_in(path: str) -> bool:
    """Whether the door is open for an address whatever happens."""
    return path.startswith(_ALWAYS)


def is_short(length: str) -> bool:
    """Whether a body of this announced length may come though nobody wants it; "" is no body."""
    return not length or (length.isdigit() and int(length) <= PAGE_BYTES)


def is_drained(path: str, length: str) -> bool:
    """Whether what was refused is read to its end and dropped, so that the connection stays: what
    is short, and a photo as the page sends it."""
    of_photo = length.isdigit() and int(length) <= DRAINED_PHOTO_BYTES and _has_photo(path)
    return is_short(length) or of_photo


def _is_quick(path: str, length: str) -> bool:
    """Whether it is a question to an address of `_QUICK`, or a title that is typed on its page."""
    typed = path.endswith("/title") and path.count("/") == 2 and length != ""
    return typed or path.startswith(_QUICK)


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


def too_busy(path: str, stays: bool, in_flight: int) -> Response:
    """Says when to come back. The connection `stays` open for those who send little: to make a new
    one would cost more."""
    about = in_flight if in_flight < 100 else in_flight // 100 * 100
    return _too_busy("/v1/" if path.startswith("/v1/") else "/", stays, about)


@lru_cache(maxsize=256)
def _too_busy(path: str, stays: bool, in_flight: int) -> Response:
    return _busy(path, stays, f"{in_flight} requests are being answered")


def _busy(path: str, stays: bool, why: str) -> Response:
    headers = {"retry-after": str(RETRY_AFTER_S)} | ({} if stays else {"connection": "close"})
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
