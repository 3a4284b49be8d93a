"""What every worker acknowledges, taken up by this one: a thread that follows the log.

It looks a few times a second, never takes more than a twentieth of a core, and hands each shop's
new touches to its shelf. Nothing is kept on disk: whoever is killed follows anew.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from thinslice.errors import ThinsliceError
from thinslice.store.log.tail import Tail, Touch

if TYPE_CHECKING:
    from thinslice.shelf.shelf import Shelf

LOOK_S = 0.2
SHARE = 20
"""The thread rests this many times as long as a look took, if that is longer."""

_log = logging.getLogger(__name__)


class Follower(threading.Thread):
    """Looks every `LOOK_S`, and never raises; close it at the end.

    `in_use` gives the shelves that are asked, whether or not something happens in their shops.
    """

    def __init__(
        self, tail: Tail, shelf_of: Callable[[str], Shelf], in_use: Callable[[], Iterable[Shelf]]
    ) -> None:
        super().__init__(name="follow log", daemon=True)
        self._tail = tail
        self._shelf_of = shelf_of
        self._in_use = in_use
        self._closing = threading.Event()

    def run(self) -> None:
        took_s = 0.0
        while not self._closing.wait(max(LOOK_S, SHARE * took_s)):
            began = time.thread_time()
            try:
                self.look()
            except Exception:
                _log.exception("following the log failed, and goes on")
            took_s = time.thread_time() - began
        self._tail.close()

    def look(self) -> None:
        """Take up what is new, and let go of what a new model has learned."""
        by_shop: dict[str, list[Touch]] = {}
        for touch in self._tail.look():
            by_shop.setdefault(touch.shop, []).append(touch)
        for shop, touches in by_shop.items():
            try:
                shelf = self._shelf_of(shop)
            except ThinsliceError:  # a shop that is no more
                continue
            shelf.take_up(touches)
        for shelf in self._in_use():
            shelf.forget_learned()
            shelf.find_newcomers()

    def close(self) -> None:
        self._closing.set()
        if self.ident is not None:
            self.join()
