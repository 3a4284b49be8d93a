"""What a title is made of: words, pairs of words, the last word, and the letters of each word.

A title is cleaned (`clean`), its words are found, and every feature becomes a 32-bit hash:

    word        each word by itself
    pair        each word with the one before it
    last        the last word again, since it often names the thing
    letters     every run of 2 to 4 letters of a word with a space on either side

Runs of letters carry scripts without spaces between words, inflections and misspellings. Each
feature belongs to one word (a pair to its second), so that a score can be told word by word.
"""

from __future__ import annotations

import html
import re
import unicodedata
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numba
import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

MAX_CHARACTERS = 1000
"""What of a title is looked at; the rest of a longer one is a description, not a title."""

PER_CHARACTER = 6
"""Features are fewer than this times the characters: 3 runs of letters, word, pair, last."""

_TAG = re.compile(r"<[^<>]{0,300}>")
# \w has no combining marks, without which words of Indic and South-East Asian scripts fall apart.
_WORDS = re.compile("[\\w\u0300-\u036f\u0900-\u0dff\u0e31-\u0fbc\u102b-\u109d\u17b4-\u17dd]+")


def clean(title: str) -> str:
    """The words of a title in one writing, one space between: what equal titles share.

    >>> clean("<b>Men&#39;s</b> T-Shirt_ ＸＬ 🎉")
    'men s t shirt xl'
    """
    title = title[:MAX_CHARACTERS]
    if "<" in title:
        title = _TAG.sub(" ", title)
    if "&" in title:
        title = html.unescape(title)
    if not title.isascii():
        title = unicodedata.normalize("NFKC", title)
    return " ".join(_WORDS.findall(title.casefold().replace("_", " ")))[:MAX_CHARACTERS]


def encode(cleaned: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The letters of cleaned titles on end, a space on either side of each, and where each begins.

    Shapes: (letters,) and (titles + 1,).
    """
    text = " ".join(cleaned)
    lengths = np.fromiter(map(len, cleaned), np.int64, len(cleaned))
    offsets = np.zeros(len(cleaned) + 1, np.int64)
    np.cumsum(lengths + 1, out=offsets[1:])
    letters = np.frombuffer(f" {text} ".encode("utf-32-le", "replace"), np.uint32)
    return letters, offsets


@numba.njit(cache=True, nogil=True)
def find_features(letters: Any, start: int, end: int, hashes: Any, words: Any) -> int:
    """Fill in the hash and the word of every feature of one title; return how many.

    The title is `letters[start : end + 1]`, a space first and last. Features come word by word,
    the word's own first, and may repeat.
    """
    n, word, before = 0, 0, np.uint32(0)
    space = start
    while space < end:
        stop = space + 1
        whole = np.uint32(2166136261)
        while letters[stop] != 32:
            whole = np.uint32((whole ^ letters[stop]) * np.uint32(16777619))
            stop += 1
        if stop == space + 1:
            space = stop
            continue
        whole = _mixed(whole, np.uint32(1))
        hashes[n] = whole
        words[n] = word
        n += 1
        if word > 0:
            hashes[n] = _mixed(np.uint32(before * np.uint32(31) + whole), np.uint32(2))
            words[n] = word
            n += 1
        if stop >= end:
            hashes[n] = _mixed(whole, np.uint32(3))
            words[n] = word
            n += 1
        for first in range(space, stop):
            run = np.uint32(2166136261)
            for length in range(1, 5):
                if first + length - 1 > stop:
                    break
                run = np.uint32((run ^ letters[first + length - 1]) * np.uint32(16777619))
                if length > 1:
                    hashes[n] = _mixed(run, np.uint32(8 + length))
                    words[n] = word
                    n += 1
        before = whole
        word += 1
        space = stop
    return n


@numba.njit(cache=True, inline="always")
def _mixed(value: Any, kind: Any) -> Any:
    """A 32-bit hash whose every bit depends on the value and on the kind of feature."""
    value = np.uint32(value ^ np.uint32(kind * np.uint32(0x9E3779B9)))
    value = np.uint32((value ^ (value >> np.uint32(16))) * np.uint32(0x85EBCA6B))
    value = np.uint32((value ^ (value >> np.uint32(13))) * np.uint32(0xC2B2AE35))
    value = np.uint32(value ^ (value >> np.uint32(16)))
    return value if value != 0 else np.uint32(1)


@numba.njit(cache=True, nogil=True)
def find_all(letters: Any, offsets: Any, hashes: Any, counts: Any) -> int:
    """The distinct features of many titles, on end; return how many in all."""
    n_titles = len(offsets) - 1
    longest = 0
    for title in range(n_titles):
        longest = max(longest, offsets[title + 1] - offsets[title])
    found = np.empty(longest * PER_CHARACTER + 8, np.uint32)
    words = np.empty(longest * PER_CHARACTER + 8, np.int32)
    total = 0
    for title in range(n_titles):
        n = find_features(letters, offsets[title], offsets[title + 1], found, words)
        found[:n].sort()
        start = total
        for i in range(n):
            if i == 0 or found[i] != found[i - 1]:
                hashes[total] = found[i]
                total += 1
        counts[title] = total - start
    return total


def features_of(cleaned: Sequence[str]) -> tuple[NDArray[np.uint32], NDArray[np.int64]]:
    """The distinct features of each cleaned title, on end, and where each title's begin."""
    letters, offsets = encode(cleaned)
    hashes = np.empty(len(letters) * PER_CHARACTER + 8, np.uint32)
    counts = np.zeros(len(cleaned), np.int64)
    total = find_all(letters, offsets, hashes, counts)
    starts = np.zeros(len(cleaned) + 1, np.int64)
    np.cumsum(counts, out=starts[1:])
    return hashes[:total].copy(), starts
