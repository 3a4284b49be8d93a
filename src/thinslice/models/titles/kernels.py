"""The compiled loops of the title classifier: look up, gather, add up, decide.

Only the rows of features that a title has are touched: a title of seven words has some ninety of
them, whatever the vocabulary. `classifier.py` says what the arrays are.
"""

from __future__ import annotations

from typing import Any

import numba
import numpy as np

from thinslice.models.titles.features import PER_CHARACTER, find_features

ACCEPTED, BROAD, UNSURE, UNKNOWN, NO_WORDS = range(5)
"""What is said of a title, in the order of how much is known."""

SHOWN = 5
"""What a title shows: the four signs of `novelty.py`, and the share of its words that are known."""


@numba.njit(cache=True)
def fill_table(hashes: Any, keys: Any, rows: Any) -> None:
    """Place the hash of every row in an open-addressed table; 0 marks a free place."""
    mask = len(keys) - 1
    for row in range(len(hashes)):
        place = hashes[row] & mask
        while keys[place] != 0:
            place = (place + 1) & mask
        keys[place] = hashes[row]
        rows[place] = row


@numba.njit(cache=True, nogil=True)
def score_all(
    letters: Any, offsets: Any, keys: Any, rows: Any, idf: Any, scales: Any, weights: Any,
    intercepts: Any, rarest: float, scores: Any, shown: Any,
) -> None:  # fmt: skip
    """The score of every class for every title, and what each title shows, (n, SHOWN)."""
    found, words, places = _scratch(offsets)
    known, last = np.empty(2, np.float32), np.empty(len(intercepts), np.float32)
    for title in range(len(offsets) - 1):
        start, end = offsets[title], offsets[title + 1]
        n, length = _score(
            letters, start, end, keys, rows, idf, scales, weights, intercepts, rarest,
            found, words, places, scores[title], known,
        )  # fmt: skip
        first = np.argmax(scores[title])
        shown[title, 0] = scores[title, first]
        _look(n, length, words, places, idf, scales, weights, first, known, last, shown[title])


@numba.njit(cache=True, nogil=True)
def classify_all(
    letters: Any, offsets: Any, keys: Any, rows: Any, idf: Any, scales: Any, weights: Any,
    intercepts: Any, rarest: float, temperature: float, knots: Any, parents: Any, depths: Any,
    class_nodes: Any, bars: Any, usual: Any, strangeness: Any, foreign: Any,
    strange: float,
    best: Any, chances: Any, nodes: Any, confidences: Any, verdicts: Any, margins: Any,
    spoke: Any, n_words: Any,
) -> None:  # fmt: skip
    """Everything that is answered about each title.

    Filled in per title: the three `best` classes with their calibrated `chances` (n, 3); the node
    that is the answer, its confidence and the verdict (n,); the score of the best class `margins`
    (n,); and from `spoke[offsets[i]]` on what each of its `n_words[i]` words added to that score.
    """
    found, words, places = _scratch(offsets)
    scores = np.empty(len(intercepts), np.float32)
    sums = np.empty(len(parents), np.float32)
    last = np.empty(len(intercepts), np.float32)
    known, shown = np.empty(2, np.float32), np.empty(SHOWN, np.float32)
    for title in range(len(offsets) - 1):
        start, end = offsets[title], offsets[title + 1]
        n, length = _score(
            letters, start, end, keys, rows, idf, scales, weights, intercepts, rarest,
            found, words, places, scores, known,
        )  # fmt: skip
        _best_three(scores, best[title])
        first = best[title, 0]
        top_score = scores[first]
        margins[title] = top_score
        shown[0] = top_score
        _look(n, length, words, places, idf, scales, weights, first, known, last, shown)
        count = int(shown[2])
        n_words[title] = count
        for word in range(count):
            spoke[start + word] = 0.0
        for i in range(n):
            if places[i] >= 0:
                value = idf[places[i]] * scales[places[i]] / length
                spoke[start + words[i]] += value * weights[places[i], first]
        _chances(scores, temperature, first)
        top = scores[first]
        confidence = _interpolated(knots, 0, top)
        chances[title, 0] = confidence
        for place in range(1, 3):
            other = best[title, place]
            rest = (1.0 - confidence) / max(1.0 - top, 1e-9)
            chances[title, place] = min(confidence, scores[other] * rest) if other >= 0 else 0.0
        verdict = UNSURE
        node = class_nodes[first]
        if count == 0:
            verdict = NO_WORDS
            confidence = 0.0
        elif (
            _is_foreign(shown, foreign) or _strangeness(shown, usual, strangeness, first) > strange
        ):
            verdict = UNKNOWN
        elif confidence >= bars[node]:
            verdict = ACCEPTED
        else:
            broad, sure = _broader(scores, sums, parents, depths, class_nodes, bars, knots, node)
            if broad >= 0:
                verdict, node, confidence = BROAD, broad, sure
        nodes[title] = node
        confidences[title] = confidence
        verdicts[title] = verdict


