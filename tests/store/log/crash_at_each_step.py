"""Kills a process before each change it makes to the file system, and looks at what is left.

    python crash_at_each_step.py FOLDER STRIDE ACTION...

where an action is seal, adopt or merge. Every STRIDEth step; prints for each action how many steps
there were at least. A copy of the same data is used for every step.

All work is done in forked children, so that this process never holds a thread or a
connection.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import duckdb  # noqa: F401 (these three are loaded once, for all children)
import pandas  # noqa: F401
import pyarrow.dataset  # noqa: F401
import pyarrow.parquet as pq

from thinslice.config import Settings
from thinslice.domain import DAY_US, Event
from thinslice.store.directory import DataDirectory
from thinslice.store.log import sealing
from thinslice.store.log.event_log import EventLog
from thinslice.store.log.schema import to_table

CHANGES = ("os.rename", "os.remove", "os.mkdir", "os.rmdir", "os.truncate", "sqlite3.connect")


def lines(start: int, stop: int) -> list[Event]:
    return [
        Event(f"m{i}", "Product Viewed", i % 3 * DAY_US + i, f"v{i}") for i in range(start, stop)
    ]


BASE = {"lamps": range(40), "chairs": range(10)}
STAGED = range(25, 60)


def prepare(folder: Path) -> None:
    """Segments, a closed file, the file of a writer that died, all with lines in common."""
    log = open_log(folder)
    log.append("lamps", lines(0, 10))
    log.close()
    log.seal()
    log.append("lamps", lines(5, 25))
    log.append("chairs", lines(0, 10))
    log.close()
    log.append("lamps", lines(15, 40))
    pq.write_table(to_table(lines(STAGED.start, STAGED.stop)), folder / "staged.parquet")
    pq.write_table(to_table(lines(0, 40)), folder / "known.parquet")
    os._exit(0)  # without handing over


def seal(folder: Path) -> None:
    problems = open_log(folder).seal().problems
    assert not problems, problems


def adopt(folder: Path) -> None:
    open_log(folder).adopt("lamps", folder / "staged.parquet")


def merge(folder: Path) -> None:
    """Two rounds: the first merges the segments of each day, the second deletes its parts."""
    for _ in range(2):
        report = sealing.seal(
            DataDirectory(folder), keep_s=60, day_max_segments=1, now_s=time.time() + 120
        )
        assert not report.problems, report.problems


def check(folder: Path, action: Callable[[Path], None]) -> None:
    """Each line once, nothing lost; and the same again ends as if nothing had been killed."""
    check_lines(folder, action is adopt)
    if action is merge:
        assert open_log(folder).adopt("lamps", folder / "known.parquet") == 0
        check_lines(folder, False)
    action(folder)
    seal(folder)
    check_end(folder, action)


def check_lines(folder: Path, adopting: bool) -> None:
    for shop, numbers in BASE.items():
        found = ids(folder, shop)
        assert max(found.values()) == 1, f"counted twice: {found.most_common(3)}"
        lost = {f"m{i}" for i in numbers} - set(found)
        assert not lost, f"lost: {lost}"
        surplus = set(found) - {f"m{i}" for i in numbers} - {f"m{i}" for i in STAGED}
        assert not surplus and (adopting or len(found) == len(numbers))


def check_end(folder: Path, action: Callable[[Path], None]) -> None:
    numbers = {*BASE["lamps"], *(STAGED if action is adopt else ())}
    assert ids(folder, "lamps") == Counter(f"m{i}" for i in numbers)
    assert not list(folder.rglob("*.tmp")), "unfinished files are left"
    stems = {path.name.partition(".")[0] for path in folder.rglob("day=*/*.parquet")}
    prints = {path.name.partition(".")[0] for path in folder.rglob("day=*/*.npy")}
    assert stems == prints, "fingerprints without a segment are left"
    if action is merge:
        assert [len(list(day.iterdir())) for day in folder.glob("events/*/day=*")] == [2] * 6
    assert not list(folder.glob("hot/*-wal")), "a WAL is left"
    assert not list((folder / "scratch").glob("*/")), "scratch is left"


def ids(folder: Path, shop: str) -> Counter[str]:
    return Counter(open_log(folder).events(shop).column("message_id").to_pylist())


def open_log(folder: Path) -> EventLog:
    return EventLog(DataDirectory(folder), Settings(data=folder))


def killed_at(step: int) -> Callable[[str, tuple[object, ...]], None]:
    count = 0

    def hook(event: str, _: tuple[object, ...]) -> None:
        nonlocal count
        if event in CHANGES:
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)

    return hook


def in_child(work: Callable[[], None]) -> int:
    """The exit status of a forked child that does the work."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:
            sys.stderr.write(f"{type(error).__name__}: {error}\n")
            os._exit(1)
        os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def main(action: Callable[[Path], None], folder: Path, stride: int) -> None:
    template, work = folder / "template", folder / "work"
    assert in_child(lambda: prepare(template)) == 0
    if action is merge:
        assert in_child(lambda: seal(template)) == 0
    for step in range(1, 1000, stride):
        shutil.rmtree(work, ignore_errors=True)
        shutil.copytree(template, work)

        def crash(step: int = step) -> None:
            sys.addaudithook(killed_at(step))
            action(work)

        status = in_child(crash)
        assert status in (0, -signal.SIGKILL), f"step {step}: exit {status}"
        assert in_child(lambda: check(work, action)) == 0, f"step {step}"
        if status == 0:
            print(step - stride)
            return


if __name__ == "__main__":
    for name in sys.argv[3:]:
        work = Path(sys.argv[1]) / name
        main({"seal": seal, "adopt": adopt, "merge": merge}[name], work, int(sys.argv[2]))
