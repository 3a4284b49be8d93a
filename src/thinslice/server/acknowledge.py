"""From the writer's thread back to the requests that wait: one wake-up per commit, not one each."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Sequence
from functools import partial

from thinslice.domain import Event
from thinslice.store.log.writer import Writer

_Waiting = asyncio.Future[Exception | None]


class Acknowledger:
    """Lets requests of one event loop wait until their events are on disk."""

    def __init__(self, writer: Writer, loop: asyncio.AbstractEventLoop) -> None:
        self._writer = writer
        self._loop = loop
        self._heard: deque[tuple[_Waiting, Exception | None]] = deque()
        self._called = False

    async def on_disk(self, shop: str, events: Sequence[Event]) -> None:
        """Return when the commit that holds the events is on disk; raise what went wrong."""
        waiting: _Waiting = self._loop.create_future()
        self._writer.submit(shop, events, partial(self._hear, waiting))
        error = await waiting
        if error is not None:
            raise error

    def _hear(self, waiting: _Waiting, error: Exception | None) -> None:
        """In the writer's thread. The flag is lowered before the queue is read: none is missed."""
        self._heard.append((waiting, error))
        if not self._called:
            self._called = True
            self._loop.call_soon_threadsafe(self._tell)

    def _tell(self) -> None:
        self._called = False
        while self._heard:
            waiting, error = self._heard.popleft()
            if not waiting.done():
                waiting.set_result(error)