@numba.njit(cache=True, nogil=True)
def _look(
    n: int, length: float, words: Any, places: Any, idf: Any, scales: Any, weights: Any, first: int,
    known: Any, last: Any, shown: Any,
) -> None:  # fmt: skip
    """What a title shows, but for the score of the class `first`, which stands there already."""
    count = words[n - 1] + 1 if n else 0
    last[:] = 0.0
    for i in range(n - 1, -1, -1):
        if words[i] != count - 1:
            break
        if places[i] >= 0:
            value = idf[places[i]] * scales[places[i]] / length
            weight = weights[places[i]]
            for c in range(len(last)):
                last[c] += value * weight[c]
    for_another = np.float32(-9.0)
    for c in range(len(last)):
        if c != first and last[c] > for_another:
            for_another = last[c]
    shown[1] = known[1]
    shown[2] = count
    shown[3] = for_another
    shown[4] = known[0]


@numba.njit(cache=True, nogil=True)
def _is_foreign(shown: Any, foreign: Any) -> bool:
    """Whether a title is like none of the catalogue at all."""
    familiar = shown[4] * foreign[0] + shown[1] * foreign[1] + shown[0] * foreign[2]
    return bool(familiar < foreign[3] or shown[4] < foreign[4] or shown[1] <= 0.0)


@numba.njit(cache=True, nogil=True)
def _strangeness(shown: Any, usual: Any, weights: Any, first: int) -> float:
    """How unlike titles of known kinds: a logistic score, as of `novelty.py`."""
    total = weights[6]
    for sign in range(4):
        z = (shown[sign] - usual[0, first, sign]) * usual[1, first, sign]
        z = min(max(z, -3.0), 3.0)
        total += weights[sign] * z
        if sign >= 2:
            total += weights[sign + 2] * z * z
    return total


@numba.njit(cache=True, nogil=True)
def _scratch(offsets: Any) -> Any:
    longest = 0
    for title in range(len(offsets) - 1):
        longest = max(longest, offsets[title + 1] - offsets[title])
    size = longest * PER_CHARACTER + 8
    return np.empty(size, np.uint32), np.empty(size, np.int32), np.empty(size, np.int32)


