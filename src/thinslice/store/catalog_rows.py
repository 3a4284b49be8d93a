"""A product as a row of the catalogue's file, and back; what breaks a rule of a product is told."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

from thinslice.domain import Product
from thinslice.errors import InputError

COLUMNS = (
    "id, title, category, brand, colour, price_minor, stock, url, has_photo, hidden, cost_minor, "
    "attributes"
)
NAMES = tuple(COLUMNS.split(", "))

_CHANGEABLE = frozenset(f.name for f in fields(Product)) - {"id", "has_photo"}


def to_row(product: Product) -> tuple[str | int | None, ...]:
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
        json.dumps(dict(sorted(product.attributes)), ensure_ascii=False),
    )


def from_row(values: list[Any]) -> Product:
    columns = dict(zip(NAMES, values, strict=True))
    flags = {name: bool(columns[name]) for name in ("has_photo", "hidden")}
    known = columns["attributes"]
    return Product(
        **columns
        | flags
        | {"attributes": tuple(json.loads(known).items()) if known != "{}" else ()}
    )


def product_of(connection: sqlite3.Connection, product_id: str) -> Product | None:
    row = connection.execute(
        f"SELECT {COLUMNS} FROM products WHERE id = ? AND removed = 0",  # noqa: S608 a constant
        (product_id,),
    ).fetchone()
    return from_row(list(row)) if row else None


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


def _are_texts(pairs: Any) -> bool:
    return isinstance(pairs, tuple) and all(
        len(pair) == 2
        and all(isinstance(text, str) and text for text in pair)
        and pair[0] not in ("category", "colour")  # these have fields of their own
        for pair in pairs
    )


def _is_amount(value: Any) -> bool:
    return value is None or (_whole(value) and value >= 0)


_RULES: tuple[tuple[str, Callable[[Any], bool], str], ...] = (
    *((n, lambda v: isinstance(v, str), "text") for n in ("title", "category", "brand")),
    *((n, lambda v: isinstance(v, str), "text") for n in ("colour", "url")),
    *((n, _is_amount, "at least 0, in minor units") for n in ("price_minor", "cost_minor")),
    ("stock", lambda v: v is None or _whole(v), "a whole number"),
    (
        "attributes",
        lambda v: _are_texts(v),
        "pairs of a text that names it, not category or colour, and a text",
    ),
    *((n, lambda v: isinstance(v, bool), "true or false") for n in ("has_photo", "hidden")),
)


def check_changeable(changed: Mapping[str, Any]) -> None:
    unknown = changed.keys() - _CHANGEABLE
    if unknown:
        raise InputError(
            f"a product's changeable fields are {', '.join(sorted(_CHANGEABLE))}; got "
            f"{', '.join(sorted(unknown))}; leave it out or correct its name"
        )
