"""The rows of a product feed as products."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from thinslice.domain import Product, minor_digits
from thinslice.store.exports.amounts import AmountReader, as_text
from thinslice.store.exports.columns import SAMPLE_ROWS, ColumnMap, guess_products, require
from thinslice.store.exports.import_report import ImportReport, SkippedRow
from thinslice.store.exports.seen_products import category_path, joined
from thinslice.store.exports.tables import Batch, open_table

_IN_STOCK = {"in_stock", "in stock", "instock", "yes", "true", "available", "preorder", "backorder"}
_SOLD_OUT = {"out_of_stock", "out of stock", "outofstock", "no", "false", "sold out", "unavailable"}
_MOST = 2**53


def read_products(
    source: Path, columns: ColumnMap | None, *, currency: str, problems_file: Path | None = None
) -> tuple[Iterator[Product], ImportReport]:
    """The products of a feed, and a report that is complete once they have been read.

    A product without a title is called by its id. Stock in words counts as known only where it
    says that there is none. A cost that is no amount is unknown, and how many are is noted.
    """
    table = open_table(source)
    sample = table.sample(SAMPLE_ROWS)
    mapped = (columns or ColumnMap()).checked(table.columns)
    mapped = mapped.over(guess_products(table.columns, sample))
    require(mapped, "products", table.columns)
    mapped, pictures = mapped.without("photo"), mapped.columns("photo")
    report = ImportReport(
        columns=mapped.to_dict(),
        notes=[f"The file is {table.kind}."],
        problems_file=problems_file,
        what="products",
    )
    if pictures:
        report.note(f"Photos are not fetched from {pictures[0]}; import them with --photos FOLDER.")
    numbers = {n: _amounts(mapped, n, sample) for n in ("price", "cost", "stock") if n in mapped}

    def products() -> Iterator[Product]:
        costs = 0
        try:
            for batch in table.batches(mapped.used(), report.skip, report.note):
                for product in _Rows(batch, mapped, numbers, currency).products(report):
                    report.kept += 1
                    costs += product.cost_minor is not None
                    yield product
        finally:
            report.rows = report.kept + report.skipped
            if "cost" in mapped and report.kept:
                report.note(f"{costs:,} of {report.kept:,} products have a cost; no page shows it.")
            report.flush()

    return products(), report


def _amounts(columns: ColumnMap, name: str, sample: pa.Table) -> AmountReader:
    return AmountReader.of(sample[columns.columns(name)[0]].combine_chunks())


class _Rows:
    """One batch of a feed."""

    def __init__(
        self, batch: Batch, columns: ColumnMap, numbers: dict[str, AmountReader], currency: str
    ) -> None:
        self._batch = batch
        self._columns = columns
        self._numbers = numbers
        self._factor = 10 ** minor_digits(currency)

    def products(self, report: ImportReport) -> Iterator[Product]:
        attributes = self._attributes()
        names = ("id", "title", "category", "brand", "colour", "url")
        texts = [self._text(n).to_pylist() for n in names]
        prices, price_right = self._amount("price")
        costs = self._costs()
        stocks, stock_right = self._amount("stock")
        for i, (id_, title, category, brand, colour, url) in enumerate(zip(*texts, strict=True)):
            wrong = self._wrong(i, id_, prices[i], bool(price_right[i]), bool(stock_right[i]))
            if wrong:
                report.skip(wrong)
                continue
            yield Product(
                id=id_,
                title=title or f"Product {id_}",
                category=category_path(category or ""),
                brand=brand or "",
                colour=colour or "",
                price_minor=None if np.isnan(prices[i]) else round(prices[i] * self._factor),
                stock=None if np.isnan(stocks[i]) else int(stocks[i]),
                url=url or "",
                cost_minor=None if np.isnan(costs[i]) else round(costs[i] * self._factor),
                attributes=tuple((n, text) for n, each in attributes if (text := each[i])),
            )

    def _attributes(self) -> list[tuple[str, list[str]]]:
        """The name and the values of every attribute, by name; what is not known is ""."""
        return sorted(
            (
                column,
                [(text or "").strip() for text in as_text(self._batch.table[column]).to_pylist()],
            )
            for column in self._columns.columns("attributes")
        )

    def _costs(self) -> Any:
        """The costs; what is no amount is unknown, since it is no reason to lose a product."""
        found, right = self._amount("cost")
        return np.where(right & (found >= 0) & (found * self._factor < _MOST), found, np.nan)

    def _wrong(
        self, i: int, id_: str | None, price: float, price_right: bool, stock_right: bool
    ) -> SkippedRow | None:
        if not id_:
            return self._skipped(i, "id", "a product must have an id")
        if not price_right:
            return self._skipped(i, "price", "a price must be a number")
        if price < 0 or price * self._factor >= _MOST:
            return self._skipped(i, "price", "a price must be at least 0")
        if not stock_right:
            return self._skipped(i, "stock", "a stock must be a number, 'in stock' or 'sold out'")
        return None

    def _skipped(self, i: int, name: str, rule: str) -> SkippedRow:
        column = self._columns.columns(name)[0]
        value = self._batch.table[column][i].as_py()
        shown = "" if value is None else str(value)
        return SkippedRow(int(self._batch.numbers[i]), column, shown, rule, self._batch.member)

    def _text(self, name: str) -> pa.Array:
        if name not in self._columns:
            return pa.nulls(self._batch.table.num_rows, pa.string())
        return joined(self._batch.table, self._columns.columns(name))

    def _amount(self, name: str) -> tuple[Any, Any]:
        if name not in self._numbers:
            rows = self._batch.table.num_rows
            return np.full(rows, np.nan), np.ones(rows, bool)
        text = as_text(self._batch.table[self._columns.columns(name)[0]])
        found, right = self._numbers[name].read(text)
        right &= np.isnan(found) | (np.abs(found) < _MOST)
        if name != "stock" or right.all():
            return found, right
        words = [(t or "").lower() for t in text.to_pylist()]
        sold_out = np.array([w in _SOLD_OUT for w in words])
        known = right | sold_out | np.array([w in _IN_STOCK for w in words])
        return np.where(sold_out, 0.0, np.where(right, found, np.nan)), known
