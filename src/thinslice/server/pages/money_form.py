"""What is typed on the money page: read, turned into a plan, kept in an address.

The amounts of an outcome are either one number, a number with its low and high end, or arithmetic
of columns. Everything stays as it was typed, whatever is wrong with it.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from thinslice.demo.predictions import EXAMPLE_PLAN
from thinslice.errors import InputError
from thinslice.profit import Payoff, Plan, Range
from thinslice.profit.payoff.expressions import Expression

OUTCOMES = ("tp", "fp", "fn", "tn")
NUMBERS = ("fixed_cost", "must_beat", "per_year", "capacity", "discount")
COLUMNS = ("true", "score", "positive", "id")
TEXTS = ("question", "currency", "baseline", "threshold", *COLUMNS)
FIELDS = (
    *(f"{name}{part}" for name in OUTCOMES for part in ("_low", "", "_high", "_by")),
    *NUMBERS,
    *TEXTS,
)
"""Every field of the form that a link carries; the rows are never in it."""

LONGEST = 500
MOST_MONEY = 1e12
"""Larger amounts than any plan has; beyond them sums lose cents."""

_EMPTY = {"per_year": "1", "currency": "EUR", "baseline": "nothing"}


class FieldError(InputError):
    """What is wrong with one field of the form."""

    def __init__(self, field: str, message: str) -> None:
        super().__init__(message)
        self.field = field


@dataclass(frozen=True)
class MoneyForm:
    """The fields as they were typed, all of them, missing ones empty."""

    fields: Mapping[str, str]

    @classmethod
    def of(cls, given: Mapping[str, Any]) -> MoneyForm:
        """From a query or a sent form; what is too long is cut off."""
        texts = {name: str(given.get(name) or "").strip()[:LONGEST] for name in FIELDS}
        return cls({name: text or _EMPTY.get(name, "") for name, text in texts.items()})

    @classmethod
    def example(cls) -> MoneyForm:
        """The plan that stands there when the page opens."""
        plan: dict[str, Any] = dict(EXAMPLE_PLAN)
        payoff = dict(plan.pop("payoff"))
        fields = {"currency": payoff.pop("currency")}
        fields |= {name: f"{value}" for name, value in plan.items()}
        for name, amount in payoff.items():
            ends = {f"{name}_low": "low", name: "likely", f"{name}_high": "high"}
            fields |= {field: f"{amount[end]}" for field, end in ends.items()}
        return cls.of(fields)

    @property
    def query(self) -> str:
        """The plan as the query of a link; what says nothing is left out."""
        return urlencode({k: v for k, v in self.fields.items() if v and v != _EMPTY.get(k)})

    def columns(self) -> dict[str, str]:
        """Which column is what, "" where it shall be guessed."""
        return {name: self.fields[name] for name in COLUMNS}

    def plan(self, columns: Collection[str] | None = None) -> Plan:
        """The plan that was typed; `FieldError` names the first field that makes no sense.

        What is neither one of the `columns` nor arithmetic is told at its outcome.
        """
        for name in OUTCOMES:
            words = self.fields[f"{name}_by"]
            if words and columns is not None and words not in columns:
                _check_arithmetic(name, words)
        payoff = Payoff(
            **{name: self._payoff(name) for name in OUTCOMES}, currency=self._currency()
        )
        values: dict[str, Any] = {name: self._number(name) for name in NUMBERS}
        given = {name: value for name, value in values.items() if value is not None}
        if self.fields["question"]:
            given["question"] = self.fields["question"]
        for name in ("capacity", "threshold", "baseline", *NUMBERS):
            given |= self._checked(name, payoff, given)
        return Plan(payoff, **given)

    def _checked(self, name: str, payoff: Payoff, given: dict[str, Any]) -> dict[str, Any]:
        """One field of the plan, or what is wrong with it, told where it was typed."""
        value = given.get(name)
        if name == "baseline":
            value = self.fields["baseline"]
        if name == "threshold" and (text := self.fields["threshold"]):
            value = text if text.startswith("expected") else self._number("threshold")
        if value is None:
            return {}
        try:
            Plan(payoff, **{name: value})
        except InputError as error:
            raise FieldError(name, str(error)) from None
        return {name: value}

    def _payoff(self, name: str) -> Any:
        low, likely, high = (self._number(f"{name}{part}") for part in ("_low", "", "_high"))
        words = self.fields[f"{name}_by"]
        if words:
            return words
        if low is None and high is None:
            return likely or 0.0
        if likely is None or low is None or high is None:
            raise FieldError(
                name, "a guess has three numbers: at least, likely, at most; fill in all of them"
            )
        try:
            return Range(low, likely, high)
        except InputError as error:
            raise FieldError(name, str(error)) from None

    def _number(self, name: str) -> float | None:
        text = self.fields[name]
        if not text:
            return None
        try:
            value = float(text.replace("\N{MINUS SIGN}", "-"))  # as the page itself writes it
        except ValueError:
            value = math.nan
        field = name.removesuffix("_low").removesuffix("_high")
        if not math.isfinite(value):
            raise FieldError(field, f"a number is needed, got {text!r}; write it like 12 or 12.5")
        if abs(value) > MOST_MONEY:
            raise FieldError(
                field, f"at most {MOST_MONEY:,.0f} can be counted to the cent, got {text}"
            )
        return value

    def _currency(self) -> str:
        text = self.fields["currency"]
        if not (len(text) == 3 and text.isascii() and text.isalpha()):
            raise FieldError("currency", f"a currency is three letters such as EUR, got {text!r}")
        return text.upper()


def _check_arithmetic(name: str, words: str) -> None:
    try:
        Expression.parse(words)
    except InputError as error:
        raise FieldError(name, str(error)) from None


def place_of(message: str) -> str:
    """The field that an error of the evaluation is about, "rows" where it is about the rows.

    >>> place_of("no column is called 'clv'; There are: a (asked for by tp ([[tn, fp], ...]))")
    'tp'
    """
    for name in OUTCOMES:
        if message.startswith(f"{name}:") or f"(asked for by {name} " in message:
            return name
    words = {"threshold": "threshold", "probabilities": "threshold", "the baseline": "baseline"}
    return next((field for word, field in words.items() if message.startswith(word)), "rows")
