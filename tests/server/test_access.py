from __future__ import annotations

import asyncio
import time
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from thinslice.server.access import PageGate, Pass, is_this_computer, link_token, read, sign
from thinslice.store.control import ControlPlane

SECRET = b"s" * 32
ELSEWHERE = {"Host": "shop.example:8080"}


def scope(client: str, host: str, **headers: str) -> dict[str, Any]:
    sent = {"host": host, **{name.replace("_", "-"): value for name, value in headers.items()}}
    return {
        "type": "http",
        "client": (client, 1),
        "headers": [(n.encode(), v.encode()) for n, v in sent.items()],
    }


def test_a_token_says_what_was_signed_until_it_expires() -> None:
    what = Pass("lamps", "Anna & co", 1000)
    token = sign(what, SECRET)
    assert read(token, SECRET, 999) == what
    assert read(token, SECRET, 1000) is None
    assert read(token, b"t" * 32, 999) is None


def test_no_changed_token_is_read() -> None:
    token = sign(Pass("lamps", "Anna", 1000), SECRET)
    forged = sign(Pass("books", "Anna", 1000), SECRET)
    mixed = forged.split(".")[0] + "." + token.split(".")[1]
    for bad in (mixed, token[:-2], token + "x", "", ".", "a.b.c", "é.é", token.split(".")[0]):
        assert read(bad, SECRET, 0) is None


@pytest.mark.parametrize(
    "request_scope",
    [
        scope("127.0.0.1", "localhost:8080"),
        scope("127.0.0.1", "127.0.0.1"),
        scope("127.0.0.9", "127.0.0.1:80"),
        scope("::1", "[::1]:8080"),
    ],
)
def test_this_computer_is_known(request_scope: dict[str, Any]) -> None:
    assert is_this_computer(request_scope)


@pytest.mark.parametrize(
    "request_scope",
    [
        scope("10.0.0.7", "localhost"),
        scope("127.0.0.1", "shop.example"),
        scope("127.0.0.1", "127.0.0.1.evil.example"),
        scope("127.0.0.1", "localhost.evil.example:8080"),
        scope("127.0.0.1", ""),
        scope("127.0.0.1", "["),
        scope("127.0.0.1", "localhost", x_forwarded_for="10.0.0.7"),
        scope("127.0.0.1", "localhost", x_forwarded_proto="https"),
        scope("127.0.0.1", "localhost", forwarded="for=10.0.0.7"),
        scope("127.0.0.1", "localhost", via="1.1 proxy"),
        {"type": "http", "client": None, "headers": [(b"host", b"localhost")]},
    ],
)
def test_anything_in_between_is_not_this_computer(request_scope: dict[str, Any]) -> None:
    assert not is_this_computer(request_scope)


def test_this_computer_sees_every_shop(lamps: Any) -> None:
    for shop in ("lamps", "books"):
        assert lamps.call("GET", f"/{shop}/").status == 200


@pytest.mark.parametrize("path", ["/", "/lamps/", "/lamps/shop", "/lamps/feedback", "/nobody/"])
def test_elsewhere_a_page_asks_who_is_there(lamps: Any, path: str) -> None:
    answer = lamps.call("GET", path, headers=ELSEWHERE)
    assert answer.status == 403
    assert b'action="/sign-in"' in answer.body
    assert b"Lamp 1" not in answer.body


def test_the_answer_does_not_tell_which_shops_there_are(lamps: Any) -> None:
    known = lamps.call("GET", "/lamps/", headers=ELSEWHERE).body
    unknown = lamps.call("GET", "/zzzzz/", headers=ELSEWHERE).body
    assert known.replace(b"lamps", b"zzzzz") == unknown


def cookie_of(answer: Any) -> dict[str, str]:
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie
    return {**ELSEWHERE, "Cookie": cookie.partition(";")[0]}


def test_a_link_opens_its_shop_and_leaves_the_address(lamps: Any) -> None:
    token = link_token(lamps.control, "lamps", "Anna", 1)
    answer = lamps.call("GET", f"/lamps/?a=b%20c&key={token}", headers=ELSEWHERE)
    assert (answer.status, answer.headers["location"]) == (303, "/lamps/?a=b+c")
    assert answer.headers["cache-control"] == "no-store"
    headers = cookie_of(answer)
    assert lamps.call("GET", "/lamps/", headers=headers).status == 200
    assert lamps.call("GET", "/books/", headers=headers).status == 403
    assert [link.label for link in lamps.control.links("lamps")] == ["Anna"]


