"""What one outcome is worth: a number, columns in words, an array, or a guess."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError
from thinslice.profit.payoff.expressions import Expression
from thinslice.profit.payoff.ranges import MOST, Range, number
from thinslice.profit.rows.columns import vector

DISTRIBUTIONS = (
    "norm uniform triang beta gamma lognorm expon truncnorm t weibull_min pareto poisson".split()
)
"""The distributions of scipy.stats that a plan's file may name."""


@dataclass(frozen=True, eq=False)
class Cell:
    """What one outcome is worth, and how that was said.

    `given` is a number, a column's name or an expression of columns, an array with one amount per
    row, a `Range`, or a frozen distribution of scipy.stats.
    """

    name: str
    given: Any

    def __post_init__(self) -> None:
        _check(self.name, self.given)

    @property
    def uncertain(self) -> bool:
        return isinstance(self.given, Range) or _is_distribution(self.given)

    @property
    def constant(self) -> bool:
        """One amount for every row, known or guessed."""
        return self.uncertain or _is_number(self.given)

    @property
    def mean(self) -> float:
        """The expected amount of a constant cell; of a `Range` (low + 4 likely + high) / 6."""
        if isinstance(self.given, Range):
            return (self.given.low + 4 * self.given.likely + self.given.high) / 6
        return float(self.given.mean()) if self.uncertain else float(self.given)

    def ends(self) -> tuple[float, float]:
        """The least and the most of an uncertain cell; of a distribution its P5 and P95."""
        if isinstance(self.given, Range):
            return self.given.low, self.given.high
        low, high = self.given.ppf([0.05, 0.95])
        return float(low), float(high)

    def sample(self, rng: np.random.Generator, n: int) -> NDArray[np.float64]:
        """n amounts an uncertain cell may have, shape (n,)."""
        if isinstance(self.given, Range):
            return self.given.sample(rng, n)
        return np.asarray(self.given.rvs(size=n, random_state=rng), np.float64)

    def expression(self) -> Expression | None:
        return Expression.parse(self.given) if isinstance(self.given, str) else None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns it needs: its expression's, or its text where that is no expression."""
        if not isinstance(self.given, str):
            return ()
        try:
            return Expression.parse(self.given).columns
        except InputError:
            return (self.given,)


def plain(given: Any) -> Any:
    """What was given, as a plan's file has it; of an array its fingerprint."""
    if isinstance(given, Range):
        return given.to_dict()
    if _is_distribution(given):
        values = [float(x) for x in given.args], {k: float(v) for k, v in given.kwds.items()}
        return {"distribution": given.dist.name, "args": values[0], "kwds": values[1]}
    if isinstance(given, str):
        return given
    if _is_number(given):
        return float(given)
    data = vector(given, "payoff")
    return {"array": len(data), "sha256": hashlib.sha256(data.tobytes()).hexdigest()}


def revived(name: str, value: Any) -> Any:
    """What a plan's file has, as it was given; `InputError` names the payoff."""
    if not isinstance(value, Mapping):
        return value
    if "distribution" in value:
        import scipy.stats

        if value["distribution"] not in DISTRIBUTIONS:
            raise InputError(
                f"{name}: the distributions are {', '.join(DISTRIBUTIONS)}, got "
                f"{value['distribution']!r}"
            )
        kind = getattr(scipy.stats, value["distribution"])
        try:
            made = kind(*value.get("args", ()), **value.get("kwds", {}))
            made.mean()
            return made
        except (TypeError, ValueError) as error:
            raise InputError(f"{name}: {value['distribution']} cannot be made: {error}") from None
    if "array" in value:
        raise InputError(
            f"{name}: amounts given as an array are not kept in a plan's file; put them in a "
            "column and name the column"
        )
    try:
        return Range.of(value)
    except InputError as error:
        raise InputError(f"{name}: {error}") from None


def _check(name: str, given: Any) -> None:
    if isinstance(given, Range) or (isinstance(given, str) and given.strip()) or _is_array(given):
        return
    if _is_number(given):
        number(float(given), name)
        return
    if _is_distribution(given):
        _check_distribution(name, given)
        return
    raise InputError(
        f"{name} is a number, a column, an expression of columns, an array with one amount per "
        f"row, Range(low, likely, high) or a frozen scipy distribution; got {given!r}"
    )


def _check_distribution(name: str, given: Any) -> None:
    if not math.isfinite(given.mean()):
        raise InputError(f"{name}: the distribution has no finite mean")
    if not max(map(abs, given.ppf([0.001, 0.999]))) <= MOST:
        raise InputError(f"{name}: the distribution has amounts beyond {MOST:g}, which no money is")


def _is_number(given: Any) -> bool:
    if isinstance(given, bool | str):
        return False
    try:
        return getattr(given, "shape", ()) == () and math.isfinite(float(given))
    except (TypeError, ValueError, OverflowError):
        return False


def _is_array(given: Any) -> bool:
    if isinstance(given, str | Mapping | bool) or given is None:
        return False
    return hasattr(given, "__len__") and len(getattr(given, "shape", (1,))) == 1


def _is_distribution(given: Any) -> bool:
    return all(hasattr(given, part) for part in ("rvs", "ppf", "dist", "args", "kwds"))
