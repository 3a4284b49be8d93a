"""A shop's products and its named lists, in one SQLite file that several processes share.

Every write bumps a revision counter and stamps the rows it touched, so that a reader refreshes its
copy in memory by fetching only what is newer.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from thinslice.domain import Product
from thinslice.errors import InputError, NotFoundError
from thinslice.store.catalog_rows import COLUMNS, check_changeable, from_row, product_of, to_row
from thinslice.store.shared_file import SharedFile

LOOK_EVERY_S = 0.5
CHUNK = 5_000

_SCHEMA = """
CREATE TABLE IF NOT EXISTS state (one INTEGER PRIMARY KEY CHECK (one = 1), revision INTEGER);
INSERT OR IGNORE INTO state VALUES (1, 0);
CREATE TABLE IF NOT EXISTS products (
    id TEXT PRIMARY KEY, title TEXT NOT NULL, category TEXT NOT NULL, brand TEXT NOT NULL,
    colour TEXT NOT NULL, price_minor INTEGER, stock INTEGER, url TEXT NOT NULL,
    has_photo INTEGER NOT NULL, hidden INTEGER NOT NULL,
    removed INTEGER NOT NULL, revision INTEGER NOT NULL, cost_minor INTEGER,
    attributes TEXT NOT NULL DEFAULT '{}'
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS products_by_revision ON products (revision);
CREATE TABLE IF NOT EXISTS lists (
    name TEXT PRIMARY KEY, entries TEXT NOT NULL, revision INTEGER NOT NULL
) WITHOUT ROWID;
"""
_INSERT = (
    f"INSERT INTO products ({COLUMNS}, removed, revision) "  # noqa: S608 a constant
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)"
)
_REPLACE = (
    _INSERT
    + """ ON CONFLICT (id) DO UPDATE SET title = excluded.title, category = excluded.category,
    brand = excluded.brand, colour = excluded.colour, price_minor = excluded.price_minor,
    stock = excluded.stock, url = excluded.url, hidden = excluded.hidden, removed = 0,
    has_photo = MAX(has_photo * (1 - removed), excluded.has_photo), revision = excluded.revision,
    cost_minor = """
)
_PATCH = _REPLACE + "excluded.cost_minor, attributes = excluded.attributes"
_UPSERT = (
    _REPLACE
    + "COALESCE(excluded.cost_minor, cost_minor), attributes = COALESCE(NULLIF("
    + "excluded.attributes, '{}'), attributes)"
)
_ADD_MISSING = _INSERT + " ON CONFLICT (id) DO NOTHING"

Lists = Mapping[str, tuple[str, ...]]


class ShopCatalog:
    """The products of one shop, and lists of products per product under a name.

    Prices are minor units of `currency`. Safe to share between threads; other processes open the
    same path. What another process wrote is seen within half a second by `all` and `list`, at
    once by `get`.
    """

    def __init__(self, path: Path, currency: str) -> None:
        self.path = path
        self.currency = currency
        self._file = SharedFile(path, "the catalogue")
        self._lock = threading.Lock()
        self._revision = 0
        self._looked_at = float("-inf")
        self._products: Mapping[str, Product] = MappingProxyType({})
        self._lists: Mapping[str, Lists] = MappingProxyType({})
        with self._file.reading() as connection:
            connection.executescript(_SCHEMA)
            for column in _LATER:
                _add(connection, column)

    # products

    def get(self, product_id: str) -> Product | None:
        """The product as the file has it now."""
        with self._file.reading() as connection:
            return product_of(connection, product_id)

    def all(self) -> Mapping[str, Product]:
        """Every product by id; a read-only snapshot that later writes do not change."""
        self._refresh()
        return self._products

    def upsert(self, products: Iterable[Product]) -> int:
        """Add the products or replace those with the same id; return how many were given.

        A product keeps its photo: photos are stored apart and come by `mark_photos`. It keeps its
        cost and its attributes where none is given, since what feeds a storefront seldom has them.
        """
        return self._write_products(_UPSERT, products)

    def add_missing(self, products: Iterable[Product]) -> int:
        """Add only those whose id has never been in the catalogue; return how many were added."""
        return self._write_products(_ADD_MISSING, products)

    def ensure(self, ids: Iterable[str], prices: Mapping[str, int] | None = None) -> int:
        """Add a bare product for each id that is missing; return how many were added."""
        known = prices or {}
        return self.add_missing(
            Product(id=i, title=f"Product {i}", price_minor=known.get(i)) for i in ids
        )

    def patch(self, product_id: str, **changes: Any) -> bool:
        """Change some fields of a product, say `stock=0`; False where there is no such product."""
        return not self.patch_all([(product_id, changes)])

    def patch_all(self, changes: Iterable[tuple[str, Mapping[str, Any]]]) -> list[str]:
        """Change some fields of several products at once; return the ids that are not known."""
        changes, unknown = list(changes), []
        for _, changed in changes:
            check_changeable(changed)
        with self._writing() as (connection, revision):
            for product_id, changed in changes:
                product = product_of(connection, product_id)
                if product is None:
                    unknown.append(product_id)
                else:
                    connection.execute(_PATCH, (*to_row(replace(product, **changed)), revision))
        return unknown

    def hide(self, product_id: str) -> bool:
        """Keep a product but never show it; False where there is no such product."""
        return self.patch(product_id, hidden=True)

    def delete(self, product_id: str) -> bool:
        """Forget a product; only `upsert` brings it back. False where there is no such product."""
        with self._writing() as (connection, revision):
            changed = connection.execute(
                "UPDATE products SET removed = 1, revision = ? WHERE id = ? AND removed = 0",
                (revision, product_id),
            )
            return changed.rowcount > 0

    def mark_photos(self, product_ids: Iterable[str]) -> int:
        """Note that these products have a photo; return how many of them are in the catalogue."""
        with self._writing() as (connection, revision):
            changed = connection.executemany(
                "UPDATE products SET has_photo = 1, revision = ? WHERE id = ? AND removed = 0",
                ((revision, i) for i in product_ids),
            )
            return max(changed.rowcount, 0)

    # lists

    def set_list(self, name: str, lists: Mapping[str, Iterable[str]]) -> None:
        """Keep lists of products per product under a name, replacing what was there."""
        if not name:
            raise InputError("a list needs a name, got an empty one; give it one: --name incumbent")
        entries = json.dumps({p: list(ids) for p, ids in lists.items()}, separators=(",", ":"))
        with self._writing() as (connection, revision):
            connection.execute("REPLACE INTO lists VALUES (?, ?, ?)", (name, entries, revision))

    def list_names(self) -> tuple[str, ...]:
        """The names under which lists are kept."""
        self._refresh()
        return tuple(self._lists)

    def lists(self) -> Mapping[str, Lists]:
        """Every named list; a read-only snapshot that later writes do not change."""
        self._refresh()
        return self._lists

    def list(self, name: str) -> Lists:
        """The lists kept under a name: product id to recommended ids, best first."""
        self._refresh()
        if name not in self._lists:
            names = ", ".join(self._lists) or "none yet"
            raise NotFoundError(f"no list is named {name!r}; there are: {names}")
        return self._lists[name]

    # the file

    def _write_products(self, statement: str, products: Iterable[Product]) -> int:
        count = 0
        waiting = iter(products)
        while rows := [to_row(p) for p in islice(waiting, CHUNK)]:
            with self._writing() as (connection, revision):
                before = connection.total_changes
                connection.executemany(statement, [(*row, revision) for row in rows])
                count += connection.total_changes - before
        return count

    def _refresh(self) -> None:
        if time.monotonic() - self._looked_at < LOOK_EVERY_S:
            return
        with self._lock:
            if time.monotonic() - self._looked_at < LOOK_EVERY_S:
                return
            with self._file.reading() as connection:
                connection.execute("BEGIN")
                revision = connection.execute("SELECT revision FROM state").fetchone()[0]
                if revision != self._revision:
                    self._take_changes(connection)
                    self._revision = revision
            self._looked_at = time.monotonic()

    def _take_changes(self, connection: sqlite3.Connection) -> None:
        """Swap in new mappings, so that whoever holds the old ones can go on reading them."""
        products = dict(self._products)
        for *values, removed in connection.execute(
            f"SELECT {COLUMNS}, removed FROM products WHERE revision > ?",  # noqa: S608 a constant
            (self._revision,),
        ):
            if removed:
                products.pop(values[0], None)
            else:
                products[values[0]] = from_row(values)
        lists = dict(self._lists)
        for name, entries in connection.execute(
            "SELECT name, entries FROM lists WHERE revision > ?", (self._revision,)
        ):
            lists[name] = MappingProxyType({p: tuple(i) for p, i in json.loads(entries).items()})
        self._products = MappingProxyType(products)
        self._lists = MappingProxyType(lists)

    @contextmanager
    def _writing(self) -> Iterator[tuple[sqlite3.Connection, int]]:
        with self._file.writing() as connection:
            revision = connection.execute(
                "UPDATE state SET revision = revision + 1 RETURNING revision"
            ).fetchone()[0]
            yield connection, revision
        self._looked_at = float("-inf")


_LATER = ("cost_minor INTEGER", "attributes TEXT NOT NULL DEFAULT '{}'")
"""Columns that files may lack that were made by earlier versions."""


def _add(connection: sqlite3.Connection, column: str) -> None:
    """Bring a file up to date that was made before products had this column."""
    name = column.split(" ")[0]
    if _has(connection, name):
        return
    connection.execute("BEGIN IMMEDIATE")
    if not _has(connection, name):  # another process may have been faster
        connection.execute(f"ALTER TABLE products ADD COLUMN {column}")
    connection.execute("COMMIT")


def _has(connection: sqlite3.Connection, column: str) -> bool:
    columns = connection.execute("SELECT name FROM pragma_table_info('products')").fetchall()
    return (column,) in columns
