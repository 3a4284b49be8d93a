from __future__ import annotations

from typing import Any


def change(lamps: Any, body: Any, status: int = 200, key: str = "") -> Any:
    answer = lamps.call("PATCH", "/v1/rules", body, key=key or lamps.secret)
    assert answer.status == status, answer.body
    return answer.json()


def ask(lamps: Any, key: str = "", status: int = 200, **more: Any) -> Any:
    body = {"items": ["p1"], "n": 3, "placement": "ruled", **more}
    answer = lamps.call("POST", "/v1/recommendations", body, key=key or lamps.write)
    assert answer.status == status, answer.body
    return answer.json()


def first(lamps: Any) -> set[str]:
    return {ask(lamps)["products"][0]["product_id"] for _ in range(8)}


def test_rules_are_set_traced_and_taken_back(lamps: Any, eventually: Any) -> None:
    try:
        answer = change(lamps, {"pinned": ["p7"], "buried": ["p2"], "who": "Ada", "why": "a fair"})
        assert answer["pinned"] == ["p7"]
        assert (answer["history"][0]["who"], answer["history"][0]["why"]) == ("Ada", "a fair")
        assert answer["history"][0]["did"] == ["pinned Lamp 7", "buried Lamp 2"]
        eventually(lambda: first(lamps) == {"p7"})
        listed = ask(lamps, lamps.secret, trace=True, n=8, items=["p6"])  # which nobody views
        assert listed["products"][0]["reason"] == "Chosen by the shop"
        assert {"rule": "pin", "product_id": "p7", "did": "put first"} in listed["trace"]
        assert {"rule": "bury", "product_id": "p2", "did": "put behind all others"} in (
            listed["trace"]
        )
        left = {(r["rule"], r["product_id"]) for r in listed["trace"]}
        assert ("at_hand", "p6") in left
        assert change(lamps, {"most_of_category": 1})["pinned"] == ["p7"], "the others stay"
    finally:
        change(lamps, {"pinned": [], "buried": [], "most_of_category": None})
    eventually(lambda: "p7" not in first(lamps))
    assert len(lamps.call("GET", "/v1/rules", key=lamps.secret).json()["history"]) >= 3


def test_a_trace_is_for_the_secret_key_and_comes_only_when_asked_for(lamps: Any) -> None:
    assert "trace" in ask(lamps, status=403, trace=True)["error"]["rule"]
    assert "trace" not in ask(lamps)


def test_rules_need_the_secret_key_and_stay_within_the_shop(lamps: Any) -> None:
    change(lamps, {"pinned": ["p1"]}, 403, lamps.write)
    refused = change(lamps, {"pinned": ["p1"]}, 400, lamps.other_secret)
    assert "there is no 'p1'" in refused["error"]["rule"]
    answer = lamps.call("GET", "/v1/rules", key=lamps.other_secret).json()
    assert (answer["pinned"], answer["history"]) == ([], [])


def test_what_cannot_be_a_rule_is_refused_in_words(lamps: Any) -> None:
    assert "from 1 to 100" in change(lamps, {"most_of_category": 0}, 400)["error"]["rule"]
    assert "did you mean pinned" in change(lamps, {"pined": []}, 400)["error"]["next"]
