"""Moments of past sessions, each with what came next: what settings and trees are chosen on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.domain import SessionLog
    from thinslice.models.sessions.products import ProductCodes


@dataclass(frozen=True, eq=False)
class Steps:
    """Step s had seen `codes[offsets[s]:offsets[s+1]]`, oldest first.

    `targets` is the code that came next, -2 for one that is unknown; unknown codes seen are -1.
    `session_of` numbers the session that a step belongs to.
    """

    offsets: NDArray[np.int64]
    codes: NDArray[np.int32]
    targets: NDArray[np.int32]
    now_us: NDArray[np.int64]
    session_of: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.targets)

    def some(self, first: int, end: int) -> Steps:
        """Steps `first` to `end`."""
        return replace(
            self,
            offsets=self.offsets[first : end + 1],
            targets=self.targets[first:end],
            now_us=self.now_us[first:end],
            session_of=self.session_of[first:end],
        )

    def newest(self, at_most: int) -> Steps:
        """The last so many steps."""
        return self.some(max(0, len(self) - at_most), len(self))

    def evenly(self, at_most: int) -> Steps:
        """So many steps, evenly over the time."""
        n = len(self)
        kept = np.unique(np.linspace(0, max(n - 1, 0), min(n, at_most)).astype(np.int64))
        lengths = np.diff(self.offsets)[kept]
        offsets = np.concatenate([[0], np.cumsum(lengths)])
        places = np.repeat(self.offsets[kept] - offsets[:-1], lengths) + np.arange(offsets[-1])
        return Steps(
            offsets.astype(np.int64),
            self.codes[places],
            self.targets[kept],
            self.now_us[kept],
            self.session_of[kept],
        )

    def cut(self, share: float) -> tuple[Steps, Steps]:
        """About that share of the steps, and the later ones, without cutting a session in two."""
        n = len(self)
        if n == 0:
            return self, self
        at = int(np.searchsorted(self.session_of, self.session_of[min(int(share * n), n - 1)]))
        return self.some(0, at), self.some(at, n)


def steps_of(
    log: SessionLog, products: ProductCodes, *, repeats: bool, at_most: int, max_products: int = 50
) -> Steps:
    """Every step of the log's sessions but the first, in the codes of `products`.

    Consecutive repeats are one step unless `repeats`. Of more than `at_most`, whole sessions are
    left out, evenly over the time.
    """
    code_of = np.array([c if (c := products.of(p)) is not None else -1 for p in log.products])
    lengths = np.diff(log.offsets)
    share = min(1.0, at_most / max(1, int(np.maximum(lengths - 1, 0).sum())))
    kept = np.flatnonzero(np.diff(np.floor(np.arange(log.n_sessions + 1) * share)) > 0)
    seen: list[NDArray[np.int64]] = []
    targets: list[int] = []
    times: list[int] = []
    session_of: list[int] = []
    for s in kept.tolist():
        codes = log.codes[log.offsets[s] : log.offsets[s + 1]]
        at = log.times_us[log.offsets[s] : log.offsets[s + 1]]
        if not repeats:
            changed = np.flatnonzero(np.diff(codes, prepend=-1))
            codes, at = codes[changed], at[changed]
        known = code_of[codes]
        for step in range(1, len(known)):
            seen.append(known[max(0, step - max_products) : step])
            targets.append(int(known[step]) if known[step] >= 0 else -2)
            times.append(int(at[step - 1]))
            session_of.append(s)
    offsets = np.concatenate([[0], np.cumsum([len(codes) for codes in seen])])
    flat = np.concatenate(seen) if seen else np.zeros(0)
    return Steps(
        offsets.astype(np.int64),
        flat.astype(np.int32),
        np.array(targets, np.int32),
        np.array(times, np.int64),
        np.array(session_of, np.int64),
    )


@dataclass(frozen=True, eq=False)
class Described:
    """Candidates of many steps, one step after the other, `sizes` rows each.

    Shapes: `features` (rows, features) float32, `came_next` (rows,) 0 or 1.
    """

    features: NDArray[np.float32]
    came_next: NDArray[np.uint8]
    sizes: NDArray[np.int32]

    @classmethod
    def joined(cls, parts: list[Described]) -> Described:
        """One part after the other."""
        return cls(
            np.concatenate([part.features for part in parts]),
            np.concatenate([part.came_next for part in parts]),
            np.concatenate([part.sizes for part in parts]),
        )
