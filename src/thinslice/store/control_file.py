"""The control plane's file: opened for every call, one transaction, closed.

A rollback journal, never WAL: several processes write it, and SQLite before 3.51.3 can lose
commits of a shared WAL file. Since nothing is kept open, threads and processes need agree on
nothing.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from thinslice.errors import BusyError, StorageError, ThinsliceError
from thinslice.store.control_tables import MIGRATIONS, migrate

_BUSY_S = 15.0


class ControlFile:
    """One SQLite file, brought up to date when it is opened for the first time."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.parent.mkdir(parents=True, exist_ok=True)
        with self._reading() as db:
            done = db.execute("select 1 from sqlite_master where name = 'applied'").fetchone()
            applied = db.execute("select count(*) from applied").fetchone()[0] if done else 0
        if applied < len(MIGRATIONS):
            with self._writing() as db:
                migrate(db)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        try:
            with closing(self._connect()) as db:
                yield db
        except sqlite3.Error as error:
            raise _storage_error(self.path, error) from error

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._reading() as db:
            db.execute("begin immediate")
            try:
                yield db
            except BaseException:
                if db.in_transaction:  # a full disk has ended it already
                    db.execute("rollback")
                raise
            db.execute("commit")

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=_BUSY_S, isolation_level=None)
        db.execute("pragma foreign_keys = on")
        return db


def clock_us() -> int:
    """Now, in microseconds since 1970 UTC."""
    return time.time_ns() // 1000


def _storage_error(path: Path, error: sqlite3.Error) -> ThinsliceError:
    if "locked" in str(error):
        return BusyError(
            f"the control file was being written for longer than {_BUSY_S:.0f} s; try again"
        )
    return StorageError(
        f"the control file must be readable and writable, {path} says: {error}; "
        "look at its disk and its permissions"
    )
