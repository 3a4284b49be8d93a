from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.event_store import (
    MINUTE_US,
    T0,
    EventStoreContract,
    MemoryEventStore,
    same_log,
    view,
)

from thinslice.config import Settings
from thinslice.domain import DAY_US, Event, EventType
from thinslice.errors import InputError, StorageError
from thinslice.store.directory import DataDirectory
from thinslice.store.log.event_log import EventLog
from thinslice.store.log.schema import EVENT_SCHEMA, to_table
from thinslice.store.log.sealing import seal


def open_log(folder: Path, **settings: object) -> EventLog:
    return EventLog(DataDirectory(folder), Settings(data=folder, **settings))  # type: ignore[arg-type]


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    log = open_log(tmp_path)
    yield log
    log.close()


def staged(folder: Path, events: list[Event]) -> Path:
    path = folder / "staged.parquet"
    pq.write_table(to_table(events), path)
    return path


class TestMemoryEventStore(EventStoreContract):
    @pytest.fixture
    def store(self) -> MemoryEventStore:
        return MemoryEventStore()


class TestEventLog(EventStoreContract):
    @pytest.fixture
    def store(self, log: EventLog) -> EventLog:
        return log


class TestEventLogThatIsSealedAllTheTime(EventStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path) -> Iterator[EventLog]:
        class Sealed(EventLog):
            def append(self, shop: str, events: object) -> int:
                written = super().append(shop, events)  # type: ignore[arg-type]
                self.close()
                assert self.seal().problems == []
                return written

        log = Sealed(DataDirectory(tmp_path), Settings(data=tmp_path))
        yield log
        log.close()


def test_another_process_may_read_what_is_not_sealed_yet(log: EventLog, tmp_path: Path) -> None:
    log.append("lamps", [view("a")])
    other = open_log(tmp_path)
    assert other.events("lamps").num_rows == 1
    assert len(other.running_session("lamps", visitor="ann")) == 1
    other.close()


def test_a_line_in_two_writers_files_counts_once(log: EventLog, tmp_path: Path) -> None:
    other = open_log(tmp_path)
    log.append("lamps", [view("a"), view("b")])
    other.append("lamps", [view("b"), view("c")])
    assert log.events("lamps").num_rows == 3
    assert len(log.running_session("lamps", visitor="ann")) == 3
    other.close()
    assert log.seal().duplicates == 0
    assert log.events("lamps").num_rows == 3
    log.close()
    assert log.seal().duplicates == 1
    assert log.events("lamps").num_rows == 3


def test_a_line_stays_known_after_its_hot_file_is_gone(log: EventLog) -> None:
    log.append("lamps", [view("a", product="first")])
    log.close()
    log.seal()
    log.append("lamps", [view("a", 9, product="second")])
    assert log.events("lamps").column("product").to_pylist() == ["first"]
    assert log.events("lamps", since_us=T0 + MINUTE_US).num_rows == 0


def test_sessions_span_segments_and_hot_files(log: EventLog) -> None:
    log.append("lamps", [view("a", 0)])
    log.close()
    log.seal()
    log.append("lamps", [view("b", 1)])
    assert log.sessions("lamps").offsets.tolist() == [0, 2]
    assert len(log.running_session("lamps", visitor="ann")) == 2


def test_a_question_may_put_all_events_into_their_sessions(log: EventLog) -> None:
    def keys(events: Any, keyed: Any) -> Any:
        return keyed(events).select("message_id", "session_key").order_by("message_id")

    served = view("s", 1, type=EventType.RECOMMENDATION_SERVED, product=None)
    log.append("lamps", [view("a", 0), served, view("b", 90), view("c", 90, session="x")])
    found = log.ask("lamps", {"keys": keys}, {}, ("keys",))["keys"]
    assert found.column("message_id").to_pylist() == ["a", "b", "c", "s"]
    assert found.column("session_key").to_pylist() == ["ann#1", "ann#2", "ann/x", "ann#1"]
    early = log.ask("lamps", {"keys": keys}, {}, ("keys",), until_us=T0 + MINUTE_US)["keys"]
    assert early.num_rows == 1


def test_adopted_lines_are_segments_by_day_each_once(log: EventLog, tmp_path: Path) -> None:
    events = [view("c", time_us=T0 + DAY_US), view("a"), view("b"), view("a")]
    assert log.adopt("lamps", staged(tmp_path, events)) == 3
    assert log.events("lamps").column("message_id").to_pylist() == ["a", "b", "c"]
    segments = sorted((tmp_path / "events").rglob("*.parquet"))
    assert [p.parent.name for p in segments] == ["day=2023-11-14", "day=2023-11-15"]
    assert [p.parent.parent.name for p in segments] == ["shop=lamps", "shop=lamps"]


def test_adopting_the_same_again_adds_nothing(log: EventLog, tmp_path: Path) -> None:
    path = staged(tmp_path, [view(f"m{i}", i) for i in range(100)])
    assert log.adopt("lamps", path) == 100
    assert log.adopt("lamps", path) == 0
    assert log.adopt("chairs", path) == 100
    assert log.events("lamps").num_rows == 100


def test_what_the_hot_files_hold_is_not_adopted_again(log: EventLog, tmp_path: Path) -> None:
    log.append("lamps", [view("a")])
    assert log.adopt("lamps", staged(tmp_path, [view("a"), view("b")])) == 1
    assert log.events("lamps").num_rows == 2
    log.close()
    log.seal()
    assert log.events("lamps").num_rows == 2


