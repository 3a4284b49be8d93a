"""What trees learn from: steps of the later sessions, then steps further back.

    .... earlier sessions ....................... | later sessions
    sources learn ................................ | steps
    sources learn ............... | steps
    sources learn .... | steps

Sources never saw the steps that they describe, nor what was after them: each block of steps is
described by sources of its own, which learned from what was before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from thinslice.domain import SessionLog
from thinslice.models.sessions.candidates import Candidates, learn_candidates
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.reranker import thinned
from thinslice.models.sessions.steps import Described, Steps, steps_of

if TYPE_CHECKING:
    from thinslice.models.sessions.clock import Clock

BLOCKS = 3
"""Blocks further back, at most: what was long ago says less about now."""

SHARE = 0.1
"""The share of what is left of the earlier sessions that a block has."""

MOST = 100_000
"""Steps that trees are grown on at most, which take about 6 kB each."""


def lessons(
    earlier: SessionLog,
    candidates: Candidates,
    first: Steps,
    at_most: int,
    clock: Clock,
    *,
    repeats: bool,
    seed: int,
) -> tuple[Described, int]:
    """The newest of the first later steps and as many from blocks further back as there is room
    for, and how many they are; steps whose candidates lack what came next are left out.
    """
    at_most = min(at_most, MOST)
    steps = first.newest(at_most)
    parts, n = _described(candidates, steps, repeats, seed), len(steps)
    for _ in range(BLOCKS):
        cut = int(earlier.n_sessions * (1 - SHARE))
        block = sessions_between(earlier, cut, earlier.n_sessions)
        earlier = sessions_between(earlier, 0, cut)
        if n >= at_most or block.n_sessions < _FEWEST or earlier.n_sessions < _FEWEST:
            break
        products = ProductCodes(earlier.products)
        candidates = learn_candidates(earlier, products, candidates.knn.settings, candidates.linear)
        steps = steps_of(block, products, repeats=repeats, at_most=at_most - n)
        parts += _described(candidates, steps, repeats, seed)
        n += len(steps)
        clock.tell()
    return Described.joined(parts), n


_FEWEST = 30
"""Sessions of a block, and before it, without which there is no block."""


def sessions_between(log: SessionLog, first: int, end: int) -> SessionLog:
    """Some consecutive sessions, with the products that they have, in the order of the log."""
    offsets = log.offsets[first : end + 1]
    events = slice(int(offsets[0]), int(offsets[-1]))
    used, codes = np.unique(log.codes[events], return_inverse=True)
    return SessionLog(
        products=tuple(log.products[code] for code in used.tolist()),
        offsets=offsets - offsets[0],
        codes=codes.astype(np.int32),
        times_us=log.times_us[events],
        types=log.types[events],
        ids=log.ids[first:end],
    )


def _described(candidates: Candidates, steps: Steps, repeats: bool, seed: int) -> list[Described]:
    """Piece by piece, so that the candidates that are left out at once never need much memory."""
    return [
        thinned(
            candidates.describe(
                steps.some(lo, min(lo + _PIECE, len(steps))), keep_missed=False, repeats=repeats
            ),
            seed + lo,
        )
        for lo in range(0, max(len(steps), 1), _PIECE)
    ]


_PIECE = 4_000
