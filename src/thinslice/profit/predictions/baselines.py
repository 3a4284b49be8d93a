"""What the model is compared with: nothing, all, random, what runs today, and who knew all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError
from thinslice.profit.payoff.payoff import Payoff
from thinslice.profit.payoff.priced import Priced, Pricing
from thinslice.profit.plan.plan import Plan
from thinslice.profit.predictions.policy import Policy, by_decisions, by_score, enough_to_tune
from thinslice.profit.rows.columns import Columns, vector
from thinslice.profit.uncertainty import Spread, Sums

ORACLE = "oracle"
SIMPLE = {
    "nothing": "doing nothing",
    "all": "acting on everyone",
    "random": "acting on as many at random",
    "popular": "the most popular items",
}
"""Policies that need no model, as they stand in a sentence."""


@dataclass(frozen=True, eq=False)
class Rival:
    """One baseline: its own money on these rows, and the model's gain over it a year.

    `gain_of_luck` is the gain's range with the payoffs at their mean, `different` in how many rows
    (or clusters of them) the money differs; `money` and `counts` (K, K) are what it earns in how
    many rows of each cell.
    """

    name: str
    total: float
    gain: Spread
    gain_of_luck: Spread
    p_beats: float
    different: int
    features: NDArray[np.float64]
    money: NDArray[np.float64]
    counts: NDArray[np.float64]

    def to_dict(self) -> dict[str, Any]:
        return {"total": self.total, "gain": self.gain._asdict(), "p_beats": self.p_beats}


def rivals(
    y: NDArray[np.int64],
    policy: Policy,
    labels: Sequence[Any],
    plan: Plan,
    priced: Priced,
    columns: Columns,
    cluster: NDArray[np.int64] | None,
    seed: int,
) -> dict[str, Rival]:
    """Every baseline there is for these rows, the oracle last (none where nobody can know it).

    `random` decides as often as the model does, at random; of more rows than the capacity, `all`
    takes as many as fit, at random. Both are exact expectations. Raises `InputError` where the
    plan's baseline makes no sense for these rows.
    """
    k = len(labels)
    shares = np.bincount(policy.decided, minlength=k) / len(y)
    mixes: dict[str, NDArray[np.float64]] = {}
    nothing = nothing_of(priced.payoff, labels)
    full = min(1.0, (plan.capacity if plan.capacity is not None else len(y)) / len(y))
    rest = np.zeros(k) if nothing is None else (1 - full) * np.eye(k)[nothing]
    if nothing is not None:
        mixes["nothing"] = np.eye(k)[nothing]
    if k == 2:
        mixes["all"] = rest + full * np.eye(k)[1]
    else:
        mixes |= {f"all {label}": rest + full * np.eye(k)[j] for j, label in enumerate(labels)}
    mixes["random"] = shares
    found = {name: _mixed(mix, y, priced) for name, mix in mixes.items()}
    name = plan.baseline if isinstance(plan.baseline, str) else "incumbent"
    if name not in found:
        decided = _stated(y, labels, plan, priced, columns, cluster, seed)
        found[name] = Own(priced.features(y, decided), *priced.parts(y, decided))
    if priced.actual:
        best = _oracle(y, policy.decided, plan, priced, nothing)
        found[ORACLE] = Own(priced.features(y, best), *priced.parts(y, best))
    model = priced.features(y, policy.decided)
    tuned = None if policy.final is None else priced.features(y, policy.final)
    return {
        each: against(each, model, tuned, own, plan, priced, cluster, seed)
        for each, own in found.items()
    }


class Own(NamedTuple):
    """What a baseline earns by itself: row by row, and cell by cell."""

    features: NDArray[np.float64]
    money: NDArray[np.float64]
    counts: NDArray[np.float64]


def against(
    name: str,
    model: NDArray[np.float64],
    tuned: NDArray[np.float64] | None,
    own: Own,
    plan: Plan,
    priced: Pricing,
    cluster: NDArray[np.int64] | None,
    seed: int,
) -> Rival:
    """The model's gain over one baseline, from the features (n, 1 + U) of both."""
    weights = np.array([1.0, *priced.means()])
    difference = model - own.features
    settled = None if tuned is None else tuned - own.features
    draws = Sums.of(difference, priced.means(), cluster, settled).draws(
        [cell for _, _, cell in priced.uncertain], seed=seed
    )
    factor = plan.yearly()
    return Rival(
        name,
        float((own.features @ weights).sum()),
        draws.spread().times(factor, plan.fixed_cost),
        draws.spread_of_luck().times(factor, plan.fixed_cost),
        draws.chance_above(plan.fixed_cost / factor if factor else np.inf),
        _different(difference @ weights, cluster),
        *own,
    )


