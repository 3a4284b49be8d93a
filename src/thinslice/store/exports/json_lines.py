"""JSON lines: one object a line, nested objects as columns with dotted names."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from thinslice.store.exports.import_report import SkippedRow
from thinslice.store.exports.sources import UNDECODABLE, UNDECODABLE_UTF8

Skip = Callable[[SkippedRow], None]

OBJECT_RULE = "a line must be one JSON object"
_DEPTH = 4
_DECODER: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(dict[str, Any])


def columns_of(blocks: Iterator[bytes]) -> tuple[str, ...]:
    """The dotted names in the order in which the lines bring them up."""
    names: dict[str, None] = {}
    for block in blocks:
        for record in _decoded(block, block.split(b"\n")[:-1], 1, lambda _: None)[0]:
            names.update(dict.fromkeys(_flat(record)))
    return tuple(names)


def read_json_lines(
    blocks: Iterator[bytes], wanted: Sequence[str], skip: Skip
) -> Iterator[tuple[pa.Table, NDArray[np.int64]]]:
    """The wanted columns as text, with the line numbers counted from 1."""
    number = 1
    for block in blocks:
        lines = block.split(b"\n")[:-1]
        records, numbers = _decoded(block, lines, number, skip)
        number += len(lines)
        yield _table(records, wanted), numbers


def _decoded(
    block: bytes, lines: list[bytes], first: int, skip: Skip
) -> tuple[list[dict[str, Any]], NDArray[np.int64]]:
    if UNDECODABLE_UTF8 not in block and all(lines):
        try:
            records = _DECODER.decode_lines(block)
            if len(records) == len(lines):
                return records, np.arange(first, first + len(records))
        except (msgspec.DecodeError, ValueError, RecursionError):
            pass  # one of them is broken: line by line, to lose no other
    kept: list[dict[str, Any]] = []
    numbers: list[int] = []
    for i, line in enumerate(lines):
        try:
            if not line.strip():
                continue
            if UNDECODABLE_UTF8 in line:
                raise ValueError
            kept.append(_DECODER.decode(line))
            numbers.append(first + i)
        except (msgspec.DecodeError, ValueError, RecursionError):
            shown = line[:1000].decode(errors="replace").replace(UNDECODABLE, "\ufffd")
            skip(SkippedRow(first + i, "", shown, OBJECT_RULE))
    return kept, np.array(numbers, np.int64)


def _table(records: list[dict[str, Any]], wanted: Sequence[str]) -> pa.Table:
    columns = {name: [_as_text(_at(r, name)) for r in records] for name in wanted}
    return pa.table({name: pa.array(cells, pa.string()) for name, cells in columns.items()})


def _at(record: Mapping[str, Any], name: str) -> Any:
    if name in record:
        return record[name]
    head, dot, tail = name.partition(".")
    while dot:
        inner = record.get(head)
        if isinstance(inner, dict):
            return _at(inner, tail)
        more, dot, tail = tail.partition(".")
        head = f"{head}.{more}"
    return None


def _as_text(value: Any) -> str | None:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return repr(value).removesuffix(".0")
    return msgspec.json.encode(value).decode()


def _flat(record: Mapping[str, Any], prefix: str = "", depth: int = _DEPTH) -> Iterator[str]:
    for name, value in record.items():
        if isinstance(value, dict) and depth:
            yield from _flat(value, f"{prefix}{name}.", depth - 1)
        else:
            yield prefix + name
