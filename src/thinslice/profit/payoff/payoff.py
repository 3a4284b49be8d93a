"""What every outcome of a decision is worth. Money in is positive, money out negative."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from typing import Any

from thinslice.errors import InputError
from thinslice.profit.payoff.cell import Cell, plain, revived

LAYOUT = "[[tn, fp], [fn, tp]]: rows are what was true, columns what was decided"
"""scikit-learn's layout of a confusion matrix; the two-class matrix is written like it."""

NAMES = (("tn", "fp"), ("fn", "tp"))


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
            found.update(dict.fromkeys(cell.columns))
        return tuple(found)

    def flat(self) -> list[Cell]:
        """All cells, row by row."""
        return [cell for row in self.cells for cell in row]

    def to_dict(self) -> dict[str, Any]:
        """Plain values, as a plan's file has them."""
        value: dict[str, Any]
        if self.ranks:
            cells = {cell.name: plain(cell.given) for cell in self.flat()}
            return {"ranking": cells, "currency": self.currency}
        if self.classes == 2:
            value = {cell.name: plain(cell.given) for cell in reversed(self.flat())}
        else:
            value = {"matrix": [[plain(c.given) for c in row] for row in self.cells]}
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
        values = {key: revived(key, given) for key, given in value.items()}
        if "matrix" in values:
            rows = values.pop("matrix")
            if not isinstance(rows, list) or not all(isinstance(row, list) for row in rows):
                raise InputError(f"a payoff matrix is {LAYOUT}; got {rows!r}")
            matrix = [[revived("matrix", cell) for cell in row] for row in rows]
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
        outcomes = {name: revived(name, given) for name, given in value["ranking"].items()}
        return cls.ranking(**outcomes, currency=value.get("currency", "EUR"))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Payoff) and self.to_dict() == other.to_dict()

    def __hash__(self) -> int:
        return hash(repr(self.to_dict()))

    def __repr__(self) -> str:
        return f"Payoff({', '.join(f'{k}={v!r}' for k, v in self.to_dict().items())})"
