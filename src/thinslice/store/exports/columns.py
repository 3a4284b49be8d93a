"""Which column of an export means what: said by the user, guessed from names and values."""

from __future__ import annotations

import csv
import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thinslice.errors import ColumnError
from thinslice.store.exports.amounts import AmountReader, as_text
from thinslice.store.exports.event_names import event_type
from thinslice.store.exports.times import TimeReader

SAMPLE_ROWS = 5_000

_EVENTS = {
    "message_id": "message_id messageid event_id eventid hit_id insert_id",
    "time": """event_time time timestamp ts event_timestamp original_timestamp sent_at datetime
        date_time created_at occurred_at server_time invoice_date order_date paid_at processed_at
        order_created_at date event_date day zeit zeitpunkt datum""",
    "type": "event_type event event_name eventtype type action event_action activity ereignis",
    "session": """user_session session_id session sessionid ga_session_id sid visit_id
        visit session_key context_session_id properties_session_id sitzung""",
    "visitor": """anonymous_id visitor_id visitor user_pseudo_id client_id user_id userid uid
        customer_id customer customer_email email cookie_id cookie device_id fullvisitorid
        full_visitor_id besucher kunde kunden_id""",
    "product": """product_id item_id product item productid itemid properties_product_id
        lineitem_sku sku stock_code items_item_id article_id article variant_id asin artikel
        artikel_id artikelnummer produkt produkt_id properties_sku""",
    "price": """price unit_price item_price product_price properties_price lineitem_price
        sale_price items_price preis""",
    "quantity": """quantity qty lineitem_quantity properties_quantity item_quantity items_quantity
        amount_of_items menge anzahl""",
    "order": """order_id order invoice_no invoice transaction_id transactionid order_number
        properties_order_id purchase_id orderid bestellung bestellnummer""",
    "revenue": "revenue order_total total order_value purchase_revenue properties_revenue umsatz",
    "currency": "currency currency_code properties_currency order_currency waehrung",
    "title": "product_name product_title title item_name description name lineitem_name titel",
    "category": "category_code category product_category item_category category_name kategorie",
    "brand": "brand item_brand manufacturer vendor marke",
}
_PRODUCTS = {
    "id": """id product_id item_id sku productid itemid variant_sku handle url_handle stock_code
        article_id asin artikelnummer artikel_id""",
    "title": """title product_display_name product_name name item_name product_title
        display_name description titel bezeichnung""",
    "category": """product_type google_product_category product_category categories category
        item_category category_code category_name type kategorie""",
    "brand": "brand vendor manufacturer brands item_brand marke hersteller",
    "colour": "colour color base_colour base_color farbe",
    "price": """price regular_price variant_price sale_price unit_price list_price product_price
        preis""",
    "cost": """cost cost_price cost_per_item variant_cost unit_cost item_cost cogs
        cost_of_goods cost_of_goods_sold purchase_price purchase_cost buying_price wholesale_cost
        einkaufspreis ek_preis ek""",
    "stock": """stock inventory quantity variant_inventory_qty inventory_quantity stock_quantity
        availability in_stock bestand lagerbestand""",
    "url": "link url product_url permalink",
    "attributes": "",
    "photo": "image_link image_src image image_url photo images picture bild",
}
_LISTS = {
    "product": "product product_id item_id item id source seed sku from",
    "recommended": """recommended recommendation recommended_id recommended_product recommendations
        recommended_products recommended_ids related related_products target list items products
        to""",
    "position": "position rank pos place order",
}
_NEEDED = {
    "events": ("product", "time"),
    "products": ("id",),
    "lists": ("product", "recommended"),
}


MOST_LABELS = 50
"""Different values above which a column is no attribute."""


