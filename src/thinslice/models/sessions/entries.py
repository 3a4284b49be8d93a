"""What visits begin with: for who has viewed nothing yet.

Popular products and those that visits begin with are not the same, and some shops change from day
to day while others stay for months. So the first event of a session may count more than those
behind it, and events fade as fast as suits the shop: its own latest sessions say how. Where
nothing is proven better than plain popularity, that stays.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from thinslice.domain import DAY_US
from thinslice.models.sessions.places import LENGTH, hits, measure, pays, reciprocals
from thinslice.models.sessions.popularity import Popularity, faded

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from thinslice.domain import Scored, SessionLog
    from thinslice.interfaces import Recommender
    from thinslice.models.sessions.places import Compare
    from thinslice.models.sessions.products import ProductCodes


@dataclass(frozen=True, slots=True)
class EntrySettings:
    """After how many days an event counts half, and what one counts that is not a session's first.

    These defaults are plain popularity.
    """

    half_life_days: float = 7.0
    later_events: float = 1.0

    def to_dict(self) -> dict[str, float]:
        return asdict(self)


HALF_LIVES = (0.25, 0.5, 1.0, 3.0, 14.0, 60.0)
LATER_EVENTS = (0.25, 0.06)
USUAL_SHARE = 0.2
"""What plain popularity has a say in: it orders what nobody has looked at for long, or few do."""

FEWEST = 100
"""Beginnings to judge on, without which nothing is chosen."""

_MOST, _WORK = 2_000, 40_000_000
"""Beginnings that choose and that judge, and products times beginnings, at most."""


def learn_entries(
    log: SessionLog, products: ProductCodes, settings: EntrySettings, usual_half_life_days: float
) -> Popularity:
    """Popularity by these settings, with a share of the usual one, on the scale of plain counts: a
    touch that comes in later counts as much as it does there.
    """
    plain = faded(log.times_us, settings.half_life_days)
    weights = np.where(_begins(log), plain, settings.later_events * plain)
    usual = faded(log.times_us, usual_half_life_days)
    return Popularity.counted(log, products, plain.sum() * _mixed(weights, usual))


def _mixed(chosen: NDArray[np.float64], usual: NDArray[np.float64]) -> NDArray[np.float64]:
    """Both as shares that add up to 1."""
    shares = [x / max(float(x.sum()), 1e-300) for x in (chosen, usual)]
    mixed: NDArray[np.float64] = (1 - USUAL_SHARE) * shares[0] + USUAL_SHARE * shares[1]
    return mixed


class ByVisit:
    """What is popular: to begin with for who has viewed nothing yet, else what most look at."""

    name = "popular"

    def __init__(self, entries: Recommender, popular: Recommender) -> None:
        self._entries = entries
        self._popular = popular

    def recommend(
        self, session: Sequence[str], n: int, *, now_us: int | None = None
    ) -> list[Scored]:
        """The n most popular products except the session's last."""
        maker = self._popular if session else self._entries
        return maker.recommend(session, n, now_us=now_us)


def choose_entries(
    earlier: SessionLog, later: SessionLog, compare: Compare, usual: EntrySettings
) -> tuple[EntrySettings | None, dict[str, Any]]:
    """Settings that foresee how visits begin, or None for plain popularity; and a report.

    Each beginning of a session is foreseen from all that happened before it: those of the last
    quarter of the earlier sessions choose, those of the later ones judge.
    """
    beginnings = _Beginnings(earlier, later, usual)
    cut = beginnings.n_earlier
    if len(beginnings) - cut < FEWEST:
        return None, {"why": f"too few later visits to judge on: {len(beginnings) - cut}"}
    places = {usual: beginnings.places(usual)}

    def score(tried: EntrySettings) -> float:
        if tried not in places:
            places[tried] = beginnings.places(tried)
        return measure(places[tried][:cut])

    best = usual
    for name, values in (("half_life_days", HALF_LIVES), ("later_events", LATER_EVENTS)):
        best = _better(best, (replace(best, **{name: value}) for value in values), score)
    judged = {s: places[s][cut:] for s in (usual, best)}
    better = pays(compare, judged[best], judged[usual], np.arange(len(beginnings) - cut))
    figures = {
        name: {f"HitRate@{LENGTH}": _mean(hits, found), f"MRR@{LENGTH}": _mean(reciprocals, found)}
        for name, found in (("as usual", judged[usual]), ("chosen", judged[best]))
    }
    return best if better else None, {"judged": len(beginnings) - cut, **figures}


