"""Folds what visitors did since into the models, every now and then, in a process of its own.

The housekeeper starts it with a low priority: it learns anew what is served, with its settings,
from all sessions, where there are new ones. Nothing is chosen anew; that is what `thinslice build`
is for. Memory that learning takes goes back with the process.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import threading
import time

from thinslice.config import Settings

LOOK_S = 5.0
SHARE = 20
"""The rest after folding is at least this many times the CPU time that it took."""

_NICENESS = 10
_log = logging.getLogger(__name__)


class Folding(threading.Thread):
    """A thread of the housekeeper that starts the process every `fold_minutes`."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(name="folding", daemon=True)
        self._pause_s = settings.fold_minutes * 60

    def run(self) -> None:
        rest_s = self._pause_s
        while self._pause_s:
            time.sleep(rest_s)
            command = [sys.executable, "-m", "thinslice.server.folding", str(os.getpid())]
            process = subprocess.Popen(command)
            _, ended, used = os.wait4(process.pid, 0)
            process.returncode = status = os.waitstatus_to_exitcode(ended)
            if status != 0:
                _log.error("folding new sessions into the models ended with %s", status)
            rest_s = max(self._pause_s, SHARE * (used.ru_utime + used.ru_stime))


def main() -> None:
    """One round over all shops; ends at once when the housekeeper is gone."""
    from thinslice.engine import Engine
    from thinslice.errors import ThinsliceError

    os.nice(_NICENESS)
    threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
    engine = Engine(Settings())
    for shop in engine.control.shops():
        try:
            engine.fold_in(shop.id)
        except ThinsliceError as error:
            _log.error("new sessions of shop %s could not be learned: %s", shop.id, error)


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(0.5)
    os._exit(0)  # a version that is half written is nobody's, and removed by a later one


if __name__ == "__main__":
    main()
