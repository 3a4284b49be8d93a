from __future__ import annotations

import json
import uuid
from typing import Any

import pytest

from thinslice.config import Settings
from thinslice.domain import EventType
from thinslice.engine import Engine


def track(event: str = "Product Viewed", **properties: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "messageId": uuid.uuid4().hex,
        "anonymousId": "anna",
        "event": event,
        "properties": properties,
    }


def send(lamps: Any, *items: Any, key: str | None = None) -> Any:
    answer = lamps.call("POST", "/v1/batch", {"batch": list(items)}, key=key or lamps.write)
    assert answer.status == 200, answer.body
    return answer.json()


def engine(lamps: Any) -> Engine:
    return Engine(Settings(data=lamps.service.data))


def kept(lamps: Any, shop: str = "lamps") -> list[str]:
    return engine(lamps).log.events(shop).column("message_id").to_pylist()


def test_an_acknowledged_event_is_in_the_log(lamps: Any) -> None:
    view = track(product_id="p1")
    assert send(lamps, view) == {"accepted": 1, "rejected": []}
    assert view["messageId"] in kept(lamps)


def test_events_sent_twice_through_two_writers_count_once(lamps: Any, eventually: Any) -> None:
    items = [track(product_id=f"p{n}") for n in range(5)]
    answered: set[int] = set()

    def both_took_them() -> bool:
        send(lamps, *items)
        answered.add(lamps.call("GET", "/healthz").json()["process"])
        return len(answered) == 2

    eventually(both_took_them)
    for _ in range(6):
        send(lamps, *items)
    ids = kept(lamps)
    assert [ids.count(item["messageId"]) for item in items] == [1] * 5


def test_a_bad_event_is_named_and_kept_for_a_person_to_look_at(lamps: Any) -> None:
    good, bad = track(product_id="p1"), track(product_id="p1", price=-3)
    answer = send(lamps, bad, good)
    assert answer["accepted"] == 1
    assert answer["rejected"] == [{"position": 0, "rule": "price is at least 0, got -3"}]
    lines = engine(lamps).directory.rejected("lamps").read_text().splitlines()
    last = json.loads(lines[-1])
    assert json.loads(last["event"])["messageId"] == bad["messageId"]
    assert bad["messageId"] not in kept(lamps)


def test_a_thousand_good_and_ten_bad_come_out_as_a_thousand_and_ten(lamps: Any) -> None:
    items = [track(product_id="p1", price=-1 if n % 101 == 0 else 1) for n in range(1010)]
    answers = [send(lamps, *items[n : n + 101], key=lamps.secret) for n in range(0, 1010, 101)]
    assert sum(a["accepted"] for a in answers) == 1000
    assert sum(len(a["rejected"]) for a in answers) == 10
    assert len({i["messageId"] for i in items} & set(kept(lamps))) == 1000


def test_a_beacon_of_plain_text_with_the_key_inside_is_taken(lamps: Any) -> None:
    body = {"writeKey": lamps.write, "batch": [track(product_id="p1")]}
    headers = {"Content-Type": "text/plain", "Origin": "https://anywhere.example"}
    answer = lamps.call("POST", "/v1/batch", body, headers=headers)
    assert answer.json()["accepted"] == 1
    assert answer.headers["access-control-allow-origin"] == "https://anywhere.example"


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "list named batch"),
        (b"[]", "list named batch"),
        (b'{"batch": "x"}', "list named batch"),
        (json.dumps({"batch": [track(product_id="p")] * 101}).encode(), "at most 100 events"),
    ],
)
def test_a_body_that_is_no_batch_is_told_so(lamps: Any, body: bytes, says: str) -> None:
    answer = lamps.call("POST", "/v1/batch", body, key=lamps.write)
    assert answer.status == 400
    assert says in answer.json()["error"]["rule"]


def test_a_body_over_the_limit_is_413_and_one_at_the_limit_is_read(lamps: Any) -> None:
    head, tail = b'{"batch":[],"x":"', b'"}'
    fits = head + b"y" * (500_000 - len(head) - len(tail)) + tail
    assert lamps.call("POST", "/v1/batch", fits, key=lamps.write).status == 200
    assert lamps.call("POST", "/v1/batch", fits + b" ", key=lamps.write).status == 413


def test_a_body_of_unknown_length_is_cut_off_at_the_limit(lamps: Any) -> None:
    import http.client

    connection = http.client.HTTPConnection("127.0.0.1", lamps.service.port, timeout=20)
    chunks = (b" " * 50_000 for _ in range(11))
    connection.request(
        "POST", "/v1/batch", chunks, {"Authorization": f"Bearer {lamps.write}"}, encode_chunked=True
    )
    assert connection.getresponse().status == 413
    connection.close()


