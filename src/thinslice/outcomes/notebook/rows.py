"""A frame with one row per visitor, read, checked and summed.

Frames of pandas, Polars and Arrow, and dictionaries of lists, through narwhals.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import ColumnError, InputError
from thinslice.outcomes.statistics.metric import Metric
from thinslice.outcomes.statistics.moments import Moments

CHUNK = 8192
"""Rows summed at a time, few enough to stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Visitors as columns of numbers, shape (n,) each; `arms` says by mask who is in which arm."""

    columns: dict[str, NDArray[Any]]
    arms: dict[str, NDArray[np.bool_]]


def read_rows(
    data: Any, metrics: Sequence[Metric], variant: str | None = None, unit: str | None = None
) -> Rows:
    """The columns that the metrics need, and the arms by name where `variant` names their column.

    With `unit`, rows of the same visitor are added up; a covariate is averaged. Raises
    `ColumnError` for a column that is not there, and `InputError` for a visitor in two arms and
    for a value that is no number, or below 0 where the metric does not allow it.
    """
    frame = frame_of(data)
    if unit is not None and unit == variant:
        raise InputError(f"a visitor's id and arm are two columns, got {unit!r} for both")
    names = tuple(dict.fromkeys(name for metric in metrics for name in metric.columns))
    for name in (*names, *(name for name in (variant, unit) if name)):
        if name not in frame.columns:
            raise ColumnError(missing_column(name, frame.columns))
    columns = {name: _numbers(frame[name], name) for name in names}
    _check_signs(columns, metrics)
    if unit is not None:
        check_finite(columns)  # a sum over a visitor's rows would hide what is missing
        frame = _by_visitor(frame, names, metrics, variant, unit)
        columns = {name: _numbers(frame[name], name) for name in names}
    return Rows(columns, _arms(frame[variant], variant) if variant else {})


def sum_rows(rows: Rows) -> dict[str, Moments]:
    """The moments of each arm, or of everyone as "" where there are no arms: one Gram matrix each.

    Raises `InputError` without rows, and for a value that is not a finite number, with its row.
    """
    names = tuple(rows.columns)
    arrays = list(rows.columns.values())
    n = len(arrays[0])
    if not n:
        raise InputError("an experiment needs visitors, and the data have no rows")
    arms = rows.arms or {"": np.ones(n, dtype=np.bool_)}
    grams = {arm: np.zeros((len(names) + 1,) * 2) for arm in arms}
    block = np.ones((len(names) + 1, min(CHUNK, n)))
    for start in range(0, n, CHUNK):
        part = slice(start, min(start + CHUNK, n))
        size = part.stop - part.start
        for i, array in enumerate(arrays):
            block[i + 1, :size] = array[part]
        with np.errstate(all="ignore"):  # what is not finite is named below
            for arm, mask in arms.items():
                grams[arm] += (block[:, :size] * mask[part]) @ block[:, :size].T
    if not all(np.isfinite(gram).all() for gram in grams.values()):
        check_finite(rows.columns)
        raise InputError(f"the squares of {', '.join(names)} are too large to be added up")
    upper = np.triu_indices(len(names))
    return {
        arm: Moments(
            names,
            round(gram[0, 0]),
            tuple(gram[0, 1:].tolist()),
            tuple(gram[1:, 1:][upper].tolist()),
        )
        for arm, gram in grams.items()
    }


def check_finite(columns: Mapping[str, NDArray[Any]]) -> None:
    """`InputError` with the first row that is missing or infinite."""
    for name, column in columns.items():
        bad = ~np.isfinite(column)
        if bad.any():
            row = int(np.argmax(bad))
            raise InputError(
                f"column {name!r} must be a number in every row, got {column[row]} in row {row} "
                "(counted from 0); write 0 where nothing happened"
            )


def frame_of(data: Any) -> Any:
    """The data as a narwhals frame; `InputError` says what may be handed over."""
    import narwhals as nw

    if isinstance(data, Mapping):
        data = _table(data)
    try:
        return nw.from_native(data, eager_only=True)
    except nw.exceptions.DuplicateError:
        raise InputError("two columns of the data have the same name; rename one") from None
    except TypeError:
        raise InputError(
            "data must be a frame of pandas, Polars or Arrow, or a dictionary of columns, got "
            f"{type(data).__module__}.{type(data).__name__}; collect a lazy one first"
        ) from None


def name_of(arm: Any) -> str:
    """An arm's name: 1 and 1.0 are the same arm."""
    return str(int(arm)) if isinstance(arm, float) and arm.is_integer() else str(arm)


