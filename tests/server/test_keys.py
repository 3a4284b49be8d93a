from __future__ import annotations

from typing import Any

import pytest

EVENT = {"type": "page", "messageId": "m", "anonymousId": "a"}
PRODUCT = {"products": [{"product_id": "p1", "title": "Lamp 1"}]}
TRIAL = {"id": "keys", "control": "list:left", "treatment": "list:right", "placement": "keys"}
ROUTES: dict[str, tuple[str, str, Any]] = {
    "batch": ("POST", "/v1/batch", {"batch": [EVENT]}),
    "recommend": ("POST", "/v1/recommendations", {"items": ["p1"]}),
    "putProducts": ("PUT", "/v1/products", PRODUCT),
    "changeProducts": ("PATCH", "/v1/products", {"products": [{"product_id": "p1"}]}),
    "product": ("GET", "/v1/products/p1", None),
    "experiments": ("GET", "/v1/experiments", None),
    "startExperiment": ("POST", "/v1/experiments", TRIAL),
    "experiment": ("GET", "/v1/experiments/keys", None),
    "rampExperiment": ("POST", "/v1/experiments/keys/ramp", {"traffic": 1}),
    "stopExperiment": ("POST", "/v1/experiments/keys/stop", {}),
    "killExperiment": ("POST", "/v1/experiments/keys/kill", None),
    "rules": ("GET", "/v1/rules", None),
    "changeRules": ("PATCH", "/v1/rules", {"who": "Ada"}),
}
FOR_PAGES = {"batch", "recommend"}
"""What a write key opens too."""


@pytest.fixture(scope="module")
def keys(lamps: Any) -> dict[str, str]:
    revoked = lamps.control.create_key("lamps", "secret")
    lamps.control.revoke_key("lamps", revoked)
    wrong = "sk_" + "x" * 43
    return {
        "none": "",
        "wrong": wrong,
        "revoked": revoked,
        "write": lamps.write,
        "secret": lamps.secret,
    }


@pytest.mark.parametrize("kind", ["none", "wrong", "write", "secret", "revoked"])
@pytest.mark.parametrize("route", ROUTES)
def test_each_kind_of_key_opens_what_it_should(
    lamps: Any, keys: dict[str, str], route: str, kind: str
) -> None:
    method, path, body = ROUTES[route]
    assert lamps.call(method, path, body, key=keys[kind]).status == expected(route, kind)


def expected(route: str, kind: str) -> int:
    if kind == "secret" or (kind == "write" and route in FOR_PAGES):
        return 200
    return 403 if kind == "write" else 401


NEED_A_MODEL = {
    "classifyTitle", "correctTitles",  # keys: test_api_titles.py
    "searchImage", "searchWords", "similarProducts", "classifyImage",  # keys: test_api_photos.py
}  # fmt: skip


def test_the_matrix_covers_every_operation_of_the_api(lamps: Any) -> None:
    paths = lamps.call("GET", "/openapi.json").json()["paths"]
    operations = {o["operationId"] for path in paths.values() for o in path.values()}
    assert operations - {"healthz", "readyz"} - NEED_A_MODEL == set(ROUTES)


def test_a_key_stands_in_basic_in_bearer_or_in_the_body(lamps: Any) -> None:
    method, path, body = ROUTES["recommend"]
    bearer = {"Authorization": f"Bearer {lamps.write}"}
    assert lamps.call(method, path, body, headers=bearer).status == 200
    assert lamps.call(method, path, {**body, "write_key": lamps.write}).status == 200
    for wrong in ("Basic !!!", "Basic /w==", "Digest x", "Bearer"):
        answer = lamps.call(method, path, body, headers={"Authorization": wrong})
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Basic")


def test_a_revoked_key_is_refused_within_seconds(lamps: Any, eventually: Any) -> None:
    method, path, body = ROUTES["recommend"]
    key = lamps.control.create_key("lamps", "write")
    assert lamps.call(method, path, body, key=key).status == 200
    lamps.control.revoke_key("lamps", key)
    eventually(lambda: {lamps.call(method, path, body, key=key).status for _ in range(8)} == {401})


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("https://lamps.example", 200),
        ("https://lamps.example.evil.example", 403),
        ("http://lamps.example", 403),
        ("https://lamps.example:444", 403),
        ("https://LAMPS.example", 403),
        ("null", 403),
        (None, 200),
    ],
)
def test_a_key_that_lists_its_origins_is_for_these_exactly(
    lamps: Any, origin: str | None, status: int
) -> None:
    method, path, body = ROUTES["recommend"]
    headers = {"Origin": origin} if origin else {}
    answer = lamps.call(method, path, body, key=lamps.bound, headers=headers)
    assert answer.status == status
    if origin and status == 200:
        assert answer.headers["access-control-allow-origin"] == origin
        assert answer.headers["vary"] == "origin"
    else:
        assert "access-control-allow-origin" not in answer.headers


def test_a_page_can_read_what_was_wrong_with_what_it_sent(lamps: Any) -> None:
    headers = {"Origin": "https://lamps.example"}
    answer = lamps.call("POST", "/v1/batch", b"x", key=lamps.bound, headers=headers)
    assert (answer.status, answer.headers["access-control-allow-origin"]) == (400, "*")


def test_a_secret_key_in_a_page_is_refused(lamps: Any) -> None:
    method, path, body = ROUTES["recommend"]
    headers = {"Origin": "https://lamps.example"}
    answer = lamps.call(method, path, body, key=lamps.secret, headers=headers)
    assert answer.status == 403
    assert "revoke it" in answer.json()["error"]["next"]


def test_a_browser_may_ask_in_advance_for_what_pages_do(lamps: Any) -> None:
    headers = {
        "Origin": "https://lamps.example",
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "authorization",
    }
    answer = lamps.call("OPTIONS", "/v1/recommendations", headers=headers)
    assert answer.status == 204
    assert "authorization" in answer.headers["access-control-allow-headers"]
    assert "PUT" not in answer.headers["access-control-allow-methods"]
    assert "access-control-allow-credentials" not in answer.headers


def test_the_last_use_of_a_key_is_noted_in_passing(lamps: Any, eventually: Any) -> None:
    key = lamps.control.create_key("lamps", "write")
    lamps.call(*ROUTES["recommend"], key=key)
    eventually(lambda: lamps.control.keys("lamps")[-1].last_used_us)
