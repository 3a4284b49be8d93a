"""A payoff beside its rows: what every decision is worth in every row."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import ColumnError, InputError
from thinslice.profit.payoff.cell import Cell
from thinslice.profit.payoff.expressions import Expression
from thinslice.profit.payoff.payoff import LAYOUT, Payoff
from thinslice.profit.payoff.ranges import MOST
from thinslice.profit.rows.columns import Columns, missing_column, numbers, vector

NOT_A_CAUSE = (
    "It counts what happened, not what acting causes: a customer who would have stayed or bought "
    "anyway is no profit. Only an experiment shows the difference."
)


class Pricing(Protocol):
    """Rows and what every decision in them is worth: how the stages of an evaluation see them.

    `decided` is what the pricing itself defines: places of labels, or what lists hit. `tested` is
    False where a result can only say what is worth testing, `rests_on` the first assumption, and
    `can_lose` whether any outcome costs something.
    """

    tested: ClassVar[bool]
    actual: ClassVar[bool]

    @property
    def payoff(self) -> Payoff: ...
    @property
    def n(self) -> int: ...
    @property
    def rests_on(self) -> str: ...
    @property
    def can_lose(self) -> bool: ...
    @property
    def uncertain(self) -> list[tuple[int, int, Cell]]: ...
    def means(self) -> list[float]: ...
    def features(self, y: Any, decided: Any) -> NDArray[np.float64]: ...
    def parts(self, y: Any, decided: Any) -> tuple[NDArray[np.float64], NDArray[np.float64]]: ...
    def counts(self, y: Any, decided: Any) -> list[list[int]]: ...


@dataclass(frozen=True, eq=False)
class Priced:
    """`n` rows and their payoff. `amounts[i][j]` is what deciding j is worth where i is true:

    one number, or float64 of shape (n,). Uncertain cells stand there with their mean.
    """

    payoff: Payoff
    n: int
    amounts: tuple[tuple[Any, ...], ...]

    tested: ClassVar[bool] = True
    actual: ClassVar[bool] = True
    """Every row's money is what its decision brought, not an estimate from others."""

    @classmethod
    def of(cls, payoff: Payoff, n: int, data: Any = None) -> Priced:
        """Raises `InputError` for a column that is missing, too short, or not money everywhere."""
        if payoff.ranks:
            raise InputError(
                "this payoff is for recommended lists; evaluate takes it, with y_score the lists "
                "and y_true what happened"
            )
        columns = data if isinstance(data, Columns) else Columns(data)
        cache: dict[str, NDArray[Any]] = {}
        return cls(
            payoff,
            n,
            tuple(tuple(amount(cell, n, columns, cache) for cell in row) for row in payoff.cells),
        )

    @property
    def rests_on(self) -> str:
        return NOT_A_CAUSE

    @property
    def can_lose(self) -> bool:
        known = (np.min(amount) < 0 for row in self.amounts for amount in row)
        return any(known) or any(cell.ends()[0] < 0 for _, _, cell in self.uncertain)

    @property
    def uncertain(self) -> list[tuple[int, int, Cell]]:
        """Where the uncertain cells stand, in the order of the features below."""
        return [
            (i, j, cell)
            for i, row in enumerate(self.payoff.cells)
            for j, cell in enumerate(row)
            if cell.uncertain
        ]

    def worth(self, y: NDArray[Any], decided: Any) -> NDArray[np.float64]:
        """What each row earned, shape (n,): y and decided are places of labels."""
        total = np.zeros(self.n)
        if self._constant():
            found: NDArray[np.float64] = self._matrix()[y, decided]
            return found
        if np.ndim(decided) == 0 and self.payoff.classes == 2:
            negative, positive = (self.amounts[i][decided] for i in (0, 1))
            return np.asarray(np.where(y == 1, positive, negative), np.float64)
        for i, row in enumerate(self.amounts):
            for j, amount in enumerate(row):
                here = np.flatnonzero((y == i) & (decided == j))
                total[here] = amount[here] if np.ndim(amount) else amount
        return total

    def features(self, y: NDArray[Any], decided: Any) -> NDArray[np.float64]:
        """Shape (n, 1 + U): the certain money of each row, then which uncertain cell it fell in.

        `features @ [1, *amounts of the uncertain cells]` is the money of each row.
        """
        uncertain = self.uncertain
        found = np.zeros((self.n, 1 + len(uncertain)))
        found[:, 0] = self.worth(y, decided)
        for k, (i, j, cell) in enumerate(uncertain, start=1):
            found[:, k] = (y == i) & (decided == j)
            found[:, 0] -= found[:, k] * cell.mean
        return found

    def parts(
        self, y: NDArray[Any], decided: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Money and rows of each cell of the matrix, each of shape (K, K)."""
        k = self.payoff.classes
        place = y * k + decided
        money = np.bincount(place, self.worth(y, decided), k * k).astype(np.float64)
        counts = np.bincount(place, minlength=k * k).astype(np.float64)
        return money.reshape(k, k), counts.reshape(k, k)

    def counts(self, y: NDArray[Any], decided: NDArray[Any]) -> list[list[int]]:
        """How many rows of each true class (rows) were decided as each (columns)."""
        k = self.payoff.classes
        found: list[list[int]] = (
            np.bincount(y * k + decided, minlength=k * k).reshape(k, k).tolist()
        )
        return found

    def means(self) -> list[float]:
        """The expected amounts of the uncertain cells."""
        return [cell.mean for _, _, cell in self.uncertain]

    def best(self, y: NDArray[Any]) -> NDArray[Any]:
        """The decision of someone who knew the truth: the most money in every row."""
        options = np.stack([self.worth(y, j) for j in range(self.payoff.classes)])
        return np.asarray(options.argmax(axis=0))

    def _constant(self) -> bool:
        return all(np.ndim(a) == 0 for row in self.amounts for a in row)

    def _matrix(self) -> NDArray[Any]:
        return np.array(self.amounts, np.float64)


def amount(cell: Cell, n: int, columns: Columns, cache: dict[str, NDArray[Any]]) -> Any:
    """What a cell is worth in each of n rows: one number, or float64 of shape (n,)."""
    if cell.constant:
        return cell.mean
    found = _by_row(cell, n, columns, cache)
    beyond = np.flatnonzero(np.abs(np.atleast_1d(found)) > MOST)
    if len(beyond):
        raise InputError(
            f"{cell.name} must be at most {MOST:g}, got {np.atleast_1d(found)[beyond[0]]:g} in row "
            f"{beyond[0]} (counted from 0), which no money is; check it"
        )
    return found


def _by_row(cell: Cell, n: int, columns: Columns, cache: dict[str, NDArray[Any]]) -> Any:
    if not isinstance(cell.given, str):
        return _length(numbers(vector(cell.given, cell.name), cell.name), n, cell.name)
    if cell.given in columns:
        return _length(columns.numbers(cell.given), n, f"column {cell.given!r}")
    expression = _expression(cell, columns)
    assert expression is not None
    for name in expression.columns:
        if name not in columns:
            raise _no_column(name, columns, cell)
        if name not in cache:
            cache[name] = _length(columns.numbers(name), n, f"column {name!r}")
    value = expression.value(cache)
    if np.ndim(value) == 0:
        value = float(value)
        if not np.isfinite(value):
            raise InputError(f"{cell.name}: {cell.given!r} is no amount; it gives {value}")
        return value
    return numbers(value, f"{cell.name}: {cell.given!r}")


def _expression(cell: Cell, columns: Columns) -> Expression | None:
    """`InputError` where it cannot be read, with the column's name that may be the cause."""
    try:
        return cell.expression()
    except InputError as error:
        odd = [name for name in columns.names if not name.isidentifier() and name in cell.given]
        if not odd:
            raise
        one_word = re.sub(r"\W+", "_", odd[0]).strip("_")
        raise InputError(
            f"{cell.name}: {cell.given!r} cannot be read, as the column's name {odd[0]!r} is not "
            f"one word; rename the column, such as {one_word!r}"
        ) from error


def _no_column(name: str, columns: Columns, cell: Cell) -> InputError:
    where = f"{cell.name} ({LAYOUT})" if cell.name in ("tn", "fp", "fn", "tp") else cell.name
    return ColumnError(f"{missing_column(name, columns.names)} (asked for by {where})")


def _length(array: NDArray[Any], n: int, what: str) -> NDArray[Any]:
    if len(array) != n:
        raise InputError(f"{what} has {len(array)} rows and y_true has {n}; they must be the same")
    return array
