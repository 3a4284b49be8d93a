"""Keeps the workers alive: uvicorn's supervisor, but one that a dying worker cannot hold up.

Uvicorn 0.54 asks each worker in turn whether it lives and waits for the answer; one that is killed
while it is asked makes it wait for the whole time allowed, and meanwhile nobody is replaced. It
also ends the service when a replacement fails to start. Here a question is asked in one round and
its answer looked for in the next ones, and a service that has once run keeps trying.
"""

from __future__ import annotations

import logging
import time

from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

HUNG_S = 60.0
"""Without an answer for as long, a worker is taken for hung and replaced."""

START_AGAIN_S = 2.0

_log = logging.getLogger(__name__)


class Supervisor(Multiprocess):
    """Workers on one listening socket; `failed` says that they could not even start."""

    failed = False
    _has_served = False
    _start_after = 0.0

    def init_processes(self) -> None:
        self._asked: dict[Process, float] = {}
        super().init_processes()

    def keep_subprocess_alive(self) -> None:
        """One round, twice a second: replace who has died or hangs."""
        for position, worker in enumerate(self.processes):
            if self.should_exit.is_set() or time.monotonic() < self._start_after:
                return
            if worker.process.is_alive() and not self._hangs(worker):
                continue
            self._asked.pop(worker, None)
            worker.kill()
            worker.join()
            if worker.exitcode == STARTUP_FAILURE and not self._has_served:
                self.failed = True
                self.should_exit.set()
                return
            _log.error("worker %s ended with %s, begun anew", worker.pid, worker.exitcode)
            if worker.exitcode == STARTUP_FAILURE:
                self._start_after = time.monotonic() + START_AGAIN_S
            self.processes[position] = Process(self.config, self.sockets)
            self.processes[position].start()

    def _hangs(self, worker: Process) -> bool:
        """Take the answer to the last question, if it is there, and ask again."""
        try:
            if worker not in self._asked:
                worker.parent_conn.send(b"ping")
                self._asked[worker] = time.monotonic()
            elif worker.parent_conn.poll():
                self._has_served |= worker.parent_conn.recv()
                del self._asked[worker]
        except (OSError, EOFError):
            return False  # it has died meanwhile, which the next round sees
        return time.monotonic() - self._asked.get(worker, time.monotonic()) > HUNG_S
