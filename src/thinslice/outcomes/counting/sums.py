"""Rows of visitors become moments per group: exact, since integers stay integers."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.outcomes.statistics.moments import Moments, pairs

if TYPE_CHECKING:
    import pyarrow as pa


def moments_by(
    rows: pa.Table, by: Sequence[str], columns: Sequence[str]
) -> Iterator[tuple[tuple[Any, ...], Moments]]:
    """The moments of whole-number columns per combination of the values of `by`, in their order.

    Rows where one of `by` is null are in no group.
    """
    import pyarrow as pa

    rows = rows.filter(_all_known(rows, by))
    if not rows.num_rows:
        return
    order = rows.select([*by]).append_column("_row", pa.array(np.arange(rows.num_rows)))
    order = order.sort_by([(name, "ascending") for name in [*by, "_row"]])
    place = order["_row"].to_numpy()
    keys = [order[name].combine_chunks().dictionary_encode() for name in by]
    codes = [key.indices.to_numpy() for key in keys]
    begins = np.ones(len(place), dtype=bool)
    begins[1:] = np.any([code[1:] != code[:-1] for code in codes], axis=0)
    starts = np.flatnonzero(begins)
    # A query engine may give back the sum of 64-bit integers as a wider number.
    values = {name: rows[name].cast(pa.int64()).to_numpy()[place] for name in columns}
    largest = {name: int(np.abs(column).max()) for name, column in values.items()}

    def summed(*names: str) -> list[int]:
        """Sums of products; in Python's integers where 64 bits might not hold them."""
        factors = [values[name] for name in names]
        if math.prod(largest[name] for name in names) * len(place) >= 2**62:
            factors = [column.astype(object) for column in factors]
        found: list[int] = np.add.reduceat(math.prod(factors), starts).tolist()
        return found

    counts = np.diff(np.append(starts, len(place))).tolist()
    sums = zip(*(summed(name) for name in columns), strict=True)
    products = zip(*(summed(a, b) for a, b in pairs(columns)), strict=True)
    groups = zip(*(key.take(pa.array(starts)).to_pylist() for key in keys), strict=True)
    for group, n, of_one, of_two in zip(groups, counts, sums, products, strict=True):
        yield group, Moments(tuple(columns), n, of_one, of_two)


def _all_known(rows: pa.Table, by: Sequence[str]) -> Any:
    import pyarrow.compute as pc

    known = pc.is_valid(rows[by[0]])
    for name in by[1:]:
        known = pc.and_(known, pc.is_valid(rows[name]))
    return known
