from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.contracts.event_store import view

from thinslice.config import Settings
from thinslice.domain import DAY_US
from thinslice.errors import StorageError
from thinslice.store.directory import DataDirectory
from thinslice.store.log.event_log import EventLog
from thinslice.store.log.merging import merge_days
from thinslice.store.log.schema import EVENT_SCHEMA, to_table
from thinslice.store.log.segments import Segments

KEEP_S = 60.0


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    log = EventLog(DataDirectory(tmp_path), Settings(data=tmp_path))
    yield log
    log.close()


def add_segments(folder: Path, count: int, *, first: int = 0, day: int = 0) -> None:
    """Each has two lines of shop lamps: m0 and m1, m2 and m3, …, the later the earlier in time."""
    publisher = Segments(folder / "events", "lamps").publisher()
    for i in range(2 * first, 2 * (first + count), 2):
        lines = [view(f"m{n}", time_us=day * DAY_US + 1000 - n) for n in (i + 1, i)]
        assert publisher.publish(to_table(lines), f"{i:04d}") == 2


def merge(folder: Path, *, most: int = 1, later_s: float = 0) -> int:
    """One round, `later_s` from now; how many segments were merged."""
    now_s = time.time() + later_s
    directory = DataDirectory(folder)
    merged, problems = merge_days(directory, most=most, keep_s=KEEP_S, now_s=now_s)
    assert problems == []
    return merged


def segments(folder: Path) -> list[Path]:
    return Segments(folder / "events", "lamps").files()


def names(folder: Path) -> set[str]:
    return {path.name for path in (folder / "events").glob("shop=*/day=*/*")}


def today() -> int:
    return int(time.time() // 86_400)


def test_the_segments_of_a_day_become_one_in_order_of_time(log: EventLog, tmp_path: Path) -> None:
    add_segments(tmp_path, 4)
    before = log.events("lamps")
    assert merge(tmp_path) == 4
    (segment,) = segments(tmp_path)
    table = pq.read_table(segment, partitioning=None)
    assert (table.schema.names, table.schema.types) == (EVENT_SCHEMA.names, EVENT_SCHEMA.types)
    assert table.column("message_id").to_pylist() == [f"m{i}" for i in range(7, -1, -1)]
    assert log.events("lamps").equals(before)


def test_what_was_merged_is_deleted_later_and_leaves_one_pair(
    log: EventLog, tmp_path: Path
) -> None:
    add_segments(tmp_path, 4)
    merge(tmp_path)
    (merged,) = (path.stem for path in segments(tmp_path))
    pair = {f"{merged}.parquet", f"{merged}.fingerprints.npy"}
    merge(tmp_path, later_s=KEEP_S - 30)
    assert len(names(tmp_path)) == 4 * 2 + 3
    merge(tmp_path, later_s=KEEP_S + 30)
    assert names(tmp_path) == pair
    assert log.events("lamps").num_rows == 8


def test_a_day_with_few_segments_is_left_alone(tmp_path: Path) -> None:
    add_segments(tmp_path, 8)
    assert merge(tmp_path, most=8) == 0
    add_segments(tmp_path, 1, first=8)
    assert merge(tmp_path, most=8) == 9


@pytest.mark.parametrize(("day", "merged"), [(today() + 1, 0), (today() - 2, 9)])
def test_a_day_is_merged_when_it_is_over(tmp_path: Path, day: int, merged: int) -> None:
    add_segments(tmp_path, 9, day=day)
    assert merge(tmp_path, most=8) == merged


def test_today_is_merged_when_it_has_more_than_fifty(log: EventLog, tmp_path: Path) -> None:
    add_segments(tmp_path, 51, day=today() + 1)  # should midnight pass
    assert merge(tmp_path, most=8) == 51
    assert log.events("lamps").num_rows == 102


def test_lines_of_merged_segments_stay_known(log: EventLog, tmp_path: Path) -> None:
    add_segments(tmp_path, 3)
    merge(tmp_path)
    for later_s in (0, KEEP_S + 30):
        log.append("lamps", [view("m0", product="late"), view("m5", product="late")])
        assert log.events("lamps").num_rows == 6
        log.close()
        assert log.seal().duplicates == 2
        merge(tmp_path, later_s=later_s)
        assert log.events("lamps").num_rows == 6
    assert len(segments(tmp_path)) == 1


def test_late_lines_are_merged_when_the_parts_are_gone(log: EventLog, tmp_path: Path) -> None:
    add_segments(tmp_path, 3)
    merge(tmp_path)
    add_segments(tmp_path, 2, first=3)
    assert merge(tmp_path) == 0
    assert merge(tmp_path, later_s=KEEP_S + 30) == 3
    assert len(segments(tmp_path)) == 1
    assert log.events("lamps").num_rows == 10


def test_lost_fingerprints_are_computed_for_the_merged_segment(
    log: EventLog, tmp_path: Path
) -> None:
    add_segments(tmp_path, 3)
    lost = next((tmp_path / "events").rglob("*.npy"))
    lost.unlink()
    assert merge(tmp_path) == 3
    log.append("lamps", [view(f"m{i}") for i in range(6)])
    assert log.events("lamps").num_rows == 6


def test_a_damaged_segment_is_reported_and_other_days_are_merged(tmp_path: Path) -> None:
    for day in (0, 1):
        add_segments(tmp_path, 3, first=3 * day, day=day)
    os.truncate(segments(tmp_path)[0], 100)
    merged, (problem,) = merge_days(
        DataDirectory(tmp_path), most=1, keep_s=KEEP_S, now_s=time.time()
    )
    assert merged == 3
    assert "day=1970-01-01 could not be merged" in problem
    assert len(segments(tmp_path)) == 4


def test_a_damaged_list_counts_nothing_twice(log: EventLog, tmp_path: Path) -> None:
    add_segments(tmp_path, 3)
    merge(tmp_path)
    (replaces,) = (tmp_path / "events").rglob("*.replaces.json")
    replaces.write_bytes(b"[")
    with pytest.raises(StorageError, match="restore it from a backup"):
        log.events("lamps")


def test_a_reader_that_misses_a_segment_begins_again(log: EventLog, tmp_path: Path) -> None:
    add_segments(tmp_path, 2)
    listed = segments(tmp_path)[0]
    elsewhere = listed.rename(tmp_path / "elsewhere")
    listed.symlink_to(tmp_path / "nowhere")  # listed, but not there when it is opened
    threading.Timer(0.2, lambda: elsewhere.replace(listed)).start()
    assert log.events("lamps").num_rows == 4


def test_reading_beside_merging_always_finds_the_same(log: EventLog, tmp_path: Path) -> None:
    for day in range(12):
        add_segments(tmp_path, 4, first=4 * day, day=day)
    expected = log.events("lamps")
    directory, merged = DataDirectory(tmp_path), 0

    def keep_house() -> None:
        nonlocal merged
        for _ in range(24):  # each round merges or cleans up one day, without waiting for readers
            merged += merge_days(directory, most=1, keep_s=-3, now_s=time.time(), round_s=0)[0]

    housekeeper = threading.Thread(target=keep_house)
    housekeeper.start()
    while housekeeper.is_alive():
        assert log.events("lamps").equals(expected)
    housekeeper.join()
    assert log.events("lamps").equals(expected)
    assert (merged, len(segments(tmp_path)), len(names(tmp_path))) == (48, 12, 24)