def simplest(
    found: dict[str, Rival], baseline: str, allowed: Callable[[Rival], bool]
) -> tuple[str, Rival] | None:
    """What needs no model, is `allowed` and earns most, in words; None where the baseline does."""
    names = [name for name in found if name in SIMPLE or name.startswith("all ")]
    names = [name for name in names if name == baseline or allowed(found[name])]
    best = max(names, key=lambda name: found[name].total, default=baseline)
    if found[best].total <= found[baseline].total:
        return None
    return _in_words(best, found[best]), found[best]


def _in_words(name: str, rival: Rival) -> str:
    if name == "all" and rival.counts[:, 0].any():
        return "acting at random within the capacity"
    mixed = np.count_nonzero(rival.counts.any(axis=0)) > 1
    where = "at random within the capacity" if mixed else "everywhere"
    return SIMPLE.get(name) or f"deciding {name.removeprefix('all ')!r} {where}"


def _different(money: NDArray[np.float64], cluster: NDArray[np.int64] | None) -> int:
    here = np.abs(money) > 0
    return int(np.count_nonzero(here if cluster is None else np.bincount(cluster, here)))


def nothing_of(payoff: Payoff, labels: Sequence[Any]) -> int | None:
    """The place of the decision that leaves things as they are; None where nobody said."""
    if len(labels) == 2:
        return 0
    return None if payoff.nothing is None else list(labels).index(payoff.nothing)


def _mixed(mix: NDArray[np.float64], y: NDArray[np.int64], priced: Priced) -> Own:
    """Decisions taken at random with the shares of `mix` (K,), in expectation."""
    k = len(mix)
    total = Own(np.zeros((len(y), 1 + len(priced.uncertain))), np.zeros((k, k)), np.zeros((k, k)))
    for j, share in enumerate(mix.tolist()):
        if share:
            parts = (priced.features(y, j), *priced.parts(y, j))
            total = Own(*(sum_ + share * part for sum_, part in zip(total, parts, strict=True)))
    return total


def _oracle(
    y: NDArray[np.int64],
    decided: NDArray[np.int64],
    plan: Plan,
    priced: Priced,
    nothing: int | None,
) -> NDArray[np.int64]:
    """Of rows worth the same those that the model acts on, so that only true differences count."""
    best = priced.best(y)
    if nothing is None or plan.capacity is None:
        return best
    gain = priced.worth(y, best) - priced.worth(y, nothing)
    kept = np.lexsort((decided != best, -gain))[: int(plan.capacity)]
    chosen = np.full(len(y), nothing)
    chosen[kept] = np.where(gain[kept] > 0, best[kept], nothing)
    return chosen


def _stated(
    y: NDArray[np.int64],
    labels: Sequence[Any],
    plan: Plan,
    priced: Priced,
    columns: Columns,
    cluster: NDArray[np.int64] | None,
    seed: int,
) -> NDArray[np.int64]:
    """The decisions of the baseline that was given: decisions, scores, a column or a model."""
    values = plan.baseline
    if isinstance(values, str):
        if not values.startswith("column:"):
            raise InputError(_no_such(values, labels))
        values = columns.get(values.removeprefix("column:"))
    elif hasattr(values, "predict"):
        values = _predicted(values, columns)
    array = vector(values, "the baseline")
    if len(array) != len(y):
        raise InputError(f"the baseline has {len(array)} rows and y_true has {len(y)}")
    if _scores(array, labels):
        if plan.threshold is None:
            enough_to_tune(len(y))
        fixed = plan.threshold if isinstance(plan.threshold, int | float) else None
        score = np.asarray(array, np.float64)
        return by_score(
            y, score, priced, threshold=fixed, capacity=plan.capacity, cluster=cluster, seed=seed
        ).decided
    nothing = nothing_of(priced.payoff, labels)
    return by_decisions(array, labels, "the baseline", plan.capacity, nothing).decided


def _scores(array: NDArray[Any], labels: Sequence[Any]) -> bool:
    """Finite numbers of which some are no label."""
    if len(labels) != 2 or array.dtype.kind not in "iuf" or not np.isfinite(array).all():
        return False
    return not np.isin(array, [x for x in labels if isinstance(x, int | float)]).all()


def _predicted(model: Any, columns: Columns) -> Any:
    names = getattr(model, "feature_names_in_", None)
    if names is None or columns.frame is None:
        raise InputError(
            "a model as baseline must have been fitted on a frame with column names, and data= "
            "must have them; else pass its decisions"
        )
    return model.predict(columns.frame.select(list(names)).to_native())


def _no_such(name: str, labels: Sequence[Any]) -> str:
    if name == "nothing":
        return (
            f"which of the decisions {list(labels)!r} means doing nothing? Say "
            "Payoff.from_matrix(..., nothing=...), or choose another baseline in the plan"
        )
    return (
        f"the baseline {name!r} makes no sense for {len(labels)} classes; use 'random', "
        "'column:NAME', or decisions, one per row"
    )
