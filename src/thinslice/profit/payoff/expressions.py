"""Arithmetic of columns, as text: read with a small whitelist, never run as code.

    clv * 0.3 - 11
    max(0, margin - 2.5)

Numbers, column names, + - * / and brackets, min, max and abs. Nothing else.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError

LONGEST = 500
"""Characters of an expression; longer ones are no expression that people agree on."""

FUNCTIONS = ("min", "max", "abs")
RULE = (
    "a payoff in words is arithmetic of columns, such as 'clv * 0.3 - 11': numbers, columns, "
    "+ - * / ( ) and min, max, abs"
)


@dataclass(frozen=True, slots=True)
class Expression:
    """A payoff in words; `columns` are the names it needs, in their first order."""

    text: str
    columns: tuple[str, ...]
    tree: ast.expr = field(repr=False, compare=False)

    @classmethod
    def parse(cls, text: str) -> Expression:
        """Raises `InputError`, with what was not understood, for anything but the grammar.

        >>> Expression.parse("clv * 0.3 - 11").columns
        ('clv',)
        """
        if len(text) > LONGEST:
            raise InputError(f"{RULE}; this one has {len(text)} characters, at most {LONGEST}")
        try:
            tree = ast.parse(text.strip(), mode="eval").body
        except (SyntaxError, ValueError, MemoryError, RecursionError):
            raise InputError(f"{RULE}; {text!r} cannot be read") from None
        names: dict[str, None] = {}
        _check(tree, text, names)
        return cls(text, tuple(names), tree)

    def value(self, columns: Mapping[str, NDArray[Any]]) -> Any:
        """The result per row: an array, or one number when the text names no column.

        A division by zero gives an infinite or missing amount, which the caller refuses by row.
        """
        with np.errstate(all="ignore"):
            return _value(self.tree, columns)


def _check(node: ast.expr, text: str, names: dict[str, None]) -> None:
    match node:
        case ast.Constant(value=value) if type(value) in (int, float):
            return
        case ast.Name(id=name):
            names[name] = None
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Mult() | ast.Div(), right=right):
            _check(left, text, names)
            _check(right, text, names)
        case ast.UnaryOp(op=ast.UAdd() | ast.USub(), operand=operand):
            _check(operand, text, names)
        case ast.Call(func=ast.Name(id=called), args=given, keywords=[]) if called in FUNCTIONS:
            if len(given) < 1 or (called == "abs" and len(given) != 1):
                raise InputError(f"{RULE}; {called} in {text!r} has {len(given)} values")
            for one in given:
                _check(one, text, names)
        case _:
            part = ast.get_source_segment(text.strip(), node) or text
            raise InputError(f"{RULE}; {part!r} in {text!r} is neither")


def _value(node: ast.expr, columns: Mapping[str, NDArray[Any]]) -> Any:
    match node:
        case ast.Constant(value=value):
            return np.float64(value)  # type: ignore[arg-type]
        case ast.Name(id=name):
            return columns[name]
        case ast.UnaryOp(op=op, operand=operand):
            value = _value(operand, columns)
            return -value if isinstance(op, ast.USub) else value
        case ast.BinOp(left=left, op=op, right=right):
            return _arithmetic(op)(_value(left, columns), _value(right, columns))
        case ast.Call(func=ast.Name(id=called), args=given):
            values = [_value(one, columns) for one in given]
            if called == "abs":
                return np.abs(values[0])
            combine = np.minimum if called == "min" else np.maximum
            result = values[0]
            for value in values[1:]:
                result = combine(result, value)
            return result
    raise AssertionError(node)  # parse lets nothing else through


def _arithmetic(op: ast.operator) -> Callable[[Any, Any], Any]:
    return {
        ast.Add: np.add,
        ast.Sub: np.subtract,
        ast.Mult: np.multiply,
        ast.Div: np.divide,
    }[type(op)]
