"""The rows of an export as events: checked, in the product's units, with a stable identity."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from thinslice.domain import EventType, minor_digits
from thinslice.errors import ColumnError
from thinslice.store.exports.amounts import AmountReader, as_text
from thinslice.store.exports.columns import ColumnMap
from thinslice.store.exports.event_names import ACCEPTED, event_type
from thinslice.store.exports.identity import identities
from thinslice.store.exports.import_report import ImportReport, SkippedRow
from thinslice.store.exports.tables import Batch
from thinslice.store.exports.times import RULE as TIME_RULE
from thinslice.store.exports.times import TimeReader
from thinslice.store.log.schema import EVENT_SCHEMA

Mask = NDArray[np.bool_]

_AMOUNTS = ("price", "quantity", "revenue")
_IDS = ("visitor", "session", "product", "order", "message_id")
_LARGEST = 2**53
_SALES = (EventType.ORDER_COMPLETED, EventType.ORDER_REFUNDED, EventType.ORDER_CANCELLED)
_NEED_PRODUCT = (
    EventType.PRODUCT_VIEWED,
    EventType.PRODUCT_ADDED,
    EventType.PRODUCT_REMOVED,
    EventType.PRODUCT_LIST_VIEWED,
)


@dataclass(frozen=True)
class EventRows:
    """Turns batches of an export into tables of `EVENT_SCHEMA`; how is decided from a sample."""

    columns: ColumnMap
    currency: str
    times: TimeReader
    amounts: dict[str, AmountReader]
    floats: frozenset[str]
    orders_are_messages: bool
    unknown_types: Counter[str] = field(default_factory=Counter)

    @classmethod
    def of(cls, columns: ColumnMap, sample: pa.Table, currency: str, time_zone: str) -> EventRows:
        """Decide how to read each column; a ColumnError says which cannot be read as meant."""
        if not any(name in columns for name in ("visitor", "session", "order")):
            raise ColumnError(
                "events need a column that says whose they are; the file has "
                f"{', '.join(map(repr, sample.column_names))}; say which with "
                "--map session=COLUMN or --map visitor=COLUMN"
            )
        cells = {n: sample[columns.columns(n)[0]].combine_chunks() for n in columns.to_dict()}
        times = TimeReader.of(cells["time"], time_zone)
        if times is None and sample.num_rows:
            raise ColumnError(
                f"{TIME_RULE}; column {columns.columns('time')[0]!r} begins with "
                f"{cells['time'][0].as_py()!r}; name another with --map time=COLUMN"
            )
        return cls(
            columns,
            currency,
            times or TimeReader("seconds", time_zone),
            {n: AmountReader.of(cells[n]) for n in _AMOUNTS if n in cells},
            frozenset(n for n in _IDS if n in cells and _are_whole_floats(cells[n])),
            "order" in columns and _repeats_in_orders(cells),
        )

    def notes(self) -> list[str]:
        """How the columns are read, in sentences."""
        said = [self.times.note]
        if "type" not in self.columns:
            said.append(
                "There is no column of event types, and orders are numbered: every row is a "
                "purchase."
                if "order" in self.columns
                else "There is no column of event types: every row is a view of a product."
            )
        if "visitor" not in self.columns and "session" in self.columns:
            said.append("There is no column of visitors: each session counts as a visitor.")
        if self.amounts.keys() & {"price", "revenue"} and "currency" not in self.columns:
            said.append(
                f"There is no column of currencies: amounts are taken to be {self.currency}."
            )
        if any(reader.decimal_comma for reader in self.amounts.values()):
            said.append("Amounts are read with a decimal comma.")
        said += [
            f"Numbers such as 123.0 in {self.columns.columns(n)[0]} are read as 123."
            for n in sorted(self.floats)
        ]
        return said

    def read(self, batch: Batch, report: ImportReport) -> tuple[pa.Table, pa.Array]:
        """The events of a batch and which rows they are; rows that break a rule are reported."""
        rows = _Rows(self, batch)
        keep = rows.checked(report)
        events = rows.events().filter(pa.array(keep))
        given = rows.text("message_id").filter(pa.array(keep))
        if not self.orders_are_messages:
            given = pc.if_else(pc.is_valid(events["order_id"]), None, given)
        message_id, line = identities(events, given)
        events = events.set_column(0, EVENT_SCHEMA.field("message_id"), message_id)
        return events.set_column(4, EVENT_SCHEMA.field("line"), line), pa.array(keep)

    def final_notes(self) -> list[str]:
        """What is known once all rows have been read."""
        named = ", ".join(f"{t!r} ({n:,})" for t, n in self.unknown_types.most_common(10))
        return [f"Rows of these types are not used: {named}."] if named else []


class _Rows:
    """One batch while it is read. The order in which things are read is that of `__init__`."""

    def __init__(self, how: EventRows, batch: Batch) -> None:
        self._how = how
        self._batch = batch
        self._n = batch.table.num_rows
        self._problems: list[tuple[Mask, str, str]] = []
        self._texts: dict[str, pa.Array] = {}
        self.time_us = self._times()
        self.types = self._types()
        self._numbers = {name: self._number(name) for name in _AMOUNTS}
        self._turn_negative_sales_into_refunds()
        self.visitor = self._visitor()
        self._check_product()
        self._check_amounts()
        self.currency = self._currency()

    def text(self, name: str) -> pa.Array:
        """A mapped column as clean text, all null where it is not mapped."""
        if name not in self._texts:
            self._texts[name] = self._clean(name)
        return self._texts[name]

    def checked(self, report: ImportReport) -> Mask:
        """Which rows are events; the others are reported, each with the first rule it breaks."""
        good = np.ones(self._n, bool)
        for wrong, name, rule in self._problems:
            column = (self._how.columns.columns(name) or ("",))[0]
            for i in np.flatnonzero(wrong & good):
                value = self._batch.table[column][int(i)].as_py() if column else ""
                report.skip(
                    SkippedRow(
                        int(self._batch.numbers[i]),
                        column,
                        "" if value is None else str(value),
                        rule,
                        self._batch.member,
                    )
                )
            good &= ~wrong
        return good

    def events(self) -> pa.Table:
        """All rows in `EVENT_SCHEMA`, identity still to come; bad rows hold anything."""
        quantity = np.abs(self._numbers["quantity"])
        price = self._minor("price")
        columns: dict[str, Any] = {
            "message_id": pa.array([""]).take(pa.array(np.zeros(self._n, np.int8))),
            "type": self.types,
            "time_us": pa.array(self.time_us),
            "visitor": pc.fill_null(self.visitor, ""),
            "line": pa.array(np.zeros(self._n, np.int64)),
            "received_us": pa.array(np.zeros(self._n, np.int64)),
            "session": self.text("session"),
            "product": self.text("product"),
            "quantity": _nullable(quantity),
            "price_minor": _nullable(price),
            "currency": self.currency,
            "order_id": pc.if_else(pa.array(self._of(*_SALES)), self.text("order"), None),
            "revenue_minor": _nullable(self._revenue(price, quantity)),
        }
        for name in EVENT_SCHEMA.names[len(columns) :]:
            columns[name] = pa.nulls(self._n, pa.string())
        return pa.table(columns, schema=EVENT_SCHEMA)

    def _fail(self, wrong: Mask, name: str, rule: str) -> None:
        if wrong.any():
            self._problems.append((wrong, name, rule))

    def _clean(self, name: str) -> pa.Array:
        if name not in self._how.columns:
            return pa.nulls(self._n, pa.string())
        text = as_text(self._batch.table[self._how.columns.columns(name)[0]])
        if name in self._how.floats:
            text = pc.replace_substring_regex(text, r"^(\d+)\.0$", r"\1")
        return text

    def _times(self) -> NDArray[np.int64]:
        cells = self._batch.table[self._how.columns.columns("time")[0]].combine_chunks()
        time_us, good = self._how.times.read(cells)
        self._fail(~good, "time", TIME_RULE)
        return time_us

    def _types(self) -> pa.Array:
        if "type" not in self._how.columns:
            sale = "order" in self._how.columns
            only = EventType.ORDER_COMPLETED if sale else EventType.PRODUCT_VIEWED
            return pa.array([str(only)]).take(pa.array(np.zeros(self._n, np.int8)))
        coded = self.text("type").dictionary_encode()
        words = coded.dictionary.to_pylist()
        meant = [event_type(word) for word in words]
        names = pa.array([str(m) if m else None for m in meant], pa.string())
        types = names.take(coded.indices)
        unknown = np.asarray(pc.is_null(types))
        if unknown.any():
            self._fail(unknown, "type", f"a type must be {ACCEPTED}")
            for word in pc.value_counts(self.text("type").filter(pa.array(unknown))).to_pylist():
                self._how.unknown_types[word["values"] or ""] += word["counts"]
        return pc.fill_null(types, "")

    def _number(self, name: str) -> NDArray[np.float64]:
        if name not in self._how.amounts:
            return np.full(self._n, np.nan)
        numbers, readable = self._how.amounts[name].read(self.text(name))
        self._fail(~readable, name, f"a {name} must be a number")
        return numbers

    def _turn_negative_sales_into_refunds(self) -> None:
        """A sale of minus two pieces is two pieces that came back."""
        back: Mask = self._of(EventType.ORDER_COMPLETED) & (
            (self._numbers["quantity"] < 0) | (self._numbers["revenue"] < 0)
        )
        if back.any():
            refund = str(EventType.ORDER_REFUNDED)
            self.types = pc.if_else(pa.array(back), refund, self.types)

    def _visitor(self) -> pa.Array:
        order = pc.binary_join_element_wise("order", self.text("order"), " ")
        visitor = pc.coalesce(self.text("visitor"), self.text("session"), order)
        name = next(n for n in ("visitor", "session", "order") if n in self._how.columns)
        self._fail(np.asarray(pc.is_null(visitor)), name, "an event must say whose it is")
        return visitor

    def _check_product(self) -> None:
        product = self.text("product")
        absent = np.asarray(pc.is_null(product))
        if absent.any():
            no_order = np.asarray(pc.is_null(self.text("order"))) & np.isnan(
                self._numbers["revenue"]
            )
            bare = absent & (self._of(*_NEED_PRODUCT) | (self._of(*_SALES) & no_order))
            self._fail(bare, "product", "an event must name its product")

    def _check_amounts(self) -> None:
        with np.errstate(invalid="ignore"):
            price, quantity, revenue = (self._numbers[n] for n in _AMOUNTS)
            refund = self._of(EventType.ORDER_REFUNDED, EventType.ORDER_CANCELLED)
            self._fail(price < 0, "price", "a price must be at least 0")
            self._fail((revenue < 0) & ~refund, "revenue", "a revenue must be at least 0")
            self._fail(
                (quantity != np.rint(quantity)) & ~np.isnan(quantity),
                "quantity",
                "a quantity must be a whole number",
            )
            self._fail(
                (quantity == 0) | ((quantity < 0) & ~refund),
                "quantity",
                "a quantity must be at least 1",
            )
            for name in _AMOUNTS:
                large = np.abs(self._numbers[name]) * 1000 >= _LARGEST
                self._fail(large, name, f"a {name} must be below 9,000,000,000,000")

    def _currency(self) -> pa.Array:
        """Where there is an amount, its currency: the row's own, else the shop's."""
        priced = ~(np.isnan(self._numbers["price"]) & np.isnan(self._numbers["revenue"]))
        own = pc.utf8_upper(self.text("currency"))
        wrong = pc.invert(pc.match_substring_regex(own, "^[A-Z]{3}$"))
        self._fail(
            np.asarray(pc.fill_null(wrong, False)),
            "currency",
            "a currency must be a code of three letters such as EUR",
        )
        return pc.if_else(pa.array(priced), pc.fill_null(own, self._how.currency), None)

    def _minor(self, name: str) -> NDArray[np.float64]:
        """The amount in minor units, NaN where unknown; at most 2**53, so that floats are exact."""
        if "currency" in self._how.columns:
            coded = pc.fill_null(self.currency, self._how.currency).dictionary_encode()
            factors = np.array([10.0 ** minor_digits(c) for c in coded.dictionary.to_pylist()])
            factor: Any = factors[coded.indices.to_numpy()]
        else:
            factor = 10.0 ** minor_digits(self._how.currency)
        return np.rint(self._numbers[name] * factor)

    def _revenue(
        self, price: NDArray[np.float64], quantity: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """A sale's revenue: as given, else the price times the pieces (one, if not said)."""
        pieces = np.where(np.isnan(quantity), 1, quantity)
        share = np.abs(self._minor("revenue")) if "revenue" in self._how.amounts else price * pieces
        return np.where(self._of(*_SALES) & (share < _LARGEST), share, np.nan)

    def _of(self, *types: EventType) -> Mask:
        return np.asarray(pc.is_in(self.types, pa.array([str(t) for t in types])))


def _nullable(numbers: NDArray[np.float64]) -> pa.Array:
    unknown = np.isnan(numbers) | (np.abs(numbers) > _LARGEST)
    return pa.array(np.where(unknown, 0, numbers).astype(np.int64), mask=unknown)


def _are_whole_floats(cells: Any) -> bool:
    if not pa.types.is_string(cells.type):
        return False
    text = as_text(cells).drop_null()
    return bool(len(text)) and bool(pc.all(pc.match_substring_regex(text, r"^\d+\.0$")).as_py())


def _repeats_in_orders(cells: dict[str, Any]) -> bool:
    """Whether the rows of an order share a message id; where none shows it, they do not."""
    if "message_id" not in cells:
        return False
    table = pa.table({n: as_text(cells[n]) for n in ("order", "message_id")}).drop_null()
    ids = table.group_by("order").aggregate(
        [("message_id", "count"), ("message_id", "count_distinct")]
    )
    several = ids.filter(pc.greater(ids["message_id_count"], 1))
    same = pc.sum(pc.equal(several["message_id_count_distinct"], 1)).as_py() or 0
    return bool(several.num_rows and 2 * same >= several.num_rows)