def _better(
    best: EntrySettings, others: Iterable[EntrySettings], score: Callable[[EntrySettings], float]
) -> EntrySettings:
    for tried in others:
        if score(tried) > score(best) * 1.0005:
            best = tried
    return best


class _Beginnings:
    """How sessions begin, of which `n_earlier` are earlier ones, and all events before each."""

    def __init__(self, earlier: SessionLog, later: SessionLog, usual: EntrySettings) -> None:
        self._usual = usual
        code_of = {product: code for code, product in enumerate(earlier.products)}
        known = [code_of.setdefault(product, len(code_of)) for product in later.products]
        self._n = len(code_of)
        codes = np.concatenate([earlier.codes, np.array(known, np.int32)[later.codes]])
        begins = np.concatenate([_begins(earlier), _begins(later)])
        times = np.concatenate([earlier.times_us, later.times_us])
        order = np.argsort(times, kind="stable")
        self._codes, self._begins, self._times = codes[order], begins[order], times[order]
        later_us = later.times_us.min() if later.n_events else np.iinfo(np.int64).max
        ours = np.flatnonzero(self._begins)
        cut = int(np.searchsorted(self._times[ours], later_us))
        most = min(_MOST, _WORK // max(self._n, 1))
        chosen = _evenly(ours[cut * 3 // 4 : cut], most)
        self.n_earlier = len(chosen)
        self._at = np.concatenate([chosen, _evenly(ours[cut:], most)])

    def __len__(self) -> int:
        return len(self._at)

    def places(self, settings: EntrySettings) -> NDArray[np.int64]:
        """Where what a visit began with stood in the list of that moment, 0 below it."""
        kinds = (settings, self._usual)
        counts = [np.zeros(self._n) for _ in kinds]
        places = np.zeros(len(self._at), np.int64)
        done, counted_us = 0, int(self._times[0]) if len(self._times) else 0
        for number, at in enumerate(self._at.tolist()):
            now_us = int(self._times[at])
            days = (now_us - counted_us) / DAY_US
            for count, kind in zip(counts, kinds, strict=True):
                count *= 0.5 ** (days / kind.half_life_days)
                count += self._counted(done, at, now_us, kind)
            done, counted_us = at, now_us
            places[number] = _place(_mixed(*counts), int(self._codes[at]))
        return places

    def _counted(
        self, first: int, end: int, now_us: int, settings: EntrySettings
    ) -> NDArray[np.float64]:
        some = slice(first, end)
        weights = 0.5 ** ((now_us - self._times[some]) / DAY_US / settings.half_life_days)
        weights = np.where(self._begins[some], weights, settings.later_events * weights)
        return np.bincount(self._codes[some], weights, self._n).astype(np.float64, copy=False)


def _evenly(places: NDArray[np.int64], most: int) -> NDArray[np.int64]:
    """That many of them, evenly over the time."""
    chosen = np.linspace(0, max(len(places) - 1, 0), min(most, len(places)))
    return places[np.unique(chosen.astype(np.int64))]


def _place(counts: NDArray[np.float64], code: int) -> int:
    mine = counts[code]
    if mine <= 0.0:
        return 0
    place = 1 + int((counts > mine).sum()) + int((counts[:code] == mine).sum())
    return place if place <= LENGTH else 0


def _begins(log: SessionLog) -> NDArray[np.bool_]:
    """(E,) whether an event is its session's first."""
    begins = np.zeros(log.n_events, bool)
    begins[log.offsets[:-1][np.diff(log.offsets) > 0]] = True
    return begins


def _mean(of: Callable[[NDArray[np.int64]], NDArray[np.float64]], places: NDArray[np.int64]) -> Any:
    return round(float(of(places).mean()), 4)
