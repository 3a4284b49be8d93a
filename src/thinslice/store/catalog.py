"""A shop's products and its named lists, in one SQLite file that several processes share.

Every write bumps a revision counter and stamps the rows it touched, so that a reader refreshes its
copy in memory by fetching only what is newer.
"""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields, replace
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any

from thinslice.domain import Product
from thinslice.errors import InputError, NotFoundError
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
    removed INTEGER NOT NULL, revision INTEGER NOT NULL, cost_minor INTEGER
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS products_by_revision ON products (revision);
CREATE TABLE IF NOT EXISTS lists (
    name TEXT PRIMARY KEY, entries TEXT NOT NULL, revision INTEGER NOT NULL
) WITHOUT ROWID;
"""
_COLUMNS = (
    "id, title, category, brand, colour, price_minor, stock, url, has_photo, hidden, cost_minor"
)
_NAMES = tuple(_COLUMNS.split(", "))
_INSERT = (
    f"INSERT INTO products ({_COLUMNS}, removed, revision) "  # noqa: S608 a constant
    "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?)"
)
_REPLACE = (
    _INSERT
    + """ ON CONFLICT (id) DO UPDATE SET title = excluded.title, category = excluded.category,
    brand = excluded.brand, colour = excluded.colour, price_minor = excluded.price_minor,
    stock = excluded.stock, url = excluded.url, hidden = excluded.hidden, removed = 0,
    has_photo = MAX(has_photo * (1 - removed), excluded.has_photo), revision = excluded.revision,
    cost_minor = """
)
_PATCH = _REPLACE + "excluded.cost_minor"
_UPSERT = _REPLACE + "COALESCE(excluded.cost_minor, cost_minor)"
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
            _add_costs(connection)

    # products

    def get(self, product_id: str) -> Product | None:
        """The product as the file has it now."""
        with self._file.reading() as connection:
            return _product(connection, product_id)

    def all(self) -> Mapping[str, Product]:
        """Every product by id; a read-only snapshot that later writes do not change."""
        self._refresh()
        return self._products

    def upsert(self, products: Iterable[Product]) -> int:
        """Add the products or replace those with the same id; return how many were given.

        A product keeps its photo: photos are stored apart and come by `mark_photos`. It keeps its
        cost where none is given, since what feeds a storefront seldom has one.
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
            _check_changeable(changed)
        with self._writing() as (connection, revision):
            for product_id, changed in changes:
                product = _product(connection, product_id)
                if product is None:
                    unknown.append(product_id)
                else:
                    connection.execute(_PATCH, (*_row(replace(product, **changed)), revision))
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
        while rows := [_row(p) for p in islice(waiting, CHUNK)]:
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
            f"SELECT {_COLUMNS}, removed FROM products WHERE revision > ?",  # noqa: S608 a constant
            (self._revision,),
        ):
            if removed:
                products.pop(values[0], None)
            else:
                products[values[0]] = _from_row(values)
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


def _add_costs(connection: sqlite3.Connection) -> None:
    """Bring a file up to date that was made before products had costs."""
    if _has_costs(connection):
        return
    connection.execute("BEGIN IMMEDIATE")
    if not _has_costs(connection):  # another process may have been faster
        connection.execute("ALTER TABLE products ADD COLUMN cost_minor INTEGER")
    connection.execute("COMMIT")


def _has_costs(connection: sqlite3.Connection) -> bool:
    columns = connection.execute("SELECT name FROM pragma_table_info('products')").fetchall()
    return ("cost_minor",) in columns


_CHANGEABLE = frozenset(f.name for f in fields(Product)) - {"id", "has_photo"}


def _row(product: Product) -> tuple[str | int | None, ...]:
    _check(product)
    return (
        product.id,
        product.title,
        product.category,
        product.brand,
        product.colour,
        product.price_minor,
        product.stock,
        product.url,
        int(product.has_photo),
        int(product.hidden),
        product.cost_minor,
    )


def _from_row(values: list[Any]) -> Product:
    columns = dict(zip(_NAMES, values, strict=True))
    return Product(**columns | {n: bool(columns[n]) for n in ("has_photo", "hidden")})


def _product(connection: sqlite3.Connection, product_id: str) -> Product | None:
    row = connection.execute(
        f"SELECT {_COLUMNS} FROM products WHERE id = ? AND removed = 0",  # noqa: S608 a constant
        (product_id,),
    ).fetchone()
    return _from_row(list(row)) if row else None


def _check(product: Product) -> None:
    if not product.id:
        raise InputError("a product needs an id, got an empty one; give it the shop's own id")
    for name, is_right, rule in _RULES:
        value = getattr(product, name)
        if not is_right(value):
            raise InputError(
                f"product {product.id!r}: {name} must be {rule}, got {value!r}; correct it"
            )


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**63


def _is_amount(value: Any) -> bool:
    return value is None or (_whole(value) and value >= 0)


_RULES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    *((n, lambda v: isinstance(v, str), "text") for n in ("title", "category", "brand")),
    *((n, lambda v: isinstance(v, str), "text") for n in ("colour", "url")),
    *((n, _is_amount, "at least 0, in minor units") for n in ("price_minor", "cost_minor")),
    ("stock", lambda v: v is None or _whole(v), "a whole number"),
    *((n, lambda v: isinstance(v, bool), "true or false") for n in ("has_photo", "hidden")),
)


def _check_changeable(changed: Mapping[str, Any]) -> None:
    unknown = changed.keys() - _CHANGEABLE
    if unknown:
        raise InputError(
            f"a product's changeable fields are {', '.join(sorted(_CHANGEABLE))}; got "
            f"{', '.join(sorted(unknown))}; leave it out or correct its name"
        )
