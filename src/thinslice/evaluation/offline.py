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

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.domain import Interval, policy_name
from thinslice.errors import InputError, NotEnoughDataError
from thinslice.evaluation.intervals import jackknife_interval, ratio_interval
from thinslice.evaluation.metrics import mrr, ndcg, popularity_percentiles, recall

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from thinslice.domain import SessionLog
    from thinslice.evaluation.splits import Split
    from thinslice.interfaces import Recommender

PROTOCOLS = ("honest", "literature")
PAIRED = ("HitRate", "MRR", "Recall", "NDCG")
"""Averages over predictions, of which two list makers' differences are stated."""

Progress = Callable[[int, int | None], None]


def evaluate(
    recommenders: Mapping[str, Recommender],
    split: Split,
    *,
    n: int = 20,
    protocol: str = "honest",
    progress: Progress | None = None,
) -> Evaluation:
    """Let every list maker predict the test sessions; the first is compared with the others.

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
    sessions = _test_sessions(split.test, collapse=protocol == "honest")
    if len(sessions) < 2:
        raise NotEnoughDataError(
            "an evaluation needs at least 2 test sessions with 2 products, got "
            f"{len(sessions)}; import a longer period, or raise --test-share"
        )
    percentiles = _train_percentiles(split.train)
    tallies = {}
    for place, (name, recommender) in enumerate(recommenders.items()):

        def at_session(done: int, place: int = place) -> None:
            if progress:
                progress(place * len(sessions) + done, len(recommenders) * len(sessions))

        tallies[name] = _predict(
            recommender, sessions, n, protocol == "honest", percentiles, at_session
        )
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
        """One list maker's figure: `HitRate`, `MRR`, `Recall`, `NDCG`, `coverage`, `popularity`."""
        tally = self._tally(name)
        if metric == "coverage":
            return tally.coverage
        if metric == "popularity":
            return ratio_interval(tally.percentiles, tally.shown)
        return ratio_interval(tally.sums[_paired(metric)], tally.predictions)

    def difference(self, a: str, b: str, metric: str = "HitRate") -> Interval:
        """How much a is above b, paired by session; metrics as in `PAIRED`."""
        first, second = self._tally(a), self._tally(b)
        sums = first.sums[_paired(metric)] - second.sums[_paired(metric)]
        return ratio_interval(sums, first.predictions, low=-1.0)

    def label(self, metric: str) -> str:
        """A metric's name as it is printed: MRR@20."""
        return f"{metric}@{self.n}"

    def sentence(self) -> str:
        """Whether the first list maker beats the best of the others, in plain words."""
        mine, rivals = self.names[0], self.names[1:]
        rate = self.value(mine, "HitRate")
        text = (
            f"In {rate.estimate:.1%} of {self.sizes['predictions']:,} steps of "
            f"{self.sizes['test_sessions']:,} later sessions, the next product was among the "
            f"{self.n} of {policy_name(mine)} (range {rate.low:.1%} to {rate.high:.1%})."
        )
        if not rivals:
            return text
        best = max(rivals, key=lambda rival: self.value(rival, "HitRate").estimate)
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
        }

    def _row(self, name: str) -> dict[str, Any]:
        metrics = {self.label(m): asdict(self.value(name, m)) for m in PAIRED}
        for metric in ("coverage", "popularity"):
            metrics[metric] = asdict(self.value(name, metric))
        tally = self._tally(name)
        answered = float(tally.answered.sum() / tally.predictions.sum())
        return {"name": name, "metrics": metrics, "answered": answered}

    def _tally(self, name: str) -> Tally:
        if name not in self.tallies:
            raise InputError(f"no list maker {name!r} was evaluated; there is {self.names}")
        return self.tallies[name]


@dataclass(frozen=True, eq=False)
class Tally:
    """One list maker's sums by session: shapes (sessions,), `sums` one such array per metric."""

    predictions: NDArray[np.float64]
    answered: NDArray[np.float64]
    sums: Mapping[str, NDArray[np.float64]]
    shown: NDArray[np.float64]
    percentiles: NDArray[np.float64]
    coverage: Interval


TestSession = tuple[list[str], list[int]]
"""Products and times, oldest first."""


def _test_sessions(log: SessionLog, *, collapse: bool) -> list[TestSession]:
    products, codes, times = log.products, log.codes.tolist(), log.times_us.tolist()
    sessions = []
    for start, end in zip(log.offsets[:-1].tolist(), log.offsets[1:].tolist(), strict=True):
        kept = [
            j for j in range(start, end) if not collapse or j == start or codes[j] != codes[j - 1]
        ]
        if len(kept) > 1:
            sessions.append(([products[codes[j]] for j in kept], [times[j] for j in kept]))
    return sessions


def _predict(
    recommender: Recommender,
    sessions: Sequence[TestSession],
    n: int,
    remove_current: bool,
    percentiles: Mapping[str, float],
    at_session: Callable[[int], None],
) -> Tally:
    size = len(sessions)
    sums = {metric: np.zeros(size) for metric in PAIRED}
    predictions, answered, shown_count, popularity = (np.zeros(size) for _ in range(4))
    seen_in: dict[str, int] = {}
    for s, (products, times) in enumerate(sessions):
        predictions[s] = len(products) - 1
        for step in range(1, len(products)):
            shown = _shown(recommender, products[:step], times[step - 1], n, remove_current)
            to_come = set(products[step:])
            if remove_current:
                to_come.discard(products[step - 1])
            place = mrr(shown, products[step])
            sums["HitRate"][s] += place > 0
            sums["MRR"][s] += place
            sums["Recall"][s] += recall(shown, to_come)
            sums["NDCG"][s] += ndcg(shown, to_come, n)
            answered[s] += bool(shown)
            shown_count[s] += len(shown)
            for product in shown:
                popularity[s] += percentiles.get(product, 0.0)
                if product in percentiles and seen_in.setdefault(product, s) != s:
                    seen_in[product] = -1
        at_session(s + 1)
    coverage = _coverage(seen_in, size, len(percentiles))
    return Tally(predictions, answered, sums, shown_count, popularity, coverage)


def _shown(
    recommender: Recommender, seen: list[str], now_us: int, n: int, remove_current: bool
) -> list[str]:
    """The list as a visitor would see it: no product twice, at most n."""
    products = dict.fromkeys(s.product for s in recommender.recommend(seen, n + 1, now_us=now_us))
    if remove_current:
        products.pop(seen[-1], None)
    return list(products)[:n]


def _coverage(seen_in: Mapping[str, int], n_sessions: int, n_products: int) -> Interval:
    """The share of the products that appear in any list; `seen_in` is -1 for several sessions."""
    if n_products == 0:
        return jackknife_interval(0.0, np.zeros(0))
    only_here = np.bincount(
        np.array([s for s in seen_in.values() if s >= 0], np.int64), minlength=n_sessions
    )
    without = (len(seen_in) - only_here) / n_products
    return jackknife_interval(len(seen_in) / n_products, without)


def _train_percentiles(train: SessionLog) -> dict[str, float]:
    counts = np.bincount(train.codes, minlength=len(train.products))
    return dict(zip(train.products, popularity_percentiles(counts).tolist(), strict=True))


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
