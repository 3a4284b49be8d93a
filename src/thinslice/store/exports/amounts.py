"""Numbers as shops write them: 1234.5, 1.234,50 €, $1,234.50, NaN; and cells as clean text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

MISSING = (
    *("", "nan", "NaN", "NAN", "null", "NULL", "Null"),
    *("None", "none", "\\N", "(not set)", "<NA>"),
)
_NUMBER = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
_ORNAMENT = r"(?i)[\s'’\x{00a0}\x{202f}€$£¥₹₽₺]|\b[a-z]{3}\b|kr\.?$|zł$"
_DECIMAL_COMMA = r"^[^.]*,\d{1,2}\D*$|\.\d{3},\d+\D*$"


def as_text(values: Any) -> pa.Array:
    """Cells of any type as trimmed strings, null where nothing is known.

    Whole floats lose their ".0", which dataframes add to numbers with gaps.
    """
    array = values.combine_chunks() if isinstance(values, pa.ChunkedArray) else values
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_floating(array.type):
        array = _float_text(array)
    elif pa.types.is_nested(array.type):
        array = _nested_text(array)
    elif pa.types.is_binary(array.type) or pa.types.is_large_binary(array.type):
        array = _decoded(array)
    if array.type != pa.string():
        array = array.cast(pa.string())
    array = pc.utf8_trim_whitespace(array)
    return pc.if_else(pc.is_in(array, pa.array(MISSING)), pa.scalar(None, pa.string()), array)


def _float_text(array: pa.Array) -> pa.Array:
    array = pc.if_else(pc.is_finite(array), array, pa.scalar(None, array.type))
    text = array.cast(pa.string())
    return pc.replace_substring_regex(text, r"\.0$", "")


def _decoded(array: pa.Array) -> pa.Array:
    """Text that was stored as bytes, as some writers of Parquet do."""
    texts = (None if v is None else v.decode(errors="replace") for v in array.to_pylist())
    return pa.array(texts, pa.string())


def _nested_text(array: pa.Array) -> pa.Array:
    import msgspec

    encoded = (None if v is None else msgspec.json.encode(v).decode() for v in array.to_pylist())
    return pa.array(encoded, pa.string())


@dataclass(frozen=True, slots=True)
class AmountReader:
    """Reads numbers; `decimal_comma` decides what 1.234 means, other forms explain themselves."""

    decimal_comma: bool = False

    @classmethod
    def of(cls, sample: pa.Array) -> AmountReader:
        """The reader for a column of which some text cells are given."""
        text = as_text(sample)
        commas = pc.sum(pc.match_substring_regex(text, _DECIMAL_COMMA)).as_py() or 0
        points = pc.sum(pc.match_substring_regex(text, r"\.\d{1,2}\D*$")).as_py() or 0
        return cls(decimal_comma=commas > points)

    def read(self, text: pa.Array) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
        """The numbers, NaN where missing or unreadable, and whether each is readable or missing."""
        try:
            numbers = text.cast(pa.float64())
            readable = np.ones(len(text), bool)
        except pa.ArrowInvalid:
            plain = self._plain(text)
            matches = pc.fill_null(pc.match_substring_regex(plain, _NUMBER), False)
            numbers = pc.if_else(matches, plain, pa.scalar(None, pa.string())).cast(pa.float64())
            readable = np.asarray(pc.or_(matches, pc.is_null(text)))
        found = pc.fill_null(numbers, np.nan).to_numpy(zero_copy_only=False)
        infinite = np.isinf(found)
        return np.where(infinite, np.nan, found), readable & ~infinite

    def _plain(self, text: pa.Array) -> pa.Array:
        bare = pc.replace_substring_regex(text, _ORNAMENT, "")
        ends_in_comma = pc.match_substring_regex(bare, r",\d{1,2}$|\.\d{3},\d+$")
        ends_in_point = pc.match_substring_regex(bare, r"\.\d{1,2}$|,\d{3}\.\d+$")
        comma = pc.or_(ends_in_comma, pc.and_(self.decimal_comma, pc.invert(ends_in_point)))
        with_comma = pc.replace_substring(pc.replace_substring(bare, ".", ""), ",", ".")
        return pc.if_else(comma, with_comma, pc.replace_substring(bare, ",", ""))
