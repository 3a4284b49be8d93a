"""How many photos a worker takes on at once: as many as are answered soon, the rest is sent away.

A photo costs a hundred times what a list costs, and how much depends on the photo and the machine.
So the number is learned: it grows slowly while answers come in time and shrinks quickly when they
do not (additive increase, multiplicative decrease: Chiu & Jain 1989). A photo that is still on its
way here counts for nothing: slow networks would keep everyone else out.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager

from thinslice.errors import BusyError

GOAL_S = 0.15
"""An answer that takes longer, once its photo is here, makes the worker take on fewer."""

FEWEST, MOST = 2.0, 64.0
_START = 6.0
_SHRINK = 0.8


class PhotoTurns:
    """The photos that one worker is busy with. For one event loop."""

    def __init__(self, goal_s: float = GOAL_S) -> None:
        self._goal_s = goal_s
        self._shrunk_at = 0.0
        self.limit = _START
        self.taken = 0

    def is_full(self) -> bool:
        """Whether no more is taken on."""
        return self.taken >= int(self.limit)

    def check(self) -> None:
        """BusyError where no more is taken on; to be asked before a photo is read."""
        if self.is_full():
            raise BusyError(
                f"no more photos are taken on than are answered soon, and {self.taken} are being "
                "looked at; come back after a second"
            )

    @contextmanager
    def turn(self) -> Iterator[None]:
        """One photo, from when it is here to its answer. Raises BusyError at once where there is no
        room."""
        self.check()
        started = time.monotonic()
        self.taken += 1
        needed = 2 * self.taken >= self.limit
        try:
            yield
        finally:
            self.taken -= 1
            self._learn(started, time.monotonic(), needed)

    def _learn(self, started: float, now: float, needed: bool) -> None:
        if now - started > self._goal_s:
            if started > self._shrunk_at:  # what began before it shrank has been answered for
                self.limit = max(FEWEST, self.limit * _SHRINK)
                self._shrunk_at = now
        elif needed:
            self.limit = min(MOST, self.limit + 1 / self.limit)
