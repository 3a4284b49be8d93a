"""Simulated visitors who know what they like: they look around, click, put in the cart, buy.

A shopper on a product page sees a list. The better it fits the taste, the likelier a click; the
better the products that a visit comes by, the likelier a purchase. So a list maker has a true
effect, and `expected_conversion` knows it without waiting for anyone to buy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from thinslice.demo.tastes import TASTES, Taste, Tastes
from thinslice.domain import DAY_US, MICROSECONDS, EventType

MAX_PAGES = 12
LIST_LENGTH = 8
CART_CHANCE = 0.55
"""Chance that a product which fits perfectly goes into the cart when its page is seen."""
FIRST_PAGE = 0.3
"""On the first page of a visit that chance is this much smaller: people look around first."""
ORDER_CHANCE = 0.7
"""Chance that a cart becomes an order."""
CLICK_CHANCE = 0.6
"""Chance of clicking the first place of the list when it fits perfectly."""
EXAMINE = 0.9
"""Each further place is looked at this much less often than the one before."""
GO_ON_CHANCE = 0.9
"""Chance of looking around oneself when nothing in the list was clicked."""
IMPATIENCE = 0.7
"""A list with nothing in it for this shopper makes going on this much less likely."""
LOOK_AT_POPULAR = 0.1
RETURN_CHANCE = 0.15

Draws = NDArray[np.float64]


class Shown(NamedTuple):
    """The list on a page: its products, and the exposure's id where it was recorded."""

    products: Sequence[str]
    exposure_id: str | None = None


class Page(NamedTuple):
    """The page a shopper is on: all that a list maker may know."""

    items: tuple[str, ...]
    time_us: int


Show = Callable[[Page], Shown]


class Act(NamedTuple):
    """One thing a shopper did."""

    type: EventType
    time_us: int
    products: tuple[str, ...]
    exposure_id: str | None = None
    position: int | None = None


@dataclass(frozen=True, slots=True)
class Visit:
    """One visit to come: who, with which taste, when. Its number alone decides the dice."""

    number: int
    visitor: str
    taste: Taste
    time_us: int
    seed: int

    def draws(self) -> Draws:
        """The dice of this visit, one row per page."""
        return np.random.default_rng([self.seed, self.number]).random((MAX_PAGES, 9))


