"""Lets what reads titles and photos learn from people's decisions, within seconds.

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
        self._changed: dict[Path, int] = {}
        self._engine: Engine | None = None

    def run(self) -> None:
        while True:
            self.look()
            time.sleep(LOOK_S)

    def look(self) -> None:
        """Learn for every shop whose people said something since the last look."""
        for what in ("titles", "photo-search"):
            for file in self._settings.data.glob(f"{what}/*/reviews.sqlite"):
                changed = _changed_ns(file)
                if self._changed.get(file) != changed:
                    self._changed[file] = changed
                    self._refit(what, file.parent.name)

    def _refit(self, what: str, shop: str) -> None:
        from thinslice.engine import Engine

        self._engine = self._engine or Engine(self._settings)
        try:
            titles, photos = self._engine.titles(shop), self._engine.photo_search(shop)
            if what == "titles" and titles.is_learned() and titles.unlearned():
                titles.refit()
            if what == "photo-search" and photos.is_built() and photos.unlearned():
                photos.refit()
        except Exception:
            _log.exception("learning from decisions on %s failed, and goes on", what)


def _changed_ns(file: Path) -> int:
    try:
        return file.stat().st_mtime_ns
    except OSError:
        return 0
