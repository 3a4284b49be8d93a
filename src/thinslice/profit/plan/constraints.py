"""Conditions that decisions have to keep whatever they earn, such as 'precision >= 0.3'."""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError
from thinslice.profit.uncertainty import Z

MEASURES = {
    "precision": "the share of those acted on that are positive",
    "recall": "the share of the positives that are acted on",
    "share_acted": "the share of all rows that are acted on",
}
RULE = f"a constraint is one of {', '.join(MEASURES)}, then >= or <=, then a share: 'recall >= 0.5'"
PATTERN = re.compile(r"\s*(\w+)\s*(>=|<=)\s*(\d*\.?\d+)\s*(%?)\s*")


@dataclass(frozen=True)
class Kept:
    """How a constraint fared: the measure with its range (P5, P95), and what was asked of it."""

    text: str
    value: float
    low: float
    high: float
    likely_kept: bool
    surely_kept: bool

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)

    def sentence(self) -> str:
        return (
            f"The plan asks for {self.text}, and it is {self.value:.0%} ({self.low:.0%} to "
            f"{self.high:.0%})."
        )


@dataclass(frozen=True, slots=True)
class Constraint:
    """`measure` has to be at least, or at most, `bound`."""

    measure: str
    at_least: bool
    bound: float

    @classmethod
    def parse(cls, text: Any) -> Constraint:
        """Raises `InputError`, with what was not understood, for anything but the grammar.

        >>> str(Constraint.parse("precision>=30%"))
        'precision >= 0.3'
        """
        found = PATTERN.fullmatch(text) if isinstance(text, str) else None
        if found is None or found[1] not in MEASURES:
            raise InputError(f"{RULE}; got {text!r}")
        bound = float(found[3]) / (100 if found[4] else 1)
        if not 0 <= bound <= 1:
            raise InputError(f"{RULE}; {text!r} asks for more than everything, 30 % is 0.3")
        return cls(found[1], found[2] == ">=", bound)

    def __str__(self) -> str:
        return f"{self.measure} {'>=' if self.at_least else '<='} {self.bound:g}"

    def allows(
        self, hits: NDArray[Any], acted: NDArray[Any], positives: int, n: int
    ) -> NDArray[np.bool_]:
        """Which thresholds keep it, from how many each acts on and how many of those are positive.

        Acting on nobody has no precision and so keeps any.
        """
        up, down = {
            "precision": (hits, acted),
            "recall": (hits, np.full(len(acted), positives)),
            "share_acted": (acted, np.full(len(acted), n)),
        }[self.measure]
        value = up / np.maximum(down, 1)
        kept = value >= self.bound if self.at_least else value <= self.bound
        return np.asarray(kept | (down == 0))

    def keeps(self, counts: NDArray[np.float64]) -> bool:
        """Whether decisions keep it that come to these rows by cell, [[tn, fp], [fn, tp]]."""
        acted = np.array([counts[:, 1].sum()])
        hits, positives, n = counts[1:, 1], int(round(counts[1].sum())), int(round(counts.sum()))
        return bool(self.allows(hits, acted, positives, n)[0])

    def of(
        self, y: NDArray[np.int64], decided: NDArray[np.int64], cluster: NDArray[np.int64] | None
    ) -> Kept:
        """What decisions (n,) come to: a ratio of sums over rows, or over clusters of them.

        Its range is Wilson's (1927), with as many rows as would have its variance.
        """
        up, down = {
            "precision": (decided * y, decided),
            "recall": (decided * y, y),
            "share_acted": (decided, np.ones(len(y))),
        }[self.measure]
        size = float(down.sum())
        if not size:
            return Kept(str(self), 0.0, 0.0, 1.0, True, False)
        value = float(up.sum()) / size
        off = np.asarray(up - value * down, np.float64)
        if cluster is not None:
            off = np.bincount(cluster, off).astype(np.float64)
        variance = float((off**2).sum()) / size**2
        rows = value * (1 - value) / variance if variance > 0 else size
        middle = (value + Z**2 / (2 * rows)) / (1 + Z**2 / rows)
        half = Z / (1 + Z**2 / rows) * np.sqrt(value * (1 - value) / rows + Z**2 / (4 * rows**2))
        low, high = float(middle - half), float(middle + half)
        if self.at_least:
            return Kept(str(self), value, low, high, value >= self.bound, low >= self.bound)
        return Kept(str(self), value, low, high, value <= self.bound, high <= self.bound)
