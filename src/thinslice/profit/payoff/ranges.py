"""A guess with its range: what most figures of a plan are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any

from thinslice.errors import InputError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


MOST = 1e15
"""Beyond it an amount is no money, and sums of squares would overflow."""


@dataclass(frozen=True, slots=True)
class Range:
    """The least, the likeliest and the most a figure can be; low <= likely <= high.

    >>> Range(8, 12, 18)
    Range(low=8.0, likely=12.0, high=18.0)
    """

    low: float
    likely: float
    high: float

    def __post_init__(self) -> None:
        for name in ("low", "likely", "high"):
            object.__setattr__(self, name, number(getattr(self, name), name))
        if not self.low <= self.likely <= self.high:
            raise InputError(
                f"a range goes low <= likely <= high, got {self.low:g}, {self.likely:g}, "
                f"{self.high:g}; put them in that order"
            )

    @classmethod
    def of(cls, value: Any) -> Range:
        """A range from one number, from three in order, or from low, likely and high by name."""
        if isinstance(value, Range):
            return value
        if isinstance(value, Mapping):
            if set(value) != {"low", "likely", "high"}:
                got = ", ".join(map(str, value)) or "none of them"
                raise InputError(
                    f"a range has low, likely and high, got {got}; "
                    "for example: {low: 8, likely: 12, high: 18}"
                )
            return cls(**value)
        if isinstance(value, list | tuple):
            if len(value) != 3:
                raise InputError(f"a range has three numbers, got {len(value)}: low, likely, high")
            return cls(*value)
        return cls(value, value, value)

    def sample(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """n draws, shape (n,), of the PERT distribution: a beta with the likeliest value as mode.

        Its mean is (low + 4 likely + high) / 6 (Malcolm et al. 1959), between the ends always.
        """
        import numpy as np

        width = self.high - self.low
        if width == 0:
            return np.full(n, self.low)
        place = (self.likely - self.low) / width
        return self.low + width * rng.beta(1 + 4 * place, 5 - 4 * place, n)

    def to_dict(self) -> dict[str, float]:
        return {"low": self.low, "likely": self.likely, "high": self.high}


def number(value: Any, name: str) -> float:
    """A finite number of at most `MOST`, or `InputError` with the name of the field."""
    if isinstance(value, bool) or not isinstance(value, Real) or not math.isfinite(value):
        raise InputError(f"{name} must be a number, got {value!r}; write it like 12 or 12.5")
    if abs(float(value)) > MOST:
        raise InputError(
            f"{name} must be at most {MOST:g}, got {float(value):g}, which no money is; check it"
        )
    return float(value)
