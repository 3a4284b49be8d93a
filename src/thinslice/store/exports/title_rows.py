"""Tables with a column of titles: read in parts, and written with answers beside every row.

What is written is safe to open in a spreadsheet: a cell that would be run as a formula begins with
an apostrophe, numbers excepted (OWASP, *CSV Injection*), and the file says that it is UTF-8.
"""

from __future__ import annotations

import codecs
import csv
import io
import json
import os
import re
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow.compute as pc

from thinslice.durable import publish_file, write_durably
from thinslice.errors import ColumnError, StorageError
from thinslice.store.exports.amounts import as_text
from thinslice.store.exports.import_report import SkippedRow
from thinslice.store.exports.sources import Progress
from thinslice.store.exports.tables import open_table
from thinslice.store.exports.whole_tables import is_workbook, read_cells

if TYPE_CHECKING:
    import pyarrow as pa

TITLE_NAMES = (
    "title product_title producttitle product_name productname productdisplayname item_title "
    "item_name name product description titel bezeichnung artikelname artikelbezeichnung "
    "produktname produkttitel nom titre libelle nombre titulo nome titolo naam"
).split()
"""Names under which a title's column is looked for, the likeliest first."""

PART_ROWS = 5000
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
_NUMBER = re.compile(r"[-+]?[\d.,]+(e[-+]?\d+)?%?", re.IGNORECASE)


@dataclass(frozen=True)
class TitlePart:
    """Some rows of a table: all `cells`, and the title of each."""

    cells: list[list[str]]
    titles: list[str]


@dataclass
class TitleTable:
    """A table of titles: its columns, which one has the titles, and the rows that were broken."""

    source: Path | bytes
    columns: tuple[str, ...]
    title: str
    delimiter: str = ","
    skipped: list[SkippedRow] = field(default_factory=list)
    _whole: pa.Table | None = None

    @classmethod
    def open(cls, source: Path | bytes, title: str | None = None) -> TitleTable:
        """Find out what a file is: CSV and its relatives in any common encoding, or a workbook.

        Raises InputError for what is no table, ColumnError where no column looks like titles.
        """
        if isinstance(source, bytes) or is_workbook(source):
            whole, kind, skipped = read_cells(source)
            columns = tuple(whole.column_names)
        else:
            file, whole, skipped = open_table(source), None, ()
            columns, kind = file.columns, file.kind
        delimiter = ";" if "semicolon" in kind else "\t" if "tab" in kind else ","
        return cls(source, columns, title_column(columns, title), delimiter, list(skipped), whole)

    def parts(self, progress: Progress | None = None) -> Iterator[TitlePart]:
        """The rows, a few thousand at a time."""
        place = self.columns.index(self.title)
        for columns in self._tables(progress):
            rows = len(columns[0])
            for start in range(0, rows, PART_ROWS):
                part = [column[start : start + PART_ROWS] for column in columns]
                yield TitlePart([list(row) for row in zip(*part, strict=True)], part[place])

    def _tables(self, progress: Progress | None) -> Iterator[list[list[str]]]:
        if self._whole is not None:
            yield [_texts(self._whole[name]) for name in self.columns]
            return
        assert isinstance(self.source, Path), "what is in memory was read whole"
        for batch in open_table(self.source).batches(
            self.columns, self.skipped.append, progress=progress
        ):
            yield [_texts(batch.table[name]) for name in self.columns]


def title_column(columns: Sequence[str], named: str | None = None) -> str:
    """The column that has the titles: the one that was named, or whose name says so."""
    if named is not None:
        found = [c for c in columns if c.casefold() == named.casefold()]
        if found:
            return found[0]
        raise ColumnError(f"there is no column {named!r}; there are: {', '.join(columns)}")
    plain = {re.sub(r"[^\w]+", "_", c.strip().casefold()): c for c in columns}
    for name in TITLE_NAMES:
        if name in plain:
            return plain[name]
    if len(columns) == 1:
        return columns[0]
    raise ColumnError(
        f"no column looks like titles among {', '.join(columns)}; name it: --column NAME"
    )


