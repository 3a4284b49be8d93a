"""Times as exports write them: epoch numbers, ISO 8601, day-first or month-first dates."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from thinslice.domain import DAY_US, MICROSECONDS
from thinslice.errors import InputError
from thinslice.store.exports.amounts import AmountReader, as_text

EARLIEST_US = 631_152_000 * MICROSECONDS  # 1990
LATEST_US = 4_102_444_800 * MICROSECONDS  # 2100
RULE = "a time must be a date we can read between 1990 and 2100"

_EPOCH_US = {"seconds": 1e6, "milliseconds": 1e3, "microseconds": 1.0, "nanoseconds": 1e-3}
_CLOCK = (
    r"(?:(?:[Tt]|,?\s+)(?P<H>\d{1,2}):(?P<M>\d{2})(?::(?P<S>\d{2})(?:[.,](?P<f>\d{1,9}))?)?)?"
    r"\s*(?P<p>[AaPp][Mm])?\s*(?P<z>Z|z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?$"
)
_YEAR_FIRST = r"^(?P<y>\d{4})[-/.](?P<m>\d{1,2})[-/.](?P<d>\d{1,2})" + _CLOCK
_PLAIN_DATE = r"^(?P<y>(?:19|20)\d{2})(?P<m>\d{2})(?P<d>\d{2})" + _CLOCK
_DAY_FIRST = r"^(?P<d>\d{1,2})[-/.](?P<m>\d{1,2})[-/.](?P<y>\d{4})" + _CLOCK
_MONTH_FIRST = r"^(?P<m>\d{1,2})[-/.](?P<d>\d{1,2})[-/.](?P<y>\d{4})" + _CLOCK
_SHAPES = {
    "year-first dates": _YEAR_FIRST,
    "dates without separators": _PLAIN_DATE,
    "day-first dates": _DAY_FIRST,
    "month-first dates": _MONTH_FIRST,
}

Micros = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class TimeReader:
    """Reads a column of times into int64 microseconds UTC.

    `form` is one of the epoch units, one of the date shapes, or "timestamps" for typed columns.
    Times without a zone are in `time_zone`. `unsure` says that day and month could be swapped.
    """

    form: str
    time_zone: str
    unsure: bool = False

    @classmethod
    def of(cls, sample: Any, time_zone: str) -> TimeReader | None:
        """The reader for a column of which some cells are given, None if they are no times."""
        _check_zone(time_zone)
        if _is_typed(sample.type):
            return cls("timestamps", time_zone)
        text = as_text(sample).drop_null()
        if not len(text):
            return None
        shapes = {n: _share(text, shape) for n, shape in _SHAPES.items()}
        best = max(shapes, key=lambda name: shapes[name])
        if shapes[best] >= 0.5:
            return cls(*_day_or_month(text, best, time_zone))
        unit = _epoch_unit(text)
        return cls(unit, time_zone) if unit else None

    @property
    def note(self) -> str:
        """How the times are read, as a sentence."""
        zone = "" if self.form in _EPOCH_US else f"; those without a zone are in {self.time_zone}"
        doubt = ", though they could be month-first as well" if self.unsure else ""
        return f"Times are read as {self.form}{doubt}{zone}."

    def settled(self, values: Any) -> TimeReader:
        """The reader once more cells are seen, which may tell the day from the month."""
        if not self.unsure:
            return self
        text = as_text(values).drop_null()
        form, _, unsure = _day_or_month(text, self.form, self.time_zone)
        return replace(self, form=form, unsure=unsure)

    def read(self, values: Any) -> tuple[Micros, Mask]:
        """The times in microseconds and whether each could be read; unreadable ones are 0."""
        if _is_typed(values.type):
            time_us, good = _from_typed(values, self.time_zone)
        elif self.form in _EPOCH_US:
            time_us, good = _from_epoch(as_text(values), _EPOCH_US[self.form])
        else:
            time_us, good = self._from_dates(as_text(values))
        good = good & (time_us >= EARLIEST_US) & (time_us < LATEST_US)
        return np.where(good, time_us, 0), good

    def _from_dates(self, text: pa.Array) -> tuple[Micros, Mask]:
        if self.form == "year-first dates":
            quick = _from_clean_iso(text, self.time_zone)
            if quick is not None:
                return quick
        return _from_shape(text, _SHAPES[self.form], self.time_zone)


def _is_typed(kind: pa.DataType) -> bool:
    return bool(pa.types.is_timestamp(kind) or pa.types.is_date(kind))


def _check_zone(time_zone: str) -> None:
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise InputError(
            f"a time zone must be a name such as Europe/Berlin or UTC, got {time_zone!r}"
        ) from error


def _share(text: pa.Array, pattern: str) -> float:
    return (pc.sum(pc.match_substring_regex(text, pattern)).as_py() or 0) / len(text)


def _day_or_month(text: pa.Array, shape: str, time_zone: str) -> tuple[str, str, bool]:
    if shape not in {"day-first dates", "month-first dates"}:
        return shape, time_zone, False
    parts = pc.extract_regex(text, _DAY_FIRST).drop_null()
    first, second = (pc.max(parts.field(i).cast(pa.int32())).as_py() or 0 for i in (0, 1))
    if second > 12 >= first:
        return "month-first dates", time_zone, False
    return "day-first dates", time_zone, first <= 12


def _epoch_unit(text: pa.Array) -> str | None:
    numbers, readable = AmountReader().read(text)
    if readable.mean() < 0.5:
        return None
    middle = float(np.nanmedian(numbers))
    for unit, per_us in _EPOCH_US.items():
        if EARLIEST_US <= middle * per_us < LATEST_US:
            return unit
    return None


def _from_typed(values: Any, time_zone: str) -> tuple[Micros, Mask]:
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if getattr(array.type, "tz", None) is None:
        array = array.cast(pa.timestamp("us"), safe=False)
        array = _localised(array, time_zone)
    array = array.cast(pa.timestamp("us", "UTC"), safe=False)
    return _micros(array)


def _localised(naive: pa.Array, time_zone: str) -> pa.Array:
    return pc.assume_timezone(naive, time_zone, ambiguous="earliest", nonexistent="latest")


def _micros(array: pa.Array) -> tuple[Micros, Mask]:
    good = np.asarray(array.is_valid())
    return pc.fill_null(array.cast(pa.int64()), 0).to_numpy(zero_copy_only=False), good


def _from_epoch(text: pa.Array, per_us: float) -> tuple[Micros, Mask]:
    numbers, _ = AmountReader().read(text)
    with np.errstate(over="ignore"):
        floats_us = numbers * per_us
    good = (floats_us >= EARLIEST_US) & (floats_us < LATEST_US)  # others may exceed 64 bits
    time_us = np.rint(np.where(good, floats_us, 0)).astype(np.int64)
    if per_us <= 1.0:  # too many digits for a float
        whole, found = _micros(_whole_numbers(text))
        time_us = np.where(found, whole // round(1 / per_us), time_us)
    return time_us, good


def _whole_numbers(text: pa.Array) -> pa.Array:
    """The whole numbers of 64 bits, null for all that is anything else."""
    try:
        return text.cast(pa.int64())
    except pa.ArrowInvalid:
        whole = pc.match_substring_regex(text, r"^[0-8]?\d{1,18}$")
        return pc.if_else(whole, text, pa.scalar(None, pa.string())).cast(pa.int64())


def _from_clean_iso(text: pa.Array, time_zone: str) -> tuple[Micros, Mask] | None:
    """A column of one form only, by Arrow's parser; None where a cell has another form."""
    suffix = (text[0].as_py() or "")[-4:] if len(text) else ""
    if suffix == " UTC":
        if not pc.all(pc.ends_with(text, " UTC"), skip_nulls=True).as_py():
            return None
        text = pc.replace_substring(text, " UTC", "Z")
    try:
        return _micros(text.cast(pa.timestamp("us", "UTC")))
    except pa.ArrowInvalid:
        pass
    try:
        return _micros(_localised(text.cast(pa.timestamp("us")), time_zone))
    except pa.ArrowInvalid:
        return None


