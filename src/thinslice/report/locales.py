"""The reader's way of writing numbers: 12,000.5 or 12.000,5 or 12 000,5.

Every number is first written in one way, 12,000.5, and its marks are then exchanged: in the
figures of a page and in the sentences of other stages alike.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

_GAP = "\N{NO-BREAK SPACE}"
_QUOTE = "\N{RIGHT SINGLE QUOTATION MARK}"
_NUMBER = re.compile(r"(?<![\w.,/:-])\d[\d,]*(?:\.\d+)?(?![\w/-]|[.:]\d)")
_LOCALISED = (
    "count_of percent brief_percent signed_percent signed decimal money score plain_number price "
    "plural figure prose"
).split()


@dataclass(frozen=True, slots=True)
class Marks:
    """What stands between thousands, and before the decimals."""

    thousands: str = ","
    point: str = "."


ENGLISH = Marks()
_BY_LANGUAGE = (
    (Marks(".", ","), "de es it nl pt da id tr el hr sl sr ro is ca gl vi"),
    (Marks(_GAP, ","), "fr sv nb no nn fi pl cs sk hu ru uk bg lt lv et be"),
    (Marks(_QUOTE, "."), "de-ch fr-ch it-ch rm de-li"),
    (ENGLISH, "es-mx es-us es-pr es-do es-gt es-hn es-ni es-pa es-pe es-sv"),
    (Marks(".", ","), "en-za en-at en-de en-nl en-be"),
)
_MARKS = {language: marks for marks, languages in _BY_LANGUAGE for language in languages.split()}


def marks_of(locale: str) -> Marks:
    """The marks of a locale such as "de" or "de-CH"; the English ones for any that is not known.

    >>> marks_of("de-AT"), marks_of("de_CH").thousands, marks_of("en-GB") == ENGLISH
    (Marks(thousands='.', point=','), '’', True)
    """
    name = locale.replace("_", "-").lower()
    return _MARKS.get(name) or _MARKS.get(name.partition("-")[0], ENGLISH)


def preferred(accept_language: str) -> str:
    """The locale that a browser likes best, from its Accept-Language header; "en" without one.

    >>> preferred("en;q=0.5, de-CH;q=0.9, *;q=0.1"), preferred("")
    ('de-CH', 'en')
    """
    found: list[tuple[float, int, str]] = []
    for place, part in enumerate(accept_language[:400].split(",")):
        name, _, quality = part.strip().partition(";")
        if re.fullmatch(r"[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*", name):
            weight = re.fullmatch(r"\s*q=([01](?:\.\d{1,3})?)\s*", quality)
            found.append((-float(weight[1]) if weight else -1.0, place, name))
    return min(found)[2] if found else "en"


def localise(text: str, marks: Marks) -> str:
    """Exchange the marks of every number in a text; dates, versions and hashes stay.

    >>> localise("at least €12,000.5 on 2026-03-01", Marks(".", ","))
    'at least €12.000,5 on 2026-03-01'
    >>> localise("at most 730,000: ship", Marks(".", ","))
    'at most 730.000: ship'
    """
    if marks == ENGLISH:
        return text
    exchange = str.maketrans({",": marks.thousands, ".": marks.point})
    return _NUMBER.sub(lambda found: _exchanged(found[0], exchange), text)


def localised(filters: Mapping[str, Callable[..., object]], marks: Marks) -> dict[str, object]:
    """The filters of a template, those that write numbers in the reader's way."""

    def wrapped(write: Callable[..., object]) -> Callable[..., str]:
        return lambda *args, **more: localise(str(write(*args, **more)), marks)

    return {
        name: wrapped(write) if name in _LOCALISED and marks != ENGLISH else write
        for name, write in filters.items()
    }


def _exchanged(number: str, exchange: dict[int, str]) -> str:
    """A comma that ends a number, as in "12, or more", is none of its marks."""
    bare = number.rstrip(",")
    return bare.translate(exchange) + number[len(bare) :]