def safe(cell: str) -> str:
    """A cell that no spreadsheet runs as a formula.

    >>> safe("=HYPERLINK(1)"), safe("-12.5"), safe("- new -")
    ("'=HYPERLINK(1)", '-12.5', "'- new -")
    """
    if cell.startswith(_FORMULA) and not _NUMBER.fullmatch(cell):
        return f"'{cell}"
    return cell


def to_csv(rows: Sequence[Sequence[str]], delimiter: str = ",") -> str:
    """Rows as CSV text that is safe to open in a spreadsheet."""
    text = io.StringIO(newline="")
    csv.writer(text, delimiter=delimiter).writerows(_safe_row(row) for row in rows)
    return text.getvalue()


class AnswerFile:
    """The table with its answers, written so that a killed run goes on where it stopped.

    Rows to review stand on top, unless `in_order`. Until `finish`, parts lie beside the output;
    `done` is how many rows are in them already, when the same work was begun before: the same
    `identity` of source, model and options.
    """

    def __init__(
        self,
        output: Path,
        header: Sequence[str],
        identity: dict[str, Any],
        *,
        delimiter: str = ",",
        in_order: bool = False,
    ) -> None:
        self.output = output
        self.done = 0
        self.to_review = 0
        self._delimiter = delimiter
        self._in_order = in_order
        self._identity = {**identity, "header": list(header), "in_order": in_order}
        self._state = output.with_name(f".{output.name}.progress.json")
        self._parts = [output.with_name(f".{output.name}.part{i}") for i in (1, 2)]
        try:
            self._files = self._go_on() or self._begin(header)
        except OSError as error:
            raise StorageError(
                f"{output} cannot be written: {error}; choose another place with -o"
            ) from error

    def __enter__(self) -> AnswerFile:
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            file.close()

    def write(self, rows: Sequence[Sequence[str]], review: Sequence[bool]) -> None:
        """Add rows with their answers; on disk when this returns."""
        try:
            for i, file in enumerate(self._files):
                chosen = [
                    row
                    for row, look in zip(rows, review, strict=True)
                    if (i == 0) == (look or self._in_order)
                ]
                file.write(to_csv(chosen, self._delimiter).encode())
                file.flush()
                os.fsync(file.fileno())
            self.done += len(rows)
            self.to_review += sum(review)
            self._note()
        except OSError as error:
            raise StorageError(
                f"{self.output} cannot be written: {error}; free some space and run it again, "
                "it goes on where it stopped"
            ) from error

    def finish(self) -> None:
        """Put the parts together and give the file its name."""
        try:
            first, second = self._files
            second.seek(0)
            first.seek(0, os.SEEK_END)
            shutil.copyfileobj(second, first)
            for file in self._files:
                file.close()
        except OSError as error:
            raise StorageError(
                f"{self.output} cannot be written: {error}; free some space and run it again"
            ) from error
        publish_file(self._parts[0], self.output)
        self._parts[1].unlink(missing_ok=True)
        self._state.unlink(missing_ok=True)

    def _begin(self, header: Sequence[str]) -> list[Any]:
        files = [part.open("w+b") for part in self._parts]
        files[0].write(codecs.BOM_UTF8 + to_csv([header], self._delimiter).encode())
        files[0].flush()
        return files

    def _go_on(self) -> list[Any] | None:
        """The parts of a run that was stopped, cut to what it had noted."""
        try:
            state = json.loads(self._state.read_text("utf-8"))
            if state["identity"] != self._identity:
                return None
            files = [part.open("r+b") for part in self._parts]
            for file, size in zip(files, state["sizes"], strict=True):
                file.truncate(size)
                file.seek(0, os.SEEK_END)
            self.done, self.to_review = state["done"], state["to_review"]
        except (OSError, ValueError, KeyError, TypeError):
            return None
        return files

    def _note(self) -> None:
        state = {
            "identity": self._identity,
            "sizes": [file.tell() for file in self._files],
            "done": self.done,
            "to_review": self.to_review,
        }
        write_durably(self._state, json.dumps(state).encode())


def _safe_row(row: Sequence[str]) -> list[str]:
    return [safe(cell) if cell[:1] in _FORMULA else cell for cell in row]


def _texts(column: pa.ChunkedArray) -> list[str]:
    cells: list[str] = pc.fill_null(as_text(column), "").to_pylist()
    return cells
