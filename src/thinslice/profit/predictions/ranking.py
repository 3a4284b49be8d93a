"""What are recommended lists worth? Each outcome of an item on the list earns its amount."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from thinslice.errors import InputError, NotEnoughDataError
from thinslice.profit.payoff.cell import Cell
from thinslice.profit.payoff.payoff import Payoff
from thinslice.profit.payoff.priced import amount
from thinslice.profit.plan.plan import Plan
from thinslice.profit.predictions.baselines import ORACLE, Own, Rival, against
from thinslice.profit.predictions.case import Case
from thinslice.profit.predictions.policy import Policy
from thinslice.profit.rows.columns import Columns, clusters, missing_column, vector
from thinslice.profit.rows.lists import ITEM, Catalogue, Items, happened

FOLDS = 10


@dataclass(frozen=True, eq=False)
class Listed:
    """Events that happened, and what each is worth if its item stood on the list of its row.

    `outcome` (E,) is the place of each event's outcome in the payoff and `worth` (E,) its amount,
    of an uncertain one the mean. A decision is how often each event was on a list, (E,): 0 or 1,
    or a chance between. Where on the list an item stood makes no difference.
    """

    payoff: Payoff
    events: Items
    outcome: NDArray[np.int64]
    worth: NDArray[np.float64]

    tested: ClassVar[bool] = False
    actual: ClassVar[bool] = True

    @property
    def n(self) -> int:
        return self.events.n

    @property
    def rests_on(self) -> str:
        return (
            "It counts what people went on to choose by themselves and the list held, not what a "
            "list causes: they would have found much of it anyway. Only an experiment shows the "
            "difference."
        )

    @property
    def can_lose(self) -> bool:
        return True  # showing a list need not cost anything, so no sign is missed

    @property
    def uncertain(self) -> list[tuple[int, int, Cell]]:
        return [(i, 0, cell) for i, (cell,) in enumerate(self.payoff.cells) if cell.uncertain]

    def means(self) -> list[float]:
        return [cell.mean for _, _, cell in self.uncertain]

    def features(self, y: Any, decided: NDArray[np.float64]) -> NDArray[np.float64]:
        """Shape (n, 1 + U): the certain money of each row, then its events of uncertain amount."""
        guessed = [i for i, _, _ in self.uncertain]
        found = np.empty((self.n, 1 + len(guessed)))
        certain = np.where(np.isin(self.outcome, guessed), 0.0, self.worth)
        found[:, 0] = np.bincount(self.events.row, decided * certain, self.n)
        for k, i in enumerate(guessed, start=1):
            found[:, k] = np.bincount(self.events.row, decided * (self.outcome == i), self.n)
        return found

    def parts(
        self, y: Any, decided: NDArray[np.float64]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Money and events on the lists of each outcome, each of shape (outcomes, 1)."""
        m = len(self.payoff.cells)
        money = np.bincount(self.outcome, decided * self.worth, m).astype(np.float64)
        return money[:, None], np.bincount(self.outcome, decided, m).astype(np.float64)[:, None]

    def counts(self, y: Any, decided: NDArray[np.float64]) -> list[list[int]]:
        """How many events of each outcome the lists held, and how many they missed."""
        held = self.parts(y, decided)[1][:, 0].round().astype(int)
        total = np.bincount(self.outcome, minlength=len(held))
        return np.stack([held, total - held], axis=1).tolist()  # type: ignore[no-any-return]


def case_of_lists(
    y_true: Any, y_score: Any, plan: Plan, *, data: Any, cluster: Any, seed: int
) -> Case:
    """The case of recommended lists against other lists: is it worth an experiment?

    A row is an occasion for a list. `y_score` has its list, best first; `y_true` what happened: a
    dictionary or frame with a column per outcome that holds the items it happened to in each row
    (for one outcome, those rows alone). `data` is the table of the items with the column `item` and
    those the payoff names. The plan's capacity is how many items of a list count. The baseline is
    "popular" (what earned most in the other rows; unless stated), "nothing", "random" (as many
    items of the catalogue) or other lists, one per row; the oracle knew what would happen.
    """
    payoff = plan.payoff
    assert payoff is not None and payoff.labels is not None
    catalogue = Catalogue()
    table = Columns(data)
    known = _known(table, catalogue)
    sold = list(catalogue.places)
    if y_score is None:
        raise InputError("give y_score: one list of items per row, best first")
    per_outcome = happened(y_true, payoff.labels, catalogue)
    events = Items(
        per_outcome[0].n,
        np.concatenate([items.row for items in per_outcome]),
        np.concatenate([items.item for items in per_outcome]),
    )
    if not len(events):
        raise NotEnoughDataError("y_true is empty: nothing happened, so there is nothing to judge")
    outcome = np.repeat(np.arange(len(per_outcome)), [len(items) for items in per_outcome])
    shown = catalogue.read(y_score, "y_score")
    given = None if isinstance(plan.baseline, str) else catalogue.read(plan.baseline, "baseline")
    for what, items in (("y_score", shown), ("the baseline", given)):
        if items is not None and items.n != events.n:
            raise InputError(f"{what} has {items.n} rows and y_true has {events.n}")
        if items is not None and sold and len(items) and items.item.min() >= len(sold):
            one = list(catalogue.places)[items.item[0]]
            raise InputError(
                f"no item of {what} stands in data: here {one!r}, there {sold[0]!r}; write their "
                "ids alike"
            )
    worth = _worth(payoff, table, known, events, outcome, catalogue)
    priced = Listed(payoff, events, outcome, worth)
    capacity = plan.capacity
    length = int(shown.lengths().max(initial=0) if capacity is None else capacity)
    groups = _groups(cluster, y_true, events.n)
    held = _held(events, shown, length)
    own = _others(priced, length, len(catalogue), groups, seed)
    if given is not None:
        own["incumbent"] = _held(events, given, length)
    model = priced.features(None, held)
    rivals: dict[str, Rival] = {}
    for name in sorted(own, key=lambda each: each == ORACLE):
        theirs = Own(priced.features(None, own[name]), *priced.parts(None, own[name]))
        rivals[name] = against(name, model, None, theirs, plan, priced, groups, seed)
    policy = Policy(held, f"lists of at most {length} items")
    return Case(payoff.labels, events, priced, policy, rivals, groups)


