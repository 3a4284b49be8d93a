"""Is this title of a kind that was never learned? What the title shows in; how strange it is out.

A kind that nobody taught reads like its nearest neighbour, and confidence alone does not tell. So
whole classes are left out while learning (`held_out.py`), and what their titles show is set against
what titles of known kinds show. Four signs, each measured by what is usual for the class that is
answered, since a class whose titles share a noun is told more surely than one of odds and ends:

    score   of the likeliest class
    known   share of the title's weight that was met while learning
    words   how many there are
    last    what the last word, which often names the thing, says for any other class

    strangeness = w . (z, z_words^2, z_last^2) + w_0,    a logistic regression

A title is taken over where its confidence clears the bar and its strangeness stays below a limit.
Both are set together: of what is taken over, the titles of unknown kinds included that a shop must
expect, the precision that is asked for is right. Kinds left out are still of the same shop: a title
that is less familiar than nearly all held-out ones, or has no known word at all, is foreign, and
never taken over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.models.calibration import bar_for_precision

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Ints = NDArray[np.integer]
    Bools = NDArray[np.bool_]

SIGNS = 4
FURTHEST = 3.0
"""Spreads from what is usual beyond which a sign says no more."""

UNTIL_LEARNED = 12
"""Titles of a new kind that come before it is learned."""

MOST_UNKNOWN = 0.05
LEAST_BAR = 0.5
"""An answer that is rather wrong than right is never taken over, however good the others are."""

STRANGE = 0.005
"""Share of held-out titles that are less familiar than what counts as foreign."""

WORDLESS = 0.01
"""Share of held-out titles without a known word below which such a title is foreign."""

NO_LIMIT = 1e9
_FOREIGN = 1e10
_LEAST_DISTANCE = 7.0
_FAMILIAR = [4, 1, 0]
_LEAST_FAMILIAR_SPREAD = (0.1, 0.1, 0.5)
_LEAST_SPREAD = (0.1, 0.1, 0.5, 0.1)
"""Titles made to one pattern spread little, and another wording is no other kind of product."""

_SHRUNK = 20.0
_FEWEST = 30
_WITHOUT = (-1.0, -1.0, 0.0, 0.0, 0.0, 0.0, 0.0)
_LIMITS = np.r_[0, 0.0025, np.arange(0.005, 0.1, 0.005), np.arange(0.1, 0.41, 0.02)]


def unknown_share(classes: int, titles: int) -> float:
    """The share of titles that must be expected to be of kinds that are not known yet.

    Every kind of the catalogue was new once, and some twelve of its titles came before it could be
    learned: so many of all titles, and at most one in twenty.
    """
    return min(MOST_UNKNOWN, UNTIL_LEARNED * classes / max(titles, 1))


@dataclass(frozen=True, eq=False)
class Novelty:
    """How strangeness is told, in three arrays.

    `usual` (2, classes, signs): the middle and one over the spread of each sign. `weights` (7,):
    of the signs, of two squares, and the constant. `foreign` (5,): the weights of known words,
    known features and score, what they add up to at least in a title that is not foreign, and the
    least share of known words.
    """

    usual: NDArray[np.float32]
    weights: NDArray[np.float32]
    foreign: NDArray[np.float32]

    @classmethod
    def learn(
        cls,
        known: Floats,
        answered: Ints,
        hit: Bools,
        unknown: Floats,
        answered_unknown: Ints,
        n: int,
    ) -> Novelty:
        """From what held-out titles show, and those whose class was left out, (titles, 5) as of
        `kernels.py`; `answered` are the classes they were taken for, of `n`."""
        usual, foreign = _usual(known[hit][:, :SIGNS], answered[hit], n), _foreign(known)
        without = cls(usual, np.array(_WITHOUT, np.float32), foreign)
        if min(hit.sum(), len(unknown)) < _FEWEST:
            return without
        from sklearn.linear_model import LogisticRegression

        seen = np.vstack(
            [without.terms(known[hit], answered[hit]), without.terms(unknown, answered_unknown)]
        )
        is_unknown = np.r_[np.zeros(int(hit.sum()), int), np.ones(len(unknown), int)]
        model = LogisticRegression(C=1.0, max_iter=500).fit(seen, is_unknown)
        weights = np.r_[model.coef_[0], model.intercept_].astype(np.float32)
        return cls(usual, weights, foreign)

    def of(self, shown: Floats, answered: Ints) -> NDArray[np.float64]:
        """The strangeness of titles, as the compiled loop has it; beyond all limits if foreign."""
        strangeness = self.terms(shown, answered) @ self.weights[:-1] + self.weights[-1]
        foreign = shown[:, _FAMILIAR] @ self.foreign[:3] < self.foreign[3]
        foreign |= (shown[:, 4] < self.foreign[4]) | (shown[:, 1] <= 0)
        return np.where(foreign, _FOREIGN, strangeness)

    def terms(self, signs: Floats, answered: Ints) -> NDArray[np.float64]:
        """(titles, 6): the signs by what is usual for the class, and the squares of two."""
        middle, inverse = self.usual[0][answered], self.usual[1][answered]
        z = np.clip((signs[:, :SIGNS] - middle) * inverse, -FURTHEST, FURTHEST).astype(float)
        return np.hstack([z, z[:, 2:] ** 2])


def _usual(signs: Floats, answered: Ints, n: int) -> NDArray[np.float32]:
    """Middle and one over the spread by class, small classes drawn towards all of them together."""
    least = np.array(_LEAST_SPREAD)
    if len(signs) == 0:
        return np.stack([np.zeros((n, SIGNS)), np.ones((n, SIGNS)) / least]).astype(np.float32)
    middle_of_all, square_of_all = signs.mean(axis=0), signs.var(axis=0)
    count = np.bincount(answered, minlength=n)[:, None]
    total, squares = np.zeros((n, SIGNS)), np.zeros((n, SIGNS))
    np.add.at(total, answered, signs)
    middle = (total + _SHRUNK * middle_of_all) / (count + _SHRUNK)
    np.add.at(squares, answered, (signs - middle[answered]) ** 2)
    spread = np.sqrt((squares + _SHRUNK * square_of_all) / (count + _SHRUNK))
    return np.stack([middle, 1 / np.maximum(spread, least)]).astype(np.float32)


def _foreign(shown: Floats) -> NDArray[np.float32]:
    """What tells a foreign title: known words, known features and score, each by its spread, and
    what nearly all held-out titles reach. In a language that does not part its words, where
    held-out titles often have no known one, none is needed."""
    signs = shown[:, _FAMILIAR]
    weights = 1 / np.maximum(signs.std(axis=0), _LEAST_FAMILIAR_SPREAD)
    familiar = signs @ weights
    least = min(np.quantile(familiar, STRANGE), familiar.mean() - _LEAST_DISTANCE)
    least_words = 0.0 if np.mean(shown[:, 4] <= 0) >= WORDLESS else 1e-6
    return np.r_[weights, least, least_words].astype(np.float32)


@dataclass(frozen=True, eq=False)
class Answers:
    """What was answered while learning, from which the limits are set.

    Of titles of known kinds `confidence`, `hit`, `novelty` (their strangeness) and the class
    `answered`, each (n,); of those whose kind was left out the same without `hit`, each (m,).
    """

    confidence: Floats
    hit: Bools
    novelty: Floats
    answered: Ints
    unknown_confidence: Floats
    unknown_novelty: Floats
    unknown_answered: Ints

    def first(self, n: int) -> Answers:
        """At most n of either."""
        return Answers(**{name: values[:n] for name, values in vars(self).items()})

    def to_dict(self) -> dict[str, Any]:
        return {
            name: values.round(5) if values.dtype.kind == "f" else values
            for name, values in vars(self).items()
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Answers:
        kinds = {"hit": bool, "answered": np.int64, "unknown_answered": np.int64}
        names = cls.__dataclass_fields__
        return cls(**{n: np.asarray(values[n], kinds.get(n, np.float64)) for n in names})

    def limits(self) -> Floats:
        """Strangenesses worth trying as the limit: none, and those that cost some known titles."""
        if len(self.novelty) == 0:
            return np.array([NO_LIMIT])
        return np.r_[NO_LIMIT, np.minimum(np.quantile(self.novelty, 1 - _LIMITS), NO_LIMIT)]


def limits_for_precision(said: Answers, precision: float, share: float) -> tuple[float, float]:
    """(bar, limit of strangeness) with which most titles of known kinds are taken over, while of
    all that is taken over, with this `share` of titles of unknown kinds, the precision is right."""
    best = (0.0, 1.01, float(said.limits()[0]))
    for limit in said.limits().tolist():
        known, unknown = said.novelty <= limit, said.unknown_novelty <= limit
        bar = max(LEAST_BAR, _bar(said, known, unknown, share, precision))
        accepted = float((said.confidence[known] >= bar).sum())
        if accepted >= best[0]:  # of equal ones the strictest
            best = (accepted, bar, limit)
    return best[1], _half_way(said, best[2])


def _half_way(said: Answers, limit: float) -> float:
    """The limit in the middle between the titles on either side of it: where few titles were seen,
    the next one of a known kind may be a little stranger than they."""
    beyond = np.r_[said.novelty, said.unknown_novelty]
    beyond = beyond[(beyond > limit) & (beyond < NO_LIMIT)]
    return float((limit + beyond.min()) / 2) if len(beyond) else limit


def _bar(said: Answers, known: Bools, unknown: Bools, share: float, precision: float) -> float:
    """The bar for titles of known and of unknown kinds together."""
    each_known = (1 - share) / max(len(known), 1)
    each_unknown = share / max(len(unknown), 1)
    return bar_for_precision(
        np.r_[said.confidence[known], said.unknown_confidence[unknown]],
        np.r_[said.hit[known], np.zeros(int(unknown.sum()), bool)],
        precision,
        np.r_[np.full(int(known.sum()), each_known), np.full(int(unknown.sum()), each_unknown)],
    )


def limit_for_cost(said: Answers, bar: Floats, wrong: Floats, look: float, share: float) -> float:
    """The limit of strangeness that costs least: `bar` and the cost of a `wrong` answer by class,
    a `look` wherever a person is asked."""
    costs = []
    for limit in said.limits().tolist():
        known = (said.novelty <= limit) & (said.confidence >= bar[said.answered])
        unknown = said.unknown_novelty <= limit
        unknown &= said.unknown_confidence >= bar[said.unknown_answered]
        of_known = np.where(known, np.where(said.hit, 0.0, wrong[said.answered]), look)
        of_unknown = np.where(unknown, wrong[said.unknown_answered], look)
        mean = of_unknown.mean() if len(of_unknown) else 0.0
        costs.append((1 - share) * of_known.mean() + share * mean)
    return _half_way(said, float(said.limits()[int(np.argmin(costs))]))
