from __future__ import annotations

from typing import Any

import pytest

from thinslice.config import Settings
from thinslice.domain import EventType
from thinslice.engine import Engine
from thinslice.server.preview import preview_token


def trial(name: str, **more: Any) -> dict[str, Any]:
    lists = {"control": "list:left", "treatment": "list:right"}
    return {"id": name, "placement": name, **lists, **more}


def act(lamps: Any, path: str, body: Any = None, status: int = 200) -> Any:
    method = "GET" if path.endswith("!") else "POST"
    answer = lamps.call(method, f"/v1/experiments{path.rstrip('!')}", body, key=lamps.secret)
    assert answer.status == status, answer.body
    return answer.json()


def ask(lamps: Any, placement: str, visitor: str = "anna", **more: Any) -> Any:
    body = {"items": ["p1"], "n": 2, "visitor_id": visitor, "placement": placement, **more}
    answer = lamps.call("POST", "/v1/recommendations", body, key=more.pop("key", lamps.write))
    assert answer.status == 200, answer.body
    return answer.json()


def noticed(lamps: Any, eventually: Any, placement: str, visitor: str = "anna") -> Any:
    """What both workers answer once they have seen that the experiment runs."""
    answers = [ask(lamps, placement, visitor) for _ in range(8)]
    eventually(
        lambda: (
            all(a["experiment"] for a in answers)
            or (answers.clear() or answers.extend(ask(lamps, placement, visitor) for _ in range(8)))
        )
    )
    return answers[-1]


def test_an_experiment_is_started_ramped_and_shipped(lamps: Any, eventually: Any) -> None:
    started = act(lamps, "", trial("ship-it", traffic=0.5, who="anna"))
    assert (started["state"], started["traffic"]) == ("running", 0.5)
    assert started["planned_visitors"] is None  # nobody was here before
    assert act(lamps, "/ship-it/ramp", {"traffic": 1, "why": "all is well"})["traffic"] == 1
    noticed(lamps, eventually, "ship-it")
    stopped = act(lamps, "/ship-it/stop", {"ship": True, "who": "anna"})
    assert (stopped["state"], stopped["after"]) == ("stopped", "the list “right”")
    assert [(c["what"], c["who"]) for c in stopped["changes"]] == [
        ("started", "anna"),
        ("ramped", "secret key"),
        ("stopped", "anna"),
    ]
    eventually(
        lambda: {ask(lamps, "ship-it", f"v{i}")["policy"] for i in range(20)} == {"list:right"}
    )


def test_after_a_kill_everyone_is_back_at_the_control(lamps: Any, eventually: Any) -> None:
    act(lamps, "", trial("kill-it"))
    noticed(lamps, eventually, "kill-it")
    seen = {ask(lamps, "kill-it", f"v{i}")["policy"] for i in range(30)}
    assert seen == {"list:left", "list:right"}
    assert act(lamps, "/kill-it/kill")["changes"][-1]["what"] == "killed"
    eventually(
        lambda: {ask(lamps, "kill-it", f"v{i}")["policy"] for i in range(30)} == {"list:left"}
    )
    assert act(lamps, "/kill-it/kill")["state"] == "stopped"


def test_a_ramp_that_falls_is_refused_in_words(lamps: Any) -> None:
    act(lamps, "", trial("no-fall", traffic=0.5))
    refused = act(lamps, "/no-fall/ramp", {"traffic": 0.1}, status=400)
    assert "only rises" in refused["error"]["rule"]
    act(lamps, "/nobody/kill", status=404)
    act(lamps, "", trial("no-fall"), status=400)
    unknown = act(lamps, "", trial("other", treatment="list:nowhere"), status=400)
    assert "no list maker 'list:nowhere'" in unknown["error"]["rule"]


def test_a_preview_shows_either_variant_and_is_marked(lamps: Any, eventually: Any) -> None:
    act(lamps, "", trial("look"))
    noticed(lamps, eventually, "look")
    secret = lamps.control.signing_secret()
    for variant, policy in (("the list “left”", "list:left"), ("the list “right”", "list:right")):
        token = preview_token(secret, "lamps", "look", variant, hours=1)
        shown = ask(lamps, "look", preview=token)
        assert (shown["policy"], shown["left_out"], shown["experiment"]) == (policy, "qa", None)
    body = {"preview": "look/the list “right”", "visitor_id": "anna", "placement": "look"}
    assert lamps.call("POST", "/v1/recommendations", body, key=lamps.secret).status == 200
    assert lamps.call("POST", "/v1/recommendations", body, key=lamps.write).status == 400


@pytest.mark.parametrize("kind", ["another shop", "expired", "changed"])
def test_a_preview_that_is_not_good_is_refused(lamps: Any, kind: str) -> None:
    secret = lamps.control.signing_secret()
    shop, hours = ("books", 1) if kind == "another shop" else ("lamps", -1)
    token = preview_token(secret, shop, "look", "the list “left”", hours)
    token = "x" + token[1:] if kind == "changed" else token
    body = {"preview": token, "visitor_id": "anna"}
    answer = lamps.call("POST", "/v1/recommendations", body, key=lamps.write)
    assert answer.status == (400 if kind == "changed" else 403)


def test_every_list_is_recorded_and_only_those_that_count_carry_the_variant(
    lamps: Any, eventually: Any
) -> None:
    act(lamps, "", trial("recorded"))
    counts = noticed(lamps, eventually, "recorded")
    nothing_of_its_own = ask(lamps, "recorded", items=[])
    assert (nothing_of_its_own["left_out"], nothing_of_its_own["variant"]) == (
        "could_not_show",
        None,
    )
    log = Engine(Settings(data=lamps.service.data)).log

    def events() -> dict[str, Any]:
        found = log.events("lamps").to_pylist()
        return {e["message_id"]: e for e in found if e["type"] == EventType.RECOMMENDATION_SERVED}

    ids = (counts["exposure_id"], nothing_of_its_own["exposure_id"])
    kept = eventually(lambda: found if set(ids) <= set(found := events()) else None)
    first, second = (kept[i] for i in ids)
    assert (first["experiment"], first["variant"]) == ("recorded", counts["variant"])
    assert '"products":["p' in first["properties"]
    assert '"reasons":["Listed beside' in first["properties"]
    assert (second["experiment"], second["variant"]) == (None, None)
    assert '"left_out":"could_not_show","experiment":"recorded"' in second["properties"]
