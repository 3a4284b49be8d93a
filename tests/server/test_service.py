from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from thinslice.config import Settings
from thinslice.domain import Shop
from thinslice.engine import Engine
from thinslice.errors import InputError
from thinslice.server.service import environment, serve
from thinslice.store.control import ControlPlane


@pytest.fixture(scope="module")
def shop(start_service: Callable[..., Any], tmp_path_factory: pytest.TempPathFactory) -> Any:
    data = Path(tmp_path_factory.mktemp("service")) / "data"
    control = ControlPlane(data / "control.sqlite")
    control.add_shop(Shop("lamps", "Lamps"))
    service = start_service(data, workers=1)
    service.key = control.create_key("lamps", "write")
    return service


def view(number: int) -> dict[str, Any]:
    item = {"type": "track", "messageId": f"m{number}", "anonymousId": "a"}
    return {**item, "event": "Product Viewed", "properties": {"product_id": "p"}}


def test_a_port_that_is_taken_is_said_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        settings = Settings(data=tmp_path, port=taken.getsockname()[1])
        with pytest.raises(InputError, match="choose another with --port"):
            serve(settings)


def test_a_killed_worker_is_replaced_even_when_it_is_the_only_one(
    shop: Any, eventually: Any
) -> None:
    (before,) = shop.workers()
    os.kill(before, signal.SIGKILL)
    eventually(lambda: shop.workers() and shop.workers() != [before])
    assert shop.call("GET", "/readyz").status == 200


def test_a_killed_housekeeper_is_replaced(shop: Any, eventually: Any) -> None:
    before = shop.housekeeper()
    os.kill(before, signal.SIGKILL)

    def is_back() -> bool:
        try:
            return bool(shop.housekeeper() != before)
        except StopIteration:
            return False

    eventually(is_back)


def test_the_end_answers_what_is_in_flight_and_loses_nothing(shop: Any, eventually: Any) -> None:
    acknowledged: list[int] = []
    failed: list[Exception | int] = []
    stopping = threading.Event()

    def client(first: int) -> None:
        for number in range(first, first + 100_000):
            try:
                answer = shop.call("POST", "/v1/batch", {"batch": [view(number)]}, key=shop.key)
            except ConnectionRefusedError:
                return
            except OSError as error:
                if not stopping.is_set():
                    failed.append(error)
                return
            if answer.status != 200:
                failed.append(answer.status)
            acknowledged.append(number)

    clients = [threading.Thread(target=client, args=(n * 1_000_000,)) for n in range(4)]
    for thread in clients:
        thread.start()
    eventually(lambda: len(acknowledged) > 100)
    stopping.set()
    assert shop.stop() == 0
    for thread in clients:
        thread.join()
    assert failed == []
    kept = Engine(Settings(data=shop.data)).log.events("lamps").column("message_id").to_pylist()
    assert {f"m{number}" for number in acknowledged} <= set(kept)
    assert len(kept) == len(set(kept))
    assert list((shop.data / "hot").glob("*.sqlite-wal")) == [], "the hot files are handed over"


def test_a_shared_link_opens_the_shop_from_the_network(
    tmp_path: Path, start_service: Callable[..., Any]
) -> None:
    from thinslice.server.share import network_address, share

    address = network_address()
    if address == "127.0.0.1":
        pytest.skip("this machine is in no network")
    control = ControlPlane(tmp_path / "data" / "control.sqlite")
    control.add_shop(Shop("lamps", "Lamps"))
    service = start_service(tmp_path / "data", workers=1, host="0.0.0.0")
    link = share(control, "lamps", port=service.port, hours=1, label="Anna")
    path = link.address.split(str(service.port), 1)[1]
    assert service.call("GET", "/lamps/", host=address).status == 403
    opened = service.call("GET", path, host=address)
    assert opened.status == 303
    cookie = {"Cookie": opened.headers["set-cookie"].partition(";")[0]}
    assert service.call("GET", "/lamps/", headers=cookie, host=address).status == 200
    assert service.stop() == 0


def test_a_qr_code_can_be_shown_in_a_terminal_and_on_a_page(tmp_path: Path) -> None:
    from thinslice.server.share import SharedLink

    link = SharedLink("http://192.0.2.7:8080/lamps/?key=" + "x" * 120)
    assert "█" in link.for_terminal() or "▀" in link.for_terminal()
    assert "<svg" in link.as_svg()
    assert "style=" not in link.as_svg()


def test_the_settings_reach_the_workers(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    given = Settings(data=tmp_path, max_in_flight=7, hot_max_minutes=2.5, port=1234)
    for name, value in environment(given).items():
        monkeypatch.setenv(name, value)
    assert Settings() == given


def test_workers_that_cannot_start_end_the_service_with_a_reason(tmp_path: Path) -> None:
    program = (
        "from thinslice.config import Settings\n"
        "from thinslice.server import service\n"
        "service.APP = 'thinslice.server.app:no_such_app'\n"
        "service.serve(Settings(port=0, workers=2))\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"THINSLICE_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode != 0
    assert "the workers must be able to start" in ended.stderr