def _held(events: Items, lists: Items, length: int) -> NDArray[np.float64]:
    return events.found_in(lists.first(length)).astype(np.float64)


def _others(
    priced: Listed, length: int, size: int, groups: NDArray[np.int64] | None, seed: int
) -> dict[str, NDArray[np.float64]]:
    events, everything = priced.events, np.ones(len(priced.events))
    return {
        "nothing": 0 * everything,
        "random": min(1.0, length / max(size, 1)) * everything,
        "popular": _popular(priced, length, groups, seed),
        ORACLE: _held(events, _dearest(priced), length),
    }


def _popular(
    priced: Listed, length: int, groups: NDArray[np.int64] | None, seed: int
) -> NDArray[np.float64]:
    """The items that earned most in the rows of the other folds; clusters stay whole."""
    events = priced.events
    units = np.arange(priced.n) if groups is None else groups
    drawn = np.random.default_rng(seed).permutation(int(units.max()) + 1) % FOLDS
    fold = drawn[units][events.row]
    size = int(events.item.max(initial=0)) + 1
    total = np.bincount(events.item, priced.worth, size)
    held = np.zeros(len(events))
    for each in range(FOLDS):
        here = fold == each
        seen = total - np.bincount(events.item[here], priced.worth[here], size)
        best = np.argsort(-seen, kind="stable")[:length]
        held[here] = np.isin(events.item[here], best[seen[best] > 0])
    return held


def _dearest(priced: Listed) -> Items:
    """The items of each row that earned something, the most first."""
    events = priced.events
    size = int(events.item.max(initial=0)) + 1
    keys, place = np.unique(events.row * size + events.item, return_inverse=True)
    money = np.bincount(place, priced.worth, len(keys))
    order = np.lexsort((-money, keys // size))
    order = order[money[order] > 0]
    return Items(events.n, keys[order] // size, keys[order] % size)


def _known(table: Columns, catalogue: Catalogue) -> NDArray[np.int64] | None:
    """The place of each row of the table of items; `InputError` for an item that stands twice."""
    if not table.names:
        return None
    if ITEM not in table:
        raise InputError(
            f"data is the table of the items and needs their ids in the column {ITEM!r}; it has: "
            f"{', '.join(map(str, table.names))}"
        )
    items = catalogue.read(table.get(ITEM), ITEM)
    counts = np.bincount(items.item)
    if counts.max(initial=0) > 1:
        twice = list(catalogue.places)[int(counts.argmax())]
        raise InputError(f"data has the item {twice!r} twice; keep one row per item")
    if len(items) != items.n:
        raise InputError("data has a row without an item; leave it out")
    return items.item


def _worth(
    payoff: Payoff,
    table: Columns,
    known: NDArray[np.int64] | None,
    events: Items,
    outcome: NDArray[np.int64],
    catalogue: Catalogue,
) -> NDArray[np.float64]:
    found = np.empty(len(events))
    for i, (cell,) in enumerate(payoff.cells):
        here = np.flatnonzero(outcome == i)
        if cell.constant:
            found[here] = cell.mean
            continue
        if known is None:
            raise InputError(missing_column(payoff.columns[0], []).replace("rows'", "items'"))
        worth = np.full(len(catalogue), np.nan)
        worth[known] = amount(cell, len(known), table, {})
        found[here] = worth[events.item[here]]
        lost = here[np.isnan(found[here])]
        if len(lost):
            item = list(catalogue.places)[int(events.item[lost[0]])]
            raise InputError(
                f"the item {item!r} ({cell.name} in row {events.row[lost[0]]}, counted from 0) is "
                "not in data; add it there, as its money is not known"
            )
    return found


def _groups(cluster: Any, y_true: Any, n: int) -> NDArray[np.int64] | None:
    if cluster is None:
        return None
    values = (
        Columns(y_true).get(cluster) if isinstance(cluster, str) else vector(cluster, "cluster")
    )
    if len(values) != n:
        raise InputError(
            f"cluster has {len(values)} rows and y_true has {n}; they must be the same"
        )
    return clusters(values)
