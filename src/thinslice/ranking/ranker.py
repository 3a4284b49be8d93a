"""One explained list from whatever list makers there are, under rules that are never bent.

    pinned -> the policy's list maker -> popular in the last product's category -> popular
           -> the catalogue -> what had to wait, and what is buried

Where nothing was viewed yet but a category page is open, what is popular in it and then the rest of
it come before the list maker, unless that is a list of the shop's own.

Each step fills what the one before left open. Every product says where it came from, and the
note says in plain words when the list is not what was asked for.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

from thinslice.domain import (
    INCUMBENT,
    ITEM_TO_ITEM,
    POPULAR,
    SESSION,
    Filters,
    ListRules,
    Query,
    Recommendation,
    Ruling,
    Scored,
)
from thinslice.errors import InputError
from thinslice.ranking.one_list import NO_RULES, Facts, Masks, OneList, Twins
from thinslice.ranking.popular_order import PopularOrder
from thinslice.ranking.rules import category_steps, in_category, leaf

if TYPE_CHECKING:
    from thinslice.domain import Product
    from thinslice.interfaces import Recommender

LIST_PREFIX = "list:"

_FIRST_LOOK = 300

PINNED = "pinned"
IN_CATEGORY = "popular_in_category"
CATALOGUE = "catalogue"
"""Sources that are no policy: what the shop put first, and what fills a list up."""


class Ranker:
    """Recommends over the list makers and the products in force.

    `recommenders` may be empty, and so may `products`: then ids are shown as they are, since
    there is nothing that could forbid one. `rules` are the shop's own, `twins` the products whose
    photos are nearly the same. Costs nothing to construct; what it remembers is worth keeping
    while all of it is in force.
    """

    def __init__(
        self,
        recommenders: Mapping[str, Recommender],
        products: Mapping[str, Product],
        *,
        version: str | None = None,
        rules: ListRules = NO_RULES,
        twins: Twins | None = None,
    ) -> None:
        self.recommenders = recommenders
        self.products = products
        self.version = version
        self.rules = rules
        self._twins = twins or {}
        self._facts = Facts(products)
        self._popular_order: PopularOrder | None = None
        self._n_categories: int | None = None

    def rank(
        self,
        query: Query,
        policy: str,
        *,
        now_us: int | None = None,
        trace: list[Ruling] | None = None,
    ) -> tuple[tuple[Recommendation, ...], str]:
        """At most `query.n` products, best first, and a note that is empty when all went well.

        What the rules did is added to `trace`. Raises InputError for a policy that names no kind
        of list maker.
        """
        check_policy(policy)
        rules = self._rules(query)
        n_categories = self._categories() if rules.least_categories else 0
        made = OneList(query, self._facts, rules, self._twins, n_categories, trace)
        made.offer_all((Scored(p, 0.0, None) for p in rules.pinned), PINNED)
        if trace is not None:
            trace += [Ruling("pin", product, "put first") for product in made.places]
        for source, candidates in self._steps(query, policy, now_us):
            if made.is_done:
                break
            made.offer_all(candidates, source, repeats=self._repeats(source))
        made.offer_what_waits()
        recommendations = tuple(
            Recommendation(p, c.score, self._reason(source, c, query), c.because, source)
            for p, (c, source) in made.places.items()
        )
        return recommendations, self._note(query, policy, recommendations, made.refused > 0)

    def warm_up(self) -> None:
        """Answer a question nobody asked, and sort the catalogue for lists that are too short."""
        self._order()
        for policy in self.recommenders:
            self.rank(Query(items=tuple(islice(self.products, 1))), policy)

    def has_own(self, query: Query, policy: str, *, now_us: int | None = None) -> bool:
        """Whether the policy's own list maker has anything to show for this request."""
        check_policy(policy)
        masks, repeats = Masks(query, self._facts, self._rules(query)), self._repeats(policy)
        candidates = self._candidates(policy, query, now_us)
        return any(masks.why_not(c.product, repeats=repeats) is None for c in candidates)

    def check_policies(self, *policies: str) -> None:
        """Raise InputError unless each policy has its list maker here and now."""
        for policy in policies:
            check_policy(policy)
            if policy not in self.recommenders:
                raise InputError(
                    f"there is no list maker {policy!r} yet; there is "
                    f"{', '.join(self.recommenders) or 'none at all'}; "
                    "a list is imported with thinslice import --incumbent FILE, "
                    "a model is learned with thinslice build"
                )

    def _steps(
        self, query: Query, policy: str, now_us: int | None
    ) -> Iterator[tuple[str, Iterable[Scored]]]:
        category = self._category_at_hand(query)
        begins = not query.items and not policy.startswith(LIST_PREFIX)
        if category and begins:  # a category page is all that is known of the visit
            yield IN_CATEGORY, self._popular_in(category)
            yield CATALOGUE, self._rest_of(category)
        yield policy, self._candidates(policy, query, now_us)
        if policy != POPULAR:
            if category and not begins:
                yield IN_CATEGORY, self._popular_in(category)
            yield POPULAR, self._candidates(POPULAR, query, now_us)
        yield CATALOGUE, self._rest_of_the_catalogue(query)

    def _candidates(self, policy: str, query: Query, now_us: int | None) -> Iterator[Scored]:
        maker = self.recommenders.get(policy)
        if maker is None:
            return iter(())
        if policy == POPULAR and query.filters.category:
            return self._popular_in(query.filters.category)
        return self._until_exhausted(maker, query, now_us)

    def _until_exhausted(
        self, maker: Recommender, query: Query, now_us: int | None
    ) -> Iterator[Scored]:
        """A maker's candidates, asked for in growing helpings: most queries need only the first."""
        n, taken = 2 * query.n + 20, 0
        while True:
            candidates = maker.recommend(query.items, n, now_us=now_us)
            yield from candidates[taken:]
            if len(candidates) < n:
                return
            taken, n = len(candidates), 8 * n

    def _popular_in(self, category: str) -> Iterator[Scored]:
        """Popular products of a category, from the head of the list before all is sorted."""
        popular = self.recommenders.get(POPULAR)
        if popular is None:
            return
        if self._popular_order is None:
            for candidate in popular.recommend((), _FIRST_LOOK):
                product = self.products.get(candidate.product)
                if product is not None and in_category(product.category, category):
                    yield candidate
        yield from self._order().inside(category)[0]

    def _rest_of_the_catalogue(self, query: Query) -> Iterator[Scored]:
        """Products that nobody has looked at yet, those of the category at hand first."""
        if category := query.filters.category or self._category_at_hand(query):
            yield from self._rest_of(category)
        if not query.filters.category:
            yield from self._order().others

    def _rest_of(self, category: str) -> Iterator[Scored]:
        yield from self._order().inside(category)[1]

    def _order(self) -> PopularOrder:
        if self._popular_order is None:
            self._popular_order = PopularOrder(self.recommenders.get(POPULAR), self.products)
        return self._popular_order

    def _category_at_hand(self, query: Query) -> str:
        """That of the last product; of the page that is open where none was viewed."""
        last = self.products.get(query.items[-1]) if query.items else None
        return last.category if last else query.category

    def _repeats(self, source: str) -> bool:
        """Whether a list maker was told to let the product at hand compete."""
        return bool(getattr(self.recommenders.get(source), "repeats", False))

    def _rules(self, query: Query) -> ListRules:
        return self.rules if query.ruled else NO_RULES

    def _categories(self) -> int:
        """How many categories the catalogue has."""
        if self._n_categories is None:
            found = {category_steps(product.category) for product in self.products.values()}
            self._n_categories = len(found - {()})
        return self._n_categories

    def _reason(self, source: str, candidate: Scored, query: Query) -> str:
        product, _, because, like = candidate
        if source == PINNED:
            return "Chosen by the shop"
        if like:
            return f"New, looks like {self._title(like)}"
        if product in query.items and source in (SESSION, ITEM_TO_ITEM):
            return "You viewed this earlier"
        if source.startswith(LIST_PREFIX) and because:
            if source == LIST_PREFIX + INCUMBENT:
                return f"Shown beside {self._title(because)} today"
            return f"Listed beside {self._title(because)} in {source.removeprefix(LIST_PREFIX)}"
        if source.startswith(LIST_PREFIX):
            return f"On the list {source.removeprefix(LIST_PREFIX)}"
        if because:
            return f"Because you viewed {self._title(because)}"
        if source == IN_CATEGORY:
            return f"Popular in {leaf(self._category_at_hand(query))}"
        if source == POPULAR or self.recommenders.get(source) is self.recommenders.get(POPULAR):
            return "Popular now"
        if source == CATALOGUE:
            return "From the catalogue"
        return "Viewed in sessions like this one"

    def _title(self, product_id: str) -> str:
        return self._facts.title_of(product_id)

    def _note(
        self,
        query: Query,
        policy: str,
        recommendations: tuple[Recommendation, ...],
        is_ruled: bool,
    ) -> str:
        """Why the list is short, or not from the list maker that was asked for."""
        found = len(recommendations)
        pinned = sum(r.source == PINNED for r in recommendations)
        wanted = sum(r.source == policy for r in recommendations)
        notes = []
        if wanted + pinned < found:
            notes.append(self._why_filled(policy, wanted, found - pinned, query))
        if found < query.n:
            notes.append(self._why_short(found, query, is_ruled))
        return " ".join(notes)

    def _why_filled(self, policy: str, wanted: int, found: int, query: Query) -> str:
        others = f"{found - wanted} of {found}" if wanted else "all"
        instead = f"{others} are popular or from the catalogue instead."
        if policy not in self.recommenders:
            if policy.startswith(LIST_PREFIX):
                return f"There is no list {policy.removeprefix(LIST_PREFIX)!r} yet; {instead}"
            return f"Nothing is learned from visits yet; {instead}"
        if not query.items:
            return f"Nothing was viewed yet; {instead}"
        if not wanted:
            return f"{_maker(policy)} has nothing for what was viewed; {instead}"
        return f"{_maker(policy)} has only {wanted} for what was viewed; {instead}"

    def _why_short(self, found: int, query: Query, is_ruled: bool) -> str:
        if not self.products and not self.recommenders:
            return "There are no products yet: import a catalogue or events."
        if is_ruled:
            what = "1 product" if found == 1 else f"{found or 'No'} products"
            return f"{'Only ' * bool(found)}{what} can be shown under the shop's rules."
        matching = "can be shown" if query.filters == Filters() else "match the filters"
        if not found:
            return f"No products {matching}."
        if found == 1:
            return f"Only 1 product {matching.replace('match ', 'matches ')}."
        return f"Only {found} products {matching}."


def check_policy(policy: str) -> None:
    """Raise InputError unless the policy names a kind of list maker."""
    if policy in (SESSION, ITEM_TO_ITEM, POPULAR):
        return
    if policy.startswith(LIST_PREFIX) and len(policy) > len(LIST_PREFIX):
        return
    raise InputError(
        f"policy must be {SESSION!r}, {ITEM_TO_ITEM!r}, {POPULAR!r} or {LIST_PREFIX + 'NAME'!r}, "
        f"got {policy!r}"
    )


def _maker(policy: str) -> str:
    if policy.startswith(LIST_PREFIX):
        return f"The list {policy.removeprefix(LIST_PREFIX)!r}"
    return {
        SESSION: "The session model",
        ITEM_TO_ITEM: "The item-to-item model",
        POPULAR: "The popular list",
    }[policy]
