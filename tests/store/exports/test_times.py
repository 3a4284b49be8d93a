from __future__ import annotations

import warnings

import pyarrow as pa
import pytest

from thinslice.store.exports.times import TimeReader

NOON_2024_S = 1_704_110_400


@pytest.mark.parametrize(
    ("form", "per_second"),
    [("seconds", 1), ("milliseconds", 10**3), ("microseconds", 10**6), ("nanoseconds", 10**9)],
)
@pytest.mark.parametrize(
    "odd",
    [
        "99999999999999999999",
        "9e18",
        "-9e18",
        "1e308",
        "inf",
        "nan",
        "9223372036854775808",
        "1" * 400,
    ],
)
def test_a_number_that_is_no_time_is_not_read_and_says_nothing(
    form: str, per_second: int, odd: str
) -> None:
    good = NOON_2024_S * per_second
    reader = TimeReader(form, "UTC")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        times, readable = reader.read(pa.array([str(good), odd, str(good + per_second)]))
    expected = NOON_2024_S * 1_000_000
    assert list(readable) == [True, False, True]
    assert list(times) == [expected, 0, expected + 1_000_000]
