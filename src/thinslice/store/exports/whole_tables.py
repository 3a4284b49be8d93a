"""A table small enough to be read whole, from a file or from memory: CSV and its relatives,
Parquet, JSON lines and Excel workbooks. Columns of numbers come as numbers."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from thinslice.errors import InputError
from thinslice.store.exports.amounts import AmountReader, as_text
from thinslice.store.exports.delimited import Dialect, dialect_of, read_delimited
from thinslice.store.exports.import_report import SkippedRow
from thinslice.store.exports.sources import SAMPLE_BYTES, encoding_of, judge_encoding, text_blocks
from thinslice.store.exports.tables import open_table

UNPACKED_BYTES = 200 << 20
"""What a workbook may hold once unpacked; a packed file of a few kilobytes can claim anything."""

_WORKBOOK = b"PK\x03\x04"
_BOOLEANS = {"true": 1.0, "false": 0.0}


@dataclass(frozen=True)
class WholeTable:
    """Columns of one length by name: float64 where all cells are numbers, else text, None if empty.

    `kind` says what it was ("CSV, comma-separated, UTF-8"), `skipped` which rows were broken.
    """

    columns: dict[str, NDArray[Any]]
    kind: str
    skipped: tuple[SkippedRow, ...] = ()

    @property
    def rows(self) -> int:
        return len(next(iter(self.columns.values()), ()))


def read_whole(source: Path | bytes, *, most_rows: int | None = None) -> WholeTable:
    """Read a table; `InputError` says why it is none, or that it has more than `most_rows`."""
    table, kind, skipped = read_cells(source, most_rows=most_rows)
    if not table.num_rows:
        raise InputError("a table needs a header and rows below it, got no row; export it again")
    columns = {name: _typed(table[name]) for name in table.column_names}
    return WholeTable(columns, kind, skipped)


def read_cells(
    source: Path | bytes, *, most_rows: int | None = None
) -> tuple[pa.Table, str, tuple[SkippedRow, ...]]:
    """The table with its cells as they are written, what kind it is, and its broken rows."""
    skipped: list[SkippedRow] = []
    if is_workbook(source):
        table, kind = _workbook(source), "Excel workbook, first sheet"
    elif isinstance(source, bytes):
        table, kind = _from_memory(source, skipped.append)
    else:
        file = open_table(source)
        parts = (batch.table for batch in file.batches(file.columns, skipped.append))
        table, kind = _stacked(parts, file.columns, most_rows), file.kind
    if most_rows is not None and table.num_rows > most_rows:
        raise InputError(_too_many(f"{table.num_rows:,}", most_rows))
    return table, kind, tuple(skipped)


def is_workbook(source: Path | bytes) -> bool:
    """Whether a file is an Excel workbook, whatever its name says."""
    start = source[:4] if isinstance(source, bytes) else _first_bytes(source)
    return start == _WORKBOOK and _is_workbook(source)


def to_csv(table: WholeTable) -> str:
    """The table as comma-separated text, one header line; numbers as short as they can be."""
    import csv
    from io import StringIO

    out = StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(table.columns)
    writer.writerows(zip(*map(_cells, table.columns.values()), strict=True))
    return out.getvalue()


def _cells(column: NDArray[Any]) -> list[str]:
    if column.dtype == object:
        return ["" if cell is None else str(cell) for cell in column.tolist()]
    return ["" if x != x else str(int(x)) if x.is_integer() else repr(x) for x in column.tolist()]


def _typed(cells: Any) -> NDArray[Any]:
    text = as_text(cells)
    numbers, readable = AmountReader.of(text.slice(0, 1000)).read(text)
    if readable.all():
        return numbers
    values = np.array(text.to_pylist(), dtype=object)
    lowered = {str(value).lower() for value in set(values.tolist()) if value is not None}
    if lowered <= _BOOLEANS.keys():
        return np.array([_BOOLEANS.get(str(value).lower(), np.nan) for value in values.tolist()])
    return values


def _from_memory(data: bytes, skip: Callable[[SkippedRow], None]) -> tuple[pa.Table, str]:
    if data.startswith(b"PAR1"):
        try:
            return pq.read_table(pa.BufferReader(data)), "Parquet"
        except (pa.ArrowInvalid, OSError) as error:
            raise InputError(f"this is no complete Parquet file ({error})") from error
    if data.startswith((_WORKBOOK, b"\x1f\x8b")):
        raise InputError("a packed file is not read here; unpack it and send the table in it")
    name = Path("this table")
    encoding = encoding_of(data[:SAMPLE_BYTES], name)
    text = b"".join(text_blocks(iter([data]), encoding))
    dialect = dialect_of(text[:SAMPLE_BYTES].decode(errors="replace")) or _one_column(text)
    body = text.split(b"\n", dialect.lines)[-1]
    tables = [table for table, _ in read_delimited(iter([body]), dialect, dialect.columns, skip)]
    kind = f"CSV, {dialect}, {judge_encoding(data[:SAMPLE_BYTES], encoding)}"
    return _stacked(tables, dialect.columns, None), kind


def _one_column(text: bytes) -> Dialect:
    shown = text[:40].decode(errors="replace").split("\n")[0]
    raise InputError(
        "a table needs a first line with the names of its columns, with commas, semicolons or "
        f"tabs between them, got {shown!r}"
    )


def _stacked(tables: Iterable[pa.Table], names: Sequence[str], most_rows: int | None) -> pa.Table:
    found: list[pa.Table] = []
    for table in tables:
        found.append(table)
        if most_rows is not None and sum(t.num_rows for t in found) > most_rows:
            raise InputError(_too_many("more", most_rows))
    if not found:
        return pa.table({name: pa.array([], pa.string()) for name in names})
    return pa.concat_tables(found, promote_options="permissive")


def _too_many(got: str, most: int) -> str:
    return (
        f"at most {most:,} rows are taken here, got {got}; send a random part of them, or run "
        "thinslice profit FILE where they are"
    )


def _first_bytes(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(4)
    except OSError:
        return b""  # what is wrong with it is told by who opens it next


def _is_workbook(source: Path | bytes) -> bool:
    try:
        with zipfile.ZipFile(BytesIO(source) if isinstance(source, bytes) else source) as archive:
            names = archive.namelist()
            return any(name in names for name in ("xl/workbook.xml", "xl/workbook.bin"))
    except (zipfile.BadZipFile, OSError):
        return False


def _workbook(source: Path | bytes) -> pa.Table:
    """The first sheet that has anything; its first row names the columns."""
    from python_calamine import CalamineError, CalamineWorkbook

    data = source if isinstance(source, bytes) else source.read_bytes()
    _refuse_bombs(data)
    try:
        book = CalamineWorkbook.from_filelike(BytesIO(data))
        sheets = (book.get_sheet_by_name(name).to_python() for name in book.sheet_names)
        rows: list[list[Any]] = next((sheet for sheet in sheets if sheet), [])
    except (CalamineError, OSError, ValueError) as error:
        raise InputError(f"this workbook cannot be read ({error}); save it as CSV") from error
    if not rows:
        raise InputError("this workbook has no sheet with anything in it; export it again")
    header, *body = rows
    names: list[str] = []
    for place, cell in enumerate(header, start=1):
        name = str(cell).strip() or f"column {place}"
        names.append(name if name not in names else f"{name} ({place})")
    columns = zip(*body, strict=True) if body else ((),) * len(names)
    return pa.table(
        {
            name: pa.array([_shown(cell) for cell in column], pa.string())
            for name, column in zip(names, columns, strict=True)
        }
    )


def _shown(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 2**53:
        return str(int(cell))
    return str(cell)


def _refuse_bombs(data: bytes) -> None:
    """Unpack, without keeping anything, and count: what a zip says of itself may be a lie."""
    total = 0
    with zipfile.ZipFile(BytesIO(data)) as archive:
        infos = archive.infolist()
    for info in infos:
        at = info.header_offset
        begin = at + 30 + sum(int.from_bytes(data[at + k : at + k + 2], "little") for k in (26, 28))
        packed = data[begin : begin + info.compress_size]
        unpacker = zlib.decompressobj(wbits=-15)
        while packed and info.compress_type == zipfile.ZIP_DEFLATED:
            try:
                total += len(unpacker.decompress(packed, 1 << 20))
            except zlib.error as error:
                raise InputError(f"this workbook is damaged ({error}); save it again") from error
            packed = b"" if unpacker.eof else unpacker.unconsumed_tail
            if total > UNPACKED_BYTES:
                raise InputError(
                    f"a workbook holds at most {UNPACKED_BYTES >> 20} MB once unpacked, got more; "
                    "save the sheet with the predictions as CSV"
                )