def test_a_compressed_body_is_415(lamps: Any) -> None:
    headers = {"Content-Encoding": "gzip"}
    assert lamps.call("POST", "/v1/batch", b"x", key=lamps.write, headers=headers).status == 415


def test_a_list_is_answered_with_reasons_and_recorded_as_an_exposure(
    lamps: Any, eventually: Any
) -> None:
    wanted = {"items": ["p1"], "n": 3, "visitor_id": "anna", "session_id": "s7"}
    answer = lamps.call("POST", "/v1/recommendations", wanted, key=lamps.write).json()
    assert len(answer["products"]) == 3
    assert "p1" not in [p["product_id"] for p in answer["products"]]
    assert all(p["reason"] and p["title"] and p["price"] for p in answer["products"])
    assert answer["exposure_id"] in eventually(
        lambda: [i for i in kept(lamps) if i == answer["exposure_id"]]
    )
    events = engine(lamps).log.events("lamps").to_pylist()
    (served,) = [e for e in events if e["message_id"] == answer["exposure_id"]]
    assert (served["type"], served["visitor"], served["session"]) == (
        EventType.RECOMMENDATION_SERVED,
        "anna",
        "s7",
    )
    shown = json.loads(served["properties"])["products"]
    assert shown == [p["product_id"] for p in answer["products"]]


def test_filters_are_never_bent(lamps: Any) -> None:
    filters = {"price_min": "3.99", "price_max": 6.99, "exclude": ["p5"], "in_stock": True}
    wanted = {"items": [], "n": 100, "filters": filters}
    answer = lamps.call("POST", "/v1/recommendations", wanted, key=lamps.write).json()
    assert {p["product_id"] for p in answer["products"]} <= {"p3", "p4", "p6"}
    wanted = {"items": [], "n": 100}
    answer = lamps.call("POST", "/v1/recommendations", wanted, key=lamps.write).json()
    assert "p0" not in {p["product_id"] for p in answer["products"]}, "p0 is out of stock"


def test_a_session_is_looked_up_when_no_products_are_sent(lamps: Any, eventually: Any) -> None:
    session = uuid.uuid4().hex
    send(lamps, track(product_id="p2", session_id=session))
    wanted = {"session_id": session, "n": 100}

    def remembered() -> bool:
        answer = lamps.call("POST", "/v1/recommendations", wanted, key=lamps.write).json()
        return "p2" not in [p["product_id"] for p in answer["products"]]

    eventually(remembered)


def test_who_comes_in_by_a_category_page_gets_its_products_first(
    lamps: Any, eventually: Any
) -> None:
    rugs = [{"product_id": f"rug-{n}", "title": f"Rug {n}", "category": "Rugs"} for n in range(3)]
    body = {"products": rugs}
    assert lamps.call("PUT", "/v1/products", body, key=lamps.other_secret).status == 200
    session = uuid.uuid4().hex
    came_in = track("Product List Viewed", category="Rugs", session_id=session)
    send(lamps, came_in, key=lamps.other_write)

    def first(**wanted: Any) -> str:
        wanted["n"] = 4
        answer = lamps.call("POST", "/v1/recommendations", wanted, key=lamps.other_write).json()
        return str((answer["products"] or [{"category": None}])[0]["category"])

    eventually(lambda: first(session_id=session) == "Rugs")
    eventually(lambda: first(items=[], category="Rugs") == "Rugs")
    assert first(items=[]) == "", "without a category page the catalogue comes as it is"


def test_what_was_bought_in_the_session_is_not_shown_again(lamps: Any, eventually: Any) -> None:
    session = uuid.uuid4().hex
    order = {"order_id": session, "products": [{"product_id": "p3"}], "session_id": session}
    send(lamps, track("Order Completed", **order), track(product_id="p2", session_id=session))

    def shown(**wanted: Any) -> list[str]:
        answer = lamps.call("POST", "/v1/recommendations", wanted, key=lamps.write).json()
        return [p["product_id"] for p in answer["products"]]

    eventually(lambda: "p3" not in shown(session_id=session, n=100))
    assert "p3" in shown(items=["p2"], n=100)
    assert "p3" not in shown(items=["p2"], bought=["p3"], n=100)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"itmes": ["p1"]}, "did you mean items?"),
        ({"filters": {"prize_min": 3}}, "did you mean price_min?"),
        ({"n": 0}, ">= 1"),
        ({"n": 101}, "<= 100"),
        ({"items": "p1"}, "array"),
        ({"filters": {"price_min": "cheap"}}, "price_min is a number"),
    ],
)
def test_a_wrong_question_is_told_what_is_wrong(lamps: Any, body: Any, says: str) -> None:
    answer = lamps.call("POST", "/v1/recommendations", body, key=lamps.write)
    assert answer.status == 400
    assert says in " ".join(answer.json()["error"].values())


