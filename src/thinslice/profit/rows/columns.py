"""What people hand over - lists, numpy, pandas, Polars, Arrow - as plain arrays, checked."""

from __future__ import annotations

from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import ColumnError, InputError, NotEnoughDataError
from thinslice.profit.rows.labels import missing


class Columns:
    """Named columns of one length: a frame of pandas, Polars or Arrow, or a dictionary of lists."""

    def __init__(self, data: Any = None) -> None:
        self.frame: Any = None
        self.lists: Mapping[str, Any] = {}
        if data is None:
            return
        if isinstance(data, Columns):
            self.frame, self.lists = data.frame, data.lists
        elif isinstance(data, Mapping):
            self.lists = data
        else:
            self.frame = _frame(data)

    @property
    def names(self) -> list[str]:
        return list(self.frame.columns) if self.frame is not None else list(self.lists)

    def __contains__(self, name: object) -> bool:
        return name in self.names

    def get(self, name: str) -> NDArray[Any]:
        """One column as an array; `ColumnError` with the closest name when there is none."""
        if name not in self.names:
            raise ColumnError(missing_column(name, self.names))
        values = self.frame[name] if self.frame is not None else self.lists[name]
        return vector(values, f"column {name!r}")

    def numbers(self, name: str) -> NDArray[Any]:
        return numbers(self.get(name), f"column {name!r}")


def missing_column(name: str, names: list[str]) -> str:
    """The sentence for a column that is not there."""
    if not names:
        return f"the payoff needs the column {name!r}; give the rows' columns as data="
    close = get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    shown = ", ".join(map(str, names[:20])) + (" ..." if len(names) > 20 else "")
    return f"no column is called {name!r}; {hint}There are: {shown}"


def vector(values: Any, what: str) -> NDArray[Any]:
    """A list, array or column of any library as an array of shape (n,)."""
    array = _array(values, what)
    if array.ndim == 2 and 1 in array.shape[1:]:
        array = array[:, 0]
    if array.ndim != 1:
        got = f"the shape {array.shape}" if array.ndim else type(values).__name__
        raise InputError(f"{what} must have one value per row, got {got}")
    if array.dtype.kind == "U":
        return array.astype(object)
    return np.asarray(array)


def matrix(values: Any, what: str) -> tuple[NDArray[Any], list[str] | None]:
    """An array of one or two dimensions, and the column names where it was a frame."""
    if isinstance(values, list | tuple | np.ndarray):
        return np.asarray(_array(values, what)), None
    try:
        frame = _frame(values)
    except InputError:
        return _array(values, what), None
    return frame.to_numpy(), list(frame.columns)


def numbers(array: NDArray[Any], what: str) -> NDArray[Any]:
    """Finite float64 of shape (n,); `InputError` names the first row that is none."""
    try:
        if array.dtype.kind in "mMc":  # times and complex numbers would be cast
            raise TypeError
        found = array.astype(np.float64, copy=False)
    except (TypeError, ValueError):
        row = next((k for k, value in enumerate(array.tolist()) if not _is_number(value)), 0)
        raise InputError(
            f"{what} must hold numbers, got {array[row]!r} in row {row} (counted from 0)"
        ) from None
    if not np.isfinite(found).all():
        row = int(np.flatnonzero(~np.isfinite(found))[0])
        raise InputError(
            f"{what} must be a number in every row, got {found[row]} in row {row} (counted from "
            "0); fill it in or leave the row out"
        )
    return found


def _is_number(value: Any) -> bool:
    try:
        float(value)
    except (TypeError, ValueError):
        return False
    return True


def clusters(values: NDArray[Any]) -> NDArray[np.int64]:
    """Which rows rise and fall together, as the place of each one's cluster, shape (n,)."""
    if values.dtype.kind in "OfmM" and any(map(missing, values.tolist())):
        raise InputError("cluster must be known in every row; fill it in or leave the rows out")
    plain = values if values.dtype != object else values.astype(str)
    groups = np.unique(plain, return_inverse=True)[1]
    if groups.max() == 0:
        raise NotEnoughDataError("all rows are in one cluster; a range needs at least two")
    return np.asarray(groups, np.int64)


def same_rows(left: Any, right: Any, what: str) -> None:
    """Two pandas objects whose index holds the same labels in another order are not aligned."""
    a, b = (getattr(side, "index", None) for side in (left, right))
    if not (hasattr(a, "equals") and hasattr(b, "sort_values")) or a is None or b is None:
        return
    if len(a) == len(b) and not a.equals(b) and a.sort_values().equals(b.sort_values()):
        raise InputError(
            f"the rows of {what} stand in different orders; bring one into the order of the other "
            "with .loc, or pass plain arrays"
        )


def _array(values: Any, what: str) -> NDArray[Any]:
    if isinstance(values, np.ndarray):
        return values
    if isinstance(values, str | bytes | int | float) or values is None:
        raise InputError(f"{what} must have one value per row, got {values!r}")
    if hasattr(values, "to_pylist"):  # Arrow, whose arrays of text are no arrays of numpy
        return np.asarray(values.to_numpy(zero_copy_only=False))
    if hasattr(values, "to_numpy"):
        return np.asarray(values.to_numpy())
    try:
        return np.asarray(values)
    except ValueError:
        raise InputError(f"{what} must have one value per row; its rows differ in length") from None


def _frame(data: Any) -> Any:
    import narwhals as nw

    try:
        return nw.from_native(data, eager_only=True)
    except nw.exceptions.DuplicateError:
        names = [str(name) for name in getattr(data, "column_names", data.columns)]
        twice = sorted({name for name in names if names.count(name) > 1})
        raise InputError(
            f"data has more than one column called {' and '.join(map(repr, twice))}; rename them, "
            "so that a name says which one is meant"
        ) from None
    except TypeError:
        if hasattr(data, "collect"):
            raise InputError("data is lazy; call .collect() first") from None
        raise InputError(
            "data must be a frame of pandas, Polars or Arrow, or a dictionary of columns, got "
            f"{type(data).__name__}"
        ) from None
