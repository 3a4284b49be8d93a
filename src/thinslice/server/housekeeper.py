"""The process beside the workers: it seals, watches experiments, learns from corrections and folds
new sessions into the models.
"""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import threading
import time

from thinslice.config import Settings
from thinslice.durable import try_lock
from thinslice.errors import StorageError, ThinsliceError
from thinslice.server.folding import Folding
from thinslice.server.refits import Refits
from thinslice.server.watch import Watch
from thinslice.store.directory import DataDirectory
from thinslice.store.log.event_log import EventLog

CRASH_PAUSE_S = 2.0
_STOP_S = 20
_log = logging.getLogger(__name__)


def main() -> None:
    """Seal every `seal_seconds` until told to stop, or until the parent is gone.

    One housekeeper works on a data directory at a time; another waits for its turn.
    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    settings, parent = Settings(), int(sys.argv[1])
    directory = DataDirectory(settings.data)
    log = EventLog(directory, settings)
    lock, told = None, set[str]()
    helpers: list[threading.Thread] = []
    while not stop.is_set() and os.getppid() == parent:
        lock = lock or _turn(directory)
        if lock is not None:
            if not helpers:
                helpers = [Watch(settings), Refits(settings), Folding(settings)]
                for helper in helpers:
                    helper.start()
            seal_once(log, told)
        _wait(stop, settings.seal_seconds, parent)


def seal_once(log: EventLog, told: set[str]) -> None:
    """One round; a disk that refuses is logged, and the next round tries again.

    A problem that one round cannot mend, such as a damaged file, is logged once: `told` has those.
    """
    try:
        problems = log.seal().problems
    except ThinsliceError as error:
        problems = [str(error)]
    for problem in problems:
        if problem not in told:
            _log.error("sealing: %s", problem)
    told.clear()
    told.update(problems)


class Housekeeper(threading.Thread):
    """Keeps the housekeeping process alive until it is closed."""

    def __init__(self) -> None:
        super().__init__(name="housekeeper", daemon=True)
        self._closing = threading.Event()
        self._process = _start()

    @property
    def pid(self) -> int:
        return self._process.pid

    def run(self) -> None:
        while not self._closing.wait(0.5):
            if self._process.poll() is not None:
                _log.error("the housekeeper ended with %s, begun anew", self._process.returncode)
                self._closing.wait(CRASH_PAUSE_S)
                if not self._closing.is_set():
                    self._process = _start()

    def close(self) -> None:
        """Let the round that runs come to its end, and stop."""
        self._closing.set()
        if self.ident is not None:
            self.join()
        self._process.terminate()
        try:
            self._process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def _turn(directory: DataDirectory) -> int | None:
    """The lock of the one housekeeper, None while another has it or the disk refuses."""
    try:
        return try_lock(directory.root / ".housekeeper.lock")
    except StorageError as error:
        _log.error("sealing: %s", error)
        return None


def _start() -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "thinslice.server.housekeeper", str(os.getpid())]
    )


def _wait(stop: threading.Event, seconds: float, parent: int) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until and os.getppid() == parent and not stop.is_set():
        stop.wait(min(1.0, max(0.0, until - time.monotonic())))


if __name__ == "__main__":
    main()
