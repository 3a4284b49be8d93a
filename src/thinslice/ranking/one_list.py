"""One list while it is made: candidates are offered best first, and the rules decide about each.

One pass, whatever the rules: what has to wait (a buried product, or one that would take the place
of a category still missing) is set aside in order, and offered once more when nothing else is left.
So the time is linear in the candidates, of which no more than `MOST_REFUSED` are refused for what
is in the list already.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Set
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from thinslice.domain import CLICKS, ListRules, Ruling, Scored
from thinslice.ranking.rules import category_steps, leaf, price_allowed, why_not

if TYPE_CHECKING:
    from thinslice.domain import Product, Query

MOST_REFUSED = 2_000
MOST_TRACED = 200

NO_RULES = ListRules()
Twins = Mapping[str, Set[str]]
"""Per product those whose photo is nearly the same."""

_MASKED = {
    "at_hand": "left out: it is the product at hand",
    "bought": "left out: it was bought in this visit",
    "in_cart": "left out: it is in the cart, and the list is ranked for what may come into it",
    "not_in_catalogue": "left out: it is not in the catalogue",
    "hidden": "left out: it is hidden",
    "excluded": "left out: the request excludes it",
    "out_of_stock": "left out: it is out of stock",
    "category_filter": "left out: it is not of the category asked for",
    "price_filter": "left out: its price is not within what was asked for",
    "price_band": "left out: its price is too far from that of the product at hand",
}


class Place(NamedTuple):
    """A product that has a place in the list, and the list maker that it came from."""

    candidate: Scored
    source: str


class Fact(NamedTuple):
    """What the rules need of a product; `product` is None where the catalogue lacks it."""

    product: Product | None
    category: tuple[str, ...]
    title: str


class Facts(dict[str, Fact]):
    """The facts of each product that was ever proposed: worked out once per catalogue."""

    def __init__(self, products: Mapping[str, Product]) -> None:
        super().__init__()
        self.products = products

    def __missing__(self, product_id: str) -> Fact:
        product = self.products.get(product_id)
        if product is None:  # not kept: anything may be asked for
            return _UNKNOWN
        fact = Fact(product, category_steps(product.category), title_key(product.title))
        self[product_id] = fact
        return fact

    def title_of(self, product_id: str) -> str:
        """What a product is called; its id where it has no title or is not in the catalogue."""
        product = self[product_id].product
        return product.title if product and product.title else product_id


_UNKNOWN = Fact(None, (), "")


class Masks:
    """What may be shown whatever else is in the list: a yes or no for each product by itself."""

    def __init__(self, query: Query, facts: Facts, rules: ListRules) -> None:
        self._facts = facts
        self._filters = query.filters
        self._bought = query.bought
        self._cart = query.cart if rules.objective != CLICKS else frozenset()
        self.at_hand = query.items[-1] if query.items else None
        self._band = _price_band(facts[self.at_hand or ""].product, rules)

    def why_not(self, product_id: str, *, repeats: bool = False) -> str | None:
        """The rule that keeps a product out; `repeats` lets the product at hand compete."""
        if product_id == self.at_hand and not repeats:
            return "at_hand"
        if product_id in self._bought:
            return "bought"
        if product_id in self._cart:
            return "in_cart"
        product = self._facts[product_id].product
        if product is None:
            if self._facts.products:
                return "not_in_catalogue"
            return "excluded" if product_id in self._filters.exclude else None
        broken = why_not(product, self._filters)
        if broken is None and self._band and not price_allowed(product.price_minor, *self._band):
            return "price_band"
        return broken


class OneList:
    """A list of at most `query.n` products, each at most once, that breaks none of the rules."""

    def __init__(
        self,
        query: Query,
        facts: Facts,
        rules: ListRules,
        twins: Twins,
        n_categories: int,
        trace: list[Ruling] | None = None,
    ) -> None:
        self.places: dict[str, Place] = {}
        self.refused = 0
        self._n = query.n
        self._masks = Masks(query, facts, rules)
        self._trace = trace
        self._seen: set[str] = set()
        self._last = (list[Place](), list[Place]())
        self._mix = _Mix(query, facts, rules, twins, n_categories, self._masks.at_hand)
        self._buried = frozenset(rules.buried)
        self._is_ruled = rules != NO_RULES

    @property
    def is_done(self) -> bool:
        return len(self.places) >= self._n or self.refused >= MOST_REFUSED

    def offer_all(
        self, candidates: Iterable[Scored], source: str, *, repeats: bool = False
    ) -> None:
        """Offer candidates, best first, until the list is done."""
        places, seen, why_not = self.places, self._seen, self._masks.why_not
        for candidate in candidates:
            if len(places) >= self._n or self.refused >= MOST_REFUSED:
                return
            product = candidate.product
            if product in seen:
                continue
            seen.add(product)
            broken = why_not(product, repeats=repeats)
            if broken is not None:
                self._note(broken, product, _MASKED[broken])
            elif self._is_ruled:
                self._offer(Place(candidate, source))
            else:
                places[product] = Place(candidate, source)

    def offer_what_waits(self) -> None:
        """Fill what is open with what had to wait: first for other categories, then what is buried.

        Nothing is left that could keep to the least number of categories; the other rules hold.
        """
        waiting, buried = self._last
        for place in (*waiting, *buried):
            if len(self.places) < self._n and self._mix.why_not(place.candidate.product) is None:
                self._take(place)

    def _offer(self, place: Place) -> None:
        product = place.candidate.product
        waiting, buried = self._last
        if product in self._buried:
            buried.append(place)
            self._note("bury", product, "put behind all others")
        elif broken := self._mix.why_not(product):
            self.refused += 1
            self._note(*broken)
        elif self._mix.has_to_wait(product, self._n - len(self.places)):
            self.refused += 1
            waiting.append(place)
            did = "put behind others: the places left are kept for other categories"
            self._note("least_categories", product, did)
        else:
            self._take(place)

    def _take(self, place: Place) -> None:
        self.places[place.candidate.product] = place
        self._mix.add(place.candidate.product)

    def _note(self, rule: str, product: str, did: str) -> None:
        if self._trace is not None and len(self._trace) < MOST_TRACED:
            self._trace.append(Ruling(rule, product, did))


class _Mix:
    """What may be shown beside what is in the list already: categories and near-duplicates.

    The category rules rest where a request asks for one category. A product without a category
    counts for none.
    """

    def __init__(
        self,
        query: Query,
        facts: Facts,
        rules: ListRules,
        twins: Twins,
        n_categories: int,
        at_hand: str | None,
    ) -> None:
        self._facts = facts
        mixed = query.filters.category is None
        self._most = rules.most_of_category if mixed else None
        self._least = min(rules.least_categories or 0, query.n, n_categories) if mixed else 0
        self._no_twins = rules.no_near_duplicates
        self._twins = twins
        self._of_category: dict[tuple[str, ...], int] = {}
        self._titled: dict[str, str] = {}
        self._photographed: dict[str, str] = {}
        if at_hand is not None and self._no_twins:
            self._add_twins(at_hand)

    def why_not(self, product_id: str) -> Ruling | None:
        fact = self._facts[product_id]
        category, most = fact.category, self._most
        if most is not None and category and self._of_category.get(category, 0) >= most:
            name = leaf(fact.product.category) if fact.product else ""
            did = f"left out: {most} of {name} are in the list already"
            return Ruling("most_of_category", product_id, did)
        if self._no_twins:
            twin = self._titled.get(fact.title) or self._photographed.get(product_id)
            if twin and twin != product_id:
                did = f"left out: it is nearly the same as {self._facts.title_of(twin)}"
                return Ruling("near_duplicates", product_id, did)
        return None

    def has_to_wait(self, product_id: str, places_left: int) -> bool:
        """Whether all places that are left are needed for categories that are still missing."""
        missing = self._least - len(self._of_category)
        if missing <= 0 or places_left > missing:
            return False
        category = self._facts[product_id].category
        return not category or category in self._of_category

    def add(self, product_id: str) -> None:
        if category := self._facts[product_id].category:
            self._of_category[category] = self._of_category.get(category, 0) + 1
        if self._no_twins:
            self._add_twins(product_id)

    def _add_twins(self, product_id: str) -> None:
        if title := self._facts[product_id].title:
            self._titled.setdefault(title, product_id)
        for twin in self._twins.get(product_id, ()):
            self._photographed.setdefault(twin, product_id)


@lru_cache(maxsize=65_536)
def title_key(title: str) -> str:
    """A title as it is compared: its words, whatever their case, spaces and signs.

    >>> title_key("Brass lamp, 40 cm") == title_key("BRASS  LAMP 40 cm")
    True
    """
    return " ".join(re.findall(r"\w+", title.casefold()))


def _price_band(
    at_hand: Product | None, rules: ListRules
) -> tuple[float | None, float | None] | None:
    """The prices that may be shown beside the product at hand; None where there is no limit."""
    if at_hand is None or at_hand.price_minor is None:
        return None
    if rules.price_from is None and rules.price_to is None:
        return None
    low, high = (
        None if share is None else share * at_hand.price_minor
        for share in (rules.price_from, rules.price_to)
    )
    return low, high
