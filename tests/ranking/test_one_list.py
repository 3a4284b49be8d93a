"""A shop's own rules: pinned, buried, price band, mix of categories, near-duplicates."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinslice.domain import CLICKS, OBJECTIVES, Filters, ListRules, Product, Query
from thinslice.ranking.lists import EVERYWHERE, ListRecommender
from thinslice.ranking.one_list import MOST_REFUSED, title_key
from thinslice.ranking.ranker import Ranker

CATEGORIES = ("Lamps", "Rugs", "Chairs", "")
PRODUCTS = {
    f"p{i}": Product(
        f"p{i}",
        f"Thing {i % 9}",  # every ninth has the same title
        CATEGORIES[i % 4] and f"Home > {CATEGORIES[i % 4]}",
        price_minor=None if i % 7 == 0 else 1000 + 400 * i,
        stock=0 if i % 5 == 4 else None,
        hidden=i == 11,
    )
    for i in range(24)
}
IDS = tuple(PRODUCTS)
TWINS = {"p1": {"p2"}, "p2": {"p1", "p3"}, "p3": {"p2"}}


def ranker(rules: ListRules, order=IDS, products=PRODUCTS, twins=TWINS) -> Ranker:
    makers = {"popular": ListRecommender("popular", {EVERYWHERE: tuple(order)})}
    return Ranker(makers, products, rules=rules, twins=twins)


def shown(rules: ListRules, query: Query, **more) -> list[str]:
    return [r.product for r in ranker(rules, **more).rank(query, "popular")[0]]


def test_pinned_products_come_first_in_their_order_and_say_so():
    made = ranker(ListRules(pinned=("p8", "p5")))
    found, note = made.rank(Query(n=4), "popular")
    assert [(r.product, r.source, r.reason) for r in found[:2]] == [
        ("p8", "pinned", "Chosen by the shop"),
        ("p5", "pinned", "Chosen by the shop"),
    ]
    assert note == ""


def test_a_pinned_product_that_is_sold_out_or_filtered_away_is_not_shown():
    assert "p4" not in shown(ListRules(pinned=("p4",)), Query(n=20))
    filters = Filters(category="Home > Rugs")
    assert shown(ListRules(pinned=("p0",)), Query(n=1, filters=filters)) == ["p1"]


def test_a_buried_product_comes_last_and_only_where_nothing_else_is_left():
    assert "p0" not in shown(ListRules(buried=("p0",)), Query(n=5))
    everything = shown(ListRules(buried=("p0", "p1")), Query(n=100))
    assert everything[-2:] == ["p0", "p1"]


def test_prices_stay_near_that_of_the_product_at_hand():
    rules = ListRules(price_from=0.5, price_to=1.5)
    found = shown(rules, Query(("p6",), n=100))
    assert found
    assert all(1700 <= PRODUCTS[p].price_minor <= 5100 for p in found)
    assert "p0" in shown(rules, Query(("p7",), n=100))  # its price is not known: no band


def test_at_most_so_many_of_one_category_even_if_the_list_is_short():
    made = ranker(ListRules(most_of_category=1))
    found, note = made.rank(Query(n=10), "popular")
    counts = Counter(PRODUCTS[r.product].category for r in found)
    assert {c: n for c, n in counts.items() if c} == {
        "Home > Lamps": 1,
        "Home > Rugs": 1,
        "Home > Chairs": 1,
    }
    assert note.endswith("can be shown under the shop's rules.")


def test_places_are_kept_for_categories_that_are_missing():
    order = sorted(IDS, key=lambda p: PRODUCTS[p].category != "Home > Lamps")
    found = shown(ListRules(least_categories=3), Query(n=4), order=order)
    assert len({PRODUCTS[p].category for p in found} - {""}) == 3
    assert found[0] == "p0"


def test_the_mix_rests_where_one_category_is_asked_for():
    filters = Filters(category="Home > Lamps")
    rules = ListRules(most_of_category=1, least_categories=3)
    assert len(shown(rules, Query(n=4, filters=filters))) == 4


def test_of_near_duplicates_only_the_first_is_shown_nor_one_of_the_product_at_hand():
    rules = ListRules(no_near_duplicates=True)
    assert shown(rules, Query(n=3)) == ["p0", "p1", "p3"]  # p2 has the photo of p1
    assert "p9" not in shown(rules, Query(("p0",), n=20))
    assert title_key("Brass lamp, 40 cm") == title_key(" brass LAMP 40 cm!")


def test_the_trace_says_which_rule_did_what():
    rules = ListRules(pinned=("p8",), buried=("p0",), most_of_category=1, no_near_duplicates=True)
    trace = []
    query = Query(("p1",), n=3, filters=Filters(exclude=frozenset({"p3"})))
    ranker(rules).rank(query, "popular", trace=trace)
    told = {(t.rule, t.product): t.did for t in trace}
    assert told["pin", "p8"] == "put first"
    assert told["bury", "p0"] == "put behind all others"
    assert told["near_duplicates", "p2"] == "left out: it is nearly the same as Thing 1"
    assert told["excluded", "p3"].startswith("left out")
    assert told["out_of_stock", "p4"] == "left out: it is out of stock"


def test_a_request_may_be_answered_without_the_shops_rules():
    assert shown(ListRules(pinned=("p8",)), Query(n=1, ruled=False)) == ["p0"]


@settings(max_examples=300)
@given(
    order=st.permutations(IDS),
    at_hand=st.sampled_from([(), ("p6",), ("p7",)]),
    n=st.integers(1, 12),
    pinned=st.lists(st.sampled_from(IDS), max_size=3, unique=True),
    buried=st.lists(st.sampled_from(IDS), max_size=3, unique=True),
    most=st.sampled_from([None, 1, 2, 4]),
    least=st.sampled_from([None, 2, 3, 9]),
    band=st.sampled_from([(None, None), (0.5, 2.0), (None, 1.0)]),
    no_twins=st.booleans(),
    exclude=st.frozensets(st.sampled_from(IDS), max_size=4),
    bought=st.frozensets(st.sampled_from(IDS), max_size=3),
    cart=st.frozensets(st.sampled_from(IDS), max_size=3),
    objective=st.sampled_from(OBJECTIVES),
    opened=st.sampled_from(["", "Home > Rugs", "home", "Garden"]),
)
def test_no_rule_ever_breaks(
    order, at_hand, n, pinned, buried, most, least, band, no_twins, exclude, bought, cart,
    objective, opened,
):  # fmt: skip
    buried = tuple(p for p in buried if p not in pinned)
    rules = ListRules(tuple(pinned), buried, *band, most, least, no_twins, objective)
    visit = {"bought": bought, "cart": cart, "category": opened}
    query = Query(at_hand, n, filters=Filters(exclude=exclude), **visit)
    found = shown(rules, query, order=order)
    products = [PRODUCTS[p] for p in found]

    assert len(set(found)) == len(found) <= n
    assert all(p.in_stock for p in products)
    assert not {*exclude, *at_hand, *bought} & {*found}
    assert objective == CLICKS or not cart & {*found}
    if at_hand and PRODUCTS[at_hand[0]].price_minor and band != (None, None):
        base = PRODUCTS[at_hand[0]].price_minor
        low, high = (base * (band[0] or 0), base * band[1])
        assert all(p.price_minor is not None and low <= p.price_minor <= high for p in products)
    counts = Counter(p.category for p in products if p.category)
    assert most is None or max(counts.values(), default=0) <= most
    if no_twins:
        titles = [title_key(p.title) for p in products]
        assert len(set(titles)) == len(titles)
        assert not any(b in TWINS.get(a, ()) for a in found for b in found)

    first = [p for p in pinned if p in found]
    assert first == [p for p in found if p in pinned], "pinned ones keep their order"
    without = set(
        shown(ListRules((), (), *band, most, None, no_twins, objective), query, order=order)
    )
    shown_buried = [p for p in found if p in buried]
    assert found[len(found) - len(shown_buried) :] == shown_buried, "buried ones stand last"
    if most is None and not no_twins and least is None:
        assert len(found) == len(without), "pinning and burying never shorten a list"
    if least and most is None and not no_twins and not buried and not pinned:
        could = {
            PRODUCTS[p].category
            for p in shown(
                ListRules((), (), *band, objective=objective),
                replace(query, n=100),
                order=order,
            )
        } - {""}
        assert len(counts) >= min(least, n, len(could))


def test_a_visitors_name_changes_nothing():
    rules = ListRules(pinned=("p8",), most_of_category=2, no_near_duplicates=True)
    made = ranker(rules)
    anna, someone = (
        made.rank(Query(("p6",), 8, visitor=name, session=name), "popular")
        for name in ("anna", "someone else")
    )
    assert anna == someone


class Counted(dict[str, Product]):
    """A catalogue that counts how often a product is looked up."""

    looked_up = 0

    def get(self, key, default=None):
        self.looked_up += 1
        return super().get(key, default)


def test_few_products_are_looked_at_where_every_one_is_refused():
    products = Counted((f"x{i}", Product(f"x{i}", "The same", "One")) for i in range(50_000))
    rules = ListRules(most_of_category=2, least_categories=5, no_near_duplicates=True)
    made = ranker(rules, order=products, products=products, twins={})
    made.rank(Query(("x5",), n=10), "popular")  # once to prepare
    products.looked_up = 0
    found, note = made.rank(Query(("x5",), n=10), "popular")
    assert products.looked_up < 4 * MOST_REFUSED
    assert (found, note) == ((), "No products can be shown under the shop's rules.")


@pytest.mark.parametrize("n", [1, 2, 5, 20])
def test_the_first_places_do_not_depend_on_the_length_of_the_list(n):
    rules = ListRules(pinned=("p8",), buried=("p1",), most_of_category=2)
    assert shown(rules, Query(n=20))[:n] == shown(rules, Query(n=n))