def missing_column(name: str, names: Sequence[str]) -> str:
    """The sentence for a column that is not there, with the closest one that is."""
    close = get_close_matches(name, names, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    shown = ", ".join(map(str, names[:20])) + (" ..." if len(names) > 20 else "")
    return f"no column is called {name!r}; {hint}There are: {shown or 'none'}"


def _table(data: Mapping[str, Any]) -> Any:
    import pyarrow as pa

    try:
        return pa.table(dict(data))
    except (pa.ArrowException, TypeError, ValueError) as error:
        raise InputError(
            f"a dictionary of columns needs lists of one length and kind each: {error}"
        ) from None


def _by_visitor(
    frame: Any, names: Sequence[str], metrics: Sequence[Metric], variant: str | None, unit: str
) -> Any:
    """One row per visitor: sums of what was measured, means of what was known before."""
    import narwhals as nw

    if missing := int(frame[unit].null_count()):
        raise InputError(f"{missing:,} rows have no {unit!r}; leave them out or give them one")
    measured = {name for m in metrics for name in (m.numerator, m.per, m.counts) if name}
    keys = [unit, variant] if variant else [unit]
    found = frame.group_by(keys).agg(
        *(nw.col(name).sum() if name in measured else nw.col(name).mean() for name in names)
    )
    twice = found[unit].filter(found[unit].is_duplicated()).unique()
    if len(twice):
        raise InputError(
            f"a visitor belongs to one arm, but {len(twice):,} have rows in several, such as "
            f"{twice.to_list()[0]!r}; leave them out, and look for ids that are shared or weights "
            "that were changed"
        )
    return found


def _numbers(series: Any, name: str) -> NDArray[Any]:
    array: NDArray[Any] = series.to_numpy()
    if array.dtype.kind in "iufb":
        return array
    if array.dtype.kind in "mM":
        raise InputError(f"column {name!r} must hold numbers, got times such as {array[0]!s}")
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError):
        got = next((value for value in array.tolist() if not isinstance(value, int | float)), None)
        raise InputError(f"column {name!r} must hold numbers, got values such as {got!r}") from None


def _arms(series: Any, variant: str) -> dict[str, NDArray[np.bool_]]:
    if missing := int(series.null_count()):
        raise InputError(f"{missing:,} rows have no arm in {variant!r}; leave out who took no part")
    values = series.unique().to_list()
    if len(values) > 20:
        raise InputError(
            f"column {variant!r} has {len(values):,} different values, too many for the arms of an "
            f"experiment, such as {values[0]!r}; name the column that says who is in which arm"
        )
    return {name_of(value): (series == value).to_numpy().astype(np.bool_) for value in values}


def _check_signs(columns: Mapping[str, NDArray[Any]], metrics: Sequence[Metric]) -> None:
    for metric in metrics:
        checked = [metric.per] + ([] if metric.may_be_negative else [metric.numerator])
        for name in checked:
            if name is None or not len(columns[name]) or not columns[name].min() < 0:
                continue
            row = int(np.argmax(columns[name] < 0))
            hint = "" if name == metric.per else ", or say may_be_negative=True where it may be"
            raise InputError(
                f"column {name!r} must be at least 0, got {columns[name][row]} in row {row} "
                f"(counted from 0); fix the row{hint}"
            )
