from __future__ import annotations

import json
import time
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinslice.domain import Event, EventType
from thinslice.errors import EventError, InputError
from thinslice.store.wire import Rejected, decode_batch, events_of, read_batch

NOW_US = 1_780_000_000_000_000
HOUR_US = 3600 * 1_000_000


def iso(time_us: int) -> str:
    return datetime.fromtimestamp(time_us / 1e6, UTC).isoformat().replace("+00:00", "Z")


def track(event: str = "Product Viewed", **properties: Any) -> dict[str, Any]:
    return {
        "type": "track",
        "messageId": "m1",
        "anonymousId": "anna",
        "event": event,
        "properties": properties,
    }


def read(item: dict[str, Any], *, trusted: bool = False, sent_us: int | None = None) -> list[Event]:
    return events_of(
        json.dumps(item).encode(), received_us=NOW_US, sent_us=sent_us, trusted=trusted
    )


def one(item: dict[str, Any], **how: Any) -> Event:
    (event,) = read(item, **how)
    return event


def read_body(body: bytes) -> tuple[list[Event], list[Rejected]]:
    return read_batch(
        decode_batch(body),
        received_us=NOW_US,
        trusted=False,
        default_currency="EUR",
        max_event_bytes=32_000,
    )


def test_a_product_view_becomes_one_line() -> None:
    event = one(track(product_id="p1", price=19.99, session_id="s1", colour="red"))
    assert event == Event(
        message_id="m1",
        type=EventType.PRODUCT_VIEWED,
        time_us=NOW_US,
        received_us=NOW_US,
        visitor="anna",
        session="s1",
        product="p1",
        price_minor=1999,
        currency="EUR",
        properties='{"colour":"red"}',
    )


def test_an_order_becomes_one_line_per_product_and_its_total_counts_once() -> None:
    products = [{"product_id": "a", "price": 10, "quantity": 2}, {"sku": "b", "price": "5.50"}]
    lines = read(track("Order Completed", order_id="o1", revenue=30, products=products))
    assert [(x.line, x.product, x.quantity, x.price_minor) for x in lines] == [
        (0, "a", 2, 1000),
        (1, "b", None, 550),
    ]
    assert [x.revenue_minor for x in lines] == [3000, None]
    assert {x.order_id for x in lines} == {"o1"}


def test_an_order_without_a_total_counts_the_sum_of_its_lines() -> None:
    products = [{"product_id": "a", "price": 10, "quantity": 2}, {"product_id": "b", "price": 5.5}]
    assert read(track("Order Completed", products=products))[0].revenue_minor == 2550
    unpriced = [*products, {"product_id": "c"}]
    assert read(track("Order Completed", products=unpriced))[0].revenue_minor is None


def test_an_order_of_one_product_may_name_it_directly() -> None:
    line = one(track("Order Completed", order_id="o", product_id="a", price=3, total=4))
    assert (line.product, line.price_minor, line.revenue_minor) == ("a", 300, 400)


def test_a_list_keeps_the_page_it_stood_on_and_its_products() -> None:
    event = one(track("Product List Viewed", product_id="p1", products=[{"product_id": "a"}]))
    assert event.product == "p1"
    assert json.loads(event.properties or "") == {"products": [{"product_id": "a"}]}


def test_a_page_call_is_a_page_view_with_its_name() -> None:
    event = one({"type": "page", "messageId": "m", "userId": 7, "name": "Home"})
    assert (event.type, event.visitor) == (EventType.PAGE_VIEWED, "7")
    assert json.loads(event.properties or "") == {"name": "Home"}


def test_a_page_call_keeps_its_category() -> None:
    page = {"type": "page", "messageId": "m", "userId": 7, "category": "Home > Lighting"}
    assert json.loads(one(page).properties or "") == {"category": "Home > Lighting"}
    said = one({**page, "properties": {"category": "Sale"}})
    assert json.loads(said.properties or "") == {"category": "Sale"}
    assert one({**page, "category": {"odd": 1}}).properties is None


def test_a_recommendation_that_was_seen_names_its_exposure() -> None:
    shown = {"experiment": "e", "variant": "b"}
    event = one(track("Recommendation Clicked", rec_id="x1", product_id="p", **shown))
    assert (event.exposure_id, event.experiment, event.variant) == ("x1", "e", "b")


def test_only_the_service_says_what_it_served() -> None:
    with pytest.raises(EventError, match="recorded by the service itself"):
        read(track("Recommendation Served"))
    assert one(track("Recommendation Served"), trusted=True).type == "Recommendation Served"


