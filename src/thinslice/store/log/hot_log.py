"""The events one process has acknowledged and nobody has sealed yet: a SQLite file of its own.

One file per writer, and the writer's is the only read-write connection the file ever has.
Everyone else opens it `mode=ro`, which can neither write nor checkpoint. That is faster than
sharing a file, and it avoids SQLite's WAL-reset bug (3.7.0 to 3.51.2: two connections that write
or checkpoint one WAL at the same time may lose commits; https://sqlite.org/wal.html), so that the
SQLite of an older Linux is safe here.

A file's life, told by its name:

    <id>.sqlite         being written; <id>.lock is locked for as long as its writer lives
    <id>.closed.sqlite  complete, all of it in this one file; the rename is the hand-over
    <id>.sealed.sqlite  all its lines are in segments; kept a while for running sessions
    <id>.damaged.sqlite could not be read; set aside for a person to look at

The lock file holds the number of lines acknowledged. A SQLite WAL that was cut short or has a bit
flipped drops its last commits without a word; a file with fewer lines than that is reported.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

from thinslice.domain import Event
from thinslice.durable import sync_folder, try_lock
from thinslice.errors import InputError, StorageError
from thinslice.store.directory import shop_name
from thinslice.store.log.schema import COLUMNS, EVENT_SCHEMA, REQUIRED, as_row

Row = tuple[Any, ...]
"""A line as it is stored: the shop, then the values in the order of `schema.COLUMNS`."""

_CHECKPOINT_PAGES = 8_000
_RETRY_ROTATION_S = 1.0


class HotLog:
    """One writer's events. Not thread-safe: whoever owns it calls it from one thread at a time.

    A file is begun with the first event, and closed at `max_events` lines or `max_minutes` of age.
    """

    def __init__(self, folder: Path, *, max_events: int, max_minutes: float) -> None:
        self._folder = folder
        self._max_events = max_events
        self._max_seconds = max_minutes * 60
        self._file: _HotFile | None = None

    def append(self, batches: Iterable[tuple[str, Sequence[Event]]]) -> int:
        """Keep the shops' events in one transaction; return how many lines were new to the file.

        When this returns, they are on disk. Raises `InputError` for a value that cannot be stored
        and `StorageError` when the disk refuses; nothing of these batches is kept then, and the
        next append tries anew.
        """
        return self.append_rows([row for shop, events in batches for row in rows_of(shop, events)])

    def append_rows(self, rows: Sequence[Row]) -> int:
        """The same for lines that are rows already."""
        if not rows:
            return 0
        file = self._open()
        try:
            added = file.insert(rows)
        except StorageError:
            if not file.usable:
                self._file = None
                file.abandon()
            raise
        self.rotate_if_due()
        return added

    def rotate_if_due(self) -> None:
        """Hand the file over to the housekeeper when it is full or old."""
        file = self._file
        if file and file.due(self._max_events, self._max_seconds):
            self._hand_over(file)

    def seconds_until_due(self) -> float | None:
        """How long until the file is old; None while there is none."""
        if self._file is None:
            return None
        return max(0.0, self._file.due_at(self._max_seconds) - time.monotonic())

    def close(self) -> None:
        """Hand the file over and begin no other until the next append."""
        file, self._file = self._file, None
        if file and not file.hand_over(wait_s=5):
            file.abandon()

    def _open(self) -> _HotFile:
        if self._file is None:
            self._file = _HotFile(self._folder)
        return self._file

    def _hand_over(self, file: _HotFile) -> None:
        if file.hand_over(wait_s=0):
            self._file = None
        elif not file.usable:
            self._file = None
            file.abandon()


def rows_of(shop: str, events: Iterable[Event]) -> list[Row]:
    """The events as rows of a hot file. Raises `InputError` for what is no shop id."""
    shop = shop_name(shop)
    return [(shop, *as_row(event)) for event in events]


def new_hot_id() -> str:
    """A name that no other file ever has; later ones sort later."""
    return f"{time.time_ns() // 1000:016d}-{uuid4().hex[:12]}"


class _HotFile:
    """The only read-write connection to one file, from its creation to its hand-over."""

    def __init__(self, folder: Path) -> None:
        self.usable = True
        self._path = folder / f"{new_hot_id()}.sqlite"
        self._lock = -1
        self._begun = time.monotonic()
        self._retry_at = 0.0
        self._lines = 0
        try:
            self._lock = _lock_new(self._path.with_suffix(".lock"))
            self._db = _create(self._path)
        except (sqlite3.Error, OSError) as error:
            self._remove_remains()
            raise _storage_error(self._path, error) from error

    def insert(self, rows: Sequence[Row]) -> int:
        before = self._db.total_changes
        try:
            self._db.execute("begin immediate")
            self._db.executemany(INSERT, rows)
            added = self._db.total_changes - before
            self._db.execute("commit")
        except _BAD_VALUES as error:
            raise InputError(
                f"an event's values must be text or integers of 64 bits, got another: {error}; "
                "correct it and send it again"
            ) from error
        except sqlite3.Error as error:
            self.usable = getattr(error, "sqlite_errorname", "") in _PASSING
            raise _storage_error(self._path, error) from error
        finally:
            if self._db.in_transaction:
                with contextlib.suppress(sqlite3.Error):
                    self._db.execute("rollback")
        self._lines += added
        with contextlib.suppress(OSError):
            os.pwrite(self._lock, b"%020d" % self._lines, 0)
        return added

    def due(self, max_events: int, max_seconds: float) -> bool:
        now = time.monotonic()
        full = self._lines >= max_events or now - self._begun >= max_seconds
        return full and now >= self._retry_at

    def due_at(self, max_seconds: float) -> float:
        return max(self._begun + max_seconds, self._retry_at)

    def hand_over(self, *, wait_s: float) -> bool:
        """Move all into the main file and rename it; False when a reader or the disk is in the way.

        A reader's snapshot may keep the WAL from being emptied; then the file stays in use.
        """
        try:
            if not empty_wal(self._db, wait_s=wait_s):
                self._retry_at = time.monotonic() + _RETRY_ROTATION_S
                return False
            self._db.close()
            close_file(self._path)
        except (sqlite3.Error, OSError):
            self.usable = False
            return False
        os.close(self._lock)
        return True

    def abandon(self) -> None:
        """Leave the file to the housekeeper, who treats it like that of a killed writer."""
        with contextlib.suppress(sqlite3.Error):
            self._db.close()
        os.close(self._lock)

    def _remove_remains(self) -> None:
        for path in self._path.parent.glob(f"{self._path.stem}*"):
            path.unlink(missing_ok=True)
        if self._lock >= 0:
            os.close(self._lock)


def empty_wal(db: sqlite3.Connection, *, wait_s: float) -> bool:
    """Bring everything into the main file; False when a reader is in the way."""
    db.execute(f"pragma busy_timeout={int(wait_s * 1000)}")
    busy, _, _ = db.execute("pragma wal_checkpoint(truncate)").fetchone()
    db.execute("pragma busy_timeout=5000")
    return not busy


def close_file(path: Path) -> Path:
    """Give a complete file, to which nobody writes any more, its name as a closed one."""
    closed = path.with_suffix(".closed.sqlite")
    path.rename(closed)
    sync_folder(path.parent)
    return closed


def connect(path: Path) -> sqlite3.Connection:
    """The read-write connection; for the owner of the lock only."""
    db = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
    db.execute("pragma synchronous=full")
    db.execute(f"pragma wal_autocheckpoint={_CHECKPOINT_PAGES}")
    return db


def _lock_new(path: Path) -> int:
    """A lock file that is locked before anyone finds it: a free one would look abandoned."""
    unnamed = path.with_suffix(".locking")
    lock = try_lock(unnamed)
    if lock is None:
        raise FileExistsError(f"{path} belongs to another writer")
    try:
        unnamed.rename(path)
    except OSError:
        os.close(lock)
        raise
    return lock


def _create(path: Path) -> sqlite3.Connection:
    """A file with its tables appears under its name all at once, so that a reader finds them."""
    unborn = path.with_suffix(".new")
    with contextlib.closing(connect(unborn)) as db:
        db.execute("pragma journal_mode=wal")
        for statement in TABLES:
            db.execute(statement)
    unborn.rename(path)
    sync_folder(path.parent)
    return connect(path)


def _storage_error(path: Path, error: Exception) -> StorageError:
    return StorageError(
        f"events must be on disk before they are acknowledged, and {path.name} could not be "
        f"written: {error}; free some space or check the disk, ingest then resumes by itself"
    )


_SQL_TYPES = {"string": "text", "int64": "integer"}
TABLES = (
    "create table events(seq integer primary key, shop text not null, "
    + ", ".join(
        f"{field.name} {_SQL_TYPES[str(field.type)]}{' not null' * (field.name in REQUIRED)}"
        for field in EVENT_SCHEMA
    )
    + ") strict",
    "create unique index once on events(shop, message_id, line)",
    "create index of_visitor on events(shop, visitor)",
    "create index of_session on events(shop, session) where session is not null",
)
INSERT = (
    f"insert into events(shop, {', '.join(COLUMNS)}) "
    f"values({', '.join('?' * (len(COLUMNS) + 1))}) "
    "on conflict(shop, message_id, line) do nothing"
)
_BAD_VALUES = (
    sqlite3.IntegrityError,
    sqlite3.ProgrammingError,
    sqlite3.InterfaceError,
    sqlite3.DataError,
    OverflowError,
    UnicodeEncodeError,
)
_PASSING = ("SQLITE_FULL", "SQLITE_BUSY", "SQLITE_LOCKED")