def _from_shape(text: pa.Array, shape: str, time_zone: str) -> tuple[Micros, Mask]:
    parts = pc.extract_regex(text, shape)
    found = np.asarray(parts.is_valid())
    names = {parts.type.field(i).name: i for i in range(parts.type.num_fields)}
    part = {n: pc.fill_null(parts.field(i), "") for n, i in names.items()}
    year, month, day, hour, minute, second = (_number(part[n]) for n in "ymdHMS")
    month_start = (year - 1970) * 12 + month - 1
    days = month_start.astype("datetime64[M]").astype("datetime64[D]") + (day - 1)
    right = found & (days.astype("datetime64[M]").astype(np.int64) == month_start)
    hour, hour_right = _half_days(hour, part["p"])
    right &= (month >= 1) & (month <= 12) & hour_right & (minute < 60) & (second < 61)
    fraction = _number(pc.utf8_slice_codeunits(pc.utf8_rpad(part["f"], 6, "0"), 0, 6))
    clock_us = (hour * 3600 + minute * 60 + second) * MICROSECONDS + fraction
    local_us = np.where(right, days.astype(np.int64) * DAY_US + clock_us, 0)
    return _to_utc(local_us, part["z"], time_zone), right


def _number(text: pa.Array) -> Micros:
    filled = pc.if_else(pc.equal(text, ""), "0", text)
    return filled.cast(pa.int64()).to_numpy(zero_copy_only=False)


def _half_days(hour: Micros, half: pa.Array) -> tuple[Micros, Mask]:
    half = pc.utf8_lower(half)
    named = np.asarray(pc.not_equal(half, ""))
    afternoon = np.asarray(pc.equal(half, "pm"))
    right = np.where(named, (hour >= 1) & (hour <= 12), hour < 24)
    return np.where(named, hour % 12 + 12 * afternoon, hour), right


def _to_utc(local_us: Micros, zone: pa.Array, time_zone: str) -> Micros:
    naive = np.asarray(pc.equal(zone, ""))
    sign = np.where(np.asarray(pc.starts_with(zone, "-")), -1, 1)
    digits = pc.replace_substring_regex(zone, r"[^0-9]", "")
    offset = _number(pc.utf8_slice_codeunits(pc.utf8_rpad(digits, 4, "0"), 0, 4))
    offset_us = sign * (offset // 100 * 60 + offset % 100) * 60 * MICROSECONDS
    localised = _localised(pa.array(local_us).cast(pa.timestamp("us")), time_zone)
    in_zone = localised.cast(pa.int64()).to_numpy(zero_copy_only=False)
    return np.where(naive, in_zone, local_us - offset_us)
