"""Reading the hot files that others write: never in their way, never missing a line."""

from __future__ import annotations

import contextlib
import logging
import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from thinslice.domain import Event
from thinslice.errors import StorageError
from thinslice.store.log.schema import COLUMNS

_log = logging.getLogger(__name__)

LIVE, CLOSED, SEALED, DAMAGED = "live", "closed", "sealed", "damaged"

_STATES = {
    ".sqlite": LIVE,
    ".closed.sqlite": CLOSED,
    ".sealed.sqlite": SEALED,
    ".damaged.sqlite": DAMAGED,
}
_SESSION_LINES = 500
_SELECT = f"select {', '.join(COLUMNS)} from events"  # noqa: S608 (names of columns)
_T = TypeVar("_T")


class HotFile(NamedTuple):
    """One file of the hot folder; `hot_log` tells the life of one."""

    id: str
    state: str
    path: Path


def hot_files(folder: Path) -> list[HotFile]:
    """The files that are there now, oldest first."""
    found = []
    for name in os.listdir(folder):  # noqa: PTH208 (a session is looked up in microseconds)
        id, dot, rest = name.partition(".")
        if state := _STATES.get(dot + rest):
            found.append(HotFile(id, state, folder / name))
    return sorted(found)


def open_readonly(file: HotFile) -> sqlite3.Connection:
    """A connection that can neither write nor checkpoint.

    A file that is no longer live never changes again and needs neither locks nor a WAL.
    """
    how = "mode=ro" if file.state == LIVE else "mode=ro&immutable=1"
    return sqlite3.connect(
        f"{file.path.absolute().as_uri()}?{how}",
        uri=True,
        isolation_level=None,
        check_same_thread=False,
    )


def unsealed_rows(
    folder: Path, shop: str, since_us: int | None = None, until_us: int | None = None
) -> list[tuple[Any, ...]]:
    """The shop's lines that are not known to be in segments, in `COLUMNS`, first written first.

    Call it before the segments are listed: a file that is sealed in between is then in both,
    where the other order could miss it.
    """
    low = -(2**63) if since_us is None else since_us
    high = 2**63 - 1 if until_us is None else until_us - 1
    query = f"{_SELECT} where +shop = ? and time_us between ? and ? order by seq"

    def read() -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = []
        for file in hot_files(folder):
            if file.state in (LIVE, CLOSED):
                with opened(file) as db:
                    rows += db.execute(query, (shop, low, high)).fetchall()
        return rows

    return again_if_moved(read)


class MovedError(Exception):
    """A file was gone between being listed and being opened: it has another name, or is merged."""


def again_if_moved(read: Callable[[], _T]) -> _T:
    """What `read` returns, begun anew whenever a file moved on under its hands."""
    for _ in range(100):
        with contextlib.suppress(MovedError):
            return read()
    raise StorageError("the files of the log changed 100 times while they were read; try again")


class RunningSessions:
    """The latest events of visitors, from all writers' files, through connections kept open."""

    def __init__(self, folder: Path, gap_us: int) -> None:
        self._folder = folder
        self._gap_us = gap_us
        self._open: dict[HotFile, sqlite3.Connection] = {}
        self._lock = threading.Lock()

    def find(self, shop: str, visitor: str, session: str) -> list[Event]:
        """The lines of the last session, oldest first, its latest 500 at most.

        With a session id, those that carry it (and the visitor's, where one is given, too); with
        a visitor only, those since the visitor's last pause that is longer than the gap. A file
        that cannot be read is left out: a list from the other events is better than none.
        """
        if not (visitor or session):
            return []
        if session:
            where, values = "session = ?", [shop, session]
            if visitor:
                where, values = where + " and +visitor = ?", [*values, visitor]
        else:
            where, values = "visitor = ?", [shop, visitor]
        query = f"{_SELECT} where shop = ? and {where} order by seq desc limit {_SESSION_LINES}"
        with self._lock:
            rows = again_if_moved(lambda: self._rows(query, values))
        events = _in_order(rows)
        return events if session else _since_last_pause(events, self._gap_us)

    def close(self) -> None:
        with self._lock:
            for db in self._open.values():
                db.close()
            self._open.clear()

    def _rows(self, query: str, values: list[str]) -> list[tuple[Any, ...]]:
        rows = []
        for file in self._files():
            try:
                rows += self._connection(file).execute(query, values).fetchall()
            except sqlite3.Error as error:
                if not file.path.exists():
                    raise MovedError from error
                _log.warning("%s is left out of running sessions: %s", file.path, error)
        return rows

    def _connection(self, file: HotFile) -> sqlite3.Connection:
        if file not in self._open:
            self._open[file] = open_readonly(file)
        return self._open[file]

    def _files(self) -> list[HotFile]:
        files = [file for file in hot_files(self._folder) if file.state != DAMAGED]
        for gone in self._open.keys() - set(files):
            self._open.pop(gone).close()
        return files


@contextlib.contextmanager
def opened(file: HotFile) -> Iterator[sqlite3.Connection]:
    """The same for a moment; MovedError where the file has moved on, StorageError where damaged."""
    with _explained(file), contextlib.closing(open_readonly(file)) as db:
        yield db


@contextlib.contextmanager
def _explained(file: HotFile) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as error:
        if not file.path.exists():
            raise MovedError from error
        raise StorageError(
            f"the events in {file.path} could not be read: {error}; the housekeeper sets a damaged "
            "file aside with its next round"
        ) from error


def _in_order(rows: list[tuple[Any, ...]]) -> list[Event]:
    by_identity: dict[tuple[str, int], Event] = {}
    for row in rows:
        event = Event(*row)
        by_identity.setdefault((event.message_id, event.line), event)
    return sorted(by_identity.values(), key=lambda e: (e.time_us, e.message_id, e.line))


def _since_last_pause(events: list[Event], gap_us: int) -> list[Event]:
    for index in range(len(events) - 1, 0, -1):
        if events[index].time_us - events[index - 1].time_us > gap_us:
            return events[index:]
    return events
