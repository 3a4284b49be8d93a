"""A SQLite file that threads and processes share: opened for every call, one transaction, closed.

A rollback journal, never WAL: several processes write it, and SQLite before 3.51.3 can lose
commits of a shared WAL file. Since nothing is kept open, nobody need agree on anything.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from thinslice.errors import BusyError, StorageError, ThinsliceError

BUSY_S = 15.0
"""How long a writer waits for another."""


class SharedFile:
    """One file; `what` is its name in errors: "the catalogue"."""

    def __init__(self, path: Path, what: str) -> None:
        self.path = path
        self._what = what
        path.parent.mkdir(parents=True, exist_ok=True)

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection; what SQLite finds wrong becomes StorageError, or BusyError."""
        try:
            with closing(self._connect()) as db:
                yield db
        except sqlite3.Error as error:
            raise self._storage_error(error) from error

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction: on disk when the block ends, undone when it fails."""
        with self.reading() as db:
            db.execute("begin immediate")
            try:
                yield db
            except BaseException:
                if db.in_transaction:  # a full disk has ended it already
                    db.execute("rollback")
                raise
            db.execute("commit")

    def _connect(self) -> sqlite3.Connection:
        db = sqlite3.connect(self.path, timeout=BUSY_S, isolation_level=None)
        db.execute("pragma foreign_keys = on")
        return db

    def _storage_error(self, error: sqlite3.Error) -> ThinsliceError:
        if "locked" in str(error):
            return BusyError(
                f"{self._what} was being written for longer than {BUSY_S:.0f} s; try again"
            )
        state = "" if isinstance(error, sqlite3.OperationalError) else " and is damaged"
        return StorageError(
            f"{self._what} must be readable and writable, {self.path} says: {error}{state}; "
            "look at its disk and its permissions"
        )