def test_an_event_of_another_name_is_kept_under_it() -> None:
    assert one(track("Size Guide Opened", size=42)).type == "Size Guide Opened"


def test_calls_that_tell_who_someone_is_keep_nothing() -> None:
    who = {"type": "identify", "messageId": "m", "userId": "u", "traits": {"email": "a@b.c"}}
    assert read(who) == []


def test_a_session_may_come_in_the_context() -> None:
    item = {**track(product_id="p"), "context": {"sessionId": 17, "ip": "10.0.0.1"}}
    assert one(item).session == "17"


def test_the_clients_clock_is_corrected_by_when_it_sent() -> None:
    fast_us = NOW_US + 7 * HOUR_US
    item = {**track(product_id="p"), "timestamp": iso(fast_us - 60_000_000)}
    assert one({**item, "sentAt": iso(fast_us)}).time_us == NOW_US - 60_000_000
    assert one(item, sent_us=fast_us).time_us == NOW_US - 60_000_000


def test_a_browser_is_believed_72_hours_back_and_5_minutes_ahead() -> None:
    old = one({**track(product_id="p"), "timestamp": iso(NOW_US - 100 * HOUR_US)})
    assert old.time_us == NOW_US - 72 * HOUR_US
    assert json.loads(old.properties or "")["original_timestamp"] == iso(NOW_US - 100 * HOUR_US)
    early = one({**track(product_id="p"), "timestamp": iso(NOW_US + HOUR_US)})
    assert early.time_us == NOW_US + 300_000_000


def test_a_trusted_client_writes_history() -> None:
    item = {**track(product_id="p"), "timestamp": "2020-02-03T04:05:06.789Z"}
    assert one(item, trusted=True).time_us == 1_580_702_706_789_000
    assert one({**item, "timestamp": 1_580_702_706_789}, trusted=True).time_us % 10**6 == 789_000


@given(st.integers(-(10**6), 10**6), st.integers(0, 10**6))
def test_any_clock_error_cancels_out(error_s: int, ago_s: int) -> None:
    clock_us = NOW_US + error_s * 10**6
    item = {**track(product_id="p"), "timestamp": iso(clock_us - ago_s * 10**6)}
    event = one({**item, "sentAt": iso(clock_us)})
    assert event.time_us == NOW_US - min(ago_s, 72 * 3600) * 10**6


@pytest.mark.parametrize(
    ("price", "currency", "minor"),
    [(1.005, "EUR", 101), (0.285, "EUR", 29), (1500, "JPY", 1500), ("1.2345", "KWD", 1235)],
)
def test_prices_become_minor_units_without_losing_a_cent(
    price: float, currency: str, minor: int
) -> None:
    assert one(track(product_id="p", price=price, currency=currency)).price_minor == minor


POISON: dict[str, tuple[bytes, str]] = {
    "NaN": (b'{"type":"track","messageId":"x","properties":{"price":NaN}}', "malformed"),
    "a lone surrogate": (b'{"type":"track","messageId":"x","event":"\\ud800"}', "JSON"),
    "a NUL": (json.dumps(track(product_id="a\0b")).encode(), "NUL"),
    "a negative price": (
        json.dumps(track(product_id="p", price=-3)).encode(),
        "at least 0, got -3",
    ),
    "a price that is no number": (json.dumps(track(product_id="p", price="x")).encode(), "number"),
    "a price that is infinite": (
        b'{"type":"track","messageId":"x","anonymousId":"a","event":"e","properties":{"price":1e999}}',
        "out of range",
    ),
    "nesting 9 deep": (
        json.dumps(track(product_id="p", x=[[[[[[[[[]]]]]]]]])).encode(),
        "8 deep",
    ),
    "nesting 5000 deep": (
        b'{"type":"track","properties":{"x":' + b"[" * 5000 + b"]" * 5000 + b"}}",
        "recursion",
    ),
    "invalid UTF-8": (b'{"type":"track","messageId":"x","event":"\xff"}', "utf-8"),
    "a raw control character": (b'{"type":"track","messageId":"x","event":"\x01"}', "JSON"),
    "a long message id": (json.dumps({**track(), "messageId": "m" * 101}).encode(), "1 to 100"),
    "no message id": (json.dumps({"type": "track"}).encode(), "messageId"),
    "nobody": (b'{"type":"track","messageId":"x","event":"Product Viewed"}', "anonymousId"),
    "a view of nothing": (json.dumps(track()).encode(), "product_id or sku"),
    "products that are no list": (
        json.dumps(track("Order Completed", products=5)).encode(),
        "list",
    ),
    "half a quantity": (json.dumps(track(product_id="p", quantity=0.5)).encode(), "whole number"),
    "an endless quantity": (json.dumps(track(product_id="p", quantity="1e9")).encode(), "whole"),
    "a quantity of a million digits": (
        json.dumps(track(product_id="p", quantity="1e9999999")).encode(),
        "whole",
    ),
    "an order dearer than 64 bits hold": (
        json.dumps(track("Order Completed", product_id="p", price=1e15, quantity=10**6)).encode(),
        "total",
    ),
    "a number of 5000 digits": (
        json.dumps(track(product_id="p")).encode().replace(b'"p"', b'"p","n":' + b"9" * 4000),
        "64 bits",
    ),
    "an unknown type": (json.dumps({**track(), "type": "trace"}).encode(), "got 'trace'"),
    "a wrong time": (json.dumps({**track(product_id="p"), "timestamp": "noon"}).encode(), "noon"),
    "a currency of two letters": (json.dumps(track(product_id="p", currency="EU")).encode(), "EU"),
    "a number": (b"5", "object"),
    "too many bytes": (json.dumps(track(product_id="p", x="y" * 32_000)).encode(), "32000 bytes"),
}


