"""The products that a click log mentions, with what it says of them: enough for a first shop."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from thinslice.domain import Product
from thinslice.store.exports.amounts import as_text
from thinslice.store.exports.columns import ColumnMap

_SAID = ("title", "category", "brand")
_REDUCE_AT = 500_000
_ROWS = 10_000


class SeenProducts:
    """Collects each product once, with its latest price and its latest title, category, brand."""

    def __init__(self, columns: ColumnMap) -> None:
        self._columns = {n: columns.columns(n) for n in _SAID if n in columns}
        self._parts: list[pa.Table] = []
        self._rows = 0

    def add(self, events: pa.Table, cells: pa.Table) -> None:
        """Take the events' products; `cells` are the rows of the export that they came from."""
        table = events.select(["product", "time_us", "price_minor"])
        for name in _SAID:
            table = table.append_column(name, self._said(name, cells))
        self._parts.append(_reduced(table.filter(pc.is_valid(table["product"]))))
        self._rows += self._parts[-1].num_rows
        if self._rows > _REDUCE_AT:
            self._parts = [_reduced(pa.concat_tables(self._parts))]
            self._rows = self._parts[0].num_rows

    def write(self, path: Path) -> int:
        """Write the products as Parquet; return how many there are."""
        if not self._parts:
            return 0
        table = _reduced(pa.concat_tables(self._parts))
        pq.write_table(table, path)
        return int(table.num_rows)

    def _said(self, name: str, cells: pa.Table) -> pa.Array:
        columns = self._columns.get(name)
        return joined(cells, columns) if columns else pa.nulls(cells.num_rows, pa.string())


def read_seen(path: Path) -> Iterator[Product]:
    """The products of a file that `SeenProducts` wrote."""
    if not path.exists():
        return
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS):
            for row in batch.to_pylist():
                yield _product(row)


def joined(cells: pa.Table, columns: tuple[str, ...]) -> pa.Array:
    """One or several columns as text, several joined with " > "; null where all are empty."""
    first, *rest = (as_text(cells[c]) for c in columns)
    for text in rest:
        first = pc.coalesce(pc.binary_join_element_wise(first, text, " > "), first, text)
    return first


def category_path(text: str) -> str:
    """A category as a person reads it.

    >>> category_path("appliances.kitchen.coffee_machine")
    'Appliances > Kitchen > Coffee machine'
    >>> category_path("Apparel>Tops | 70s")
    'Apparel > Tops > 70s'
    """
    if re.fullmatch(r"[a-z0-9_]+(\.[a-z0-9_]+)+", text):
        return " > ".join(part.replace("_", " ").capitalize() for part in text.split("."))
    return " > ".join(part.strip() for part in re.split(r"[>|]", text) if part.strip())


def _reduced(table: pa.Table) -> pa.Table:
    """One row per product, each column the latest that is known."""
    table = table.sort_by("time_us").combine_chunks()
    grouped = table.group_by("product", use_threads=False).aggregate(
        [("time_us", "max"), *((name, "last") for name in ("price_minor", *_SAID))]
    )
    names = {"time_us_max": "time_us", **{f"{n}_last": n for n in ("price_minor", *_SAID)}}
    return grouped.rename_columns([names.get(n, n) for n in grouped.column_names]).select(
        ["product", "time_us", "price_minor", *_SAID]
    )


def _product(row: dict[str, Any]) -> Product:
    category = category_path(row["category"] or "")
    brand = row["brand"] or ""
    return Product(
        id=row["product"],
        title=row["title"] or _title(row["product"], category, brand),
        category=category,
        brand=brand,
        price_minor=row["price_minor"],
    )


def _title(product_id: str, category: str, brand: str) -> str:
    """What can be said of a product without a title: "Aqua water heater 3900821"."""
    kind = category.rpartition(" > ")[2]
    name = f"{brand} {kind.lower()}".strip() or "product"
    return f"{name[0].upper()}{name[1:]} {product_id}"
