from __future__ import annotations

import os
import resource
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.contracts.event_store import view

from thinslice.config import Settings
from thinslice.domain import DAY_US
from thinslice.durable import locked
from thinslice.store.directory import DataDirectory
from thinslice.store.log.event_log import EventLog
from thinslice.store.log.hot_files import CLOSED, DAMAGED, LIVE, SEALED, hot_files
from thinslice.store.log.schema import EVENT_SCHEMA, to_table
from thinslice.store.log.sealing import SealReport, housekeeping_lock, seal
from thinslice.store.log.segments import Segments


@pytest.fixture
def log(tmp_path: Path) -> Iterator[EventLog]:
    log = EventLog(DataDirectory(tmp_path), Settings(data=tmp_path))
    yield log
    log.close()


def states(folder: Path) -> list[str]:
    return [file.state for file in hot_files(folder / "hot")]


def die_after_appending(folder: Path, count: int) -> None:
    """Another process appends m0, m1, … for shop lamps and dies without closing."""
    script = (
        "import os, pathlib, sys\n"
        "from tests.contracts.event_store import view\n"
        "from tests.store.log.test_sealing import Settings, DataDirectory, EventLog\n"
        "folder = pathlib.Path(sys.argv[1])\n"
        "log = EventLog(DataDirectory(folder), Settings(data=folder))\n"
        "for i in range(int(sys.argv[2])): log.append('lamps', [view(f'm{i}')])\n"
        "os.kill(os.getpid(), 9)\n"
    )
    subprocess.run([sys.executable, "-c", script, str(folder), str(count)], check=False)


def test_sealed_lines_are_parquet_by_shop_and_day_in_order_of_time(
    log: EventLog, tmp_path: Path
) -> None:
    log.append("lamps", [view("c", time_us=DAY_US), view("b", time_us=2), view("a", time_us=1)])
    log.append("chairs", [view("a", time_us=-1)])
    log.close()
    assert log.seal() == SealReport(files=1, lines=4, new_lines=4)
    id = hot_files(tmp_path / "hot")[0].id
    tables = {
        str(path.relative_to(tmp_path / "events").parent): pq.read_table(path, partitioning=None)
        for path in (tmp_path / "events").rglob(f"{id}-*.parquet")
    }
    assert {folder: table.column("message_id").to_pylist() for folder, table in tables.items()} == {
        "shop=chairs/day=1969-12-31": ["a"],
        "shop=lamps/day=1970-01-01": ["a", "b"],
        "shop=lamps/day=1970-01-02": ["c"],
    }
    assert all(table.schema == EVENT_SCHEMA for table in tables.values())


def test_the_file_of_a_living_writer_is_left_alone(log: EventLog, tmp_path: Path) -> None:
    log.append("lamps", [view("a")])
    assert log.seal() == SealReport()
    assert states(tmp_path) == [LIVE]


def test_the_file_of_a_dead_writer_is_sealed(log: EventLog, tmp_path: Path) -> None:
    die_after_appending(tmp_path, 20)
    assert states(tmp_path) == [LIVE]
    assert log.events("lamps").num_rows == 20
    assert log.seal() == SealReport(files=1, lines=20, new_lines=20)
    assert states(tmp_path) == [SEALED]
    assert log.events("lamps").num_rows == 20
    assert not list(tmp_path.glob("hot/*-wal"))


def test_a_wal_that_was_cut_short_is_reported(log: EventLog, tmp_path: Path) -> None:
    die_after_appending(tmp_path, 20)
    (wal,) = tmp_path.glob("hot/*-wal")
    os.truncate(wal, wal.stat().st_size // 2)
    (problem,) = log.seal().problems
    left = log.events("lamps").num_rows
    assert 0 < left < 20
    assert f"has {left} of 20 acknowledged lines" in problem


def test_a_damaged_file_is_set_aside_and_reported_and_the_others_sealed(
    log: EventLog, tmp_path: Path
) -> None:
    for id in ("a", "b"):
        log.append("lamps", [view(id)])
        log.close()
    first = hot_files(tmp_path / "hot")[0].path
    first.write_bytes(b"not a database, and long enough to be looked at as one" * 100)
    report = log.seal()
    assert (report.files, len(report.problems)) == (1, 1)
    assert states(tmp_path) == [DAMAGED, SEALED]
    assert "set aside" in log.seal().problems[0]
    assert log.events("lamps").column("message_id").to_pylist() == ["b"]
    assert len(log.running_session("lamps", visitor="ann")) == 1


def test_a_sealed_file_serves_running_sessions_until_it_is_deleted(
    log: EventLog, tmp_path: Path
) -> None:
    log.append("lamps", [view("a")])
    log.close()
    log.seal()
    assert len(log.running_session("lamps", visitor="ann")) == 1
    directory = DataDirectory(tmp_path)
    assert seal(directory, keep_s=2100, now_s=time.time() + 2000).deleted == 0
    assert seal(directory, keep_s=2100, now_s=time.time() + 2200).deleted == 1
    assert log.running_session("lamps", visitor="ann") == []
    assert log.events("lamps").num_rows == 1
    assert list((tmp_path / "hot").iterdir()) == []


def test_two_housekeepers_never_work_at_the_same_time(log: EventLog, tmp_path: Path) -> None:
    log.append("lamps", [view("a")])
    log.close()
    with locked(housekeeping_lock(DataDirectory(tmp_path))):
        assert log.seal() == SealReport(busy=True)
    assert states(tmp_path) == [CLOSED]
    assert log.seal().files == 1


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: os.truncate(path, 100)])
def test_lost_fingerprints_are_computed_again_from_the_segment(
    log: EventLog, tmp_path: Path, harm: object
) -> None:
    log.append("lamps", [view("a"), view("b")])
    log.close()
    log.seal()
    (prints,) = (tmp_path / "events").rglob("*.npy")
    harm(prints)  # type: ignore[operator]
    log.append("lamps", [view("b"), view("c")])
    assert log.events("lamps").num_rows == 3
    log.close()
    assert log.seal().duplicates == 1
    assert log.events("lamps").num_rows == 3


def test_more_segments_than_files_may_be_open_are_no_trouble(tmp_path: Path) -> None:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    publisher = Segments(tmp_path, "lamps").publisher()
    for i in range(60):
        publisher.publish(to_table([view(f"m{i}")]), "a")
    in_use = len(list(Path("/proc/self/fd").iterdir()))
    resource.setrlimit(resource.RLIMIT_NOFILE, (in_use + 20, limits[1]))
    try:
        again = [view(f"m{i}") for i in range(60)]
        assert publisher.publish(to_table(again), "a") == 0
        assert Segments(tmp_path, "lamps").publisher().publish(to_table(again), "a") == 0
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, limits)


def crash_at_steps(folder: Path, stride: int, *actions: str) -> list[int]:
    """How many steps each action has."""
    script = Path(__file__).with_name("crash_at_each_step.py")
    command = [sys.executable, script, folder, str(stride), *actions]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return [int(steps) for steps in run.stdout.split()]


def test_a_crash_loses_nothing_and_counts_nothing_twice(tmp_path: Path) -> None:
    steps = crash_at_steps(tmp_path, 7, "seal", "adopt", "merge")
    assert len(steps) == 3
    assert min(steps) > 6


@pytest.mark.faults
@pytest.mark.parametrize("action", ["seal", "adopt", "merge"])
def test_a_crash_at_any_step_loses_nothing_and_counts_nothing_twice(
    tmp_path: Path, action: str
) -> None:
    (steps,) = crash_at_steps(tmp_path, 1, action)
    assert steps > 10
