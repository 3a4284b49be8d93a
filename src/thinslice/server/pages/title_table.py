"""A table of titles that was dropped or pasted, and the same with categories beside its rows."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from thinslice.errors import InputError
from thinslice.shelf.titles.file import ANSWER_COLUMNS, answer_cells
from thinslice.store.exports.title_rows import TITLE_NAMES, TitleTable, to_csv

if TYPE_CHECKING:
    from thinslice.shelf.titles.titles import Titles

MOST_ROWS = 50_000
"""Rows of a table that the page takes; the command takes any number."""

_PART = 1000
_SHOWN = 8
_ENDS = re.compile(r"\r\n|\r|\n")


@dataclass
class AnsweredTable:
    """The rows of a table and, as `work` goes on, their answers as text of a CSV."""

    titles: Titles
    columns: tuple[str, ...]
    column: str
    delimiter: str
    cells: list[list[str]]
    asked: list[str]
    skipped: int = 0
    to_review: int = 0
    first: list[dict[str, Any]] = field(default_factory=list)
    _text: tuple[list[str], list[str]] = field(default_factory=lambda: ([], []))

    @classmethod
    def read(
        cls, titles: Titles, data: bytes, typed: str, column: str | None = None
    ) -> AnsweredTable:
        """From a file's bytes, or from what was pasted; InputError says what is wrong with it."""
        if not data and not typed.strip():
            raise InputError("a table was neither chosen nor pasted; drop a file or paste rows")
        table = TitleTable.open(as_table(typed) if not data else _with_header(data), column)
        cells: list[list[str]] = []
        asked: list[str] = []
        for part in table.parts():
            cells += part.cells
            asked += part.titles
            if len(asked) > MOST_ROWS:
                raise InputError(
                    f"a table here has at most {MOST_ROWS:,} rows, this has more; send it in "
                    "parts, or run thinslice classify TABLE.csv -o OUT.csv"
                )
        if not asked:
            raise InputError("a table needs a row below its header, got none; export it again")
        return cls(
            titles, table.columns, table.title, table.delimiter, cells, asked, len(table.skipped)
        )

    @property
    def rows(self) -> int:
        return len(self.asked)

    def work(self, queue: Titles | None = None) -> Iterator[int]:
        """Answer part by part; yields how many rows are done. `queue` takes those for a person."""
        model = self.titles.model()
        for start in range(0, self.rows, _PART):
            answers = model.classify_many(self.asked[start : start + _PART])
            cells = self.cells[start : start + _PART]
            for place in (0, 1):
                rows = [
                    [*row, *answer_cells(a)]
                    for row, a in zip(cells, answers, strict=True)
                    if a.needs_person == (place == 0)
                ]
                self._text[place].append(to_csv(rows, self.delimiter))
            unsure = [a for a in answers if a.needs_person]
            self.to_review += len(unsure)
            for a in unsure[: _SHOWN - len(self.first)]:
                self.first.append({"title": a.title[:200], "category": a.category, "why": a.why})
            if queue is not None:
                queue.wait_for_person(unsure)
            yield min(start + _PART, self.rows)

    def csv(self) -> str:
        """The whole, rows for a person on top, safe to open in a spreadsheet."""
        header = to_csv([[*self.columns, *ANSWER_COLUMNS]], self.delimiter)
        return "\ufeff" + "".join([header, *self._text[0], *self._text[1]])


def as_table(typed: str) -> bytes:
    """Pasted text as a table: cells with tabs between them, or a title on every line.

    >>> as_table("red lamp, small\\nblue mug").decode()
    'title\\r\\n"red lamp, small"\\r\\n"blue mug"\\r\\n'
    """
    lines = [line for line in _ENDS.split(typed) if line.strip()]
    first = lines[0]
    separated = any(
        {_plain(cell) for cell in first.split(mark)} & set(TITLE_NAMES)
        for mark in "\t,;|"
        if mark in first
    )
    if separated or "\t" in typed:
        return typed.encode()
    return _one_column(lines)


def _with_header(data: bytes) -> bytes:
    """A file of one column is a table as well, with a name above it or without."""
    start = data[:4096]
    if start.startswith((b"PK\x03\x04", b"PAR1", b"\x1f\x8b", b"\xff\xfe", b"\xfe\xff")):
        return data
    if b"\0" in start or any(mark in start for mark in (b",", b";", b"\t", b"|")):
        return data
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = data.decode("cp1252", "replace")
    lines = [line for line in _ENDS.split(text) if line.strip()]
    return _one_column(lines) if lines else data


def _one_column(lines: list[str]) -> bytes:
    named = _plain(lines[0]) in TITLE_NAMES
    quoted = [f'"{line.replace(chr(34), chr(34) * 2)}"' for line in lines]
    rows = quoted if named else ["title", *quoted]
    return "".join(f"{row}\r\n" for row in rows).encode()


def _plain(cell: str) -> str:
    return re.sub(r"[^\w]+", "_", cell.strip().strip('"').casefold()).strip("_")