@pytest.mark.parametrize("name", POISON)
def test_one_poisonous_event_spoils_nothing_around_it(name: str) -> None:
    item, rule = POISON[name]
    good = [json.dumps({**track(product_id="p"), "messageId": str(n)}).encode() for n in (1, 2)]
    body = b'{"writeKey": "k", "batch": [' + good[0] + b", " + item + b" ," + good[1] + b"]}"
    events, rejected = read_body(body)
    assert [e.message_id for e in events] == ["1", "2"]
    assert [r.position for r in rejected] == [1]
    assert rule in rejected[0].rule
    assert rejected[0].item == item[:32_000]


def test_poison_after_the_batch_does_not_hide_the_key() -> None:
    body = b'{"batch":[{"x":NaN}],"writeKey":"pk_1","sentAt":"2026-05-01T00:00:00Z"}'
    batch = decode_batch(body)
    assert (batch.write_key, batch.items) == ("pk_1", (b'{"x":NaN}',))
    assert batch.sent_us is not None


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"5", b"{", b'{"batch":5}', b'{"batch":[', b'{"batch":[{"a":1]}', b"\xff\xfe"]
    + [b'{"batch":[],"sentAt":"noon"}', b"[" * 100_000, b'{"batch":[NaN], "writeKey": 5}'],
)
def test_a_body_that_is_no_batch_is_refused_as_a_whole(body: bytes) -> None:
    with pytest.raises(InputError):
        decode_batch(body)


@pytest.mark.parametrize("unit", [b"[", b"{", b'"', b'\\"', b"\\", b",1", b'"a":', b" ", b"NaN "])
@pytest.mark.parametrize("head", [b"", b'"', b'{"batch":[', b'{"batch":["'])
def test_a_flood_of_one_sign_takes_no_time(head: bytes, unit: bytes) -> None:
    began = time.process_time()
    with suppress(InputError):
        decode_batch(head + unit * (500_000 // len(unit)))
    assert time.process_time() - began < 1


@given(st.binary(max_size=200))
def test_no_body_breaks_more_than_itself(noise: bytes) -> None:
    for body in (noise, b'{"batch":[' + noise + b"]}"):
        try:
            events, _ = read_body(body)
        except InputError:
            continue
        assert events == []


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=10,
)
fields = st.sampled_from(
    ["product_id", "sku", "price", "quantity", "currency", "products", "revenue", "order_id"]
    + ["session_id", "rec_id", "experiment", "variant", "x"]
)


@given(
    st.dictionaries(fields, json_values),
    st.sampled_from(["Product Viewed", "Order Completed", "Page Viewed", "Product List Viewed"]),
    st.booleans(),
)
def test_any_properties_are_kept_or_refused_with_a_rule(
    properties: dict[str, Any], name: str, trusted: bool
) -> None:
    body = json.dumps({"batch": [track(name, **properties)]}).encode("utf-8", "surrogatepass")
    events, rejected = read_batch(
        decode_batch(body),
        received_us=NOW_US,
        trusted=trusted,
        default_currency="EUR",
        max_event_bytes=32_000,
    )
    assert len(rejected) == (0 if events else 1)
    for line, event in enumerate(events):
        assert event.line == line
        json.loads(event.properties or "{}")
        assert (event.price_minor or 0) >= 0