def make_visits(
    tastes: Tastes,
    *,
    sessions: int,
    since_us: int,
    until_us: int,
    seed: int,
    prefix: str,
) -> list[Visit]:
    """Visitors with tastes as common as they are, spread over the days; some come back, once."""
    rng = np.random.default_rng(seed)
    times = np.sort(rng.uniform(since_us, until_us, sessions)).astype(np.int64)
    back = np.nonzero(rng.random(sessions) < RETURN_CHANCE)[0]
    chosen = np.searchsorted(tastes.share, rng.random(sessions)).clip(0, len(TASTES) - 1)
    who, been_back = np.arange(sessions), set()
    for i in back.tolist():
        earlier = int(np.searchsorted(times, times[i] - DAY_US // 2))
        if earlier:
            first = int(rng.integers(max(0, earlier - sessions // 5), earlier))
            if who[first] == first and first not in been_back:
                who[i] = first
                been_back.add(first)
    return [
        Visit(i, f"{prefix}-{who[i]}", TASTES[chosen[who[i]]], int(times[i]), seed)
        for i in range(sessions)
    ]


class Shoppers:
    """How shoppers of every taste behave in one catalogue."""

    def __init__(self, tastes: Tastes) -> None:
        self.tastes = tastes
        self._ids = [product.id for product in tastes.catalogue.products]
        self._position = tastes.catalogue.positions
        self._in_stock = [product.in_stock for product in tastes.catalogue.products]
        self._fit: list[list[float]] = tastes.fit.tolist()

    def live(self, visit: Visit, show: Show) -> list[Act]:
        """Everything that happens in one visit, in order."""
        draws, acts, cart = visit.draws(), [], []
        for step in self._pages(visit, draws, show):
            acts.extend(step.acts)
            if draws[step.number, 0] < self._cart_chance(visit.taste, step):
                acts.append(Act(EventType.PRODUCT_ADDED, step.left_us, (step.product,)))
                cart.append(step.product)
        if cart and draws[0, 7] < ORDER_CHANCE:
            end = acts[-1].time_us + 40 * MICROSECONDS
            acts.append(Act(EventType.ORDER_COMPLETED, end, tuple(dict.fromkeys(cart))))
        return acts

    def conversion_chance(self, visit: Visit, show: Show) -> float:
        """The chance that the visit ends in an order, given the pages that it comes by."""
        nothing = 1.0
        for step in self._pages(visit, visit.draws(), show):
            nothing *= 1 - self._cart_chance(visit.taste, step)
        return ORDER_CHANCE * (1 - nothing)

    def _pages(self, visit: Visit, draws: Draws, show: Show) -> Iterator[_Step]:
        """The pages of a visit; what is in the cart changes none of them."""
        product, now, seen = self._look_around(visit.taste, draws[0, 6], draws[0, 8]), 0, []
        clicked: list[Act] = []
        for number in range(MAX_PAGES):
            at = visit.time_us + now
            seen.append(product)
            acts = [*clicked, Act(EventType.PRODUCT_VIEWED, at, (product,))]
            now += int((6 - 30 * np.log(1 - draws[number, 3])) * MICROSECONDS)
            yield _Step(number, product, visit.time_us + now - MICROSECONDS, acts)
            shown = show(Page(tuple(seen), at + MICROSECONDS // 2))
            place = self._click(visit.taste, shown.products, seen, draws[number, 1])
            clicked = []
            if place is not None:
                product = shown.products[place]
                clicked = [
                    Act(
                        EventType.RECOMMENDATION_CLICKED,
                        visit.time_us + now,
                        (product,),
                        shown.exposure_id,
                        place,
                    )
                ]
            elif draws[number, 2] < self._go_on_chance(visit.taste, shown.products):
                product = self._look_around(visit.taste, draws[number, 4], draws[number, 5])
            else:
                return
            now += MICROSECONDS

    def _look_around(self, taste: Taste, mood: float, dice: float) -> str:
        popular = mood < LOOK_AT_POPULAR
        table = self.tastes.popular if popular else self.tastes.browse[taste.number]
        return self._ids[min(int(np.searchsorted(table, dice)), len(self._ids) - 1)]

    def _click(
        self, taste: Taste, products: Sequence[str], seen: Sequence[str], dice: float
    ) -> int | None:
        """Which place of the list is clicked: each place in turn has its chance."""
        fit, missed = self._fit[taste.number], 1.0
        for place, product in enumerate(products[:LIST_LENGTH]):
            if product in seen:
                continue
            missed *= 1 - CLICK_CHANCE * EXAMINE**place * fit[self._position[product]]
            if dice < 1 - missed:
                return place
        return None

    def _go_on_chance(self, taste: Taste, products: Sequence[str]) -> float:
        fit = self._fit[taste.number]
        best = max((fit[self._position[product]] for product in products[:LIST_LENGTH]), default=0)
        return GO_ON_CHANCE * (1 - IMPATIENCE * (1 - best))

    def _cart_chance(self, taste: Taste, step: _Step) -> float:
        position = self._position[step.product]
        eager = CART_CHANCE if step.number else CART_CHANCE * FIRST_PAGE
        return eager * self._fit[taste.number][position] * self._in_stock[position]


class _Step(NamedTuple):
    """One page of a visit, what led to it, and when it was left."""

    number: int
    product: str
    left_us: int
    acts: list[Act]


def expected_conversion(shoppers: Shoppers, visits: Sequence[Visit], show: Show) -> float:
    """The mean chance of an order per visit when everyone is shown lists by `show`."""
    return float(np.mean([shoppers.conversion_chance(visit, show) for visit in visits]))
