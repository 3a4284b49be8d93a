"""What acting causes, from rows of which some were acted on at random: uplift profit."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError, NotEnoughDataError
from thinslice.profit.payoff.priced import Priced
from thinslice.profit.rows.labels import missing
from thinslice.profit.uncertainty import Sums

FEWEST_TREATED = 20
"""Rows acted on, and rows left alone, that an effect is read from."""

NOT_RANDOM = 4.0
"""Standard errors: by luck, one random split in 16,000 differs so much in its scores."""


@dataclass(frozen=True, eq=False)
class Incremental(Priced):
    """Rows whose money under either decision is estimated from those `treated` (n,) at random.

    A row shows what it is worth under one decision only. For the other stands the mean m_d of the
    rows with that decision, corrected where it can be seen: m_d + 1[treated = d] / p_d (w - m_d),
    with w the row's money and p_d the share of rows with decision d. Sums of it over any choice of
    rows are unbiased whatever m_d is (Dudik, Langford and Li 2011, the doubly robust estimate).
    """

    treated: NDArray[np.int64]

    actual: ClassVar[bool] = False

    @classmethod
    def of_random(
        cls, priced: Priced, y: NDArray[np.int64], treatment: NDArray[Any]
    ) -> Incremental:
        """Raises `InputError` or `NotEnoughDataError` where no effect can be read."""
        if priced.payoff.classes > 2:
            raise InputError("treatment is for two classes; compare more with one plan for each")
        treated = _zero_or_one(treatment)
        for decision, words in ((1, "treated"), (0, "left alone")):
            rows = int((treated == decision).sum())
            if rows < FEWEST_TREATED:
                raise NotEnoughDataError(
                    f"only {rows} rows were {words}, and at least {FEWEST_TREATED} are needed to "
                    "see what acting causes"
                )
        (_, fn) = (row[0] for row in priced.payoff.cells)
        if fn.constant and not fn.uncertain and not fn.mean and ((y == 1) & (treated == 0)).any():
            raise InputError(
                "with treatment= a positive that was left alone counts too, and the payoff says it "
                "is worth nothing; state it, such as Payoff(tp='spend - 0.1', fp=-0.1, fn='spend')"
            )
        return cls(priced.payoff, priced.n, priced.amounts, treated)

    @property
    def rests_on(self) -> str:
        return (
            f"It counts what acting causes, from the {self.treated.mean():.0%} of the rows that "
            "were treated, and assumes that these were chosen at random."
        )

    def check(self, score: NDArray[Any], cluster: NDArray[np.int64] | None) -> None:
        """Those treated at random have the scores of the others; `InputError` if they have not."""
        _, group, count = np.unique(score, return_inverse=True, return_counts=True)
        place = (np.cumsum(count) - count / 2)[group]
        off = (place - place.mean()) * (self.treated - self.treated.mean())
        sums = Sums.of(off[:, None], [], cluster)
        error = float(np.sqrt(sums.spread[0, 0]))
        if error and abs(float(sums.total[0])) > NOT_RANDOM * error:
            raise InputError(
                "those treated have other scores than those left alone, so they were not treated "
                "at random and nothing says what acting causes; take rows of an experiment"
            )

    def worth(self, y: NDArray[Any], decided: Any) -> NDArray[np.float64]:
        return self._estimated(super().worth(y, self.treated)[:, None], decided)[:, 0]

    def features(self, y: NDArray[Any], decided: Any) -> NDArray[np.float64]:
        return self._estimated(self._seen(y), decided)

    def parts(
        self, y: NDArray[Any], decided: Any
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Money and rows of each cell by what was seen, weighted to what would be decided."""
        place = y * 2 + self.treated
        weight = self._weights(decided)
        seen = Priced.worth(self, y, self.treated)
        money = np.bincount(place, weight * seen, 4).astype(np.float64)
        return money.reshape(2, 2), np.bincount(place, weight, 4).astype(np.float64).reshape(2, 2)

    def _seen(self, y: NDArray[Any]) -> NDArray[np.float64]:
        plain = Priced(self.payoff, self.n, self.amounts)
        return plain.features(y, self.treated)

    def _estimated(self, seen: NDArray[np.float64], decided: Any) -> NDArray[np.float64]:
        """The money (n, M) that was seen as what it would be under `decided`."""
        decided = np.broadcast_to(decided, (self.n,))
        same = decided == self.treated
        means = np.stack([seen[self.treated == d].mean(axis=0) for d in (0, 1)])[decided]
        share = np.where(decided == 1, self.treated.mean(), 1 - self.treated.mean())
        return np.asarray(means + (same / share)[:, None] * (seen - means))

    def _weights(self, decided: Any) -> NDArray[np.float64]:
        """How often the money of each row counts in the total of `_estimated`, shape (n,)."""
        decided = np.broadcast_to(decided, (self.n,))
        same = decided == self.treated
        weights = np.zeros(self.n)
        for d, share in enumerate((1 - self.treated.mean(), self.treated.mean())):
            rest = float(((decided == d) * (1 - same / share)).sum())
            mine = self.treated == d
            weights[mine] = same[mine] / share + rest / mine.sum()
        return weights


def _zero_or_one(treatment: NDArray[Any]) -> NDArray[np.int64]:
    values = treatment.tolist()
    for row, value in enumerate(values):
        if missing(value) or value not in (0, 1):
            raise InputError(
                f"treatment says who was acted on: 1 or 0, True or False; got {value!r} in row "
                f"{row} (counted from 0)"
            )
    return np.asarray(treatment, np.float64).astype(np.int64)
