"""One reader for the tables that shops export: CSV and its relatives, Parquet, JSON lines.

Plain, .gz or .zip; UTF-8, UTF-16 or Windows-1252; comma, semicolon, tab or pipe. Read as a stream,
so that a file may be larger than memory; a broken row is reported and spoils nothing around it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Protocol

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from thinslice.errors import InputError
from thinslice.store.exports.delimited import Dialect, dialect_of, read_delimited
from thinslice.store.exports.import_report import SkippedRow
from thinslice.store.exports.json_lines import columns_of, read_json_lines
from thinslice.store.exports.sources import (
    SAMPLE_BYTES,
    Member,
    Note,
    Progress,
    encoding_of,
    judge_encoding,
    members,
    text_blocks,
)

Skip = Callable[[SkippedRow], None]
Rows = Iterator[tuple[pa.Table, NDArray[np.int64]]]
_PARQUET_ROWS = 65_536
_JSON_BLOCKS = 8


@dataclass(frozen=True, slots=True)
class Batch:
    """Some rows: `numbers[i]` is the row number of `table`'s row i in the file `member`.

    A delimited file's header is row 1, as a spreadsheet shows; in Parquet and JSON lines the
    first record is. Cells are text, except in Parquet, which keeps its types.
    """

    table: pa.Table
    numbers: NDArray[np.int64]
    member: str = ""


class _Part(Protocol):
    """One member of the file, in the format it turned out to have."""

    @property
    def columns(self) -> tuple[str, ...]: ...

    def rows(
        self, wanted: Sequence[str], skip: Skip, note: Note, progress: Progress | None
    ) -> Rows: ...


@dataclass(frozen=True)
class TableFile:
    """An export that can be read: its columns, and what it is ("CSV, comma-separated, UTF-8")."""

    path: Path
    columns: tuple[str, ...]
    kind: str
    _parts: tuple[tuple[Member, _Part], ...]

    def sample(self, rows: int) -> pa.Table:
        """The first rows, without the broken ones."""
        first = next(self.batches(self.columns, _pass_over), None)
        if first is None:
            return pa.table({name: pa.array([], pa.string()) for name in self.columns})
        return first.table.slice(0, rows)

    def batches(
        self,
        wanted: Sequence[str],
        skip: Skip,
        note: Note = lambda _: None,
        progress: Progress | None = None,
    ) -> Iterator[Batch]:
        """All rows, with the wanted columns; broken rows go to `skip`, remarks to `note`."""
        for member, part in self._parts:

            def skip_here(row: SkippedRow, name: str = member.name) -> None:
                skip(replace(row, member=name))

            for table, numbers in part.rows(wanted, skip_here, note, progress):
                if table.num_rows:
                    yield Batch(table, numbers, member.name)


def open_table(path: Path) -> TableFile:
    """Find out what a file is; an InputError says what it should be."""
    parts = [(member, _part(member)) for member in members(Path(path))]
    columns = parts[0][1].columns
    for member, part in parts[1:]:
        if set(part.columns) != set(columns):
            raise InputError(
                f"all files in {path} must have the same columns; {parts[0][0].name} has "
                f"{', '.join(columns)} and {member.name} has {', '.join(part.columns)}; "
                "import them one by one"
            )
    packed = {"gzip": ", gzipped", "zip": ", zipped"}.get(parts[0][0].packed, "")
    return TableFile(Path(path), columns, f"{parts[0][1]}{packed}", tuple(parts))


def _part(member: Member) -> _Part:
    sample = member.start()
    where = member.path / member.name if member.name else member.path
    if sample.startswith(b"PAR1"):
        return _Parquet.of(member)
    if not sample:
        raise InputError(f"{where} is empty; export it again")
    encoding = encoding_of(sample, where)
    whole = b"".join(text_blocks(iter([sample]), encoding))
    if len(sample) >= SAMPLE_BYTES:  # the last line may be half of one
        whole = whole[: whole.rfind(b"\n", 0, -1) + 1] or whole
    start = whole.lstrip()[:1]
    if start == b"[":
        raise InputError(f"{where} is one JSON array; write one JSON object per line instead")
    if start == b"{" and columns_of(iter([whole])):
        return _JsonLines.of(member, encoding)
    dialect = dialect_of(whole.decode(errors="replace"))
    if dialect is None:
        raise InputError(f"{where} has no header row; export it with one")
    return _Delimited(member, dialect, encoding, judge_encoding(sample, encoding))


@dataclass(frozen=True)
class _Delimited:
    member: Member
    dialect: Dialect
    encoding: str
    shown_encoding: str

    def __str__(self) -> str:
        return f"{self.dialect}, {self.shown_encoding}"

    @property
    def columns(self) -> tuple[str, ...]:
        return self.dialect.columns

    def rows(
        self, wanted: Sequence[str], skip: Skip, note: Note, progress: Progress | None
    ) -> Rows:
        with self.member.chunks(note, progress) as chunks:
            blocks = _without_lines(text_blocks(chunks, self.encoding), self.dialect.lines)
            yield from read_delimited(blocks, self.dialect, wanted, skip)


@dataclass(frozen=True)
class _JsonLines:
    member: Member
    columns: tuple[str, ...]
    encoding: str

    @classmethod
    def of(cls, member: Member, encoding: str) -> _JsonLines:
        """Rare events bring columns of their own, so that a good many lines are looked at."""
        with member.chunks(lambda _: None) as chunks:
            blocks = text_blocks(chunks, encoding)
            return cls(member, columns_of(islice(blocks, _JSON_BLOCKS)), encoding)

    def __str__(self) -> str:
        return "JSON lines"

    def rows(
        self, wanted: Sequence[str], skip: Skip, note: Note, progress: Progress | None
    ) -> Rows:
        with self.member.chunks(note, progress) as chunks:
            yield from read_json_lines(text_blocks(chunks, self.encoding), wanted, skip)


@dataclass(frozen=True)
class _Parquet:
    member: Member
    columns: tuple[str, ...]

    @classmethod
    def of(cls, member: Member) -> _Parquet:
        with member.seekable() as file:
            try:
                schema = pq.ParquetFile(file).schema_arrow
            except (pa.ArrowInvalid, OSError) as error:
                raise InputError(
                    f"{member.path} is not a complete Parquet file ({error}); export it again"
                ) from error
        return cls(member, tuple(_flattened(schema.empty_table()).column_names))

    def __str__(self) -> str:
        return "Parquet"

    def rows(
        self, wanted: Sequence[str], skip: Skip, note: Note, progress: Progress | None
    ) -> Rows:
        with self.member.seekable() as opened:
            file = pq.ParquetFile(opened)
            total, number = file.metadata.num_rows, 1
            try:
                for batch in file.iter_batches(_PARQUET_ROWS, columns=_stored(wanted, file)):
                    table = _flattened(pa.Table.from_batches([batch])).select(list(wanted))
                    yield table, np.arange(number, number + table.num_rows)
                    number += table.num_rows
                    if progress is not None:
                        progress(number - 1, total)
            except (pa.ArrowInvalid, OSError) as error:
                raise InputError(
                    f"{self.member.path} is damaged after row {number - 1} ({error}); export it "
                    "again"
                ) from error


def _flattened(table: pa.Table) -> pa.Table:
    """Nested columns as columns with dotted names."""
    while any(pa.types.is_struct(field.type) for field in table.schema):
        table = table.flatten()
    return table


def _stored(wanted: Sequence[str], file: pq.ParquetFile) -> list[str]:
    names = file.schema_arrow.names
    return list(dict.fromkeys(w if w in names else w.partition(".")[0] for w in wanted))


def _without_lines(blocks: Iterator[bytes], lines: int) -> Iterator[bytes]:
    for block in blocks:
        while lines and block:
            block = block[block.index(b"\n") + 1 :]
            lines -= 1
        if block:
            yield block


def _pass_over(_: SkippedRow) -> None:
    return
