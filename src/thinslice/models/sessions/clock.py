"""A budget of seconds, and who is told how much of it is gone."""

from __future__ import annotations

import time
from collections.abc import Callable

Progress = Callable[[int, int | None], None]
"""Told how many seconds are done, and of how many."""


class Clock:
    """Starts when it is made; `restart` it where what came before should not count."""

    def __init__(self, seconds: float, progress: Progress | None = None) -> None:
        self.seconds = seconds
        self._progress = progress
        self.restart()

    def restart(self) -> None:
        self._began = time.monotonic()

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    @property
    def left_s(self) -> float:
        return self.seconds - self.elapsed_s

    def is_past(self, share: float) -> bool:
        """Whether that share of the budget is gone; tells how far it is."""
        self.tell()
        return self.elapsed_s > share * self.seconds

    def tell(self) -> None:
        if self._progress:
            whole = int(self.seconds)
            self._progress(min(int(self.elapsed_s), whole), whole)