@dataclass(frozen=True)
class ColumnMap:
    """For each field the columns it is read from; several columns are joined with " > ".

    >>> ColumnMap.parse("product=sku,category=group+kind").columns("category")
    ('group+kind',)
    """

    fields: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> ColumnMap:
        """Read "product=product_id,time=event_time"; "type=" says that there is no such column."""
        fields: dict[str, tuple[str, ...]] = {}
        for part in next(csv.reader([text], skipinitialspace=True), []):
            name, equals, column = part.partition("=")
            known = _fields_of("events") | _fields_of("products") | _fields_of("lists")
            if not equals or name.strip() not in known:
                raise ColumnError(
                    "a column map reads field=column,field=column with the fields "
                    f"{', '.join(sorted(known))}; got {part!r}"
                )
            fields[name.strip()] = (column.strip(),) if column.strip() else ()
        return cls(fields)

    def columns(self, name: str) -> tuple[str, ...]:
        """The columns of a field, none where it is not mapped."""
        return self.fields.get(name, ())

    def __contains__(self, name: str) -> bool:
        return bool(self.fields.get(name))

    def checked(self, existing: Sequence[str]) -> ColumnMap:
        """The same map in the file's own spelling; a ColumnError names what is there instead."""
        return ColumnMap(
            {
                name: tuple(c for column in columns for c in _found(name, column, existing))
                for name, columns in self.fields.items()
            }
        )

    def over(self, guess: ColumnMap) -> ColumnMap:
        """This map, with the guess for each field it says nothing of."""
        taken = {c for columns in self.fields.values() for c in columns}
        guessed = {n: c for n, c in guess.fields.items() if not taken.intersection(c)}
        return ColumnMap({**guessed, **self.fields})

    def without(self, name: str) -> ColumnMap:
        """The map without a field."""
        return ColumnMap({n: c for n, c in self.fields.items() if n != name})

    def used(self) -> tuple[str, ...]:
        """Every column that is read, each once."""
        return tuple(dict.fromkeys(c for columns in self.fields.values() for c in columns))

    def to_dict(self) -> dict[str, str]:
        return {name: "+".join(columns) for name, columns in self.fields.items() if columns}

    def as_option(self) -> str:
        """The map as the --map option takes it."""
        return ",".join(f"{name}={column}" for name, column in self.to_dict().items())

    def sentences(self) -> tuple[str, ...]:
        """One plain sentence per field that is mapped."""
        return tuple(
            f"{name} is read from {' > '.join(columns)}"
            for name, columns in self.fields.items()
            if columns
        )

    def describe(self) -> str:
        """The map for a person, a line per field."""
        return "\n".join(self.sentences())


def guess_events(columns: Sequence[str], sample: Any) -> ColumnMap:
    """Guess an event export's columns from their names and from a sample (an Arrow table)."""
    return _guess(_EVENTS, columns, sample, "events")


def guess_products(columns: Sequence[str], sample: Any) -> ColumnMap:
    """Guess a product export's columns; hierarchies such as category_1, category_2 are joined."""
    guess = _guess(_PRODUCTS, columns, sample, "products")
    if levels := _category_levels(columns):
        guess = ColumnMap({**guess.fields, "category": levels})
    taken = {column for of_field in guess.fields.values() for column in of_field}
    labels = (
        c
        for c in columns
        if c not in {*taken, "category", "colour"} and _are_labels(sample.column(c))
    )
    return ColumnMap({**guess.fields, "attributes": tuple(labels)})


def guess_lists(columns: Sequence[str], sample: Any) -> ColumnMap:
    """Guess the columns of lists of products per product."""
    guess = _guess(_LISTS, columns, sample, "lists")
    if len(columns) == 2 and not all(n in guess for n in _NEEDED["lists"]):
        return ColumnMap({"product": (columns[0],), "recommended": (columns[1],)})
    return guess


def require(columns: ColumnMap, kind: str, existing: Sequence[str]) -> None:
    """Raise a ColumnError that says what to map where a needed field has no column."""
    missing = [name for name in _NEEDED[kind] if name not in columns]
    if missing:
        example = ",".join(f"{name}=COLUMN" for name in missing)
        advice = {
            "events": f"say which with --map {example}",
            "products": f"say which with --map-products {example}",
            "lists": f"name its columns {', '.join(_NEEDED['lists'])}",
        }
        raise ColumnError(
            f"an export of {kind} needs a column for {' and '.join(missing)}; the file has "
            f"{_quoted(existing)}; {advice[kind]}"
        )


def _fields_of(kind: str) -> set[str]:
    return set({"events": _EVENTS, "products": _PRODUCTS, "lists": _LISTS}[kind])


def _guess(
    synonyms: Mapping[str, str], columns: Sequence[str], sample: Any, kind: str
) -> ColumnMap:
    names: dict[str, list[str]] = {}
    for existing in columns:
        names.setdefault(_plain(existing), []).append(existing)
    fields: dict[str, tuple[str, ...]] = {}
    taken: set[str] = set()
    for name, known in synonyms.items():
        candidates = [c for synonym in known.split() for c in names.get(synonym, [])]
        fitting = (c for c in candidates if c not in taken and _fits(kind, name, sample, c, 0.5))
        column: str | None = next(fitting, None)
        if column is None and kind == "events" and name in {"time", "type"}:
            column = _by_values(name, columns, taken, sample)
        if column is not None:
            fields[name] = (column,)
            taken.add(column)
    return ColumnMap(fields)


