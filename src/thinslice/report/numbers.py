"""Numbers as a person reads them: the filters of every template.

An unknown value (None or not a number) is a dash, never a zero. The minus is a real minus sign
and a unit stays on the line of its number.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TypeGuard
from zlib import crc32
from zoneinfo import ZoneInfo

from thinslice.domain import MICROSECONDS, minor_digits, two_significant

UNKNOWN = "\N{EN DASH}"
_MINUS = "\N{MINUS SIGN}"
_GAP = "\N{NO-BREAK SPACE}"
_HYPHEN_AS_MINUS = re.compile(r"(?<![\w.,)])-(?=[\d€$£¥₹])")
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+(?=[A-Z])")
_SYMBOLS = {"EUR": "€", "USD": "$", "GBP": "£", "JPY": "¥", "INR": "₹"}
_CODED = re.compile(rf"\b({'|'.join(_SYMBOLS)}) (?=\d)")


def count(value: float | None) -> str:
    """A whole number with its thousands marked.

    >>> count(41200), count(-3), count(None)
    ('41,200', '−3', '–')
    """
    return _with_minus(value, f"{abs(round(value)):,}") if _known(value) else UNKNOWN


def percent(share: float | None, digits: int = 1) -> str:
    """A share as a percentage.

    >>> percent(0.1234), percent(-0.002), percent(0.5, 0), percent(None)
    ('12.3%', '−0.2%', '50%', '–')
    """
    if not _known(share):
        return UNKNOWN
    return _with_minus(share, f"{abs(share) * 100:.{digits}f}") + "%"


def brief_percent(share: float | None) -> str:
    """A share that somebody chose, without the digits that say nothing.

    >>> brief_percent(0.05), brief_percent(0.025)
    ('5%', '2.5%')
    """
    return percent(share).replace(".0%", "%")


def signed_percent(share: float | None, digits: int = 1) -> str:
    """A relative change, its sign always shown unless it rounds to nothing.

    >>> signed_percent(0.034), signed_percent(-0.008), signed_percent(0.00001)
    ('+3.4%', '−0.8%', '0.0%')
    """
    text = percent(share, digits)
    return f"+{text}" if _known(share) and round(share * 100, digits) > 0 else text


def signed(value: float | None, digits: int = 3) -> str:
    """A difference of scores, its sign always shown.

    >>> signed(0.0312), signed(-0.5, 2), signed(0.0)
    ('+0.031', '−0.50', '0.000')
    """
    if not _known(value):
        return UNKNOWN
    plus = "+" if round(value, digits) > 0 else ""
    return plus + _with_minus(value, f"{abs(value):.{digits}f}")


def decimal(value: float | None, digits: int = 3) -> str:
    """A score between 0 and 1.

    >>> decimal(0.66312), decimal(1, 1), decimal(None)
    ('0.663', '1.0', '–')
    """
    return _with_minus(value, f"{abs(value):,.{digits}f}") if _known(value) else UNKNOWN


def money(amount: float | None, currency: str) -> str:
    """An estimated amount in units of the currency, two digits of it, since more would be a lie.

    >>> money(3749.2, "EUR"), money(-140, "USD"), money(0.123, "SEK"), money(None, "EUR")
    ('€\\xa03,700', '−$\\xa0140', 'SEK\\xa00.12', '–')
    >>> money(4.9, "EUR"), money(9.96, "EUR")
    ('€\\xa04.90', '€\\xa010')
    """
    if not _known(amount):
        return UNKNOWN
    rounded = two_significant(amount)
    small = minor_digits(currency) if abs(rounded) < 10 and rounded != 0 else 0
    return _with_minus(rounded, f"{_symbol(currency)}{_GAP}{abs(rounded):,.{small}f}")


def score(value: float | None) -> str:
    """A score or a threshold on whatever scale it has, to three digits.

    >>> score(0.250392), score(712.4), score(None)
    ('0.25', '712', '–')
    """
    return _with_minus(value, f"{abs(value):.3g}") if _known(value) else UNKNOWN


def plain_number(value: float | None) -> str:
    """A number that somebody chose, or a factor, to two digits where it has more.

    >>> plain_number(12.0), plain_number(0.4567), plain_number(1200)
    ('12', '0.46', '1,200')
    """
    if not _known(value):
        return UNKNOWN
    shown = value if float(value).is_integer() else two_significant(value)
    return _with_minus(value, f"{abs(shown):,.10g}")


def price(minor: int | None, currency: str) -> str:
    """An exact amount, from minor units.

    >>> price(2900, "EUR"), price(1500, "JPY"), price(None, "EUR")
    ('€\\xa029.00', '¥\\xa01,500', '–')
    """
    if not _known(minor):
        return UNKNOWN
    digits = minor_digits(currency)
    amount = minor / 10**digits
    return _with_minus(amount, f"{_symbol(currency)}{_GAP}{abs(amount):,.{digits}f}")


def day(when: int | float | str | None, zone: str = "UTC") -> str:
    """The day of a time (microseconds UTC, or ISO 8601 text) in a time zone.

    >>> day(1_772_496_000_000_000), day("2026-03-03T23:30:00+00:00", "Europe/Berlin")
    ('3\\xa0March 2026', '4\\xa0March 2026')
    """
    at = _moment(when, zone)
    return UNKNOWN if at is None else f"{at.day} {at:%B %Y}".replace(" ", _GAP, 1)


def moment(when: int | float | str | None, zone: str = "UTC") -> str:
    """A time to the minute, with its zone.

    >>> moment("2026-03-03T23:30:00Z")
    '3\\xa0March 2026, 23:30 UTC'
    """
    at = _moment(when, zone)
    return UNKNOWN if at is None else f"{day(when, zone)}, {at:%H:%M} {at.tzname()}"


def plural(n: float | None, one: str, many: str = "") -> str:
    """A count with its noun.

    >>> plural(1, "visit"), plural(2000, "visit"), plural(3, "category", "categories")
    ('1 visit', '2,000 visits', '3 categories')
    """
    return f"{count(n)} {one if n == 1 else many or one + 's'}"


def figure(value: float | None, unit: str, currency: str) -> str:
    """A KPI's value in its unit: "share", "money" or "number".

    >>> figure(0.0312, "share", "EUR"), figure(1.996, "money", "EUR"), figure(2.5, "number", "EUR")
    ('3.12%', '€\\xa02.00', '2.50')
    """
    if not _known(value):
        return UNKNOWN
    if unit == "share":
        return percent(value, 2)
    if unit == "money":
        digits = minor_digits(currency)
        return _with_minus(value, f"{_symbol(currency)}{_GAP}{abs(value):,.{digits}f}")
    return decimal(value, 2 if abs(value) >= 1 else 3)


def prose(sentence: str) -> str:
    """A sentence of another stage, typeset: real minus signs and currency symbols.

    >>> prose("from -1.6% to +0.6%, 2026-03-03"), prose("at least EUR 1,200")
    ('from −1.6% to +0.6%, 2026-03-03', 'at least €\\xa01,200')
    """
    sentence = _CODED.sub(lambda found: f"{_SYMBOLS[found[1]]}{_GAP}", sentence)
    return _HYPHEN_AS_MINUS.sub(_MINUS, sentence)


def capital(sentence: str) -> str:
    """The sentence with a capital first letter."""
    return sentence[:1].upper() + sentence[1:]


def first_sentence(text: str) -> str:
    """A text up to its first full stop, for a headline.

    >>> first_sentence("The split is broken (1,620 to 2,380.5). Look for a cache.")
    'The split is broken (1,620 to 2,380.5).'
    """
    return _SENTENCE_END.split(text, maxsplit=1)[0]


def tint(text: str) -> int:
    """One of eight tints, always the same for the same text.

    >>> tint("Lamps") == tint("Lamps"), 0 <= tint("Socks") < 8
    (True, True)
    """
    return crc32(text.encode("utf-8", "surrogatepass")) % 8


FILTERS: dict[str, Callable[..., object]] = {
    "count_of": count,
    "percent": percent,
    "brief_percent": brief_percent,
    "signed_percent": signed_percent,
    "signed": signed,
    "decimal": decimal,
    "two_significant": two_significant,
    "money": money,
    "score": score,
    "plain_number": plain_number,
    "price": price,
    "day": day,
    "moment": moment,
    "plural": plural,
    "figure": figure,
    "prose": prose,
    "capital": capital,
    "first_sentence": first_sentence,
    "tint": tint,
}
"""Every filter by the name that templates use; `count` is one of Jinja's own, hence `count_of`."""


def _known(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)


def _with_minus(value: float, text: str) -> str:
    """The text of a number's size, with a minus where the number is negative and not shown as 0."""
    shows_something = any(character in "123456789" for character in text)
    return f"{_MINUS}{text}" if value < 0 and shows_something else text


def _symbol(currency: str) -> str:
    return _SYMBOLS.get(currency, currency)


def _moment(when: int | float | str | None, zone: str) -> datetime | None:
    if when is None or when == "":
        return None
    if isinstance(when, str):
        at = datetime.fromisoformat(when)
        at = at if at.tzinfo else at.replace(tzinfo=UTC)
    else:
        at = datetime.fromtimestamp(when / MICROSECONDS, UTC)
    return at.astimezone(ZoneInfo(zone))
