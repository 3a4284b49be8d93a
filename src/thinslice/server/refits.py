"""Lets the title classifiers learn from people's corrections within a second or two.

A thread of the housekeeper: the workers answer on with the version they have, and take up the new
one when it is complete.
"""

from __future__ import annotations

import logging
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

from thinslice.config import Settings

if TYPE_CHECKING:
    from thinslice.engine import Engine

LOOK_S = 0.5
"""How often is looked whether someone has corrected something."""

_log = logging.getLogger(__name__)


class Refits(threading.Thread):
    """Looks for corrections, learns from them, and never raises."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="refits", daemon=True)
        self._settings = settings
        self._changed: dict[str, int] = {}
        self._engine: Engine | None = None

    def run(self) -> None:
        while True:
            self.look()
            time.sleep(LOOK_S)

    def look(self) -> None:
        """Learn for every shop whose people said something since the last look."""
        for file in self._settings.data.glob("titles/*/reviews.sqlite"):
            shop, changed = file.parent.name, _changed_ns(file)
            if self._changed.get(shop) != changed:
                self._changed[shop] = changed
                self._refit(shop)

    def _refit(self, shop: str) -> None:
        from thinslice.engine import Engine

        self._engine = self._engine or Engine(self._settings)
        try:
            titles = self._engine.titles(shop)
            if titles.is_learned() and titles.unlearned():
                titles.refit()
        except Exception:
            _log.exception("learning from corrections of titles failed, and goes on")


def _changed_ns(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
