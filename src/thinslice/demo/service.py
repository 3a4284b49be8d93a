"""The real service, run as a process of its own while the demo plays the shop in front of it."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.error import URLError
from urllib.request import urlopen

from thinslice.config import Settings
from thinslice.errors import InputError, StorageError

START_SECONDS = 120


@contextmanager
def running_service(settings: Settings) -> Iterator[Service]:
    """The service over a data directory, started in the background and ended at the end."""
    settings.data.mkdir(parents=True, exist_ok=True)
    service = Service(settings)
    try:
        yield service
    finally:
        service.stop()


class Service:
    """The service as a process of its own, the way it runs in earnest."""

    def __init__(self, settings: Settings) -> None:
        self.url = f"http://{settings.host}:{settings.port}"
        self.log = settings.data / "service.log"
        options = ("data", "host", "port", "workers")
        words = [w for o in options for w in (f"--{o}", str(getattr(settings, o)))]
        with self.log.open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "thinslice", "serve", *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
            )

    def wait_until_ready(self, seconds: float = START_SECONDS) -> None:
        """Return when every kernel is compiled and the service answers."""
        until = time.monotonic() + seconds
        while time.monotonic() < until and self._process.poll() is None:
            try:
                with urlopen(f"{self.url}/readyz", timeout=2):
                    return
            except (URLError, ConnectionError, TimeoutError):
                time.sleep(0.1)
        tail = self.log.read_text(errors="replace")[-2000:]
        raise StorageError(f"the service must start, and did not; its last words:\n{tail}")

    def wait(self) -> None:
        """Return when the service ends, or on Ctrl-C."""
        try:
            self._process.wait()
        except KeyboardInterrupt:
            return

    def stop(self) -> None:
        """Ask it to end, and insist after a while."""
        self._process.terminate()
        try:
            self._process.wait(15)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()


def free_port(host: str, preferred: int) -> int:
    """The preferred port if nobody listens there, else one that is free."""
    for port in (preferred, 0):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the service does
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise InputError(f"no port is free on {host}; give one with --port")
