"""The control plane's file, brought up to date when it is opened for the first time."""

from __future__ import annotations

import time
from pathlib import Path

from thinslice.store.control_tables import MIGRATIONS, migrate
from thinslice.store.shared_file import SharedFile


class ControlFile(SharedFile):
    """One SQLite file, shared by all processes of the service."""

    _reading, _writing = SharedFile.reading, SharedFile.writing

    def __init__(self, path: Path) -> None:
        super().__init__(path, "the control file")
        with self._reading() as db:
            done = db.execute("select 1 from sqlite_master where name = 'applied'").fetchone()
            applied = db.execute("select count(*) from applied").fetchone()[0] if done else 0
        if applied < len(MIGRATIONS):
            with self._writing() as db:
                migrate(db)


def clock_us() -> int:
    """Now, in microseconds since 1970 UTC."""
    return time.time_ns() // 1000