def _plain(column: str) -> str:
    """A header in lower case with underscores: "productDisplayName" is product_display_name.

    >>> _plain("CustomerID"), _plain("g:image link"), _plain("Variant SKU")
    ('customer_id', 'image_link', 'variant_sku')
    """
    text = re.sub(r"^g:", "", column.strip())
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", text)
    return re.sub(r"[^a-z0-9]+", "_", text.lower().replace("ä", "ae").replace("ß", "ss")).strip("_")


def _by_values(name: str, columns: Iterable[str], taken: set[str], sample: Any) -> str | None:
    """A column that looks like a time or an event type by its values alone."""
    for column in columns:
        if column not in taken and sample.num_rows and _fits("events", name, sample, column, 0.9):
            return column
    return None


def _fits(kind: str, name: str, sample: Any, column: str, share: float) -> bool:
    """Whether at least this share of a column's known values are what the field needs."""
    test = _TESTS.get((kind, name)) or _TESTS.get(("", name))
    if test is None or not sample.num_rows:
        return True
    values = sample.column(column).combine_chunks()
    return values.null_count == len(values) or test(values) >= share


def _times(values: Any) -> float:
    reader = TimeReader.of(values, "UTC")
    known = len(values) - as_text(values).null_count
    return float(reader.read(values)[1].sum()) / max(1, known) if reader else 0.0


def _are_labels(values: Any) -> bool:
    """Whether a column tells kinds of products apart, as a gender, a season or a material does: few
    short words, each again and again, for most products."""
    known = as_text(values.combine_chunks()).drop_null()
    counts = [c["counts"] for c in known.value_counts().to_pylist() if c["values"].strip()]
    if not 2 <= len(counts) <= MOST_LABELS or sum(counts) < 0.5 * len(values):
        return False
    longest = max(len(text) for text in known.unique().to_pylist())
    return sum(counts) >= 10 * len(counts) and longest <= 40 and _numbers(known) < 0.5


def _numbers(values: Any) -> float:
    text = as_text(values)
    numbers, _ = AmountReader.of(text).read(text)
    known = len(text) - text.null_count
    return float(np.isfinite(numbers).sum()) / known if known else 1.0


def _event_types(values: Any) -> float:
    """Some of an export's types may be no event that is used, so that one in five is enough."""
    counts = as_text(values).drop_null().value_counts().to_pylist()
    known = sum(c["counts"] for c in counts if event_type(c["values"]))
    return 1.0 if counts and known >= 0.2 * sum(c["counts"] for c in counts) else 0.0


_TESTS: Mapping[tuple[str, str], Callable[[Any], float]] = {
    ("", "time"): _times,
    ("", "price"): _numbers,
    ("", "cost"): _numbers,
    ("", "revenue"): _numbers,
    ("", "quantity"): _numbers,
    ("", "position"): _numbers,
    ("events", "type"): _event_types,
}


def _category_levels(columns: Sequence[str]) -> tuple[str, ...]:
    """Columns that spell a hierarchy: numbered ones, or master, sub and article type."""
    plain = {_plain(c): c for c in columns}
    numbered = [plain[f"{s}{n}"] for s in ("category_", "category", "category_level_", "cat_")
                for n in range(1, 7) if f"{s}{n}" in plain]  # fmt: skip
    if len(numbered) > 1:
        return tuple(numbered)
    named = [plain[n] for n in ("master_category", "sub_category", "article_type") if n in plain]
    return tuple(named) if len(named) > 1 else ()


def _found(name: str, column: str, existing: Sequence[str]) -> tuple[str, ...]:
    """The existing column or columns ("a+b") that the user means."""
    if column in existing:
        return (column,)
    alike = [c for c in existing if _bare(c) == _bare(column)]
    if len(alike) == 1:
        return (alike[0],)
    if "+" in column:
        return tuple(c for part in column.split("+") for c in _found(name, part.strip(), existing))
    close = difflib.get_close_matches(column.lower(), [c.lower() for c in existing], 1, 0.5)
    match = next((c for c in existing if close and c.lower() == close[0]), None)
    hint = f"did you mean {match!r}?" if match else f"name one of them: {name}=COLUMN"
    raise ColumnError(
        f"{name} is mapped to column {column!r}, which the file does not have; it has "
        f"{_quoted(existing)}; {hint}"
    )


def _bare(column: str) -> str:
    return _plain(column).replace("_", "")


def _quoted(columns: Sequence[str]) -> str:
    shown = ", ".join(repr(c) for c in columns[:30])
    return shown + (f" and {len(columns) - 30} more" if len(columns) > 30 else "")
