"""Rows of visitors become moments per group: exact, since integers stay integers."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.outcomes.moments import Moments, pairs

if TYPE_CHECKING:
    import pyarrow as pa

_MOST = 2**62


def moments_by(
    rows: pa.Table, by: Sequence[str], columns: Sequence[str]
) -> Iterator[tuple[tuple[Any, ...], Moments]]:
    """The moments of whole-number columns per combination of the values of `by`, in their order.

    Rows where one of `by` is null are in no group.
    """
    rows = rows.filter(_all_known(rows, by))
    if not rows.num_rows:
        return
    order = rows.select([*by]).append_column("_row", _numbers(rows.num_rows))
    order = order.sort_by([(name, "ascending") for name in [*by, "_row"]])
    place = order["_row"].to_numpy()
    keys = [order[name].combine_chunks().dictionary_encode() for name in by]
    codes = [key.indices.to_numpy() for key in keys]
    begins = np.ones(len(place), dtype=bool)
    begins[1:] = np.any([code[1:] != code[:-1] for code in codes], axis=0)
    starts = np.flatnonzero(begins)
    values = {name: rows[name].to_numpy()[place] for name in columns}
    sums = [_sums(values[name], starts) for name in columns]
    products = [_sums(_product(values[a], values[b]), starts) for a, b in pairs(columns)]
    counts = np.diff(np.append(starts, len(place)))
    for i, start in enumerate(starts):
        group = tuple(key[int(start)].as_py() for key in keys)
        yield (
            group,
            Moments(
                tuple(columns),
                int(counts[i]),
                tuple(int(one[i]) for one in sums),
                tuple(int(one[i]) for one in products),
            ),
        )


def _all_known(rows: pa.Table, by: Sequence[str]) -> Any:
    import pyarrow.compute as pc

    known = pc.is_valid(rows[by[0]])
    for name in by[1:]:
        known = pc.and_(known, pc.is_valid(rows[name]))
    return known


def _numbers(n: int) -> Any:
    import pyarrow as pa

    return pa.array(np.arange(n))


def _product(a: Any, b: Any) -> Any:
    """a times b; in Python's integers where 64 bits might not hold the sum of the products."""
    largest = _largest(a) * _largest(b) * len(a)
    return a * b if largest < _MOST else a.astype(object) * b.astype(object)


def _sums(values: Any, starts: Any) -> Any:
    if values.dtype != object and _largest(values) * len(values) >= _MOST:
        values = values.astype(object)
    return np.add.reduceat(values, starts)


def _largest(values: Any) -> int:
    return max(abs(int(values.max())), abs(int(values.min())))
