from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Queue
from typing import Any

import pytest
from tests.contracts.event_store import view

from thinslice.errors import InputError, StorageError
from thinslice.store.log import writer as writer_module
from thinslice.store.log.hot_files import CLOSED, hot_files, unsealed_rows
from thinslice.store.log.hot_log import HotLog
from thinslice.store.log.writer import Writer


@pytest.fixture
def hot(tmp_path: Path) -> HotLog:
    return HotLog(tmp_path, max_events=1000, max_minutes=60)


@pytest.fixture
def writer(hot: HotLog) -> Iterator[Writer]:
    writer = Writer(hot)
    writer.start()
    yield writer
    writer.close()


def ids(folder: Path, shop: str = "lamps") -> list[str]:
    return sorted(row[0] for row in unsealed_rows(folder, shop))


def test_done_is_called_when_the_events_are_there(writer: Writer, tmp_path: Path) -> None:
    seen: Queue[tuple[Exception | None, list[str]]] = Queue()
    writer.submit("lamps", [view("a")], lambda error: seen.put((error, ids(tmp_path))))
    assert seen.get(timeout=5) == (None, ["a"])


def test_everything_that_waits_is_committed_together(hot: HotLog, tmp_path: Path) -> None:
    answers: list[Exception | None] = []
    writer = Writer(hot)
    for i in range(50):
        writer.submit("lamps", [view(f"m{i}")], answers.append)
    assert writer.waiting == 50
    writer.start()
    writer.close()
    assert answers == [None] * 50
    assert writer.waiting == 0
    assert len(ids(tmp_path)) == 50


def test_a_bad_value_fails_alone(hot: HotLog, tmp_path: Path) -> None:
    answers: dict[str, Exception | None] = {}
    writer = Writer(hot)
    for id, quantity in (("a", 1), ("bad", 2**63), ("c", 3)):
        event = view(id, quantity=quantity)
        writer.submit("lamps", [event], lambda error, id=id: answers.update({id: error}))
    writer.start()
    writer.close()
    assert (answers["a"], answers["c"]) == (None, None)
    assert isinstance(answers["bad"], InputError)
    assert ids(tmp_path) == ["a", "c"]


def test_events_that_nobody_waits_for_are_written_and_their_errors_heard(
    hot: HotLog, tmp_path: Path
) -> None:
    heard: list[Exception] = []
    writer = Writer(hot, heard.append)
    writer.start()
    writer.submit("lamps", [view("a")], None)
    writer.submit("lamps", [view("bad", quantity=2**63)], None)
    writer.close()
    assert ids(tmp_path) == ["a"]
    assert [type(error) for error in heard] == [InputError]


def test_when_the_disk_refuses_everyone_hears_it_and_writing_resumes(tmp_path: Path) -> None:
    folder = tmp_path / "not there"
    answers: Queue[Exception | None] = Queue()
    writer = Writer(HotLog(folder, max_events=1000, max_minutes=60))
    for id in ("a", "b"):
        writer.submit("lamps", [view(id)], answers.put)
    writer.start()
    assert all(isinstance(answers.get(timeout=5), StorageError) for _ in range(2))
    folder.mkdir()
    writer.submit("lamps", [view("c")], answers.put)
    assert answers.get(timeout=5) is None
    writer.close()
    assert ids(folder) == ["c"]


def test_a_listener_that_fails_does_not_stop_the_writer(writer: Writer, tmp_path: Path) -> None:
    def fail(error: Exception | None) -> None:
        raise RuntimeError("listener")

    done = threading.Event()
    writer.submit("lamps", [view("a")], fail)
    writer.submit("lamps", [view("b")], lambda error: done.set())
    assert done.wait(5)
    assert ids(tmp_path) == ["a", "b"]


def test_closing_writes_what_waits_and_hands_the_file_over(hot: HotLog, tmp_path: Path) -> None:
    writer = Writer(hot)
    writer.start()
    writer.submit("lamps", [view("a")], None)
    writer.close()
    assert ids(tmp_path) == ["a"]
    assert [file.state for file in hot_files(tmp_path)] == [CLOSED]


def test_a_closed_writer_takes_nothing_more(hot: HotLog) -> None:
    writer = Writer(hot)
    writer.start()
    writer.close()
    with pytest.raises(StorageError, match="the writer is closed"):
        writer.submit("lamps", [view("a")], None)


def test_a_writer_closed_before_it_began_still_writes(hot: HotLog, tmp_path: Path) -> None:
    writer = Writer(hot)
    writer.submit("lamps", [view("a")], None)
    writer.close()
    assert ids(tmp_path) == ["a"]


def test_an_idle_writer_hands_its_file_over_when_it_is_old(tmp_path: Path) -> None:
    writer = Writer(HotLog(tmp_path, max_events=1000, max_minutes=0.1 / 60))
    writer.start()
    writer.submit("lamps", [view("a")], None)
    for _ in range(100):
        if [file.state for file in hot_files(tmp_path)] == [CLOSED]:
            break
        threading.Event().wait(0.05)
    assert [file.state for file in hot_files(tmp_path)] == [CLOSED]
    writer.close()


class Counted(HotLog):
    """Says how many lines each commit had."""

    commits: list[int]

    def append_rows(self, rows: Any) -> int:
        self.commits.append(len(rows))
        return super().append_rows(rows)


def test_lines_that_nobody_waits_for_share_commits(tmp_path: Path) -> None:
    hot = Counted(tmp_path, max_events=1000, max_minutes=60)
    hot.commits = []
    writer = Writer(hot)
    writer.start()
    for i in range(60):
        writer.submit("lamps", [view(f"m{i}")], None)
        time.sleep(0.001)
    writer.close()
    assert sum(hot.commits) == 60
    assert len(hot.commits) <= 30
    assert len(ids(tmp_path)) == 60


def test_who_waits_is_not_kept_waiting_for_others(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(writer_module, "GATHER_S", 30)
    writer = Writer(HotLog(tmp_path, max_events=1000, max_minutes=60))
    writer.start()
    answered: Queue[Exception | None] = Queue()
    writer.submit("lamps", [view("exposure")], None)
    time.sleep(0.05)
    writer.submit("lamps", [view("event")], answered.put)
    assert answered.get(timeout=10) is None
    assert ids(tmp_path) == ["event", "exposure"]
    writer.submit("lamps", [view("late")], None)
    time.sleep(0.05)
    writer.close()  # does not wait for company either
    assert ids(tmp_path) == ["event", "exposure", "late"]
