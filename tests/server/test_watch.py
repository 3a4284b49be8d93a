from __future__ import annotations

import hashlib
import hmac
import json
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from thinslice.config import Settings
from thinslice.domain import Event, EventType, Experiment, Shop, Variant
from thinslice.engine import Engine, clock_us
from thinslice.outcomes.assignment import assign
from thinslice.profit import Plan, Range
from thinslice.server.notices import SIGNATURE
from thinslice.server.watch import GIVE_UP_S, Watch, is_due
from thinslice.store.control import ControlPlane
from thinslice.store.experiments import Notice

MINUTE_US = 60_000_000
ARMS = (Variant("today", "list:incumbent"), Variant("new", "session"))
VISITORS = 3_000


class Receiver(ThreadingHTTPServer):
    """A real webhook receiver: keeps what it is sent, and answers as it is told to."""

    def __init__(self) -> None:
        self.got: list[tuple[dict[str, str], bytes]] = []
        self.status, self.pause_s = 200, 0.0
        super().__init__(("127.0.0.1", 0), _Handler)
        self.address = f"http://127.0.0.1:{self.server_port}/hook?from=shop"


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        time.sleep(self.server.pause_s)
        body = self.rfile.read(int(self.headers["content-length"]))
        self.server.got.append(({k.lower(): v for k, v in self.headers.items()}, body))
        self.send_response(self.server.status)
        self.send_header("location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        return


class MailServer(threading.Thread):
    """As much of SMTP as a client needs to hand over letters."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.letters: list[str] = []
        self.socket = socket.create_server(("127.0.0.1", 0))
        self.port = self.socket.getsockname()[1]

    def run(self) -> None:
        while True:
            try:
                client, _ = self.socket.accept()
            except OSError:
                return
            with suppress(OSError), client, client.makefile("rwb") as stream:
                self._talk(stream)

    def _talk(self, stream: Any) -> None:
        def say(line: str) -> None:
            stream.write(f"{line}\r\n".encode())
            stream.flush()

        say("220 here")
        for line in iter(stream.readline, b""):
            word = line[:4].upper()
            if word == b"DATA":
                say("354 go on")
                self.letters.append(b"".join(iter(stream.readline, b".\r\n")).decode())
            say("250 fine" if word != b"QUIT" else "221 bye")


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    server = Receiver()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def mail() -> Iterator[MailServer]:
    server = MailServer()
    server.start()
    yield server
    server.socket.close()


def shop_that(breaks: str, data: Path) -> None:
    """A shop whose running experiment makes half of its visitors bounce, or loses half of them."""
    engine = Engine(Settings(data=data))
    engine.control.add_shop(Shop("lamps", "Lamps"))
    guarded = {"bounce_rate": 0.02}
    plan = Plan(kpi="conversion", guardrails=guarded, order_value=Range(8, 12, 18))
    engine.agree_plan("lamps", plan)
    start = clock_us() - 60 * 24 * 10 * MINUTE_US
    experiment = Experiment("e", "lamps", "Does it sell more?", ARMS, "salt", start)
    engine.control.start_experiment(experiment)
    engine.log.append("lamps", list(_visits(experiment, breaks, start)))


def _visits(experiment: Experiment, breaks: str, start: int) -> Iterator[Event]:
    for number in range(VISITORS):
        visitor, at = f"v{number}", start + number * 4 * MINUTE_US
        variant = assign(experiment, visitor)
        assert variant is not None
        treated = variant.name == "new"
        if breaks == "the split" and treated and number % 2:
            continue
        names = {"experiment": "e", "variant": variant.name, "exposure_id": f"x{number}"}
        served = EventType.RECOMMENDATION_SERVED
        yield Event(f"x{number}", served, at, visitor, **names)
        stays = number % 4 if breaks != "the guardrail" or not treated else not number % 4
        for view in range(2 if stays else 1):
            viewed = EventType.PRODUCT_VIEWED
            yield Event(f"w{number}-{view}", viewed, at + view, visitor, product="p1")
        if number % 10 == 0:
            ordered = EventType.ORDER_COMPLETED
            yield Event(f"o{number}", ordered, at + 9, visitor, order_id=f"o{number}")


def a_notice_waits(data: Path) -> None:
    control = ControlPlane(data / "control.sqlite")
    control.add_shop(Shop("lamps", "Lamps"))
    control.start_experiment(Experiment("e", "lamps", "Better?", ARMS, "salt", clock_us()))
    control.stop_experiment("lamps", "e")
    control.notice("lamps", "e", "bounce_rate", "Bounce rate is worse.")


def settings(data: Path, **more: Any) -> Settings:
    return Settings(data=data, watch_minutes=1, **more)


def test_a_broken_guardrail_is_posted_once_and_signed(tmp_path: Path, receiver: Receiver) -> None:
    shop_that("the guardrail", tmp_path)
    told = settings(tmp_path, notice_webhook=receiver.address, notice_secret="shared")
    Watch(told).round()
    Watch(told).round()
    ((headers, body),) = receiver.got
    said = json.loads(body)
    assert (said["id"], said["about"]) == ("lamps/e/bounce_rate", "bounce_rate")
    assert said["page"] == "/lamps/readout?experiment=e"
    assert "Bounce rate is worse by more than the 2% that the plan allows" in said["text"]
    at, signed = (part.partition("=")[2] for part in headers[SIGNATURE].split(","))
    expected = hmac.digest(b"shared", f"{at}.".encode() + body, hashlib.sha256)
    assert signed == expected.hex()
    (experiment,) = ControlPlane(tmp_path / "control.sqlite").experiments("lamps")
    assert [c.what for c in experiment.changes] == ["started", "noticed"]


def test_a_broken_split_is_told_and_a_sound_experiment_is_not(
    tmp_path: Path, receiver: Receiver
) -> None:
    for breaks in ("the split", "nothing"):
        shop_that(breaks, tmp_path / breaks)
        Watch(settings(tmp_path / breaks, notice_webhook=receiver.address)).round()
    ((_, body),) = receiver.got
    assert json.loads(body)["about"] == "sample_ratio"
    assert SIGNATURE not in receiver.got[0][0]


def test_a_broken_guardrail_stops_the_experiment_where_that_is_asked_for(tmp_path: Path) -> None:
    shop_that("the guardrail", tmp_path)
    Watch(settings(tmp_path, stop_on_broken_guardrail=True)).round()
    (experiment,) = ControlPlane(tmp_path / "control.sqlite").experiments("lamps")
    assert (experiment.state, experiment.after) == ("stopped", "today")
    killed = experiment.changes[-1]
    assert (killed.what, killed.who) == ("killed", "thinslice")


def test_a_notice_goes_out_as_an_e_mail(tmp_path: Path, mail: MailServer) -> None:
    a_notice_waits(tmp_path)
    more = {"notice_email": "anna@shop.example, ben@shop.example", "smtp_host": "127.0.0.1"}
    more["public_url"] = "https://lists.example/"
    Watch(settings(tmp_path, smtp_port=mail.port, **more)).round()
    (letter,) = mail.letters
    assert "See https://lists.example/lamps/readout?experiment=e" in letter.replace("=3D", "=")
    assert "To: anna@shop.example, ben@shop.example" in letter
    assert "Bounce rate is worse." in letter


@pytest.mark.parametrize("how", ["refuses", "redirects", "is gone", "talks nonsense"])
def test_a_webhook_that_fails_is_tried_again_later(
    tmp_path: Path, receiver: Receiver, mail: MailServer, how: str
) -> None:
    a_notice_waits(tmp_path)
    receiver.status = {"refuses": 500, "redirects": 302}.get(how, 200)
    gone = {"is gone": "http://127.0.0.1:9/", "talks nonsense": f"http://127.0.0.1:{mail.port}/"}
    Watch(settings(tmp_path, notice_webhook=gone.get(how, receiver.address))).round()
    (waiting,) = ControlPlane(tmp_path / "control.sqlite").unsent_notices()
    assert waiting.tries == 1
    assert not is_due(waiting, waiting.found_us / 1e6 + 59)
    assert is_due(waiting, waiting.found_us / 1e6 + 61)


def test_a_notice_that_nobody_takes_is_given_up_after_a_day() -> None:
    notice = Notice(1, "lamps", "e", "bounce_rate", "…", found_us=0, tries=3)
    assert [is_due(notice, s) for s in (0, 419, 421, GIVE_UP_S + 1)] == [False, False, True, False]


@pytest.mark.faults
def test_a_housekeeper_killed_while_it_tells_tells_it_when_it_is_back(
    tmp_path: Path,
    receiver: Receiver,
    start_service: Callable[..., Any],
) -> None:
    shop_that("the guardrail", tmp_path)
    receiver.pause_s = 3.0
    more = {"notice_webhook": receiver.address, "watch_minutes": 1, "workers": 1}
    service = start_service(tmp_path, **more)
    control = ControlPlane(tmp_path / "control.sqlite")
    in_time(control.unsent_notices)
    housekeeper = next(p for p in _children(service.process.pid) if "housekeeper" in _words(p))
    time.sleep(0.5)  # while the receiver takes its time
    os.kill(housekeeper, signal.SIGKILL)
    assert control.unsent_notices()
    receiver.pause_s = 0.0
    in_time(lambda: not control.unsent_notices())
    assert {json.loads(body)["id"] for _, body in receiver.got} == {"lamps/e/bounce_rate"}
    assert service.stop() == 0


def in_time(question: Callable[[], Any], seconds: float = 90) -> None:
    until = time.monotonic() + seconds
    while not question():
        assert time.monotonic() < until, f"it did not come to pass within {seconds:.0f} seconds"
        time.sleep(0.05)


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()
    return [int(child) for child in found]


def _words(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text("utf-8", "replace")
