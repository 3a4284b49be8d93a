from __future__ import annotations

import base64
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

# How busy a machine is fails no test.
hypothesis.settings.register_profile("untimed", deadline=None)
hypothesis.settings.load_profile("untimed")

SERVE = """
import sys
from thinslice.config import Settings
from thinslice.server.service import serve
serve(Settings(), ready=lambda address: print(address, flush=True))
"""


class Answer:
    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    def json(self) -> Any:
        return json.loads(self.body)


class Service:
    """A real service on a port of its own, in processes of its own."""

    def __init__(self, data: Path, **settings: Any) -> None:
        self.data = data
        settings = {"workers": 2, "seal_seconds": 1, "port": 0, "data": data, **settings}
        environment = {f"THINSLICE_{name.upper()}": str(v) for name, v in settings.items()}
        self.log = data.with_name(f"{data.name}.log").open("wb")
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVE],
            env=os.environ | environment,
            stdout=subprocess.PIPE,
            stderr=self.log,
            stdin=subprocess.DEVNULL,
            cwd=data.parent,
        )
        assert self.process.stdout is not None
        self.address = self.process.stdout.readline().decode().strip()
        assert self.address.startswith("http://"), Path(self.log.name).read_text()
        self.port = int(self.address.rsplit(":", 1)[1])

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        key: str = "",
        headers: dict[str, str] | None = None,
        host: str = "127.0.0.1",
    ) -> Answer:
        """One request on a connection of its own; a body that is no bytes is sent as JSON."""
        sent = dict(headers or {})
        if key:
            sent["Authorization"] = "Basic " + base64.b64encode(f"{key}:".encode()).decode()
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
        connection = http.client.HTTPConnection(host, self.port, timeout=30)
        try:
            connection.request(method, path, body, sent)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def workers(self) -> list[int]:
        """The process ids of the workers."""
        return [pid for pid in _children(self.process.pid) if "spawn_main" in _command(pid)]

    def housekeeper(self) -> int:
        return next(p for p in _children(self.process.pid) if "housekeeper" in _command(p))

    def stop(self) -> int:
        """End it in order; return its exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        status = self.process.wait(40)
        assert self.process.stdout is not None
        self.process.stdout.close()
        self.log.close()
        return status


def _children(pid: int) -> list[int]:
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        found += [int(child) for child in (task / "children").read_text().split()]
    return found


def _command(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


@pytest.fixture(scope="session")
def start_service() -> Iterator[Callable[..., Service]]:
    """Start services; whatever still runs at the end is stopped."""
    started: list[Service] = []

    def start(data: Path, **settings: Any) -> Service:
        service = Service(data, **settings)
        started.append(service)
        return service

    yield start
    for service in started:
        if service.process.poll() is None:
            service.stop()


@pytest.fixture(scope="session")
def eventually() -> Callable[[Callable[[], Any]], Any]:
    """Ask until the answer is yes, for at most 20 seconds."""

    def ask(question: Callable[[], Any]) -> Any:
        until = time.monotonic() + 20
        while not (answer := question()):
            assert time.monotonic() < until, "it did not come to pass within 20 seconds"
            time.sleep(0.05)
        return answer

    return ask


EVENT_FILES = ("*.csv", "*.tsv", "*.txt", "*.csv.gz", "*.tsv.gz", "*.txt.gz")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--data", type=Path, help="a folder of real logs for tests/test_story.py")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every delimited file under --data is a `real_export`; without the option there is none."""
    if "real_export" in metafunc.fixturenames:
        folder = metafunc.config.getoption("--data")
        found = sorted(f for p in EVENT_FILES for f in folder.rglob(p)) if folder else []
        metafunc.parametrize("real_export", found, ids=[str(f.relative_to(folder)) for f in found])
