"""The classes of y_true, in a stated order: never the alphabet's, never a guess."""

from __future__ import annotations

from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError

YES_NO = ((0, 1), (-1, 1))
"""Pairs whose positive class goes without saying; False and True are 0 and 1."""


def two_labels(y: NDArray[Any], stated: Sequence[Any] | None, pos_label: Any) -> tuple[Any, Any]:
    """The negative and the positive class.

    From `stated` labels, from `pos_label`, or when they are 0 and 1, -1 and 1, False and True.
    Raises `InputError` where the positive class is ambiguous.
    """
    if stated is not None:
        negative, positive = stated
        if pos_label is not None and not pos_label == positive:
            raise InputError(
                f"the payoff states labels={list(stated)!r}, so that {positive!r} is positive, and "
                f"pos_label says {pos_label!r}; leave one of them out"
            )
        return negative, positive
    seen = _distinct(y)
    if len(seen) > 2 and any(isinstance(x, float) and not x.is_integer() for x in seen):
        raise InputError(
            f"y_true must hold labels, got {len(seen)} different numbers such as {seen[0]:.4g}; "
            "scores and probabilities go into y_score"
        )
    if len(seen) > 2:
        raise InputError(
            f"this payoff has two classes and y_true has {len(seen)}: {_few(seen)}; use "
            "Payoff.from_matrix(rows true, columns decided, labels=[...]) for more classes"
        )
    if pos_label is not None:
        return _with_positive(seen, pos_label)
    for pair in YES_NO:
        if len(seen) == 2 and all(label in pair for label in seen):
            return pair
    if len(seen) == 1:
        raise InputError(
            f"y_true has only the class {seen[0]!r}, so the other cannot be known; state both as "
            "labels=[negative, positive] in the payoff"
        )
    raise InputError(
        f"which class is positive, {_few(seen)}? Say pos_label=..., or labels=[negative, positive] "
        "in the payoff"
    )


def _with_positive(seen: list[Any], pos_label: Any) -> tuple[Any, Any]:
    if pos_label not in seen:
        if len(seen) == 2:
            raise InputError(unknown_label(pos_label, seen, "pos_label"))
        return seen[0], pos_label
    if len(seen) == 1:
        raise InputError(
            f"y_true has only the class {seen[0]!r}, so the other cannot be known; state both as "
            "labels=[negative, positive] in the payoff"
        )
    return next(label for label in seen if label != pos_label), pos_label


def encode(values: NDArray[Any], labels: Sequence[Any], what: str) -> NDArray[Any]:
    """The place of each value in `labels`, shape (n,), int64; unknown labels are an error."""
    if values.dtype.kind in "biuf" and all(isinstance(x, int | float | np.number) for x in labels):
        return _encode_numbers(values, labels, what)
    place = {_plain(label): k for k, label in enumerate(labels)}
    found = np.empty(len(values), np.int64)
    for row, value in enumerate(values.tolist()):
        code = place.get(value) if _hashable(value) else None
        if code is None:
            raise InputError(_in_row(value, labels, what, row))
        found[row] = code
    return found


def _encode_numbers(values: NDArray[Any], labels: Sequence[Any], what: str) -> NDArray[Any]:
    codes = np.full(len(values), -1, np.int64)
    for k, label in enumerate(labels):
        codes[values == label] = k
    if codes.min(initial=0) < 0:
        row = int(np.flatnonzero(codes < 0)[0])
        raise InputError(_in_row(values[row].item(), labels, what, row))
    return codes


def unknown_label(value: Any, labels: Sequence[Any], what: str) -> str:
    """The sentence for a label that is none of those there are."""
    names = {str(label): label for label in labels}
    close = get_close_matches(str(value), names, n=1)
    hint = f"did you mean {names[close[0]]!r}? " if close and str(value) != close[0] else ""
    return f"{what} has the unknown label {value!r}; {hint}The labels are: {_few(list(labels))}"


def _in_row(value: Any, labels: Sequence[Any], what: str, row: int) -> str:
    if missing(value):
        return f"{what} has no label in row {row} (counted from 0); fill it in or leave the row out"
    if isinstance(value, float) and not value.is_integer():
        return (
            f"{what} must hold labels, got {value!r} in row {row}; scores and probabilities go "
            "into y_score"
        )
    return f"{unknown_label(value, labels, what)} (row {row}, counted from 0)"


def _distinct(y: NDArray[Any]) -> list[Any]:
    if y.dtype.kind in "biuf":
        return [x for x in np.unique(y).tolist() if x == x]
    seen = {value for value in y.tolist() if _hashable(value) and not missing(value)}
    try:
        return sorted(seen)
    except TypeError:
        return sorted(seen, key=str)


def missing(value: Any) -> bool:
    """None, NaN, NaT and the NA of pandas, which refuses to be compared."""
    try:
        return value is None or bool(value != value)
    except (TypeError, ValueError):
        return True


def _plain(label: Any) -> Any:
    return label.item() if hasattr(label, "item") else label


def _hashable(value: Any) -> bool:
    return value.__hash__ is not None


def _few(labels: list[Any]) -> str:
    shown = ", ".join(repr(label) for label in labels[:10])
    return shown + (" ..." if len(labels) > 10 else "")
