"""The end of the log, followed as it grows: what any writer has acknowledged since the last look.

A look lists the hot files and asks each for the lines after the last one seen, which costs a few
dozen microseconds where nothing is new. Nothing is kept on disk: a follower that is killed reads
the files anew, and what the files no longer have is in segments, from which models learn.
"""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Mapping
from dataclasses import dataclass
from operator import attrgetter
from pathlib import Path
from typing import Any, NamedTuple

from thinslice.domain import BROWSING
from thinslice.store.log.hot_files import (
    DAMAGED,
    LIVE,
    HotFile,
    again_if_moved,
    hot_files,
    open_readonly,
    opened,
)

CATCH_UP_LINES = 200_000
"""The newest lines of all files together, with which a new follower begins."""

_log = logging.getLogger(__name__)


class Touch(NamedTuple):
    """A product that a visitor looked at, put in the cart or bought; `file` and `line` say where
    it stands in the log. `kind` is a position in `BROWSING`.
    """

    file: str
    line: int
    shop: str
    visitor: str
    session: str
    kind: int
    time_us: int
    product: str


@dataclass(frozen=True)
class LogPosition:
    """How far the log had been read: the last line of every hot file there was at `at_us`."""

    at_us: int
    lines: Mapping[str, int]

    def until(self, file: str) -> int:
        """The last line of a file that had been read.

        A file that was older and is not named had been sealed and deleted: all of it was read.
        """
        made_us = int(file.partition("-")[0])
        return self.lines.get(file, _ALL if made_us < self.at_us else 0)

    def to_dict(self) -> dict[str, Any]:
        return {"at_us": self.at_us, "lines": dict(self.lines)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> LogPosition:
        return cls(values["at_us"], values["lines"])


def log_position(folder: Path) -> LogPosition:
    """Where the log ends now. Take it before reading the log: what is written meanwhile is then
    read twice rather than missed.
    """

    def read() -> LogPosition:
        at_us, lines = time.time_ns() // 1000, {}
        for file in hot_files(folder):
            if file.state != DAMAGED:
                with opened(file) as db:
                    lines[file.id] = _last_line(db)
        return LogPosition(at_us, lines)

    return again_if_moved(read)


def touched_since(folder: Path, shop: str, position: LogPosition) -> bool:
    """Whether the hot files have a touch of the shop beyond the position."""
    query = f"select 1 from events where seq > ? and +shop = ? and {_TOUCHES} limit 1"  # noqa: S608

    def read() -> bool:
        for file in hot_files(folder):
            if file.state != DAMAGED and (after := position.until(file.id)) < _ALL:
                with opened(file) as db:
                    if db.execute(query, (after, shop)).fetchone():
                        return True
        return False

    return again_if_moved(read)


class Tail:
    """Follows the hot files of all writers and all shops. For one thread."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._read: dict[str, int] = {}
        self._open: dict[HotFile, sqlite3.Connection] = {}
        self._complete: set[str] = set()
        self._budget = CATCH_UP_LINES
        self._began = False

    def look(self) -> list[Touch]:
        """The touches acknowledged since the last look, by time.

        A file that cannot be read now is tried again with the next look.
        """
        files = [file for file in hot_files(self._folder) if file.state != DAMAGED]
        self._let_go(files)
        found: list[Touch] = []
        for file in reversed(files):  # the newest first, for as long as there is a budget
            if file.id in self._complete:
                continue
            try:
                found += self._new_lines(file)
            except sqlite3.Error as error:
                if file.path.exists():
                    _log.warning("%s is not followed for now: %s", file.path, error)
                continue
            if file.state != LIVE:
                self._complete.add(file.id)
        self._began = True
        return sorted(found, key=attrgetter("time_us"))

    def close(self) -> None:
        self._let_go([])

    def _new_lines(self, file: HotFile) -> list[Touch]:
        db = self._open.get(file)
        if db is None:
            db = self._open[file] = open_readonly(file)
        last = _last_line(db)
        if file.id not in self._read:
            self._read[file.id] = self._beginning(last)
        first = self._read[file.id]
        touches = [
            Touch(file.id, line, shop, visitor, session or "", _KIND[kind], time_us, product)
            for line, shop, visitor, session, kind, time_us, product in (
                db.execute(_SELECT, (first, last)) if first < last else ()
            )
        ]
        self._read[file.id] = last
        return touches

    def _beginning(self, last: int) -> int:
        """All of a file that is begun while one follows, and what the budget allows of others."""
        if self._began:
            return 0
        taken = min(last, self._budget)
        self._budget -= taken
        return last - taken

    def _let_go(self, files: list[HotFile]) -> None:
        """Close what has another name or is gone, and forget what is gone."""
        for gone in self._open.keys() - set(files):
            self._open.pop(gone).close()
        there = {file.id for file in files}
        self._complete &= there
        for id in self._read.keys() - there:
            del self._read[id]


def _last_line(db: sqlite3.Connection) -> int:
    return int(db.execute("select coalesce(max(seq), 0) from events").fetchone()[0])


_KIND = {str(kind): code for code, kind in enumerate(BROWSING)}
_KINDS = ", ".join(f"'{kind}'" for kind in _KIND)
_TOUCHES = f"type in ({_KINDS}) and product > ''"
_SELECT = (
    "select seq, shop, visitor, session, type, time_us, product from events "  # noqa: S608
    f"where seq > ? and seq <= ? and {_TOUCHES} order by seq"
)
_ALL = 2**63 - 1
