"""Which texts have these words? A query in, rows with scores out.

Each row has a text per field (title, brand). A word counts by how rare it is (the idf of BM25) and
the fields of the row that have it, the second field adding less than the first (BM25F: Robertson,
Zaragoza & Taylor 2004, without its lengths: titles are short). A word that no text has counts for
the words that contain it, or for the one that is spelled most like it.
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

SATURATION = 1.2
"""The weight of fields at which a word counts half of what it can; BM25's k1."""

LENGTHS = 0.5
"""How much the length of a field matters, from 0 to 1, BM25's b: "Blue" before "Navy Blue"."""

ALIKE = 0.8
"""How much two spellings share at least to be taken for one word, 1 being all."""

_STOP = frozenset(
    "a an and for from in of on or the to with der die das ein eine für im mit und von de des du "
    "et la le les pour".split()
)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a query found. `words` are its words; `scores` (rows,) are 1 for a row that has all of
    them in every field, and `shares` (rows,) how much of the query it has at all, rare words
    counting more."""

    words: tuple[str, ...]
    scores: NDArray[np.float32]
    shares: NDArray[np.float32]

    def matches(self) -> NDArray[np.bool_]:
        """The rows that have more than half of the query."""
        return self.shares > 0.5


class WordIndex:
    """Texts by the words they have. Made once, then only read.

    `texts` has a text per field for every row, `weights` what each field counts. What `before` had
    is not read again.
    """

    def __init__(
        self,
        texts: Sequence[tuple[str, ...]],
        weights: Sequence[float],
        before: WordIndex | None = None,
    ) -> None:
        known = before._read if before is not None else {}
        self._read: dict[tuple[str, ...], tuple[dict[str, int], list[int]]] = {
            row: known.get(row) or _read(row) for row in set(texts)
        }
        codes: dict[str, int] = {}
        terms, rows, masks = [], [], []
        for row, text in enumerate(texts):
            for word, mask in self._read[text][0].items():
                terms.append(codes.setdefault(word, len(codes)))
                rows.append(row)
                masks.append(mask)
        order = np.argsort(np.array(terms, np.int64), kind="stable")
        self._rows = np.array(rows, np.int64)[order]
        self._masks = np.array(masks, np.int64)[order]
        counts = np.bincount(np.array(terms, np.int64), minlength=len(codes))
        self._starts = np.concatenate([[0], np.cumsum(counts)])
        self._codes = codes
        self._n = len(texts)
        lengths = np.array([self._read[text][1] for text in texts]).reshape(-1, len(weights))
        self._worth = _worth(self._masks, lengths, self._rows, np.array(weights))

    def find(self, text: str) -> Found:
        """The rows that have the words of a text; no row where it has none."""
        words = tuple(dict.fromkeys(words_of(text)))
        scores, shares, total = np.zeros(self._n, np.float32), np.zeros(self._n, np.float32), 0.0
        for word in words:
            rows, worth = self._having(word)
            df = len(rows)
            rarity = float(np.log1p((self._n - df + 0.5) / (df + 0.5)))
            scores[rows] += rarity * (0.5 + 0.5 * worth)
            shares[rows] += rarity
            total += rarity
        return Found(words, scores / (total or 1), shares / (total or 1))

    def fields(self, word: str, row: int) -> list[int]:
        """The fields of a row that have a word of a query, by their places."""
        found = 0
        for term in self._alike(word):
            place = np.searchsorted(self._of(term), row) + self._starts[term]
            if place < self._starts[term + 1] and self._rows[place] == row:
                found |= int(self._masks[place])
        return [field for field in range(found.bit_length()) if found >> field & 1]

    def _having(self, word: str) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """The rows that have a word, each once, and what their fields make of it."""
        terms = self._alike(word)
        if not terms:
            return np.empty(0, np.int64), np.empty(0, np.float32)
        spans = [slice(self._starts[term], self._starts[term + 1]) for term in terms]
        rows = np.concatenate([self._rows[span] for span in spans])
        worth = np.concatenate([self._worth[span] for span in spans])
        order = np.argsort(-worth, kind="stable")
        each, first = np.unique(rows[order], return_index=True)
        return each, worth[order][first]

    def _of(self, term: int) -> NDArray[np.int64]:
        return self._rows[self._starts[term] : self._starts[term + 1]]

    def _alike(self, word: str) -> list[int]:
        """The word itself; else the words that contain it; else the one that is spelled so."""
        if word in self._codes:
            return [self._codes[word]]
        if len(word) >= 3 and (around := [c for w, c in self._codes.items() if word in w]):
            return around
        near = [w for w in self._codes if w[:1] == word[:1] and abs(len(w) - len(word)) <= 1]
        return [self._codes[w] for w in difflib.get_close_matches(word, near, 1, ALIKE)]


def words_of(text: str) -> list[str]:
    """The words of a text as they are compared: no case, no accents, the singular of English.

    >>> words_of("The Women's Dresses, T-shirts & Gürtel")
    ['women', 'dress', 'tshirt', 'gurtel']
    """
    text = unicodedata.normalize("NFC", text).casefold().replace("ß", "ss")
    text = re.sub(r"['\u2019`]s\b", "", text)
    text = re.sub(r"\b(\w)-(?=\w\w)|\b(t) (?=shirt)", r"\1\2", text)
    return [_singular(_bare(word)) for word in re.findall(r"\w+", text) if word not in _STOP]


def _bare(word: str) -> str:
    """Without accents."""
    if word.isascii():
        return word
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c))


def _singular(word: str) -> str:
    """
    >>> [_singular(w) for w in ("shoes", "watches", "berries", "glass", "bus", "ties")]
    ['shoe', 'watch', 'berry', 'glass', 'bus', 'tie']
    """
    if len(word) > 4 and word.endswith("ies"):
        return f"{word[:-3]}y"
    if word.endswith(("sses", "shes", "ches", "xes")):
        return word[:-2]
    if len(word) > 3 and word.endswith("s") and not word.endswith(("ss", "us")):
        return word[:-1]
    return word


def _read(texts: tuple[str, ...]) -> tuple[dict[str, int], list[int]]:
    """The words of a row, each with the fields that have it as bits, and how long each field is."""
    found: dict[str, int] = {}
    fields = [words_of(text) for text in texts]
    for field, words in enumerate(fields):
        for word in words:
            found[word] = found.get(word, 0) | 1 << field
    return found, [len(words) for words in fields]


def _worth(
    masks: NDArray[np.int64],
    lengths: NDArray[np.integer],
    rows: NDArray[np.int64],
    weights: NDArray[np.float64],
) -> NDArray[np.float32]:
    """What each word of each row counts, from 0 to 1; `lengths` are (rows, fields)."""
    usual = np.maximum(lengths.sum(axis=0) / np.maximum((lengths > 0).sum(axis=0), 1), 1)
    each = weights / (1 - LENGTHS + LENGTHS * np.maximum(lengths, 1) / usual)
    has = masks[:, None] >> np.arange(len(weights)) & 1
    total = (each[rows] * has).sum(axis=1)
    most = weights.sum() / (SATURATION + weights.sum())
    return np.minimum(total / (SATURATION + total) / most, 1).astype(np.float32)