def test_a_list_maker_of_ones_choice_needs_the_secret_key(lamps: Any) -> None:
    wanted = {"items": ["p1"], "policy": "popular"}
    assert lamps.call("POST", "/v1/recommendations", wanted, key=lamps.write).status == 403
    answer = lamps.call("POST", "/v1/recommendations", wanted, key=lamps.secret)
    assert answer.json()["policy"] == "popular"


def test_a_product_sold_out_is_gone_from_every_workers_lists(lamps: Any, eventually: Any) -> None:
    lamp = {"product_id": "new", "title": "New lamp", "price": 12.5, "stock": 3}
    put = lamps.call("PUT", "/v1/products", {"products": [lamp]}, key=lamps.secret)
    assert put.json() == {"changed": 1, "unknown": []}
    got = lamps.call("GET", "/v1/products/new", key=lamps.secret).json()
    assert (got["price"], got["stock"], got["currency"]) == (12.5, 3, "EUR")

    def shown() -> list[bool]:
        wanted = {"items": [], "n": 100}
        answers = [
            lamps.call("POST", "/v1/recommendations", wanted, key=lamps.write).json()
            for _ in range(20)
        ]
        return ["new" in [p["product_id"] for p in a["products"]] for a in answers]

    eventually(lambda: all(shown()))
    change = {"products": [{"product_id": "new", "stock": 0}, {"product_id": "nobody", "stock": 1}]}
    patched = lamps.call("PATCH", "/v1/products", change, key=lamps.secret)
    assert patched.json() == {"changed": 1, "unknown": ["nobody"]}
    eventually(lambda: not any(shown()))


def test_one_wrong_product_keeps_the_whole_list_out(lamps: Any) -> None:
    products = [{"product_id": "x1", "title": "X"}, {"product_id": "x2", "title": "X", "price": -1}]
    answer = lamps.call("PUT", "/v1/products", {"products": products}, key=lamps.secret)
    assert answer.status == 400
    assert lamps.call("GET", "/v1/products/x1", key=lamps.secret).status == 404


def test_a_change_leaves_the_other_fields_as_they_are(lamps: Any) -> None:
    change = {"products": [{"product_id": "p7", "price": "1.50"}]}
    lamps.call("PATCH", "/v1/products", change, key=lamps.secret)
    got = lamps.call("GET", "/v1/products/p7", key=lamps.secret).json()
    assert (got["title"], got["price"], got["stock"]) == ("Lamp 7", 1.5, 7)


def test_a_cost_is_taken_and_never_answered(lamps: Any, eventually: Any) -> None:
    lamp = {"product_id": "p8", "title": "Lamp 8", "price": 20, "cost": "7.77", "stock": 4}
    lamps.call("PUT", "/v1/products", {"products": [lamp]}, key=lamps.secret)
    change = {"products": [{"product_id": "p8", "cost": 7.89}]}
    assert lamps.call("PATCH", "/v1/products", change, key=lamps.secret).status == 200
    wanted = {"items": ["p7"], "n": 100}

    def listed() -> bytes:
        answer = lamps.call("POST", "/v1/recommendations", wanted, key=lamps.write)
        body = json.dumps(answer.json()["products"]).encode()
        return body if b"p8" in body else b""

    shown = [lamps.call("GET", "/v1/products/p8", key=lamps.secret).body, eventually(listed)]
    for body in shown:
        assert b"p8" in body
        assert not any(said in body for said in (b"cost", b"7.77", b"7.89", b"789"))


def test_a_shop_never_sees_another_ones_data(lamps: Any) -> None:
    assert lamps.call("GET", "/v1/products/b1", key=lamps.secret).status == 404
    wanted = {"items": ["b1"], "n": 100}
    answer = lamps.call("POST", "/v1/recommendations", wanted, key=lamps.write)
    assert b"CANARY" not in answer.body
    view = track(product_id="b1", shop="books")
    send(lamps, view, key=lamps.write)
    assert view["messageId"] not in kept(lamps, "books")


def test_an_unknown_address_or_method_is_answered_in_the_same_form(lamps: Any) -> None:
    for method, path, status in (("GET", "/v1/nothing", 404), ("GET", "/v1/batch", 405)):
        answer = lamps.call(method, path, key=lamps.write)
        assert answer.status == status
        assert set(answer.json()["error"]) == {"rule", "next"}


def test_the_service_says_that_it_lives_and_is_ready(lamps: Any) -> None:
    assert lamps.call("GET", "/healthz").json()["status"] == "ok"
    assert lamps.call("GET", "/readyz").json() == {"status": "ready", "problems": []}
