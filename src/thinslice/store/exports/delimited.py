"""CSV and its relatives: one bad row is reported, every other row is kept."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv
from numpy.typing import NDArray

from thinslice.store.exports.import_report import SkippedRow
from thinslice.store.exports.sources import UNDECODABLE, UNDECODABLE_UTF8

Skip = Callable[[SkippedRow], None]

_UNCLOSED = "\ufdd1"
_LINES_OF_A_RECORD = 200
_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab", "|": "pipe"}
UNCLOSED_RULE = "a quotation mark that opens a value must close it"
UNDECODABLE_RULE = "a value must be readable in the file's encoding"


@dataclass(frozen=True, slots=True)
class Dialect:
    """How a delimited text is written: its rows begin at line `lines`, its header is row `row`."""

    delimiter: str
    columns: tuple[str, ...]
    lines: int
    row: int

    def __str__(self) -> str:
        return f"{_DELIMITERS[self.delimiter]}-separated"


def dialect_of(sample: str) -> Dialect | None:
    """The dialect of a text that begins like this, None where it has no header.

    Blank lines and lines that begin with # before the header are passed over.
    """
    lines = sample.split("\n")
    start = next((i for i, t in enumerate(lines) if t.strip() and not t.startswith("#")), None)
    if start is None:
        return None
    delimiter = max(_DELIMITERS, key=lambda d: _evenness(lines[start : start + 200], d))
    reader = csv.reader(lines[start:], delimiter=delimiter)
    try:
        header = next(reader)
    except csv.Error:  # a name longer than any name is
        return None
    return Dialect(delimiter, _distinct(header), start + reader.line_num, start + 1)


def read_delimited(
    blocks: Iterator[bytes], dialect: Dialect, wanted: Sequence[str], skip: Skip
) -> Iterator[tuple[pa.Table, NDArray[np.int64]]]:
    """The wanted columns as text, with the row numbers; the header has been passed over."""
    number = dialect.row + 1
    for block in _one_line_per_record(blocks, dialect):
        table, numbers, rows = _parsed(block, dialect, wanted, number, skip)
        number += rows
        if UNDECODABLE_UTF8 in block:
            table, numbers = without_undecodable(table, numbers, skip)
        yield table, numbers


def without_undecodable(
    table: pa.Table, numbers: NDArray[np.int64], skip: Skip
) -> tuple[pa.Table, NDArray[np.int64]]:
    """The rows whose cells could be decoded; the others are reported."""
    damaged = np.zeros(len(numbers), bool)
    for name in table.column_names:
        hit = np.asarray(pc.fill_null(pc.match_substring(table[name], UNDECODABLE), False))
        for i in np.flatnonzero(hit & ~damaged):
            shown = table[name][int(i)].as_py().replace(UNDECODABLE, "\ufffd")
            skip(SkippedRow(int(numbers[i]), name, shown, UNDECODABLE_RULE))
        damaged |= hit
    return table.filter(pa.array(~damaged)), numbers[~damaged]


def _evenness(lines: list[str], delimiter: str) -> tuple[float, int]:
    """How many lines have as many fields as the header, which must have two at least."""
    counts: list[int] = []
    with suppress(csv.Error):  # a cell that is too long to look at ends the look
        counts.extend(len(row) for row in csv.reader(lines, delimiter=delimiter) if row)
    if not counts or counts[0] < 2:
        return 0.0, 0
    return sum(c == counts[0] for c in counts) / len(counts), counts[0]


def _distinct(header: list[str]) -> tuple[str, ...]:
    """Every column has a name and no two share one."""
    names: dict[str, int] = {}
    for i, cell in enumerate(header):
        name = base = cell.strip() or f"column {i + 1}"
        while name in names:
            names[base] += 1
            name = f"{base} ({names[base]})"
        names[name] = 1
    return tuple(names)


def _parsed(
    block: bytes, dialect: Dialect, wanted: Sequence[str], first: int, skip: Skip
) -> tuple[pa.Table, NDArray[np.int64], int]:
    """The table, the numbers of its rows, and how many records the block has, broken ones too."""
    table, broken = _read(block, dialect, wanted)
    rows = block.count(b"\n")
    if table.num_rows + len(broken) != rows:  # a quote opened where counting did not see it
        block = _joined(block, dialect, _lines_with_quotes(block)[0], final=True)[0]
        table, broken = _read(block, dialect, wanted)
        rows = block.count(b"\n")
    for row in broken:
        skip(_described(row, first))
    numbers = np.delete(np.arange(first, first + rows), [row.number - 1 for row in broken])
    if block.startswith(b"\n") or b"\n\n" in block:
        line_ends = np.flatnonzero(np.frombuffer(block, np.uint8) == ord("\n"))
        blank = first + np.flatnonzero(np.diff(line_ends, prepend=-1) == 1)
        filled = ~np.isin(numbers, blank)
        table, numbers = table.filter(pa.array(filled)), numbers[filled]
    return table, numbers, rows


def _read(
    block: bytes, dialect: Dialect, wanted: Sequence[str]
) -> tuple[pa.Table, list[pyarrow.csv.InvalidRow]]:
    broken: list[pyarrow.csv.InvalidRow] = []

    def on_broken(row: pyarrow.csv.InvalidRow) -> str:
        broken.append(row)
        return "skip"

    table = pyarrow.csv.read_csv(
        pa.BufferReader(block),
        read_options=pyarrow.csv.ReadOptions(
            use_threads=False, block_size=len(block) + 1, column_names=dialect.columns
        ),
        parse_options=pyarrow.csv.ParseOptions(
            delimiter=dialect.delimiter, ignore_empty_lines=False, invalid_row_handler=on_broken
        ),
        convert_options=pyarrow.csv.ConvertOptions(
            check_utf8=False,
            column_types={name: pa.string() for name in dialect.columns},
            strings_can_be_null=False,
            include_columns=list(wanted),
        ),
    )
    return table, broken


def _described(row: pyarrow.csv.InvalidRow, first: int) -> SkippedRow:
    if row.text.startswith(_UNCLOSED):
        return SkippedRow(first + row.number - 1, "", row.text[1:], UNCLOSED_RULE)
    return SkippedRow(
        first + row.number - 1,
        "",
        row.text.replace(UNDECODABLE, "\ufffd"),
        f"a row must have {row.expected_columns} columns as the header has, "
        f"this one has {row.actual_columns}",
    )


def _one_line_per_record(blocks: Iterator[bytes], dialect: Dialect) -> Iterator[bytes]:
    """Line breaks inside quotes become spaces; a quote that never closes spoils its line only."""
    waiting = b""
    for block in blocks:
        lines = waiting + block
        ready, waiting = _joined(lines, dialect, _odd_lines(lines), final=False)
        if ready:
            yield ready
    if waiting:
        yield _joined(waiting, dialect, _odd_lines(waiting), final=True)[0]


def _joined(
    block: bytes, dialect: Dialect, suspects: list[int], *, final: bool
) -> tuple[bytes, bytes]:
    """The block with one record per line, and what must wait for the next block."""
    if not suspects:
        return block, b""
    lines = block.split(b"\n")[:-1]
    out: list[bytes] = []
    done = 0
    for position, i in enumerate(suspects):
        if i < done or not _fields(lines[i], dialect)[1]:
            continue
        out += lines[done:i]
        end = _closing(lines, i, suspects[position + 1 :], dialect)
        if end is None and not final and len(lines) - i < _LINES_OF_A_RECORD:
            return _text(out), _text(lines[i:])
        if end is None:
            bare = lines[i].replace(b'"', b"'").replace(dialect.delimiter.encode(), b" ")
            out.append(_UNCLOSED.encode() + bare)
            done = i + 1
        else:
            out.append(b" ".join(lines[i : end + 1]))
            done = end + 1
    return _text(out + lines[done:]), b""


def _text(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def _odd_lines(block: bytes) -> list[int]:
    """The lines with an odd number of quotation marks, which may open or close a long value."""
    if b'"' not in block:
        return []
    lines, counts = _lines_with_quotes(block)
    return [line for line, count in zip(lines, counts, strict=True) if count % 2]


def _lines_with_quotes(block: bytes) -> tuple[list[int], list[int]]:
    letters = np.frombuffer(block, np.uint8)
    line_ends = np.flatnonzero(letters == ord("\n"))
    lines = np.searchsorted(line_ends, np.flatnonzero(letters == ord('"')))
    found, counts = np.unique(lines, return_counts=True)
    return found.tolist(), counts.tolist()


def _closing(lines: list[bytes], start: int, suspects: list[int], dialect: Dialect) -> int | None:
    """The line that ends the record which `start` begins, None where none makes it whole."""
    for i in suspects:
        if i - start >= _LINES_OF_A_RECORD:
            return None
        count, open_at_end = _fields(b" ".join(lines[start : i + 1]), dialect)
        if not open_at_end:
            return i if count == len(dialect.columns) else None
    return None


def _fields(line: bytes, dialect: Dialect) -> tuple[int, bool]:
    """How many fields a line has, and whether its last one is quoted and still open."""
    delimiter = dialect.delimiter.encode()
    count = position = 0
    while True:
        count += 1
        if line[position : position + 1] == b'"':
            closing = _closing_quote(line, position + 1)
            if closing < 0:
                return count, True
            position = closing + 1
        position = line.find(delimiter, position) + 1
        if not position:
            return count, False


def _closing_quote(line: bytes, position: int) -> int:
    while (position := line.find(b'"', position)) >= 0:
        if line[position + 1 : position + 2] != b'"':
            return position
        position += 2
    return -1
