"""The whole service: workers that answer, a housekeeper beside them, and what keeps both alive."""

from __future__ import annotations

import http.client
import json
import math
import os
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path

import uvicorn
from pydantic import SecretStr

from thinslice.config import Settings
from thinslice.errors import InputError, StorageError
from thinslice.server.door import Door
from thinslice.server.housekeeper import Housekeeper
from thinslice.server.share import bracketed
from thinslice.server.share import share as share_link
from thinslice.server.supervisor import Supervisor

APP = "thinslice.server.app:create_app"
DRAIN_SECONDS = 20
BACKLOG = 2048
_ANYWHERE = "0.0.0.0"
_START_SECONDS = 30

Say = Callable[[str], None]


def serve(
    settings: Settings,
    *,
    share: str | None = None,
    announce: Say | None = None,
    ready: Say | None = None,
) -> None:
    """Serve until SIGTERM or Ctrl-C; what was let in is answered, what was acknowledged is on disk.

    `share` names a shop to give a link to: the service then listens on the whole network.
    `announce` is given lines for a person, `ready` the address once requests are answered.
    Raises InputError when the port is taken.
    """
    say = announce or _nobody
    listening = _listen(
        _ANYWHERE if share and _is_loopback(settings.host) else settings.host, settings.port
    )
    host, port = listening.getsockname()[:2]
    settings = settings.model_copy(update={"host": host, "port": port})
    os.environ.update(environment(settings))
    _prepare(settings)
    housekeeper = Housekeeper()
    housekeeper.start()
    address = f"http://{bracketed('127.0.0.1' if host in (_ANYWHERE, '::') else host)}:{port}"
    threading.Thread(
        target=_tell_when_ready, args=(settings, address, share, say, ready), daemon=True
    ).start()
    try:
        supervisor = _supervisor(settings, listening)
        supervisor.run()
    finally:
        housekeeper.close()
        listening.close()
    if supervisor.failed:
        raise StorageError(
            f"the workers must be able to start over {settings.data}, and could not; "
            "what they printed above says why"
        )


def environment(settings: Settings) -> dict[str, str]:
    """Every setting as the variable in which a process that is started from here reads it."""
    known = {k: v for k, v in settings.model_dump().items() if v is not None}
    return {f"THINSLICE_{name.upper()}": _as_text(value) for name, value in known.items()}


def _as_text(value: object) -> str:
    if isinstance(value, SecretStr):
        return value.get_secret_value()
    return str(value.absolute() if isinstance(value, Path) else value)


def _supervisor(settings: Settings, listening: socket.socket) -> Supervisor:
    """Starts the workers on one listening socket, and replaces one that dies.

    Forwarding headers are not believed: they would let anyone pass for this computer.
    """
    config = uvicorn.Config(
        APP,
        factory=True,
        workers=settings.workers,
        backlog=BACKLOG,
        loop="auto",
        http=Door,
        ws="none",
        access_log=False,
        log_level="warning",
        proxy_headers=False,
        server_header=False,
        timeout_graceful_shutdown=DRAIN_SECONDS,
    )
    return Supervisor(config, [listening])


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        raise InputError(
            f"the service needs a free port, {bracketed(host)}:{port} answers: {error.strerror}; "
            "choose another with --port, or 0 for any"
        ) from error
    listening.set_inheritable(True)
    return listening


def _prepare(settings: Settings) -> None:
    """Compile the models' kernels once and onto the disk, so that no worker has to."""
    if not any(settings.data.glob("*/*/CURRENT")):
        return
    from thinslice.engine import Engine
    from thinslice.errors import ThinsliceError

    engine = Engine(settings)
    for shop in engine.control.shops():
        try:
            engine.shelf(shop.id).model.get()
            engine.titles(shop.id).is_learned()
        except ThinsliceError:
            continue


def _tell_when_ready(
    settings: Settings, address: str, shop: str | None, say: Say, ready: Say | None
) -> None:
    _wait_until_ready(settings.port, address, say)
    say(f"Open {address} (Ctrl-C stops)")
    if shop is not None:
        from thinslice.store.control import ControlPlane

        control = ControlPlane(settings.data / "control.sqlite")
        link = share_link(control, shop, port=settings.port, hours=settings.link_hours)
        say(f"For colleagues, for {settings.link_hours:g} hours:\n{link.address}")
        say(link.for_terminal())
    if ready:
        ready(address)


def _wait_until_ready(port: int, address: str, say: Say) -> None:
    """Return when requests are answered; say so once when that takes long."""
    host = address.removeprefix("http://").rsplit(":", 1)[0].strip("[]")
    patient_until = time.monotonic() + _START_SECONDS
    while not _is_ready(host, port):
        if time.monotonic() > patient_until:
            say("The workers are still starting; what they print says why.")
            patient_until = math.inf
        time.sleep(0.1)


def _is_ready(host: str, port: int) -> bool:
    connection = http.client.HTTPConnection(host, port, timeout=5)
    try:
        connection.request("GET", "/readyz")
        return bool(json.loads(connection.getresponse().read())["status"])
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _is_loopback(host: str) -> bool:
    return host in ("127.0.0.1", "localhost", "::1")


def _nobody(_: str) -> None:
    return None
