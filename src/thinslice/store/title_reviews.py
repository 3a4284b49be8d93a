"""What people said about titles, and which titles wait for a person: one SQLite file per shop.

A correction is kept for good, with who said it, when, what stood before and what is right; the
latest word about a title stands. Titles that were asked about and wait for a person are kept once
each.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from thinslice.durable import make_folder
from thinslice.errors import InputError
from thinslice.store.shared_file import SharedFile

MOST_WAITING = 100_000
"""Titles that wait for a person; the oldest give way to newer ones."""

_MOST_CHARACTERS = 10_000
_SCHEMA = """
CREATE TABLE IF NOT EXISTS corrections (
    number INTEGER PRIMARY KEY, time_us INTEGER NOT NULL, who TEXT NOT NULL,
    product TEXT, title TEXT NOT NULL, key TEXT NOT NULL,
    was TEXT NOT NULL, category TEXT NOT NULL, version TEXT
);
CREATE INDEX IF NOT EXISTS corrections_by_key ON corrections (key);
CREATE TABLE IF NOT EXISTS waiting (
    key TEXT PRIMARY KEY, title TEXT NOT NULL, time_us INTEGER NOT NULL, times INTEGER NOT NULL
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS set_aside (key TEXT PRIMARY KEY, time_us INTEGER) WITHOUT ROWID;
"""


@dataclass(frozen=True, slots=True)
class Correction:
    """A person's word on one title: `was` is what stood before, `category` what is right.

    `key` is the cleaned title, `product` its id in the catalogue where it has one, `version` the
    classifier that had answered. Without a category it takes back what was said before.
    """

    title: str
    category: str
    was: str = ""
    who: str = ""
    product: str | None = None
    version: str | None = None
    key: str = ""
    time_us: int = 0
    number: int = 0


class TitleReviews:
    """One shop's corrections and waiting titles. Safe to share between threads and processes."""

    def __init__(self, path: Path) -> None:
        make_folder(path.parent)
        self.path = path
        self._file = SharedFile(path, "the file of what people said of titles")
        with self._file.reading() as connection:
            connection.executescript(_SCHEMA)

    def correct(self, corrections: Sequence[Correction]) -> int:
        """Keep what people said, on disk when this returns; return the number of the last.

        Their titles wait no longer. Raises InputError for one without a title or category.
        """
        for correction in corrections:
            _check(correction)
        with self._file.writing() as connection:
            for c in corrections:
                time_us = c.time_us or time.time_ns() // 1000
                connection.execute(
                    "INSERT INTO corrections (time_us, who, product, title, key, was, category, "
                    "version) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                    (time_us, c.who, c.product, c.title, c.key, c.was, c.category, c.version),
                )
                connection.execute("DELETE FROM waiting WHERE key = ?", (c.key,))
        return self.last_number()

    def corrections(self, *, since: int = 0) -> list[Correction]:
        """What was said after correction number `since`, oldest first."""
        with self._file.reading() as connection:
            rows = connection.execute(
                "SELECT title, category, was, who, product, version, key, time_us, number "
                "FROM corrections WHERE number > ? ORDER BY number",
                (since,),
            ).fetchall()
        return [Correction(*row) for row in rows]

    def last_number(self) -> int:
        """The number of the latest correction, 0 before the first."""
        with self._file.reading() as connection:
            row = connection.execute("SELECT MAX(number) FROM corrections").fetchone()
        return int(row[0] or 0)

    def wait(self, titles: Iterable[tuple[str, str]], *, now_us: int | None = None) -> int:
        """Keep (key, title) pairs for a person to look at; return how many wait now."""
        now_us = now_us or time.time_ns() // 1000
        rows = [(key, title, now_us) for key, title in titles]
        with self._file.writing() as connection:
            connection.executemany(
                "INSERT INTO waiting VALUES (?, ?, ?, 1) ON CONFLICT (key) DO UPDATE SET "
                "time_us = excluded.time_us, times = times + 1",
                rows,
            )
            waiting = int(connection.execute("SELECT COUNT(*) FROM waiting").fetchone()[0])
            if waiting > MOST_WAITING:
                connection.execute(
                    "DELETE FROM waiting WHERE key IN "
                    "(SELECT key FROM waiting ORDER BY time_us, key LIMIT ?)",
                    (waiting - MOST_WAITING,),
                )
        return min(waiting, MOST_WAITING)

    def waiting(self) -> list[tuple[str, int]]:
        """The titles that wait for a person, and how often each was asked about."""
        with self._file.reading() as connection:
            found = connection.execute("SELECT title, times FROM waiting ORDER BY key").fetchall()
        return [(str(title), int(times)) for title, times in found]

    def set_aside(self, keys: Iterable[str], *, now_us: int | None = None) -> None:
        """Wait no longer for a word on these titles: a person looked, and no category fits."""
        now_us = now_us or time.time_ns() // 1000
        with self._file.writing() as connection:
            for key in keys:
                connection.execute("DELETE FROM waiting WHERE key = ?", (key,))
                connection.execute("REPLACE INTO set_aside VALUES (?, ?)", (key, now_us))

    def take_back(self, key: str, title: str, *, product: str = "", who: str = "") -> None:
        """Undo the latest word on a title: it is as if nobody had spoken on it.

        The words stay on disk, with one after them that has no category. A title without a
        product waits again.
        """
        now_us = time.time_ns() // 1000
        with self._file.writing() as connection:
            connection.execute("DELETE FROM set_aside WHERE key = ?", (key,))
            connection.execute(
                "INSERT INTO corrections (time_us, who, product, title, key, was, category) "
                "SELECT ?, ?, product, title, key, category, '' FROM corrections "
                "WHERE key = ? AND category <> '' ORDER BY number DESC LIMIT 1",
                (now_us, who, key),
            )
            if not product:
                connection.execute(
                    "INSERT OR IGNORE INTO waiting VALUES (?, ?, ?, 1)", (key, title, now_us)
                )

    def aside(self) -> set[str]:
        """The titles that were set aside, as keys."""
        with self._file.reading() as connection:
            return {str(key) for (key,) in connection.execute("SELECT key FROM set_aside")}


def _check(correction: Correction) -> None:
    for name in ("title", "category"):
        value = getattr(correction, name)
        if not value.strip() or len(value) > _MOST_CHARACTERS:
            raise InputError(
                f"a correction needs a {name} of 1 to {_MOST_CHARACTERS:,} characters, got "
                f"{value[:50]!r}; say which title it is and what its category is"
            )
