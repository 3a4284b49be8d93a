from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests.contracts.event_store import view

from thinslice.durable import try_lock
from thinslice.errors import InputError
from thinslice.store.log.hot_files import CLOSED, LIVE, hot_files, open_readonly, unsealed_rows
from thinslice.store.log.hot_log import HotLog


@pytest.fixture
def hot(tmp_path: Path) -> Iterator[HotLog]:
    hot = HotLog(tmp_path, max_events=10, max_minutes=60)
    yield hot
    hot.close()


def ids(folder: Path, shop: str = "lamps") -> list[str]:
    return [row[0] for row in unsealed_rows(folder, shop)]


def test_no_file_is_begun_before_the_first_event(hot: HotLog, tmp_path: Path) -> None:
    assert hot.append([("lamps", [])]) == 0
    hot.close()
    assert list(tmp_path.iterdir()) == []


def test_batches_of_several_shops_go_into_one_transaction(hot: HotLog, tmp_path: Path) -> None:
    assert hot.append([("lamps", [view("a"), view("b")]), ("chairs", [view("a")])]) == 3
    assert (ids(tmp_path), ids(tmp_path, "chairs")) == (["a", "b"], ["a"])


def test_a_line_is_written_once(hot: HotLog) -> None:
    assert hot.append([("lamps", [view("a"), view("a"), view("a", line=1)])]) == 2
    assert hot.append([("lamps", [view("a")])]) == 0


def test_a_full_file_is_closed_whole_and_another_begun(hot: HotLog, tmp_path: Path) -> None:
    for start in (0, 8, 16):
        hot.append([("lamps", [view(f"m{i:02}") for i in range(start, start + 8)])])
    files = hot_files(tmp_path)
    assert [file.state for file in files] == [CLOSED, LIVE]
    assert not list(tmp_path.glob(f"{files[0].id}*-wal"))
    with_wal_ignored = open_readonly(files[0])
    assert with_wal_ignored.execute("select count(*) from events").fetchone() == (16,)
    with_wal_ignored.close()
    assert ids(tmp_path) == [f"m{i:02}" for i in range(24)]


def test_an_old_file_is_closed(tmp_path: Path) -> None:
    hot = HotLog(tmp_path, max_events=10, max_minutes=1e-9)
    hot.append([("lamps", [view("a")])])
    assert hot.seconds_until_due() is None
    assert [file.state for file in hot_files(tmp_path)] == [CLOSED]


def test_closing_hands_over_and_the_next_append_begins_anew(hot: HotLog, tmp_path: Path) -> None:
    hot.append([("lamps", [view("a")])])
    hot.close()
    hot.append([("lamps", [view("b")])])
    assert [file.state for file in hot_files(tmp_path)] == [CLOSED, LIVE]


def test_a_reader_in_the_middle_of_a_file_delays_its_closing(hot: HotLog, tmp_path: Path) -> None:
    hot.append([("lamps", [view(f"m{i}") for i in range(9)])])
    reader = open_readonly(hot_files(tmp_path)[0])
    reading = reader.execute("select * from events")
    reading.fetchone()
    hot.append([("lamps", [view("last")])])
    assert [file.state for file in hot_files(tmp_path)] == [LIVE]
    assert len(reading.fetchall()) == 8
    reader.close()
    hot.close()
    assert [file.state for file in hot_files(tmp_path)] == [CLOSED]
    assert len(ids(tmp_path)) == 10


def test_a_reader_cannot_write(hot: HotLog, tmp_path: Path) -> None:
    hot.append([("lamps", [view("a")])])
    reader = open_readonly(hot_files(tmp_path)[0])
    with pytest.raises(sqlite3.OperationalError, match="readonly"):
        reader.execute("delete from events")
    reader.close()


def test_a_reader_that_stays_connected_sees_the_next_events(hot: HotLog, tmp_path: Path) -> None:
    hot.append([("lamps", [view("a")])])
    reader = open_readonly(hot_files(tmp_path)[0])
    assert reader.execute("select count(*) from events").fetchone() == (1,)
    hot.append([("lamps", [view("b")])])
    assert reader.execute("select count(*) from events").fetchone() == (2,)
    hot.close()
    assert reader.execute("select count(*) from events").fetchone() == (2,)
    reader.close()
    assert ids(tmp_path) == ["a", "b"]


@pytest.mark.parametrize(
    "value",
    [
        {"quantity": 2**63},
        {"quantity": 1.5},
        {"time_us": "yesterday"},
        {"product": "\ud800"},
        {"product": b"lamp"},
        {"product": ["lamp"]},
        {"visitor": None},
    ],
)
def test_a_value_that_cannot_be_stored_is_refused_with_its_whole_batch(
    hot: HotLog, tmp_path: Path, value: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match="must be text or integers"):
        hot.append([("lamps", [view("a"), replace(view("b"), **value)])])
    assert ids(tmp_path) == []
    assert hot.append([("lamps", [view("a")])]) == 1


def test_a_shop_that_is_no_folder_name_is_refused(hot: HotLog) -> None:
    with pytest.raises(InputError, match="a shop id must be"):
        hot.append([("../lamps", [view("a")])])


def test_a_lock_is_never_found_free_while_its_writer_lives(tmp_path: Path) -> None:
    found_free: list[Path] = []
    stop = threading.Event()

    def look() -> None:
        while not stop.is_set():
            for path in tmp_path.glob("*.lock"):
                if (lock := try_lock(path)) is not None:
                    found_free.append(path)
                    os.close(lock)

    looking = threading.Thread(target=look)
    looking.start()
    writers = [HotLog(tmp_path, max_events=10, max_minutes=60) for _ in range(100)]
    for writer in writers:
        writer.append([("lamps", [view("a")])])
    stop.set()
    looking.join()
    for writer in writers:
        writer.close()
    assert found_free == []
