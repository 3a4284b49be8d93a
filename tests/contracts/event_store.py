"""What every store of events does: inherit, and say which one. With the plainest one there is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest

from thinslice.domain import BROWSING, DAY_US, Event, EventType, SessionLog
from thinslice.interfaces import EventStore
from thinslice.store.log.schema import EVENT_SCHEMA, to_events, to_table

MINUTE_US = 60_000_000
GAP_US = 30 * MINUTE_US
MAX_PRODUCTS = 50
T0 = 1_700_000_000_000_000


def view(id: str, minute: float = 0, visitor: str = "ann", **more: object) -> Event:
    """A visitor looks at a product, the product of the message's own name if none is said."""
    plain = Event(id, EventType.PRODUCT_VIEWED, T0 + round(minute * MINUTE_US), visitor, product=id)
    return replace(plain, **more)  # type: ignore[arg-type]


class MemoryEventStore:
    """The reference: a dict and plain loops, so simple that it is right."""

    def __init__(self, *, gap_us: int = GAP_US, max_products: int = MAX_PRODUCTS) -> None:
        self._gap_us = gap_us
        self._max_products = max_products
        self._shops: dict[str, dict[tuple[str, int], Event]] = {}

    def append(self, shop: str, events: Sequence[Event]) -> int:
        known = self._shops.setdefault(shop, {})
        before = len(known)
        for event in events:
            known.setdefault((event.message_id, event.line), event)
        return len(known) - before

    def events(
        self, shop: str, *, since_us: int | None = None, until_us: int | None = None
    ) -> pa.Table:
        return to_table(self._between(shop, since_us, until_us))

    def sessions(
        self, shop: str, *, since_us: int | None = None, until_us: int | None = None
    ) -> SessionLog:
        found: dict[tuple[str, str], list[Event]] = {}
        pauses: dict[str, tuple[int, int]] = {}
        for event in self._between(shop, since_us, until_us):
            key = (event.visitor, f"/{event.session}")
            if not event.session:
                number, last_us = pauses.get(event.visitor, (0, 0))
                if number == 0 or event.time_us - last_us > self._gap_us:
                    number += 1
                pauses[event.visitor] = (number, event.time_us)
                key = (event.visitor, f"#{number}")
            if event.type in BROWSING and event.product:
                found.setdefault(key, []).append(event)
        return _compressed({key: found[key][-self._max_products :] for key in found})

    def running_session(self, shop: str, *, visitor: str = "", session: str = "") -> list[Event]:
        mine = [
            event
            for event in self._between(shop, None, None)
            if (visitor or session)
            and (not visitor or event.visitor == visitor)
            and (not session or event.session == session)
        ]
        if not session:
            for index in range(len(mine) - 1, 0, -1):
                if mine[index].time_us - mine[index - 1].time_us > self._gap_us:
                    return mine[index:]
        return mine

    def _between(self, shop: str, since_us: int | None, until_us: int | None) -> list[Event]:
        return sorted(
            (
                event
                for event in self._shops.get(shop, {}).values()
                if (since_us is None or since_us <= event.time_us)
                and (until_us is None or event.time_us < until_us)
            ),
            key=lambda event: (event.time_us, event.message_id, event.line),
        )


def _compressed(sessions: dict[tuple[str, str], list[Event]]) -> SessionLog:
    named = {_escaped(visitor) + rest: events for (visitor, rest), events in sessions.items()}
    ids = sorted(named, key=lambda id: (named[id][-1].time_us, id))
    lines = [event for id in ids for event in named[id]]
    products = sorted({event.product or "" for event in lines})
    return SessionLog(
        products=tuple(products),
        offsets=np.cumsum([0, *(len(named[id]) for id in ids)], dtype=np.int64),
        codes=np.array([products.index(e.product or "") for e in lines], dtype=np.int32),
        times_us=np.array([e.time_us for e in lines], dtype=np.int64),
        types=np.array([BROWSING.index(EventType(e.type)) for e in lines], dtype=np.int8),
        ids=tuple(ids),
    )


