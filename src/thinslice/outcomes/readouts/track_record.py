"""Does the offline measure foretell the KPI? Over all experiments: how often, and how surely."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from scipy.special import ndtri

FEWEST = 5
"""Experiments below which nothing is said."""


@dataclass(frozen=True, slots=True)
class Foretold:
    """One experiment: the offline difference of its lists, and the relative change of the KPI."""

    experiment: str
    offline: float
    online: float


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """How well the offline differences foretold the changes of the KPI in n experiments.

    `agree` is the share in which both had the same sign, with Wilson's interval; `rank` the rank
    correlation (Spearman's), with the interval of Fisher's z and the standard error
    1.06 / sqrt(n - 3) (Fieller, Hartley and Pearson 1957). Both None below `FEWEST` experiments,
    and the rank where all are tied.
    """

    n: int
    agree: tuple[float, float, float] | None
    rank: tuple[float, float, float] | None

    @property
    def sentence(self) -> str:
        if self.agree is None:
            there = "is none" if not self.n else f"is {self.n}" if self.n == 1 else f"are {self.n}"
            return (
                "Too few experiments to say how well the offline figure foretells the KPI: "
                f"there {there}, and {FEWEST} is the least."
            )
        share, low, high = self.agree
        said = (
            f"In {round(share * self.n)} of {self.n} experiments the offline figure pointed the "
            f"way the KPI went ({low:.0%} to {high:.0%} of the time)"
        )
        if low > 0.5:
            return f"{said}: it is worth asking before an experiment."
        if high < 0.5:
            return f"{said}: it misleads."
        return f"{said}, which is no better than chance could be."

    def to_dict(self) -> dict[str, Any]:
        """Plain values for pages."""
        return {"n": self.n, "agree": self.agree, "rank": self.rank, "sentence": self.sentence}


def track_record(foretold: Sequence[Foretold], confidence: float = 0.95) -> TrackRecord:
    """Compare offline differences with what the experiments found.

    Experiments of a list against itself, and those without a figure, are to be left out before.
    """
    pairs = [(f.offline, f.online) for f in foretold]
    if len(pairs) < FEWEST:
        return TrackRecord(len(pairs), None, None)
    z = float(ndtri(0.5 + confidence / 2))
    same = sum(offline * online > 0 for offline, online in pairs)
    return TrackRecord(len(pairs), _wilson(same, len(pairs), z), _spearman(pairs, z))


def foretold(readouts: Iterable[Mapping[str, Any]]) -> list[Foretold]:
    """What can be compared: readouts as plain values, with the `offline` evaluation beside them.

    Left out: one that still runs, a list against itself, one without a verdict, and lists that
    nobody evaluated.
    """
    found = []
    for r in readouts:
        differs = len({v["policy"] for v in r["variants"]}) > 1
        online = next(row for row in r["rows"] if row["is_deciding"])["relative"]["estimate"]
        offline = offline_difference(r)
        over = r.get("state", "stopped") == "stopped"
        if over and differs and r["verdict"] and offline is not None and online is not None:
            found.append(Foretold(r["experiment"], offline, online))
    return found


def offline_difference(readout: Mapping[str, Any]) -> float | None:
    """The hit rate of the treatment's list less that of the control's; None where unknown."""
    evaluation = readout.get("offline") or {"rows": []}
    rates = {
        row["name"]: row["metrics"][f"HitRate@{evaluation['n']}"]["estimate"]
        for row in evaluation["rows"]
    }
    policies = {v["name"]: v["policy"] for v in readout["variants"]}
    pair = [rates.get(policies[readout[arm]]) for arm in ("control", "treatment")]
    control, treatment = pair
    return None if control is None or treatment is None else treatment - control


def _wilson(hits: int, n: int, z: float) -> tuple[float, float, float]:
    share = hits / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    reach = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    return share, max(0.0, middle - reach), min(1.0, middle + reach)


def _spearman(pairs: Sequence[tuple[float, float]], z: float) -> tuple[float, float, float] | None:
    first, second = (_ranks([pair[i] for pair in pairs]) for i in (0, 1))
    mean = (len(pairs) + 1) / 2
    over = sum((a - mean) * (b - mean) for a, b in zip(first, second, strict=True))
    spreads = [math.sqrt(sum((r - mean) ** 2 for r in ranks)) for ranks in (first, second)]
    if not all(spreads):
        return None
    rank = over / (spreads[0] * spreads[1])
    bounded = max(-0.999999, min(0.999999, rank))
    reach = z * 1.06 / math.sqrt(len(pairs) - 3)
    low, high = (math.tanh(math.atanh(bounded) + side * reach) for side in (-1, 1))
    return rank, low, high


def _ranks(values: Sequence[float]) -> list[float]:
    """From 1; equal values share the mean of their ranks."""
    return [
        sum(other < value for other in values) + (values.count(value) + 1) / 2 for value in values
    ]
