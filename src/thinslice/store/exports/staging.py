"""A stranger's exports of events, products and lists, taken in row by row and never all at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow.parquet as pq

from thinslice.domain import Product
from thinslice.store.exports.columns import SAMPLE_ROWS, ColumnMap, guess_events, require
from thinslice.store.exports.event_rows import EventRows
from thinslice.store.exports.import_report import ImportReport, SkippedRow
from thinslice.store.exports.list_rows import read_lists
from thinslice.store.exports.product_rows import read_products
from thinslice.store.exports.seen_products import SeenProducts, read_seen
from thinslice.store.exports.tables import TableFile, open_table
from thinslice.store.log.schema import EVENT_SCHEMA

__all__ = ["ImportReport", "SkippedRow", "Staged", "read_lists", "read_products", "stage_events"]

Progress = Callable[[int, int | None], None]
"""Called with (bytes or rows done, total or None)."""

_ROWS_IN_GROUP = 131_072


@dataclass(frozen=True, slots=True)
class Staged:
    """Events of an export, in `EVENT_SCHEMA` at `path`, not yet in the log.

    Repeated rows are in it as often as they came, under one identity.
    """

    path: Path
    report: ImportReport
    products_path: Path

    @property
    def products(self) -> Iterator[Product]:
        """The products that the events mention, with what the export says of them."""
        return read_seen(self.products_path)


def stage_events(
    source: Path,
    columns: ColumnMap | None,
    folder: Path,
    *,
    currency: str,
    time_zone: str,
    progress: Progress | None = None,
) -> Staged:
    """Read an export of events and write it to the folder as canonical Parquet, batch by batch.

    What `columns` leaves open is guessed. Skipped rows are in `folder / "skipped.csv"`, the first
    1,000 in the report. Raises InputError for a file that is no table and ColumnError for one
    whose columns cannot be told.
    """
    table = open_table(source)
    sample = table.sample(SAMPLE_ROWS)
    mapped = (columns or ColumnMap()).checked(table.columns)
    mapped = mapped.over(guess_events(table.columns, sample))
    require(mapped, "events", table.columns)
    rows = _settled(EventRows.of(mapped, sample, currency, time_zone), table)
    report = ImportReport(
        columns=mapped.to_dict(),
        notes=[f"The file is {table.kind}.", *rows.notes()],
        problems_file=folder / "skipped.csv",
        what="events",
    )
    path, products = folder / "events.parquet", folder / "products-seen"
    _write(table, rows, report, path, products, progress)
    if "order" in mapped and "revenue" in mapped:
        path = _count_totals_once(path, folder, report)
    return Staged(path, report, products)


def _settled(rows: EventRows, table: TableFile) -> EventRows:
    """Where the sample does not tell the day from the month, as many rows as it takes."""
    times, column = rows.times, rows.columns.columns("time")[0]
    if times.unsure:
        for batch in table.batches([column], lambda _: None):
            times = times.settled(batch.table[column])
            if not times.unsure:
                break
    return replace(rows, times=times)


def _write(
    table: TableFile,
    rows: EventRows,
    report: ImportReport,
    path: Path,
    products: Path,
    progress: Progress | None,
) -> None:
    seen = SeenProducts(rows.columns)
    try:
        with pq.ParquetWriter(path, EVENT_SCHEMA, compression="snappy") as writer:
            for batch in table.batches(rows.columns.used(), report.skip, report.note, progress):
                events, kept = rows.read(batch, report)
                writer.write_table(events, row_group_size=_ROWS_IN_GROUP)
                seen.add(events, batch.table.filter(kept))
                report.kept += events.num_rows
    finally:
        report.rows = report.kept + report.skipped
        report.flush()
    seen.write(products)
    for note in rows.final_notes():
        report.note(note)


def _count_totals_once(path: Path, folder: Path, report: ImportReport) -> Path:
    """Keep an order's total on one of its lines, always the same one, however they are ordered.

    Revenue is taken to be the order's if it is the same on all lines of most orders with several.
    """
    import duckdb

    once = folder / "events-once.parquet"
    settings = {"memory_limit": "1GB", "temp_directory": str(folder / "spill")}
    with duckdb.connect(config=settings) as con:
        several, same = con.execute(_REPEATING, {"file": str(path)}).fetchall()[0]
        if 2 * same < several:
            report.note("Revenue differs between the rows of an order: each row's is its own.")
            return path
        if several:
            report.note("Revenue repeats on the rows of an order: it is the total, counted once.")
        con.execute(_TOTALS_ONCE, {"file": str(path), "to": str(once)}).fetchall()
    path.unlink()
    return once


_REPEATING = """
    select count(*), count(*) filter (least = most)
    from (
        select min(revenue_minor) as least, max(revenue_minor) as most
        from read_parquet($file)
        where order_id is not null and revenue_minor is not null
        group by message_id having count(distinct line) > 1
    )
"""
_TOTALS_ONCE = """
    copy (
        with bearers as (
            select message_id, min(line) as line from read_parquet($file)
            where order_id is not null and revenue_minor is not null group by message_id
        )
        select events.* replace (
            case when events.order_id is null or bearers.line is not null
                 then events.revenue_minor end as revenue_minor
        )
        from read_parquet($file) as events
        left join bearers on events.message_id = bearers.message_id
            and events.line = bearers.line and events.order_id is not null
    ) to $to (format parquet)
"""