@numba.njit(cache=True, nogil=True)
def _score(
    letters: Any, start: int, end: int, keys: Any, rows: Any, idf: Any, scales: Any, weights: Any,
    intercepts: Any, rarest: float, found: Any, words: Any, places: Any, scores: Any, known: Any,
) -> Any:  # fmt: skip
    """Score one title; return how many features it has and the length of its vector.

    Afterwards `places[i]` is the row of feature i, -1 where it is unknown or was met before.
    """
    n = find_features(letters, start, end, found, words)
    mask = len(keys) - 1
    squares, unknown, n_words, n_known, word_before = 0.0, 0.0, 0, 0, -1
    for i in range(n):
        place = found[i] & mask
        while keys[place] != 0 and keys[place] != found[i]:
            place = (place + 1) & mask
        row = rows[place] if keys[place] != 0 else -1
        if words[i] != word_before:  # the first feature of a word is the word itself
            word_before = words[i]
            n_words += 1
            n_known += row >= 0
        unknown += rarest * rarest if row < 0 else 0.0
        places[i] = row
    _forget_repeats(places, found, n)
    for i in range(n):
        if places[i] >= 0:
            squares += idf[places[i]] * idf[places[i]]
    length = np.float32(np.sqrt(squares)) if squares > 0.0 else np.float32(1.0)
    scores[:] = intercepts
    for i in range(n):
        if places[i] >= 0:
            value = np.float32(idf[places[i]] * scales[places[i]] / length)
            weight = weights[places[i]]
            for c in range(len(scores)):
                scores[c] += value * np.float32(weight[c])
    known[0] = n_known / n_words if n_words else 0.0
    known[1] = squares / max(squares + unknown, 1e-9)
    return n, length


@numba.njit(cache=True, nogil=True)
def _forget_repeats(places: Any, found: Any, n: int) -> None:
    """A feature counts once, where it was met first."""
    size = 16
    while size < 2 * n:
        size *= 2
    met = np.zeros(size, np.int32)
    for i in range(n):
        if places[i] < 0:
            continue
        at = found[i] & (size - 1)
        while met[at] != 0 and met[at] != places[i] + 1:
            at = (at + 1) & (size - 1)
        if met[at] != 0:
            places[i] = -1
        else:
            met[at] = places[i] + 1


@numba.njit(cache=True, nogil=True)
def _best_three(scores: Any, best: Any) -> None:
    """The classes with the highest scores, the first of equal ones; -1 where there are fewer."""
    best[:] = -1
    for c in range(len(scores)):
        if best[2] >= 0 and scores[c] <= scores[best[2]]:
            continue
        if best[0] < 0 or scores[c] > scores[best[0]]:
            best[2], best[1], best[0] = best[1], best[0], c
        elif best[1] < 0 or scores[c] > scores[best[1]]:
            best[2], best[1] = best[1], c
        else:
            best[2] = c


@numba.njit(cache=True, nogil=True)
def _chances(scores: Any, temperature: float, first: int) -> None:
    """Scores become chances that add up to 1: softmax(scores * temperature)."""
    highest, total = scores[first], 0.0
    for c in range(len(scores)):
        scores[c] = np.exp((scores[c] - highest) * temperature)
        total += scores[c]
    for c in range(len(scores)):
        scores[c] /= total


@numba.njit(cache=True, nogil=True)
def _interpolated(knots: Any, level: int, chance: float) -> float:
    """The calibrated confidence of a chance: straight lines between the knots of its level."""
    at, values = knots[level, 0], knots[level, 1]
    i = np.searchsorted(at, chance)
    if i == 0:
        return values[0]
    if i == len(at) or at[i] <= at[i - 1]:
        return values[min(i, len(at) - 1)]
    share = (chance - at[i - 1]) / (at[i] - at[i - 1])
    return values[i - 1] + share * (values[i] - values[i - 1])


@numba.njit(cache=True, nogil=True)
def _broader(
    chances: Any, sums: Any, parents: Any, depths: Any, class_nodes: Any, bars: Any, knots: Any,
    node: int,
) -> Any:  # fmt: skip
    """The deepest node above the classes whose confidence clears its bar, -1 where none does."""
    sums[:] = 0.0
    for c in range(len(chances)):
        at = class_nodes[c]
        while at >= 0:
            sums[at] += chances[c]
            at = parents[at]
    for depth in range(depths[node] - 1, 0, -1):
        likely = -1
        for at in range(len(parents)):
            if depths[at] == depth and (likely < 0 or sums[at] > sums[likely]):
                likely = at
        if likely >= 0:
            level = min(depth, len(knots) - 1)
            confidence = _interpolated(knots, level, sums[likely])
            if confidence >= bars[likely]:
                return likely, confidence
    return -1, 0.0
