"""Recommended lists and what happened to them, as people hand them over: items, row by row."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError
from thinslice.profit.rows.columns import Columns
from thinslice.profit.rows.labels import missing

ITEM = "item"
"""The column of the items in the table that has their columns of money."""


@dataclass(frozen=True, eq=False)
class Items:
    """Some items of each of `n` rows: item `item[e]` (its place in a catalogue) of row `row[e]`."""

    n: int
    row: NDArray[np.int64]
    item: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.row)

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Items)
            and self.n == other.n
            and np.array_equal(self.row, other.row)
            and np.array_equal(self.item, other.item)
        )

    __hash__ = None  # type: ignore[assignment]

    def lengths(self) -> NDArray[np.int64]:
        """How many items each row has, shape (n,)."""
        return np.bincount(self.row, minlength=self.n)

    def first(self, most: int) -> Items:
        """The first `most` different items of each row; the order of a row is its rank."""
        size = int(self.item.max(initial=0)) + 1
        _, kept = np.unique(self.row * size + self.item, return_index=True)
        kept.sort()
        row = self.row[kept]
        rank = np.arange(len(row)) - np.searchsorted(row, row)
        short = kept[rank < most]
        return Items(self.n, self.row[short], self.item[short])

    def found_in(self, lists: Items) -> NDArray[np.bool_]:
        """Which of these items stand on the list of their row."""
        size = int(max(self.item.max(initial=0), lists.item.max(initial=0))) + 1
        return np.isin(self.row * size + self.item, lists.row * size + lists.item)


class Catalogue:
    """Items by their place, in the order in which they were first seen."""

    def __init__(self) -> None:
        self.places: dict[Any, int] = {}
        self._sample: Any = None

    def __len__(self) -> int:
        return len(self.places)

    def read(self, values: Any, what: str) -> Items:
        """Rows of items: lists, arrays, or columns of lists; one item stands for a list of it."""
        rows = rows_of(values, what)
        flat: list[Any] = []
        lengths = np.empty(len(rows), np.int64)
        for place, row in enumerate(rows):
            before = len(flat)
            flat += _items(row, what, place)
            lengths[place] = len(flat) - before
        self._one_kind(flat, what)
        places = self.places
        item = np.fromiter((places.setdefault(x, len(places)) for x in flat), np.int64, len(flat))
        return Items(len(rows), np.repeat(np.arange(len(rows)), lengths), item)

    def _one_kind(self, flat: list[Any], what: str) -> None:
        """Numbers and text never match, so that '7' here and 7 there would count as a miss."""
        for item in flat:
            if self._sample is None:
                self._sample = item
            if isinstance(item, str) != isinstance(self._sample, str):
                raise InputError(
                    f"items are {self._sample!r} in one place and {item!r} in {what}; make all of "
                    "them text, or all of them numbers"
                )


def happened(y_true: Any, outcomes: Sequence[str], catalogue: Catalogue) -> list[Items]:
    """What happened in every row, for each of the outcomes.

    A frame or dictionary with a column of items per outcome; with one outcome its rows alone will
    do. Raises `InputError` for an outcome that is not there.
    """
    if isinstance(y_true, Mapping) or hasattr(y_true, "columns"):
        found = [catalogue.read(_column(y_true, name), name) for name in outcomes]
    elif len(outcomes) == 1:
        found = [catalogue.read(y_true, "y_true")]
    else:
        raise InputError(
            f"the payoff has {len(outcomes)} outcomes; give y_true as a dictionary or frame with a "
            f"column of items for each: {', '.join(outcomes)}"
        )
    rows = {name: items.n for name, items in zip(outcomes, found, strict=True)}
    if len(set(rows.values())) > 1:
        said = ", ".join(f"{name} {n}" for name, n in rows.items())
        raise InputError(f"every outcome has one list of items per row; got rows: {said}")
    return found


def _column(values: Any, name: str) -> Any:
    names = list(values) if isinstance(values, Mapping) else Columns(values).names
    if name not in names:
        close = get_close_matches(name, map(str, names), n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise InputError(
            f"y_true does not say what happened as {name!r}; {hint}It has: "
            f"{', '.join(map(str, names))}. Give an empty list for each row where nothing did"
        )
    if isinstance(values, Mapping):
        return values[name]
    return Columns(values).frame[name].to_list()


def rows_of(values: Any, what: str) -> list[Any]:
    """The rows of a list, an array, or a column of lists, of any library."""
    for name in ("to_pylist", "to_list", "tolist"):  # Arrow, pandas and Polars, numpy
        if hasattr(values, name):
            values = getattr(values, name)()
            break
    if isinstance(values, str | bytes | Mapping) or not isinstance(values, Sequence):
        raise InputError(
            f"{what} must have one list of items per row, such as [['a', 'b'], ['c']], got "
            f"{values!r}"
        )
    return list(values)


def _items(row: Any, what: str, place: int) -> list[Any]:
    if isinstance(row, Mapping):
        raise InputError(
            f"{what} must have one list of items per row, got {row!r} in row {place}; give a "
            "dictionary with a column of lists per outcome"
        )
    if isinstance(row, str | bytes | int | float) or row is None:
        row = [row]
    if hasattr(row, "tolist"):
        row = row.tolist()
    if not isinstance(row, list | tuple | set | frozenset):
        row = list(row) if hasattr(row, "__iter__") else [row]
    found = [x for x in row if not missing(x)]
    for item in found:
        if not isinstance(item, str | int | float | np.generic):
            raise InputError(f"{what} has {item!r} in row {place}; an item is its id")
    return found