def test_a_folder_of_staged_files_is_adopted_with_progress(log: EventLog, tmp_path: Path) -> None:
    folder = tmp_path / "staged"
    folder.mkdir()
    for i in range(3):
        pq.write_table(to_table([view(f"m{i}", i)]), folder / f"{i}.parquet")
    heard: list[tuple[int, int | None]] = []
    assert log.adopt("lamps", folder, lambda done, total: heard.append((done, total))) == 3
    assert heard[-1] == (3, 3)
    assert list((tmp_path / "scratch").glob("*/")) == []


def test_nothing_staged_is_nothing_adopted(log: EventLog, tmp_path: Path) -> None:
    assert log.adopt("lamps", staged(tmp_path, [])) == 0
    (tmp_path / "empty").mkdir()
    assert log.adopt("lamps", tmp_path / "empty") == 0


def test_a_staged_line_without_an_id_is_refused(log: EventLog, tmp_path: Path) -> None:
    table = to_table([view("a")])
    broken = table.set_column(0, "message_id", [[None]]).cast(EVENT_SCHEMA)
    pq.write_table(broken, tmp_path / "broken.parquet")
    with pytest.raises(InputError, match="must have a message_id"):
        log.adopt("lamps", tmp_path / "broken.parquet")


def test_a_shop_that_is_no_folder_name_is_refused_before_it_is_written(log: EventLog) -> None:
    with pytest.raises(InputError, match="a shop id must be"):
        log.append("../lamps", [view("a")])


def test_reading_beside_writing_and_sealing_never_loses_or_doubles(tmp_path: Path) -> None:
    log = open_log(tmp_path, hot_max_events=20)
    stop = threading.Event()

    def write() -> None:
        try:
            for i in range(40):
                log.append("lamps", [view(f"m{i}-{j}", i) for j in range(5)])
        finally:
            stop.set()

    def keep_house() -> None:
        try:
            while not stop.is_set():
                assert log.seal().problems == []
        finally:
            stop.set()

    threads = [threading.Thread(target=target) for target in (write, keep_house)]
    for thread in threads:
        thread.start()
    seen = 0
    while not stop.is_set():
        ids = log.events("lamps").column("message_id").to_pylist()
        assert len(set(ids)) == len(ids) >= seen
        assert len(ids) % 5 == 0
        seen = len(ids)
    for thread in threads:
        thread.join()
    assert log.events("lamps").num_rows == 200
    log.close()


def make_event(number: int) -> Event:
    """The same number is always the same line: four visitors, three days, odd and even sessions."""
    kinds = (EventType.PRODUCT_VIEWED, EventType.ORDER_COMPLETED, EventType.PAGE_VIEWED)
    return view(
        f"m{number // 2}",
        (number * 13) % 71 + (number % 3) * 1440,
        f"v{number % 4}",
        line=number % 2,
        product=None if number % 7 == 0 else f"p{number % 5}",
        session=(None, "", "s1")[number % 3],
        type=kinds[number % 11 % 3],
    )


numbers = st.lists(st.integers(0, 60), min_size=1, max_size=12)
steps = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["append", "append", "adopt"]), st.sampled_from("ab"), numbers),
        st.tuples(
            st.sampled_from(["close", "seal", "merge", "restart"]), st.just("a"), st.just([])
        ),
    ),
    max_size=10,
)


@settings(max_examples=10, deadline=None)
@given(steps, st.integers(0, 4400), st.integers(1, 3000))
def test_whatever_happens_it_answers_like_the_store_in_memory(
    steps: list[tuple[str, str, list[int]]], since_minute: int, minutes: int
) -> None:
    compare_with_memory(steps, since_minute, minutes)


@pytest.mark.faults
@settings(max_examples=200, deadline=None)
@given(steps, st.integers(0, 4400), st.integers(1, 3000))
def test_whatever_happens_however_often_it_answers_like_the_store_in_memory(
    steps: list[tuple[str, str, list[int]]], since_minute: int, minutes: int
) -> None:
    compare_with_memory(steps, since_minute, minutes)


def compare_with_memory(
    steps: list[tuple[str, str, list[int]]], since_minute: int, minutes: int
) -> None:
    reference = MemoryEventStore()
    with TemporaryDirectory() as name:
        folder = Path(name)
        logs = [open_log(folder)]
        for step, shop, numbers in steps:
            events = [make_event(number) for number in numbers]
            reference.append(shop, events)
            match step:
                case "append":
                    logs[-1].append(shop, events)
                case "adopt":
                    logs[-1].adopt(shop, staged(folder, events))
                case "close":
                    logs[-1].close()
                case "seal":
                    assert logs[-1].seal().problems == []
                case "merge":  # now, and what was merged before is deleted at once
                    report = seal(DataDirectory(folder), keep_s=-3, day_max_segments=1)
                    assert report.problems == []
                case "restart":
                    logs.append(open_log(folder))
        since = T0 + since_minute * MINUTE_US
        for shop in "ab":
            assert logs[-1].events(shop).equals(reference.events(shop))
            period = {"since_us": since, "until_us": since + minutes * MINUTE_US}
            assert logs[-1].events(shop, **period).equals(reference.events(shop, **period))
            assert same_log(logs[-1].sessions(shop, **period), reference.sessions(shop, **period))
        for log in logs:
            log.close()


def test_a_damaged_segment_is_named(log: EventLog, tmp_path: Path) -> None:
    log.adopt("lamps", staged(tmp_path, [view("a"), view("b")]))
    (segment,) = (tmp_path / "events").rglob("*.parquet")
    segment.chmod(0o600)
    segment.write_bytes(segment.read_bytes()[:100])
    with pytest.raises(StorageError, match=segment.name):
        log.events("lamps")
