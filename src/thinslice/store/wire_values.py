"""The values of the wire format: times, amounts, texts; each is read or refused with its rule."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation
from typing import Any

from thinslice.domain import DAY_US, MICROSECONDS, minor_digits
from thinslice.errors import EventError

MAX_TEXT = 200

_LARGEST = 10**15
_LARGEST_TOTAL = _LARGEST * 1000
_YEAR_2000_US = 946_684_800 * MICROSECONDS
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def broken(rule: str, value: Any = None) -> EventError:
    """The error that a value breaks a rule, to be raised."""
    shown = "" if value is None else f", got {repr(value)[:100]}"
    return EventError(f"{rule}{shown}")


def to_us(value: str | int | float, name: str) -> int:
    """ISO 8601 text, or a number of seconds or milliseconds since 1970, as microseconds."""
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError as error:
            rule = f"{name} is a time in ISO 8601, such as 2026-05-01T12:00:00Z"
            raise broken(rule, value) from error
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        since = moment - _EPOCH
        return (since.days * 86_400 + since.seconds) * MICROSECONDS + since.microseconds
    if not 0 <= value < 1e14:
        raise broken(f"{name} is in seconds or milliseconds since 1970", value)
    return int(value * (1000 if value > 1e11 else MICROSECONDS))


def history_us(value: str | int | float, now_us: int) -> int:
    """A time that the shop's own server gives: any between the year 2000 and tomorrow."""
    given_us = to_us(value, "timestamp")
    if not _YEAR_2000_US <= given_us <= now_us + DAY_US:
        raise broken("timestamp lies between the year 2000 and tomorrow", value)
    return given_us


def currency_of(value: Any) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str) or not re.fullmatch("[A-Za-z]{3}", value):
        raise broken("currency is three letters (ISO 4217)", value)
    return value.upper()


def quantity_of(value: Any) -> int | None:
    number = _number(value, "quantity")
    if number is None:
        return None
    if not 1 <= number <= 1_000_000 or number != int(number):
        raise broken("quantity is a whole number, at least 1", value)
    return int(number)


def minor_of(value: Any, name: str, currency: str) -> int | None:
    """An amount in minor units, halves rounded up: 19.99 euros are 1999."""
    number = _number(value, name)
    if number is None:
        return None
    if number < 0:
        raise broken(f"{name} is at least 0", value)
    if number > _LARGEST:
        raise broken(f"{name} is an amount of money that exists", value)
    return int(number.scaleb(minor_digits(currency)).to_integral_value(ROUND_HALF_UP))


def total_of(amounts_minor: list[int]) -> int:
    """The sum of amounts, as long as it is one that 64 bits hold."""
    total = sum(amounts_minor)
    if total > _LARGEST_TOTAL:
        raise broken("an order's total is an amount of money that exists", total)
    return total


def text_of(value: str, name: str, longest: int) -> str:
    if not 1 <= len(value) <= longest:
        raise broken(f"{name} has 1 to {longest} characters", value)
    return value


def optional_text(value: Any, name: str) -> str | None:
    if value is None or value == "":
        return None
    if not isinstance(value, str | int) or isinstance(value, bool):
        raise broken(f"{name} is a text", value)
    return text_of(str(value), name, MAX_TEXT)


def _number(value: Any, name: str) -> Decimal | None:
    if value is None or value == "":
        return None
    if isinstance(value, str | int | float) and not isinstance(value, bool):
        try:
            number = Decimal(str(value))
        except InvalidOperation as error:
            raise broken(f"{name} is a number", value) from error
        if number.is_finite():
            return number
    raise broken(f"{name} is a number", value)
