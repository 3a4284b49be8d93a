from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse

from thinslice.errors import InputError
from thinslice.server.answers import explain
from thinslice.server.straight import Straight


async def elsewhere(scope: Any, receive: Any, send: Any) -> None:
    await PlainTextResponse("elsewhere")(scope, receive, send)


async def ask(handler: Any, method: str, path: str) -> tuple[int, bytes]:
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> Any:
        return {"type": "http.request", "body": b"", "more_body": False}

    app = Straight(elsewhere, {("POST", "/v1/lists"): handler}, lambda _, error: explain(error))
    scope = {"type": "http", "method": method, "path": path, "headers": [], "query_string": b""}
    try:
        await app(scope, receive, send)
    finally:
        if sent:
            assert [m["type"] for m in sent] == ["http.response.start", "http.response.body"]
    return sent[0]["status"], sent[1]["body"]


def raising(error: Exception) -> Any:
    async def handler(_: Request) -> Any:
        raise error

    return handler


async def fine(_: Request) -> Any:
    return PlainTextResponse("straight")


@pytest.mark.parametrize(
    ("method", "path", "said"),
    [
        ("POST", "/v1/lists", b"straight"),
        ("GET", "/v1/lists", b"elsewhere"),
        ("POST", "/v1/lists/", b"elsewhere"),
    ],
)
def test_only_the_exact_method_and_address_go_straight(method: str, path: str, said: bytes) -> None:
    assert asyncio.run(ask(fine, method, path)) == (200, said)


def test_a_broken_rule_is_answered_as_everywhere() -> None:
    handler = raising(InputError("n is at least 1, got 0; ask for more"))
    status, body = asyncio.run(ask(handler, "POST", "/v1/lists"))
    assert status == 400
    assert b"n is at least 1, got 0" in body


def test_a_fault_is_answered_and_still_reaches_the_log() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(ask(raising(ZeroDivisionError()), "POST", "/v1/lists"))


def test_who_left_is_told_nothing() -> None:
    with pytest.raises(ClientDisconnect):
        asyncio.run(ask(raising(ClientDisconnect()), "POST", "/v1/lists"))