def _escaped(visitor: str) -> str:
    return visitor.replace("%", "%25").replace("/", "%2F").replace("#", "%23")


def same_log(one: SessionLog, other: SessionLog) -> bool:
    """Whether two logs hold the same sessions, down to the types of their arrays."""
    arrays = ("offsets", "codes", "times_us", "types")
    return (one.products, one.ids) == (other.products, other.ids) and all(
        getattr(one, a).dtype == getattr(other, a).dtype
        and np.array_equal(getattr(one, a), getattr(other, a))
        for a in arrays
    )


class EventStoreContract:
    """The store under test is empty, with a gap of 30 minutes and 50 products per session."""

    @pytest.fixture
    def store(self) -> EventStore:
        raise NotImplementedError

    def test_what_was_appended_is_there_with_every_value(self, store):
        full = Event(
            "m", EventType.ORDER_COMPLETED, T0, "bob", 3, T0 + 1, "s", "lamp", 2, 1999, "EUR",
            "o-1", 3998, "x-1", "e-1", "B", '{"colour":"blå"}',
        )  # fmt: skip
        assert store.append("lamps", [full]) == 1
        assert to_events(store.events("lamps")) == [full]

    def test_events_come_by_time_then_message_then_line(self, store):
        lines = [view("b", 1), view("c", 0), view("a", 1, line=1), view("a", 1)]
        store.append("lamps", lines)
        order = [(e.message_id, e.line) for e in to_events(store.events("lamps"))]
        assert order == [("c", 0), ("a", 0), ("a", 1), ("b", 0)]

    def test_a_known_line_changes_nothing(self, store):
        store.append("lamps", [view("a", product="first")])
        store.append("lamps", [view("a", 5, product="second"), view("a", line=1), view("a")])
        assert [e.product for e in to_events(store.events("lamps"))] == ["first", "a"]

    def test_a_batch_may_hold_the_same_line_twice(self, store):
        store.append("lamps", [view("a"), view("a")])
        assert store.events("lamps").num_rows == 1

    def test_shops_do_not_see_each_other(self, store):
        store.append("lamps", [view("a", session="s")])
        store.append("chairs", [view("a", product="stool", session="s")])
        assert [e.product for e in to_events(store.events("chairs"))] == ["stool"]
        assert [e.product for e in store.running_session("chairs", visitor="ann")] == ["stool"]
        assert [e.product for e in store.running_session("chairs", session="s")] == ["stool"]
        assert store.sessions("chairs").products == ("stool",)

    def test_an_unknown_shop_is_empty(self, store):
        assert store.events("nobody").schema == EVENT_SCHEMA
        assert store.events("nobody").num_rows == 0
        assert store.sessions("nobody").n_sessions == 0
        assert store.running_session("nobody", visitor="ann") == []

    def test_nothing_appended_is_nothing_kept(self, store):
        assert store.append("lamps", []) == 0
        assert store.events("lamps").num_rows == 0

    def test_a_period_includes_its_start_and_not_its_end(self, store):
        store.append("lamps", [view("a", 0), view("b", 1), view("c", 2)])
        found = store.events("lamps", since_us=T0, until_us=T0 + 2 * MINUTE_US)
        assert found.column("message_id").to_pylist() == ["a", "b"]
        assert store.sessions("lamps", since_us=T0 + MINUTE_US).products == ("b", "c")

    def test_any_time_can_be_stored(self, store):
        times = [-(2**62), -1, 0, DAY_US - 1, DAY_US, 2**62]
        store.append("lamps", [view(f"m{i}", time_us=t) for i, t in enumerate(times)])
        assert store.events("lamps").column("time_us").to_pylist() == times
        assert store.events("lamps", since_us=0, until_us=DAY_US).num_rows == 2

    def test_any_text_can_be_stored(self, store):
        texts = ["", "'; drop table events; --", "%", "a\x00b", "ü☃𝄞", "NULL", "1e5", " a "]
        store.append("lamps", [view("m", line=i, product=t) for i, t in enumerate(texts)])
        assert store.events("lamps").column("product").to_pylist() == texts

    def test_a_pause_over_thirty_minutes_ends_a_session(self, store):
        store.append("lamps", [view("a", 0), view("b", 30), view("c", 60.1)])
        log = store.sessions("lamps")
        assert (log.ids, log.offsets.tolist()) == (("ann#1", "ann#2"), [0, 2, 3])

    def test_events_without_a_product_keep_a_session_going(self, store):
        page = view("p", 20, type=EventType.PAGE_VIEWED, product=None)
        store.append("lamps", [view("a", 0), page, view("b", 40)])
        assert store.sessions("lamps").ids == ("ann#1",)

    def test_a_given_session_id_is_kept_and_belongs_to_its_visitor(self, store):
        store.append(
            "lamps",
            [
                view("a", 0, session="1"),
                view("b", 90, session="1"),
                view("c", 91, "bob", session="1"),
            ],
        )
        assert store.sessions("lamps").ids == ("ann/1", "bob/1")

    def test_no_two_visitors_share_a_session_whatever_their_names(self, store):
        names = [("a/b", "c"), ("a", "b/c"), ("a", ""), ("a#1", ""), ("a", "#1"), ("a%2Fb", "c")]
        store.append("lamps", [view(f"m{i}", 0, v, session=s) for i, (v, s) in enumerate(names)])
        assert store.sessions("lamps").n_sessions == len(names)

    def test_sessions_come_in_the_order_in_which_they_ended(self, store):
        store.append("lamps", [view("a", 0, "zoe"), view("b", 1, "ann"), view("c", 2, "zoe")])
        log = store.sessions("lamps")
        assert log.ids == ("ann#1", "zoe#1")
        assert [log.products[c] for c in log.codes] == ["b", "a", "c"]
        assert log.times_us.tolist() == [T0 + m * MINUTE_US for m in (1, 0, 2)]

    def test_sessions_hold_views_carts_and_purchases_only(self, store):
        kinds = [EventType.PRODUCT_REMOVED, *reversed(BROWSING), EventType.RECOMMENDATION_CLICKED]
        store.append("lamps", [view(str(i), i, type=kind) for i, kind in enumerate(kinds)])
        assert store.sessions("lamps").types.tolist() == [2, 1, 0]

    def test_a_long_session_keeps_its_newest_fifty(self, store):
        store.append("lamps", [view(f"p{i:02}", i / 10) for i in range(60)])
        log = store.sessions("lamps")
        assert log.products == tuple(f"p{i:02}" for i in range(10, 60))

    def test_the_running_session_begins_after_the_last_pause(self, store):
        store.append("lamps", [view("a", 0), view("c", 51), view("b", 45), view("x", 51, "bob")])
        running = store.running_session("lamps", visitor="ann")
        assert [e.message_id for e in running] == ["b", "c"]

    def test_the_running_session_of_an_id_is_all_of_it(self, store):
        store.append(
            "lamps",
            [
                view("a", 0, session="s"),
                view("b", 59, session="s"),
                view("c", 60, "bob", session="s"),
            ],
        )
        named = store.running_session("lamps", session="s")
        assert [e.message_id for e in named] == ["a", "b", "c"]
        both = store.running_session("lamps", visitor="bob", session="s")
        assert [e.message_id for e in both] == ["c"]

    def test_an_unknown_visitor_has_no_running_session(self, store):
        store.append("lamps", [view("a")])
        assert store.running_session("lamps", visitor="bob") == []
        assert store.running_session("lamps", session="s") == []
        assert store.running_session("lamps") == []
