"""Looks at the running experiments on a schedule, and tells a person what is broken, once.

A thread of the housekeeper: whatever hangs or fails here, events are sealed and visitors are
served. What was found is kept before it is told, so that a process that is killed in between
tells it when it is back.
"""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

from thinslice.config import Settings
from thinslice.domain import MICROSECONDS
from thinslice.errors import NotEnoughDataError, ThinsliceError
from thinslice.server import notices
from thinslice.store.control import ControlPlane
from thinslice.store.experiments import Notice

if TYPE_CHECKING:
    from thinslice.engine import Engine

LOOK_S = 15.0
"""How often waiting notices are looked at."""
FIRST_PAUSE_S = 60.0
"""After the first failure; each one after that waits twice as long."""
GIVE_UP_S = 24 * 3600.0

_log = logging.getLogger(__name__)


class Watch(threading.Thread):
    """Looks every `watch_minutes`, tells what waits, and never raises."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="watch", daemon=True)
        self._settings = settings
        self._looked_s = -1e9
        self._engine: Engine | None = None

    def run(self) -> None:
        while True:
            try:
                self.round()
            except Exception:
                _log.exception("watching the experiments failed, and goes on")
            time.sleep(LOOK_S)

    def round(self) -> None:
        """Tell what waits, look if it is time to, and tell what that found."""
        control = ControlPlane(self._settings.data / "control.sqlite")
        self._tell(control)
        pause_s = self._settings.watch_minutes * 60
        if pause_s and time.monotonic() - self._looked_s >= pause_s:
            self._looked_s = time.monotonic()
            for shop in control.shops():
                for experiment in control.experiments(shop.id):
                    if experiment.state == "running":
                        self._look(shop.id, experiment.id)
            self._tell(control)

    def _tell(self, control: ControlPlane) -> None:
        if notices.is_wanted(self._settings):
            for notice in control.unsent_notices():
                if is_due(notice, time.time()):
                    tell(control, notice, self._settings)

    def _look(self, shop: str, experiment: str) -> None:
        from thinslice.engine import Engine  # a query engine, which sealing alone does not need

        self._engine = self._engine or Engine(self._settings)
        try:
            self._engine.watch(shop, experiment)
        except NotEnoughDataError:
            return
        except ThinsliceError as error:
            _log.error("experiment %s of %s could not be read: %s", experiment, shop, error)


def is_due(notice: Notice, now_s: float) -> bool:
    """Whether to try now: at once, then after 1, 3, 7, 15… minutes, for a day."""
    waited_s = now_s - notice.found_us / MICROSECONDS
    return bool((2**notice.tries - 1) * FIRST_PAUSE_S <= waited_s < GIVE_UP_S)


def tell(control: ControlPlane, notice: Notice, settings: Settings) -> None:
    """Send one notice, and note whether that worked."""
    try:
        notices.send(notice, settings)
    except (OSError, ValueError) as error:
        _log.error("a notice about %s could not be sent: %s", notice.experiment, error)
        control.mark_notice(notice.number, sent=False)
    else:
        control.mark_notice(notice.number, sent=True)
