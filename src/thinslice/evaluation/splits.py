"""Earlier sessions to learn from, later ones to predict: time is never shuffled."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from thinslice.domain import SessionLog
from thinslice.errors import InputError, NotEnoughDataError

if TYPE_CHECKING:
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class Split:
    """Training sessions ended before `cut_us`, test sessions at or after it.

    Each log numbers its own products, so that a model never sees one that only the future has.
    """

    train: SessionLog
    test: SessionLog
    cut_us: int


def split_by_time(log: SessionLog, *, test_share: float = 0.2, cut_us: int | None = None) -> Split:
    """Cut the log on the time at which sessions end: the last `test_share` of them is the test.

    `cut_us` cuts at a given time instead. Products that training never saw stay in the test: a
    shop's new products are real, and missing them is a real miss. Raises NotEnoughDataError when
    either side would be empty.
    """
    if not 0 < test_share < 1:
        raise InputError(f"test_share must lie between 0 and 1, got {test_share}; 0.2 is usual")
    ended = _ended_us(log)
    if cut_us is None:
        cut_us = _cut(ended, test_share)
    is_test = ended >= cut_us
    if log.n_sessions == 0 or is_test.all() or not is_test.any():
        raise NotEnoughDataError(
            f"a split in time needs sessions before and after the cut, got {log.n_sessions} "
            f"sessions of which {int(is_test.sum())} ended after it; import more events"
        )
    return Split(_part(log, ~is_test), _part(log, is_test), int(cut_us))


def _ended_us(log: SessionLog) -> NDArray[np.int64]:
    lengths = np.diff(log.offsets)
    ended = np.zeros(log.n_sessions, np.int64)
    ended[lengths > 0] = log.times_us[log.offsets[1:][lengths > 0] - 1]
    return ended


def _cut(ended: NDArray[np.int64], test_share: float) -> int:
    """The end of the first test session; sessions that end in that microsecond are test too."""
    if len(ended) == 0:
        return 0
    first = min(int(len(ended) * (1 - test_share)), len(ended) - 1)
    return int(np.sort(ended)[first])


def _part(log: SessionLog, chosen: NDArray[np.bool_]) -> SessionLog:
    """Some of the sessions, with the products that they have, in the order of the whole log."""
    lengths = np.diff(log.offsets)[chosen]
    events = np.repeat(chosen, np.diff(log.offsets))
    used, codes = np.unique(log.codes[events], return_inverse=True)
    offsets = np.zeros(len(lengths) + 1, np.int64)
    np.cumsum(lengths, out=offsets[1:])
    return SessionLog(
        products=tuple(log.products[code] for code in used.tolist()),
        offsets=offsets,
        codes=codes.astype(np.int32),
        times_us=log.times_us[events],
        types=log.types[events],
        ids=tuple(log.ids[s] for s in np.flatnonzero(chosen).tolist()),
    )
