"""The housekeeper's round: closed hot files become segments.

Every step is a rename, and after each the data is complete and each line counts once:

1. The file of a writer that died is finished for it: its WAL is emptied into the main file, and
   the file is renamed to closed. Whoever holds its lock file's lock is its only writer.
2. Its lines that no segment has are published, day by day (`segments` says why no crash between
   two days harms). Until step 3 a query reads the hot file too and leaves out what segments have.
3. It is renamed to sealed: from here on queries read the segments instead. A crash before this
   repeats step 2, which finds everything known.
4. It is deleted when no running session can reach into it any more.

Then the many small segments that this leaves are merged (`merging`).
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from thinslice.durable import sync_folder, try_lock
from thinslice.store.directory import DataDirectory
from thinslice.store.log.hot_files import (
    CLOSED,
    DAMAGED,
    LIVE,
    SEALED,
    HotFile,
    hot_files,
    open_readonly,
)
from thinslice.store.log.hot_log import close_file, connect, empty_wal
from thinslice.store.log.merging import merge_days
from thinslice.store.log.schema import COLUMNS, rows_to_table
from thinslice.store.log.segments import Publisher, Segments

_CHUNK_LINES = 500_000
_DAMAGE = ("SQLITE_CORRUPT", "SQLITE_NOTADB")
_SELECT_SHOP = (
    f"select {', '.join(COLUMNS)} from events "  # noqa: S608 (names of columns)
    "where +shop = ? order by time_us, message_id, line"
)


@dataclass(slots=True)
class SealReport:
    """What one round did. `busy` means that another process was at it, and nothing was done."""

    files: int = 0
    lines: int = 0
    new_lines: int = 0
    deleted: int = 0
    merged: int = 0
    busy: bool = False
    problems: list[str] = field(default_factory=list)

    @property
    def duplicates(self) -> int:
        return self.lines - self.new_lines


def housekeeping_lock(directory: DataDirectory) -> Path:
    """The lock of whoever publishes segments."""
    return directory.events / ".lock"


def seal(
    directory: DataDirectory,
    *,
    keep_s: float,
    day_max_segments: int = 8,
    now_s: float | None = None,
) -> SealReport:
    """One round over all hot files and all days.

    A sealed file is deleted `keep_s` after its last event, a merged segment's parts `keep_s` after
    they were merged.
    """
    report = SealReport()
    now_s = time.time() if now_s is None else now_s
    lock = try_lock(housekeeping_lock(directory))
    if lock is None:
        report.busy = True
        return report
    try:
        _Round(directory, report).run(keep_s, now_s)
        report.merged, problems = merge_days(
            directory, most=day_max_segments, keep_s=keep_s, now_s=now_s
        )
        report.problems += problems
    finally:
        os.close(lock)
    return report


class _Round:
    def __init__(self, directory: DataDirectory, report: SealReport) -> None:
        self._hot = directory.hot
        self._events = directory.events
        self._report = report
        self._publishers: dict[str, Publisher] = {}

    def run(self, keep_s: float, now_s: float) -> None:
        for file in hot_files(self._hot):
            with self._reported(file):
                if file.state == LIVE:
                    self._take_over(file)
        for file in hot_files(self._hot):
            with self._reported(file):
                if file.state == CLOSED:
                    self._seal(file)
                elif file.state == SEALED and now_s - file.path.stat().st_mtime > keep_s:
                    self._delete(file)
                elif file.state == DAMAGED:
                    self._report.problems.append(
                        f"{file.path} could not be read and is set aside; its events are missing"
                    )
        _sweep(self._hot)

    @contextlib.contextmanager
    def _reported(self, file: HotFile) -> Iterator[None]:
        """A file that cannot be sealed is reported and does not keep others from it."""
        try:
            yield
        except sqlite3.Error as error:
            self._report.problems.append(f"{file.path} could not be sealed: {error}")
            if getattr(error, "sqlite_errorname", "").startswith(_DAMAGE):
                _rename(file.path, DAMAGED)
        except Exception as error:  # whatever it is, the other files are sealed
            self._report.problems.append(f"{file.path} could not be sealed: {error}")

    def _take_over(self, file: HotFile) -> None:
        lock = try_lock(_lock_of(file))
        if lock is None:
            return
        try:
            if file.path.exists():
                with contextlib.closing(connect(file.path)) as db:
                    complete = empty_wal(db, wait_s=0)
                if complete:
                    close_file(file.path)
        finally:
            os.close(lock)

    def _seal(self, file: HotFile) -> None:
        with contextlib.closing(open_readonly(file)) as db:
            self._check_length(file, db)
            for (shop,) in db.execute("select distinct shop from events order by shop").fetchall():
                publisher = self._publisher(shop)
                lines = db.execute(_SELECT_SHOP, (shop,))
                while rows := lines.fetchmany(_CHUNK_LINES):
                    self._report.new_lines += publisher.publish(rows_to_table(rows), file.id)
                    self._report.lines += len(rows)
        _rename(file.path, SEALED)
        self._report.files += 1

    def _publisher(self, shop: str) -> Publisher:
        if shop not in self._publishers:
            self._publishers[shop] = Segments(self._events, shop).publisher()
        return self._publishers[shop]

    def _check_length(self, file: HotFile, db: sqlite3.Connection) -> None:
        acknowledged = _acknowledged(_lock_of(file))
        stored = db.execute("select coalesce(max(seq), 0) from events").fetchone()[0]
        if stored < acknowledged:
            self._report.problems.append(
                f"{file.path} has {stored} of {acknowledged} acknowledged lines: it was cut short "
                "or altered after it was written; check the disk, and send the missing events again"
            )

    def _delete(self, file: HotFile) -> None:
        file.path.unlink()
        _lock_of(file).unlink(missing_ok=True)
        self._report.deleted += 1


def _rename(path: Path, state: str) -> None:
    path.rename(path.with_name(f"{path.name.partition('.')[0]}.{state}.sqlite"))
    sync_folder(path.parent)


def _lock_of(file: HotFile) -> Path:
    return file.path.with_name(f"{file.id}.lock")


def _acknowledged(lock_file: Path) -> int:
    """The writer's own count; 0 where a power cut took it."""
    try:
        return int(lock_file.read_bytes() or 0)
    except (OSError, ValueError):
        return 0


def _sweep(hot: Path) -> None:
    """Remove what belongs to no file any more: a reader's empty WAL, an unborn file."""
    files = {file.id: file for file in hot_files(hot)}
    for path in hot.iterdir():
        id, _, rest = path.name.partition(".")
        file = files.get(id)
        emptied = file and file.state != LIVE and rest in ("sqlite-wal", "sqlite-shm")
        unborn = file is None and rest in _REMAINS and _is_ownerless(hot / f"{id}.lock")
        unlocked = rest == "locking" and _is_forgotten(path)
        if emptied or unborn or unlocked:
            path.unlink(missing_ok=True)


_LONG_S = 3600
"""A lock file takes its name at once; one that has not after an hour never will."""

_REMAINS = ("lock", "new", "new-wal", "new-shm", "new-journal", "sqlite-wal", "sqlite-shm")


def _is_forgotten(path: Path) -> bool:
    with contextlib.suppress(FileNotFoundError):
        return path.stat().st_mtime < time.time() - _LONG_S
    return False


def _is_ownerless(lock_file: Path) -> bool:
    if not lock_file.exists():
        return True
    lock = try_lock(lock_file)
    if lock is None:
        return False
    os.close(lock)
    return True
