"""What was acknowledged is there, once: after kill -9, on a full disk, beside the housekeeper."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from thinslice.config import Settings
from thinslice.store.directory import DataDirectory
from thinslice.store.log.event_log import EventLog
from thinslice.store.log.sealing import seal

HERE = Path(__file__).parent


def kill_writers(folder: Path, *, kills: int, at_once: int, seed: int) -> set[str]:
    """Start and kill writers at random moments; the ids that they acknowledged."""
    rng = random.Random(seed)
    acknowledged: set[str] = set()
    for number in range(0, kills, at_once):
        writers = [
            subprocess.Popen(
                [sys.executable, HERE / "write_until_killed.py", folder, f"w{number + i}"],
                stdout=subprocess.PIPE,
            )
            for i in range(at_once)
        ]
        heard = [threading.Thread(target=hear, args=(w, acknowledged, rng.uniform(0.05, 0.4)))
                 for w in writers]  # fmt: skip
        for thread in heard:
            thread.start()
        for thread in heard:
            thread.join()
    return acknowledged


def hear(writer: subprocess.Popen[bytes], acknowledged: set[str], seconds: float) -> None:
    """Kill it some time after its first answer; a line cut off by that is not heard."""
    assert writer.stdout
    lines = [writer.stdout.readline()]
    threading.Timer(seconds, writer.kill).start()
    lines += writer.stdout.readlines()
    writer.wait()
    writer.stdout.close()
    acknowledged.update(line.decode().strip() for line in lines if line.endswith(b"\n"))


def assert_each_once(log: EventLog, acknowledged: set[str]) -> None:
    stored = log.events("lamps").column("message_id").to_pylist()
    assert len(stored) == len(set(stored)), "counted twice"
    assert not acknowledged - set(stored), "lost"


def survive(folder: Path, *, kills: int, at_once: int) -> int:
    """Writers are killed while the housekeeper seals and merges and somebody reads."""
    directory = DataDirectory(folder)
    log = EventLog(directory, Settings(data=folder))
    stop = threading.Event()
    problems: list[str] = []

    def keep_house() -> None:
        while not stop.wait(0.1):
            # days are merged as soon as they can be, and what was merged is deleted at once
            problems.extend(seal(directory, keep_s=-3, day_max_segments=1).problems)

    housekeeper = threading.Thread(target=keep_house)
    housekeeper.start()
    acknowledged = kill_writers(folder, kills=kills, at_once=at_once, seed=kills)
    assert_each_once(log, acknowledged)
    stop.set()
    housekeeper.join()
    problems.extend(log.seal().problems)
    assert_each_once(log, acknowledged)
    assert problems == []
    log.close()
    return len(acknowledged)


def test_four_kills_of_two_writers_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    assert survive(tmp_path, kills=4, at_once=2) > 400


@pytest.mark.faults
def test_sixty_kills_of_three_writers_lose_nothing_and_count_nothing_twice(tmp_path: Path) -> None:
    started = time.monotonic()
    acknowledged = survive(tmp_path, kills=60, at_once=3)
    print(f"60 kills, {acknowledged:,} acknowledged, {time.monotonic() - started:.0f} s")
    assert acknowledged > 10_000


FILL = """
import pathlib, resource, sys
from thinslice.config import Settings
from thinslice.domain import Event
from thinslice.errors import StorageError
from thinslice.store.directory import DataDirectory
from thinslice.store.log.event_log import EventLog

events = [Event(f"m{i}", "Product Viewed", i, "ann", properties="x" * 500) for i in range(3000)]

def stored(log):
    ids = log.events("lamps").column("message_id").to_pylist()
    assert len(ids) == len(set(ids)), "counted twice"
    return {int(id[1:]) for id in ids}

def write(log, start, stop):
    acknowledged, failed = set(), 0
    for i in range(start, stop, 10):
        try:
            log.append("lamps", events[i:i + 10])
            acknowledged.update(range(i, i + 10))
        except StorageError as error:
            assert "resumes by itself" in str(error)
            failed += 1
    return acknowledged, failed

def restrict(folder, limit):
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, resource.RLIM_INFINITY))
        return
    with open(folder / "filler", "wb", buffering=0) as filler:
        while True:
            try:
                filler.write(b"x" * 65536)
            except OSError:
                break
        filler.truncate(filler.tell() - 1_000_000)

def fill(folder, limit):
    log = EventLog(DataDirectory(folder), Settings(data=folder))
    restrict(folder, limit)
    acknowledged, failed = write(log, 0, 1500)
    assert failed, "nothing failed"
    assert stored(log) >= acknowledged, "lost"
    resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    (folder / "filler").unlink(missing_ok=True)
    more, failed = write(log, 1500, 3000)
    assert not failed, "did not resume"
    log.close()
    for _ in range(2):
        assert stored(log) >= acknowledged | more, "lost"
        report = log.seal()
        assert report.problems == [], report.problems

for limit in map(int, sys.argv[2:]):
    fill(pathlib.Path(sys.argv[1]) / str(limit), limit)
"""


def fill(folder: Path, *limits: int) -> None:
    command = [sys.executable, "-c", FILL, folder, *map(str, limits)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


def test_when_writing_fails_the_caller_hears_it_and_ingest_resumes(tmp_path: Path) -> None:
    """At most so many bytes per file, so that creating, committing or checkpointing fails."""
    fill(tmp_path, 20_000, 100_000, 1_000_000)


def test_when_the_disk_is_full_the_caller_hears_it_and_ingest_resumes(tmp_path: Path) -> None:
    mount = ["mount", "-t", "tmpfs", "-o", "size=64m", "tmpfs", str(tmp_path)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small file system cannot be mounted here")
    try:
        fill(tmp_path, 0)
    finally:
        subprocess.run(["umount", tmp_path], check=True)
