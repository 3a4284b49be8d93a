"""What every outcome of a decision is worth. Money in is positive, money out negative."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError
from thinslice.profit.expressions import Expression
from thinslice.profit.ranges import Range

LAYOUT = "[[tn, fp], [fn, tp]]: rows are what was true, columns what was decided"
"""scikit-learn's layout of a confusion matrix; the two-class matrix is written like it."""

NAMES = (("tn", "fp"), ("fn", "tp"))

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


class Payoff:
    """What a decision earns or costs in each case, in money: in is positive, out is negative.

    >>> payoff = Payoff(tp="clv * 0.3 - 11", fp=-11, currency="EUR")
    >>> payoff.columns
    ('clv',)

    tp is what acting on a positive brings, fp acting on a negative, fn leaving a positive alone
    and tn leaving a negative alone; each is a number, a column, an expression of columns, an array
    with one amount per row, `Range(low, likely, high)`, or a frozen distribution of scipy.stats.
    `labels` are [negative, positive]; without them `pos_label` of `evaluate` says which is which.
    """

    cells: tuple[tuple[Cell, ...], ...]
    labels: tuple[Any, ...] | None
    currency: str
    nothing: Any
    ranks: bool = False
    """Is it for recommended lists? The labels are then the outcomes, one cell each."""

    def __init__(
        self,
        *,
        tp: Any = 0.0,
        fp: Any = 0.0,
        fn: Any = 0.0,
        tn: Any = 0.0,
        currency: str = "EUR",
        labels: Sequence[Any] | None = None,
        **unknown: Any,
    ) -> None:
        known = ("tp", "fp", "fn", "tn", "currency", "labels")
        for name in unknown:
            close = [k for k in known[:4] if name.lower().startswith(k)]
            close = close or get_close_matches(name, known, n=1)
            hint = f"did you mean {close[0]!r}? " if close else ""
            raise InputError(f"a payoff has no {name!r}; {hint}There are: {', '.join(known)}")
        self._set([[tn, fp], [fn, tp]], labels, currency, None)

    @classmethod
    def from_matrix(
        cls,
        matrix: Any,
        *,
        labels: Sequence[Any] | None = None,
        currency: str = "EUR",
        nothing: Any = None,
    ) -> Payoff:
        """From a matrix in scikit-learn's layout: rows what was true, columns what was decided.

        Two classes are [[tn, fp], [fn, tp]]. K classes need `labels` in the order of rows and
        columns; `nothing` names the decision that leaves things as they are.
        """
        rows = matrix.tolist() if hasattr(matrix, "tolist") else matrix
        if not isinstance(rows, Sequence) or not all(
            isinstance(row, Sequence) and not isinstance(row, str) for row in rows
        ):
            raise InputError(f"a payoff matrix is {LAYOUT}; got {matrix!r}")
        size = len(rows)
        if size < 2 or any(len(row) != size for row in rows):
            shape = f"{size} rows of {', '.join(str(len(row)) for row in rows)}"
            raise InputError(f"a payoff matrix is square, {LAYOUT}; got {shape}")
        if size > 2 and labels is None:
            raise InputError(
                f"a payoff of {size} classes needs labels=[...] in the order of its rows (true) "
                "and columns (decided)"
            )
        payoff = cls.__new__(cls)
        payoff._set(rows, labels, currency, nothing)
        return payoff

    @classmethod
    def ranking(cls, *, currency: str = "EUR", **outcomes: Any) -> Payoff:
        """What each outcome of an item on a recommended list is worth, wherever it stands.

        >>> Payoff.ranking(click=0.05, purchase="margin").labels
        ('click', 'purchase')

        Each is a number, a column of the items or an expression of such columns, `Range`, or a
        frozen distribution of scipy.stats.
        """
        if not outcomes:
            raise InputError(
                "a payoff of lists names its outcomes, such as Payoff.ranking(click=0.05, "
                "purchase='margin')"
            )
        payoff = cls.__new__(cls)
        payoff._check_currency(currency)
        payoff.labels, payoff.nothing, payoff.ranks = tuple(outcomes), None, True
        payoff.cells = tuple((Cell(name, given),) for name, given in outcomes.items())
        for (cell,) in payoff.cells:
            if not (cell.constant or isinstance(cell.given, str)):
                raise InputError(
                    f"{cell.name}: amounts of items are a column of their table (data=); name it"
                )
        return payoff

    def _set(self, rows: Any, labels: Sequence[Any] | None, currency: str, nothing: Any) -> None:
        size = len(rows)
        if labels is not None:
            labels = tuple(x.item() if hasattr(x, "item") else x for x in labels)
            if len(labels) != size or len(set(map(repr, labels))) != size:
                raise InputError(
                    f"labels are the {size} classes in the order of {LAYOUT}; got {list(labels)!r}"
                )
        if nothing is not None and (labels is None or nothing not in labels):
            raise InputError(
                f"nothing is one of the labels {list(labels or ())!r}, got {nothing!r}"
            )
        self._check_currency(currency)
        self.labels = labels
        self.nothing = nothing
        self.cells = tuple(
            tuple(Cell(self._name(i, j, size), given) for j, given in enumerate(row))
            for i, row in enumerate(rows)
        )

    def _check_currency(self, currency: str) -> None:
        if not (isinstance(currency, str) and len(currency) == 3 and currency.isalpha()):
            raise InputError(f"currency is three letters such as EUR, got {currency!r}")
        self.currency = currency.upper()

    def _name(self, true: int, decided: int, size: int) -> str:
        if size == 2:
            return NAMES[true][decided]
        assert self.labels is not None
        return f"{self.labels[true]} decided as {self.labels[decided]}"

    @property
    def classes(self) -> int:
        return len(self.cells)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that the expressions name, in their first order."""
        found: dict[str, None] = {}
        for cell in self.flat():
            if isinstance(cell.given, str):
                found.update(dict.fromkeys(_columns(cell.given)))
        return tuple(found)

    def flat(self) -> list[Cell]:
        """All cells, row by row."""
        return [cell for row in self.cells for cell in row]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a plan's file has them."""
        value: dict[str, Any]
        if self.ranks:
            cells = {cell.name: _plain(cell.given) for cell in self.flat()}
            return {"ranking": cells, "currency": self.currency}
        if self.classes == 2:
            value = {cell.name: _plain(cell.given) for cell in reversed(self.flat())}
        else:
            value = {"matrix": [[_plain(c.given) for c in row] for row in self.cells]}
        value["currency"] = self.currency
        if self.labels is not None:
            value["labels"] = list(self.labels)
        if self.nothing is not None:
            value["nothing"] = self.nothing
        return value

    @classmethod
    def from_dict(cls, value: Mapping[str, Any]) -> Payoff:
        """A payoff as a plan's file has it; raises `InputError` for an unknown name."""
        if "ranking" in value:
            return cls._ranking_from(value)
        values = {key: _revived(key, given) for key, given in value.items()}
        if "matrix" in values:
            rows = values.pop("matrix")
            if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
                raise InputError(f"a payoff matrix is {LAYOUT}; got {rows!r}")
            matrix = [[_revived("matrix", cell) for cell in row] for row in rows]
            unknown = set(values) - {"labels", "currency", "nothing"}
            if unknown:
                raise InputError(
                    f"a payoff matrix has matrix, labels, currency, nothing; got {sorted(unknown)}"
                )
            return cls.from_matrix(matrix, **values)
        return cls(**values)

    @classmethod
    def _ranking_from(cls, value: Mapping[str, Any]) -> Payoff:
        unknown = set(value) - {"ranking", "currency"}
        if unknown or not isinstance(value["ranking"], Mapping):
            raise InputError(
                "a payoff of lists has ranking: {OUTCOME: AMOUNT, ...} and currency; got "
                f"{dict(value)!r}"
            )
        outcomes = {name: _revived(name, given) for name, given in value["ranking"].items()}
        return cls.ranking(**outcomes, currency=value.get("currency", "EUR"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Payoff) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(repr(self.to_dict()))

    def __repr__(self) -> str:
        return f"Payoff({', '.join(f'{k}={v!r}' for k, v in self.to_dict().items())})"


def _check(name: str, given: Any) -> None:
    if isinstance(given, Range) or _is_number(given) or _is_distribution(given):
        if _is_distribution(given):
            import math

            if not math.isfinite(given.mean()):
                raise InputError(f"{name}: the distribution has no finite mean")
        return
    if isinstance(given, str) and given.strip():
        return
    if _is_array(given):
        return
    raise InputError(
        f"{name} is a number, a column, an expression of columns, an array with one amount per "
        f"row, Range(low, likely, high) or a frozen scipy distribution; got {given!r}"
    )


def _columns(text: str) -> tuple[str, ...]:
    """The columns a text needs: an expression's, or the text itself where it is no expression."""
    try:
        return Expression.parse(text).columns
    except InputError:
        return (text,)


def _is_number(given: Any) -> bool:
    import math

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


def _plain(given: Any) -> Any:
    if isinstance(given, Range):
        return given.to_dict()
    if _is_distribution(given):
        values = [float(x) for x in given.args], {k: float(v) for k, v in given.kwds.items()}
        return {"distribution": given.dist.name, "args": values[0], "kwds": values[1]}
    if isinstance(given, str):
        return given
    if _is_number(given):
        return float(given)
    from thinslice.profit.columns import vector

    data = vector(given, "payoff")
    return {"array": len(data), "sha256": hashlib.sha256(data.tobytes()).hexdigest()}


def _revived(name: str, value: Any) -> Any:
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
            return kind(*value.get("args", ()), **value.get("kwds", {}))
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