def test_an_expired_or_forged_link_opens_nothing(lamps: Any) -> None:
    expired = sign(Pass("lamps", "Anna", int(time.time()) - 1), lamps.control.signing_secret())
    forged = sign(Pass("lamps", "Anna", int(time.time()) + 99), SECRET)
    for token in (expired, forged, "x"):
        answer = lamps.call("GET", f"/lamps/?key={token}", headers=ELSEWHERE)
        assert answer.status == 403
        assert b"expired" in answer.body
        assert "set-cookie" not in answer.headers


def sign_in(lamps: Any, key: str, after: str = "", **headers: str) -> Any:
    sent = {**ELSEWHERE, "Origin": "http://shop.example:8080", **headers}
    body = urlencode({"key": key, "next": after}).encode()
    return lamps.call("POST", "/sign-in", body, headers=sent)


def test_the_secret_key_opens_its_shop_until_it_is_revoked(lamps: Any) -> None:
    key = lamps.control.create_key("lamps", "secret")
    answer = sign_in(lamps, key, "/lamps/shop?trail=p1")
    assert (answer.status, answer.headers["location"]) == (303, "/lamps/shop?trail=p1")
    headers = cookie_of(answer)
    assert lamps.call("GET", "/lamps/", headers=headers).status == 200
    assert lamps.call("GET", "/books/", headers=headers).status == 403
    lamps.control.revoke_key("lamps", key)
    assert lamps.call("GET", "/lamps/", headers=headers).status == 403


def test_a_write_key_opens_no_page(lamps: Any) -> None:
    assert sign_in(lamps, lamps.write).status == 403
    assert sign_in(lamps, "").status == 403


@pytest.mark.parametrize(
    "after", ["https://evil.example/", "//evil.example", "/\\evil.example", "evil", "/sign-in"]
)
def test_signing_in_leads_to_pages_of_ours_only(lamps: Any, after: str) -> None:
    assert sign_in(lamps, lamps.secret, after).headers["location"] == "/"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site", "Origin": "http://127.0.0.1"},
        {},
    ],
)
def test_a_form_of_another_site_is_not_taken(lamps: Any, headers: dict[str, str]) -> None:
    before = len(lamps.control.feedback("lamps"))
    body = urlencode({"right": "no", "text": "x", "page": "shop"}).encode()
    assert lamps.call("POST", "/lamps/feedback", body, headers=headers).status == 403
    assert len(lamps.control.feedback("lamps")) == before


@pytest.mark.parametrize("path", ["/", "/lamps/", "/lamps/shop", "/nobody/", "/lamps/nothing"])
def test_every_page_tells_the_browser_to_run_nothing_foreign(lamps: Any, path: str) -> None:
    for headers in ({}, ELSEWHERE):
        answer = lamps.call("GET", path, headers=headers)
        policy = answer.headers["content-security-policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.headers["referrer-policy"] == "same-origin"
        assert "no-store" in answer.headers["cache-control"]


def test_a_hostile_address_is_shown_as_text(lamps: Any) -> None:
    path = "/" + quote('"><script>alert(1)</script>') + "/"
    for headers in ({}, ELSEWHERE):
        assert b"<script>alert" not in lamps.call("GET", path, headers=headers).body


def test_a_visit_is_noted_with_the_label_of_its_link(lamps: Any, eventually: Any) -> None:
    token = link_token(lamps.control, "lamps", "Bela", 1)
    headers = cookie_of(lamps.call("GET", f"/lamps/?key={token}", headers=ELSEWHERE))
    lamps.call("GET", "/lamps/shop?trail=p1", headers=headers)
    eventually(lambda: [v for v in lamps.control.visits("lamps") if v.who == "Bela"])
    visit = next(v for v in lamps.control.visits("lamps") if v.who == "Bela")
    assert (visit.page, visit.state) == ("shop", "/lamps/shop?trail=p1")


def test_a_damaged_control_file_is_told_and_closes_the_door(tmp_path: Path) -> None:
    control = ControlPlane(tmp_path / "control.sqlite")
    control.path.write_bytes(b"damaged" * 1000)

    async def page(*_: Any) -> None:
        raise AssertionError("the page was opened")

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        raise AssertionError("nothing is read")

    asked = {"type": "http", "method": "GET", "path": "/lamps/", "query_string": b"", "headers": []}
    asyncio.run(PageGate(page, lambda: control)(asked, receive, send))
    assert sent[0]["status"] == 503
