"""Lists of products per product, such as what a shop shows beside each of its products today."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import numpy as np
import pyarrow as pa

from thinslice.store.exports.amounts import AmountReader, as_text
from thinslice.store.exports.columns import SAMPLE_ROWS, ColumnMap, guess_lists, require
from thinslice.store.exports.import_report import ImportReport, SkippedRow
from thinslice.store.exports.tables import Batch, open_table


def read_lists(
    source: Path, columns: ColumnMap | None = None, *, problems_file: Path | None = None
) -> tuple[dict[str, tuple[str, ...]], ImportReport]:
    """Product id to recommended ids, best first.

    Either a row per recommendation (product, recommended and, if given, position: the smallest
    first), or a row per product whose ids stand in one column, separated by spaces, commas,
    semicolons or | , or as a JSON list. A product is not recommended beside itself, and none
    twice.
    """
    table = open_table(source)
    sample = table.sample(SAMPLE_ROWS)
    mapped = (columns or ColumnMap()).checked(table.columns)
    mapped = mapped.over(guess_lists(table.columns, sample))
    require(mapped, "lists", table.columns)
    report = ImportReport(
        columns=mapped.to_dict(),
        notes=[f"The file is {table.kind}."],
        problems_file=problems_file,
        what="rows of lists",
    )
    found: dict[str, list[tuple[float, str]]] = {}
    for batch in table.batches(mapped.used(), report.skip, report.note):
        _take(batch, mapped, found, report)
    report.rows = report.kept + report.skipped
    report.flush()
    return {product: _in_order(product, entries) for product, entries in found.items()}, report


def _take(
    batch: Batch,
    columns: ColumnMap,
    found: dict[str, list[tuple[float, str]]],
    report: ImportReport,
) -> None:
    products = as_text(batch.table[columns.columns("product")[0]]).to_pylist()
    recommended = as_text(batch.table[columns.columns("recommended")[0]]).to_pylist()
    positions, right = _positions(batch, columns)
    for i, (product, ids) in enumerate(zip(products, recommended, strict=True)):
        name = "product" if not product else "recommended" if not ids else ""
        rule = "a row must name a product and what is shown beside it" if name else ""
        if not name and not right[i]:
            name, rule = "position", "a position must be a number"
        if name:
            column = columns.columns(name)[0]
            value = str(batch.table[column][i].as_py() or "")
            report.skip(SkippedRow(int(batch.numbers[i]), column, value, rule, batch.member))
            continue
        report.kept += 1
        entries = found.setdefault(product, [])
        place = len(entries) if np.isnan(positions[i]) else positions[i]
        entries += [(float(place), id_) for id_ in _ids(ids, "position" in columns)]


def _positions(batch: Batch, columns: ColumnMap) -> tuple[np.ndarray, np.ndarray]:
    if "position" not in columns:
        rows = batch.table.num_rows
        return np.full(rows, np.nan), np.ones(rows, bool)
    cells: pa.ChunkedArray = batch.table[columns.columns("position")[0]]
    return AmountReader().read(as_text(cells))


def _ids(text: str, one: bool) -> list[str]:
    """The ids of a cell.

    >>> _ids("a, b;c d", False), _ids('["a", 7]', False), _ids("a b", True)
    (['a', 'b', 'c', 'd'], ['a', '7'], ['a b'])
    """
    if one:
        return [text]
    if text.startswith("["):
        try:
            return [str(i) for i in msgspec.json.decode(text, type=list[str | int])]
        except msgspec.DecodeError:
            text = re.sub(r"[\[\]'\"]", " ", text)
    return [part for part in re.split(r"[\s,;|]+", text) if part]


def _in_order(product: str, entries: list[tuple[float, str]]) -> tuple[str, ...]:
    ordered = sorted(entries, key=lambda entry: entry[0])
    return tuple(dict.fromkeys(id_ for _, id_ in ordered if id_ != product))
