"""Would it have worked? Every list maker predicts the same held-out sessions, step by step.

For each session and each step but the last, the list maker gets what was seen so far and is asked
for n products. HitRate and MRR ask for the very next product, Recall and NDCG for all that is
still to come in the session.

Two protocols. `honest`: consecutive repeats are one step, and the product at hand is removed from
every list, whoever made it, since showing a visitor the page that is open helps nobody. Between a
tenth and a fifth of next clicks repeat the current product; a rival that may show it wins those for
nothing. `literature`: the sessions and lists as they are, for figures that papers report.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

from thinslice.domain import Interval, policy_name
from thinslice.errors import InputError, NotEnoughDataError
from thinslice.evaluation.intervals import ratio_interval
from thinslice.evaluation.slices import BY, SLICES
from thinslice.evaluation.tally import (
    PAIRED,
    SLICED,
    Known,
    Tally,
    TestSession,
    predict,
    test_sessions,
)

if TYPE_CHECKING:
    from thinslice.evaluation.splits import Split
    from thinslice.interfaces import Recommender

PROTOCOLS = ("honest", "literature")
BEYOND = ("coverage", "popularity", "novelty", "gini")
"""Measures beyond accuracy; `diversity` is one more where categories are known."""

Progress = Callable[[int, int | None], None]


def evaluate(
    recommenders: Mapping[str, Recommender],
    split: Split,
    *,
    n: int = 20,
    protocol: str = "honest",
    categories: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Evaluation:
    """Let every list maker predict the test sessions; the first is compared with the others.

    `categories` of products are needed for the diversity of lists, and for nothing else.

    Raises NotEnoughDataError for fewer than two test sessions of two products, InputError for a
    protocol that does not exist or for no list maker.
    """
    if protocol not in PROTOCOLS:
        raise InputError(f"protocol must be one of {', '.join(PROTOCOLS)}, got {protocol!r}")
    if not recommenders or n < 1:
        raise InputError(
            f"an evaluation needs a list maker and n of at least 1, "
            f"got {len(recommenders)} list makers and n={n}"
        )
    sessions = test_sessions(split.test, collapse=protocol == "honest")
    if len(sessions) < 2:
        raise NotEnoughDataError(
            "an evaluation needs at least 2 test sessions with 2 products, got "
            f"{len(sessions)}; import a longer period, or raise --test-share"
        )
    known = Known.of(split.train, categories or {})
    tallies = {}
    for place, (name, recommender) in enumerate(recommenders.items()):

        def at_session(done: int, place: int = place) -> None:
            if progress:
                progress(place * len(sessions) + done, len(recommenders) * len(sessions))

        tallies[name] = predict(recommender, sessions, n, protocol == "honest", known, at_session)
    return Evaluation(n, protocol, tallies, _sizes(split, sessions), _period(split))


@dataclass(frozen=True, eq=False)
class Evaluation:
    """Every list maker's figures over the same predictions, each with its range over sessions."""

    n: int
    protocol: str
    tallies: Mapping[str, Tally]
    sizes: Mapping[str, int]
    period: Mapping[str, int]

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.tallies)

    def value(self, name: str, metric: str) -> Interval:
        """One list maker's figure: one of `PAIRED`, of `BEYOND`, or `diversity`."""
        tally = self._tally(name)
        match metric:
            case "coverage":
                return tally.coverage
            case "gini":
                return tally.gini
            case "popularity":
                return ratio_interval(tally.percentiles, tally.shown)
            case "novelty":
                return ratio_interval(tally.surprise, tally.shown, high=math.inf)
            case "diversity":
                return ratio_interval(tally.diversity, tally.lists)
        return ratio_interval(tally.sums[_paired(metric)], tally.predictions)

    def difference(self, a: str, b: str, metric: str = "HitRate") -> Interval:
        """How much a is above b, paired by session; metrics as in `PAIRED`."""
        first, second = self._tally(a), self._tally(b)
        sums = first.sums[_paired(metric)] - second.sums[_paired(metric)]
        return ratio_interval(sums, first.predictions, low=-1.0)

    def sliced(self, name: str, metric: str, at: int) -> Interval:
        """The same for the predictions of one slice; metrics as in `SLICED`."""
        tally = self._tally(name)
        return ratio_interval(tally.sliced[metric][at], tally.slice_sizes[at])

    def best_other(self) -> str | None:
        """The rival of the first list maker that has the highest hit rate."""
        rivals = self.names[1:]
        return max(rivals, key=lambda r: self.value(r, "HitRate").estimate) if rivals else None

    def label(self, metric: str) -> str:
        """A metric's name as it is printed: MRR@20."""
        return f"{metric}@{self.n}"

    def sentence(self) -> str:
        """Whether the first list maker beats the best of the others, and by which protocol."""
        mine, best = self.names[0], self.best_other()
        rate = self.value(mine, "HitRate")
        text = (
            f"By the {self.protocol} protocol, in {rate.estimate:.1%} of "
            f"{self.sizes['predictions']:,} steps of {self.sizes['test_sessions']:,} later "
            f"sessions, the next product was among the {self.n} of {policy_name(mine)} "
            f"(range {rate.low:.1%} to {rate.high:.1%})."
        )
        if best is None:
            return text
        gap = self.difference(mine, best, "HitRate")
        reading = "more" if gap.low > 0 else "fewer" if gap.high < 0 else "no proven difference"
        return (
            f"{text} The best other, {policy_name(best)}, "
            f"had {self.value(best, 'HitRate').estimate:.1%}: {reading}, "
            f"{gap.estimate * 100:+.1f} points "
            f"(range {gap.low * 100:+.1f} to {gap.high * 100:+.1f})."
        )

    def to_dict(self) -> dict[str, Any]:
        """All of it as plain values: `rows`, `differences`, sizes, period and protocol."""
        return {
            "n": self.n,
            "protocol": self.protocol,
            "sentence": self.sentence(),
            "sizes": dict(self.sizes),
            "period": dict(self.period),
            "rows": [self._row(name) for name in self.names],
            "differences": [
                {"a": a, "b": b, "metric": self.label(m), **asdict(self.difference(a, b, m))}
                for a, b in combinations(self.names, 2)
                for m in PAIRED
            ],
            "best_other": self.best_other(),
            "slices": [
                found for at in range(len(SLICES)) if (found := self._slice(at)) is not None
            ],
        }

    def _slice(self, at: int) -> dict[str, Any] | None:
        """One slice: the first list maker beside its best rival; None without a prediction."""
        mine, best = self._tally(self.names[0]), self.best_other()
        sizes = mine.slice_sizes[at]
        if not sizes.sum():
            return None
        by, name = SLICES[at]
        found: dict[str, Any] = {
            "by": BY[by],
            "name": name,
            "predictions": int(sizes.sum()),
            "sessions": int((sizes > 0).sum()),
            "metrics": {self.label(m): asdict(self.sliced(self.names[0], m, at)) for m in SLICED},
        }
        if best is not None:
            rival = self._tally(best)
            found["best_other"] = {self.label(m): asdict(self.sliced(best, m, at)) for m in SLICED}
            found["differences"] = {
                self.label(m): asdict(
                    ratio_interval(mine.sliced[m][at] - rival.sliced[m][at], sizes, low=-1.0)
                )
                for m in SLICED
            }
        return found

    def _row(self, name: str) -> dict[str, Any]:
        metrics = {self.label(m): asdict(self.value(name, m)) for m in PAIRED}
        tally = self._tally(name)
        for metric in (*BEYOND, *self._mixed()):
            metrics[metric] = asdict(self.value(name, metric))
        answered = float(tally.answered.sum() / tally.predictions.sum())
        return {"name": name, "metrics": metrics, "answered": answered}

    def _mixed(self) -> tuple[str, ...]:
        """Diversity, where every list maker has lists that it can be told of."""
        return ("diversity",) if all(t.lists.sum() for t in self.tallies.values()) else ()

    def _tally(self, name: str) -> Tally:
        if name not in self.tallies:
            raise InputError(f"no list maker {name!r} was evaluated; there is {self.names}")
        return self.tallies[name]


def _sizes(split: Split, sessions: Sequence[TestSession]) -> dict[str, int]:
    known = set(split.train.products)
    steps = [product for products, _ in sessions for product in products[1:]]
    return {
        "train_sessions": split.train.n_sessions,
        "train_events": split.train.n_events,
        "train_products": len(split.train.products),
        "test_sessions": len(sessions),
        "predictions": len(steps),
        "impossible": sum(product not in known for product in steps),
    }


def _period(split: Split) -> dict[str, int]:
    return {
        "train_from_us": int(split.train.times_us.min()),
        "cut_us": split.cut_us,
        "test_until_us": int(split.test.times_us.max()),
    }


def _paired(metric: str) -> str:
    name = metric.split("@")[0]
    if name not in PAIRED:
        raise InputError(f"metric must be one of {', '.join(PAIRED)}, got {metric!r}")
    return name
