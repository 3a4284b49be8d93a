"""Values so large that a few visitors decide, cut back to a quantile of all visitors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError
from thinslice.outcomes.notebook.rows import Rows, check_finite
from thinslice.outcomes.statistics.metric import Metric


def cap_rows(rows: Rows, metrics: Sequence[Metric]) -> tuple[Rows, tuple[Metric, ...]]:
    """Add a capped column for every one that a metric wants capped, and point the metric to it.

    The quantile is taken once, over the visitors of all arms together: a quantile per arm would
    give the better arm the higher cap. Numerator and denominator are capped over the same visitors.
    Raises `InputError` for a cap that would be 0.
    """
    columns = dict(rows.columns)
    capped = []
    for metric in metrics:
        if metric.cap is None:
            capped.append(metric)
            continue
        names = {}
        for name in filter(None, metric.figure):
            check_finite({name: rows.columns[name]})
            names[name] = f"{name} capped at {metric.cap}"
            columns[names[name]] = _capped(rows.columns[name], metric.cap, name)
        over = names[metric.per] if metric.per else None
        definition = f"{metric.definition} Capped at the {metric.cap:.6g} quantile of visitors."
        capped.append(
            replace(metric, numerator=names[metric.numerator], per=over, definition=definition)
        )
    return Rows(columns, rows.arms), tuple(capped)


def _capped(column: NDArray[Any], cap: float, name: str) -> NDArray[Any]:
    if not len(column):
        return column
    rank = min(int(cap * len(column)), len(column) - 1)
    limit = np.partition(column, rank)[rank]
    if not limit > 0 and (some := int((column > 0).sum())):
        share = some / len(column)
        raise InputError(
            f"the {cap:.6g} quantile of {name!r} is {limit:.6g}, since {share:.2%} of visitors "
            f"have any, and a cap of 0 would erase it; cap={_within(cap, share):.6g} caps the same "
            "part of those who have some, or leave the cap out"
        )
    return np.minimum(column, limit)


def _within(cap: float, share: float) -> float:
    """The quantile over everyone that is `cap` over the share who have any."""
    return 1 - (1 - cap) * share
