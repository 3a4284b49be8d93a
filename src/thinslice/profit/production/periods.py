"""A log's rows by day, week, month, quarter or year; the periods without rows among them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from difflib import get_close_matches
from typing import Any

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError
from thinslice.profit.rows.labels import missing

SHARES = {"day": 1 / 365.25, "week": 7 / 365.25, "month": 1 / 12, "quarter": 1 / 4, "year": 1.0}
"""What part of a year one of each is."""

MOST = 1000
"""Periods; more of them is a mistyped date, not a log."""

Days = NDArray[np.datetime64]


@dataclass(frozen=True, slots=True)
class Period:
    """`name` sorts (2026-03), `words` read (March 2026); `share` is its part of a year."""

    name: str
    words: str
    share: float


def days_of(values: NDArray[Any], what: str) -> Days:
    """The day of each row, datetime64[D] of shape (n,); `InputError` names the first without."""
    if values.dtype.kind == "M":
        days = values.astype("datetime64[D]")
    elif values.dtype.kind in "OUS":
        known: dict[Any, Any] = {}
        for row, value in enumerate(values.tolist()):
            if value not in known:
                known[value] = _day(value, what, row)
        days = np.array([known[value] for value in values.tolist()], "datetime64[D]")
    else:
        raise InputError(_rule(what, values[0] if len(values) else None, 0))
    if np.isnat(days).any():
        raise InputError(_rule(what, None, int(np.flatnonzero(np.isnat(days))[0])))
    return days


def split(days: Days, by: str, until: date | str | None = None) -> tuple[list[Period], Any]:
    """The periods from the first row to the last, and the place of each row's among them (n,).

    `until` is the last day the log covers: the last period then counts for its days up to there.
    Raises `InputError` for an unknown period or for rows after `until`.
    """
    if by not in SHARES:
        close = get_close_matches(str(by), SHARES, n=1)
        hint = f"did you mean {close[0]!r}? Else " if close else ""
        raise InputError(f"a log is followed by {', '.join(SHARES)}, got {by!r}; {hint}choose one")
    place = _number(days, by)
    first, last = int(place.min()), int(place.max())
    if last - first >= MOST:
        raise InputError(
            f"the log goes from {days.min()} to {days.max()}, which is {last - first + 1:,} "
            f"{by}s; check the dates, or follow it by a longer period"
        )
    end = _until(until, days)
    periods = []
    for k in range(first, last + 1):
        start, after = _start(k, by), _start(k + 1, by)
        covered = 1.0
        if end is not None and end < after - 1:
            covered = float((end - start + 1) / (after - start))
        periods.append(Period(*_named(start, by), SHARES[by] * covered))
    return periods, place - first


_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})\b")
"""31.12.2026, which always has the day first; 01/02/2026 could be either and is refused."""


def _until(until: date | str | None, days: Days) -> Any:
    if until is None:
        return None
    try:
        end = np.datetime64(_day(until, "until", 0), "D")
    except InputError:
        raise InputError(f"until is a date such as 2026-03-31, got {until!r}") from None
    if days.max() > end:
        raise InputError(f"the log has rows up to {days.max()}, after until={end}; leave one out")
    return end


def _day(value: Any, what: str, row: int) -> date | None:
    try:
        if missing(value):
            return None
        value = getattr(value, "start_time", value)  # of a pandas Period
        if isinstance(value, date):  # a datetime is one, with its own time zone
            return date(value.year, value.month, value.day)
        if isinstance(value, str):
            text = value.strip()
            if with_points := _DAY_FIRST.match(text):
                day, month, year = map(int, with_points.groups())
                return date(year, month, day)
            return date.fromisoformat(text[:10] if len(text) != 7 else f"{text}-01")
    except ValueError:
        pass
    raise InputError(_rule(what, value, row))


def _rule(what: str, value: Any, row: int) -> str:
    return (
        f"{what} must be a date or time such as 2026-03-01 in every row, got {value!r} in row "
        f"{row} (counted from 0)"
    )


def _number(days: Days, by: str) -> NDArray[np.int64]:
    """Which day, week, month ... since 1970 a day is in; weeks begin on Monday."""
    if by in ("day", "week"):
        number = days.astype(np.int64)
        return number if by == "day" else (number + 3) // 7
    months = days.astype("datetime64[M]").astype(np.int64)
    return np.asarray(months // {"month": 1, "quarter": 3, "year": 12}[by])


def _start(number: int, by: str) -> Any:
    if by in ("day", "week"):
        return np.datetime64(number if by == "day" else number * 7 - 3, "D")
    months = number * {"month": 1, "quarter": 3, "year": 12}[by]
    return np.datetime64(months, "M").astype("datetime64[D]")


def _named(start: Any, by: str) -> tuple[str, str]:
    day: date = start.item()
    month = f"{day:%B} {day.year}"
    return {
        "day": (day.isoformat(), f"{day.day} {month}"),
        "week": (day.isoformat(), f"the week of {day.day} {month}"),
        "month": (day.isoformat()[:7], month),
        "quarter": (
            f"{day.year}-Q{day.month // 3 + 1}",
            f"quarter {day.month // 3 + 1} of {day.year}",
        ),
        "year": (str(day.year), str(day.year)),
    }[by]
