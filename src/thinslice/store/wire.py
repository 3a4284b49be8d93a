"""Segment's HTTP format in, events out: `POST /v1/batch` as every Segment client sends it.

A batch is taken apart without looking into its items, and each item is then read by itself, so
that one broken event spoils nothing around it. Segment's single calls (`/v1/track`, `/v1/page`)
send one such item as their body: `events_of` reads it as it is.

Source of the format: Segment's "HTTP Tracking API" and "Spec: V2 Ecommerce Events".
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

import msgspec

from thinslice.domain import MICROSECONDS, Event, EventType
from thinslice.errors import EventError, InputError
from thinslice.store.devices import device_of
from thinslice.store.wire_values import (
    MAX_TEXT,
    broken,
    currency_of,
    history_us,
    minor_of,
    optional_text,
    quantity_of,
    text_of,
    to_us,
    total_of,
)

MAX_DEPTH = 8
MAX_MESSAGE_ID = 100
MAX_TOKENS = 100_000
"""How far a body that is not JSON is searched for its items: a flood of brackets is given up."""

LATEST_US = 5 * 60 * MICROSECONDS
EARLIEST_US = 72 * 3600 * MICROSECONDS
"""How far a browser's clock is believed, before and after the moment of receipt."""

_ABOUT_A_PRODUCT = frozenset(
    {EventType.PRODUCT_VIEWED, EventType.PRODUCT_ADDED, EventType.PRODUCT_REMOVED}
)
_ORDERS = frozenset(
    {EventType.ORDER_COMPLETED, EventType.ORDER_REFUNDED, EventType.ORDER_CANCELLED}
)
_OTHER_CALLS = frozenset({"identify", "group", "alias"})
_LINE_FIELDS = ("product_id", "sku", "quantity", "price", "currency")
_SUSPICIOUS = re.compile(rb"\\u0000|[0-9]{19}")
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[\[\]{}:,]|[^\s"\[\]{}:,]++', re.DOTALL)


class _Envelope(msgspec.Struct, rename="camel"):
    batch: list[msgspec.Raw]
    write_key: str = ""
    sent_at: str | int | float | None = None


class _Context(msgspec.Struct, rename="camel"):
    session_id: str | int | None = None
    user_agent: Any = None
    device: Any = None


class _Item(msgspec.Struct, rename="camel"):
    type: str
    message_id: str
    anonymous_id: str | int | None = None
    user_id: str | int | None = None
    event: str | None = None
    name: str | None = None
    category: Any = None
    timestamp: str | int | float | None = None
    sent_at: str | int | float | None = None
    properties: dict[str, Any] | None = None
    context: _Context | None = None


_envelope = msgspec.json.Decoder(_Envelope)
_item = msgspec.json.Decoder(_Item)
_to_json = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Batch:
    """The body of a request: its items unread, the key it names and when the client sent it."""

    items: tuple[bytes | msgspec.Raw, ...]
    write_key: str = ""
    sent_us: int | None = None


@dataclass(frozen=True, slots=True)
class Rejected:
    """An item that is not kept as an event, where it stood, the rule it breaks, and its text."""

    position: int
    rule: str
    item: bytes


def decode_batch(body: bytes) -> Batch:
    """Take a body apart; InputError when it is not a batch at all."""
    try:
        return _to_batch(_envelope.decode(body))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        parts = _taken_apart(body)
        if parts is None:
            raise _not_a_batch(error) from error
    head, items = parts
    try:
        batch = _to_batch(_envelope.decode(head))
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise _not_a_batch(error) from error
    return Batch(tuple(items), batch.write_key, batch.sent_us)


def read_batch(
    batch: Batch, *, received_us: int, trusted: bool, default_currency: str, max_event_bytes: int
) -> tuple[list[Event], list[Rejected]]:
    """Every event of a batch, and beside them the items that break a rule."""
    events: list[Event] = []
    rejected: list[Rejected] = []
    for position, item in enumerate(batch.items):
        try:
            if len(memoryview(item)) > max_event_bytes:
                raise broken(f"an event has at most {max_event_bytes} bytes", len(memoryview(item)))
            events += events_of(
                item,
                received_us=received_us,
                sent_us=batch.sent_us,
                trusted=trusted,
                default_currency=default_currency,
            )
        except EventError as error:
            rejected.append(Rejected(position, str(error), bytes(item)[:max_event_bytes]))
    return events, rejected


def events_of(
    item: bytes | msgspec.Raw,
    *,
    received_us: int,
    sent_us: int | None = None,
    trusted: bool = False,
    default_currency: str = "EUR",
) -> list[Event]:
    """The lines of one item: an order has one per product, everything else one.

    A `trusted` client (a secret key) may write history: its time is taken as it is given. Calls
    that tell who someone is (identify, group, alias) give no event: nothing of them is kept.
    Raises EventError with the rule and the value.
    """
    try:
        call = _item.decode(item)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise EventError(f"an event must be a JSON object of Segment's format: {error}") from error
    if call.type in _OTHER_CALLS:
        return []
    if call.type not in ("track", "page", "screen"):
        raise broken("type is one of track, page, screen, identify, group, alias", call.type)
    properties = call.properties or {}
    if _SUSPICIOUS.search(item):
        _check_values(call, properties)
    _check_depth(properties)
    kind = _kind(call, properties, trusted)
    time_us, note = _time_us(call, received_us, sent_us, trusted)
    if note:
        properties["original_timestamp"] = note
    device = device_of(call.context.user_agent, call.context.device) if call.context else None
    if device:
        properties["device"] = device
    shared: dict[str, Any] = {
        "message_id": text_of(call.message_id, "messageId", MAX_MESSAGE_ID),
        "type": kind,
        "time_us": time_us,
        "received_us": received_us,
        "visitor": _visitor(call),
        "session": _session(call, properties),
        "order_id": optional_text(properties.pop("order_id", None), "order_id"),
        "exposure_id": _exposure(properties),
        "experiment": optional_text(properties.pop("experiment", None), "experiment"),
        "variant": optional_text(properties.pop("variant", None), "variant"),
    }
    currency = currency_of(properties.pop("currency", None)) or default_currency
    if kind in _ORDERS:
        return _order_lines(shared, properties, currency)
    return [_single_line(shared, properties, currency)]


def _single_line(shared: dict[str, Any], properties: dict[str, Any], currency: str) -> Event:
    touched = _touched(properties, currency)
    if touched["product"] is None and shared["type"] in _ABOUT_A_PRODUCT:
        raise broken(f"{shared['type']} names its product in product_id or sku", None)
    return Event(
        **shared,
        **touched,
        currency=currency if touched["price_minor"] is not None else None,
        properties=_rest(properties),
    )


def _order_lines(shared: dict[str, Any], properties: dict[str, Any], currency: str) -> list[Event]:
    """One line per product; the order's total on the first, the sum of the lines if not given."""
    revenue = _revenue(properties, currency)
    products = properties.pop("products", None)
    if products is None:
        products = [{k: properties.pop(k) for k in _LINE_FIELDS if k in properties}]
    if not isinstance(products, list) or not all(isinstance(p, dict) for p in products):
        raise broken("products is a list of objects", products)
    lines = [_touched(dict(p), currency) for p in products] or [_touched({}, currency)]
    if revenue is None and all(line["price_minor"] is not None for line in lines):
        revenue = total_of([line["price_minor"] * (line["quantity"] or 1) for line in lines])
    rest = _rest(properties)
    return [
        Event(
            **shared,
            **touched,
            line=number,
            currency=currency,
            revenue_minor=revenue if number == 0 else None,
            properties=rest if number == 0 else None,
        )
        for number, touched in enumerate(lines)
    ]


def _touched(properties: dict[str, Any], currency: str) -> dict[str, Any]:
    """What an object says about one product; takes those fields out of it."""
    product, sku = properties.pop("product_id", None), properties.pop("sku", None)
    return {
        "product": optional_text(sku if product in (None, "") else product, "product_id"),
        "quantity": quantity_of(properties.pop("quantity", None)),
        "price_minor": minor_of(properties.pop("price", None), "price", currency),
    }


def _revenue(properties: dict[str, Any], currency: str) -> int | None:
    given = [(name, properties.pop(name, None)) for name in ("revenue", "total", "value")]
    amounts = [minor_of(value, name, currency) for name, value in given]
    return next((amount for amount in amounts if amount is not None), None)


def _kind(call: _Item, properties: dict[str, Any], trusted: bool) -> str:
    if call.type != "track":
        if call.name:
            properties.setdefault("name", call.name)
        if call.category and isinstance(call.category, str):
            properties.setdefault("category", call.category)
        return EventType.PAGE_VIEWED
    name = text_of(call.event or "", "event", MAX_TEXT)
    if name == EventType.RECOMMENDATION_SERVED and not trusted:
        raise broken("a list that was served is recorded by the service itself", name)
    return name


def _time_us(
    call: _Item, received_us: int, sent_us: int | None, trusted: bool
) -> tuple[int, str | None]:
    """When it happened, and the time as it was given where that could not be believed.

    The client's clock may be wrong but runs evenly: the event happened as long before the receipt
    as it did, by that clock, before it was sent (Segment's and Snowplow's correction).
    """
    if call.timestamp is None:
        return received_us, None
    if trusted:
        return history_us(call.timestamp, received_us), None
    given_us = to_us(call.timestamp, "timestamp")
    if call.sent_at is not None:
        sent_us = to_us(call.sent_at, "sentAt")
    time_us = given_us if sent_us is None else received_us - (sent_us - given_us)
    believed_us = min(max(time_us, received_us - EARLIEST_US), received_us + LATEST_US)
    return believed_us, None if believed_us == time_us else str(call.timestamp)


def _visitor(call: _Item) -> str:
    for value, name in ((call.anonymous_id, "anonymousId"), (call.user_id, "userId")):
        if value is not None and value != "":
            return text_of(str(value), name, MAX_TEXT)
    raise broken("an event has an anonymousId or a userId", None)


def _session(call: _Item, properties: dict[str, Any]) -> str | None:
    own = optional_text(properties.pop("session_id", None), "session_id")
    if own is not None or call.context is None:
        return own
    return optional_text(call.context.session_id, "sessionId")


def _exposure(properties: dict[str, Any]) -> str | None:
    own, other = properties.pop("exposure_id", None), properties.pop("rec_id", None)
    return optional_text(other if own is None else own, "exposure_id")


def _rest(properties: dict[str, Any]) -> str | None:
    return _to_json(properties).decode() if properties else None


def _check_depth(value: Any) -> None:
    level: list[Any] = [value]
    for _ in range(MAX_DEPTH):
        level = [
            inner
            for outer in level
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
        if not level:
            return
    raise broken(f"properties are nested at most {MAX_DEPTH} deep", "deeper")


def _check_values(call: _Item, properties: dict[str, Any]) -> None:
    """Refuse what does not survive storage: the character NUL, and integers of over 64 bits."""
    values: list[Any] = [properties, call.message_id, call.anonymous_id, call.user_id]
    values += [call.event, call.name, call.category]
    values += [call.context.session_id if call.context else None]
    while values:
        value = values.pop()
        if isinstance(value, dict):
            values += [*value.keys(), *value.values()]
        elif isinstance(value, list):
            values += value
        elif isinstance(value, str) and "\0" in value:
            raise broken("a text has no NUL character", value)
        elif isinstance(value, int) and not -(2**63) <= value < 2**63:
            raise broken("a whole number has at most 64 bits", "a longer one")


def _to_batch(envelope: _Envelope) -> Batch:
    sent_us = None if envelope.sent_at is None else to_us(envelope.sent_at, "sentAt")
    return Batch(tuple(envelope.batch), envelope.write_key, sent_us)


def _not_a_batch(error: Exception) -> InputError:
    return InputError(
        f"the body must be a JSON object with a list named batch: {error}; "
        'for example {"batch": [{"type": "track", "messageId": "...", ...}]}'
    )


def _taken_apart(body: bytes) -> tuple[bytes, Sequence[bytes]] | None:
    """The body with an empty batch, and the items as they stand, where one of them is not JSON.

    Counts brackets outside of strings, so it needs neither recursion nor valid items.
    """
    closing: list[bytes] = []
    key = previous = b""
    start = first = -1
    items: list[bytes] = []
    for token in islice(_TOKEN.finditer(body), MAX_TOKENS):
        text = token[0]
        if text in (b"{", b"["):
            if len(closing) == 1 and text == b"[" and key == b'"batch"' and start < 0:
                start = first = token.end()
            closing.append(b"}" if text == b"{" else b"]")
        elif text in (b"}", b"]"):
            if not closing or closing.pop() != text:
                return None
            if len(closing) == 1 and first >= 0:
                items.append(body[first : token.start()])
                head = body[:start] + body[token.start() :]
                return head, [item.strip() for item in items] if any(items) else []
        elif text == b"," and len(closing) == 2 and first >= 0:
            items.append(body[first : token.start()])
            first = token.end()
        elif text == b":" and len(closing) == 1:
            key = previous
        previous = text
    return None
