from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinslice.domain import Filters, ListRules, Product, Query, Ruling, Scored
from thinslice.errors import InputError
from thinslice.ranking.lists import EVERYWHERE, ListRecommender
from thinslice.ranking.ranker import Ranker


class ByHand:
    """A session model whose answers are written down; it needs a product that it knows."""

    name = "session"

    def __init__(self, answers):
        self._lists = ListRecommender("session", answers)

    def recommend(self, session, n, *, now_us=None):
        return self._lists.recommend(session, n)


POPULAR = ("tv", "lamp", "rug", "sofa", "bulb", "chair")
PRODUCTS = {
    p.id: p
    for p in (
        Product("lamp", "Brass lamp", category="Home > Lighting", price_minor=4000),
        Product("bulb", "Warm bulb", category="Home > Lighting", price_minor=500),
        Product("candle", "Candle", category="Home > Lighting > Candles", price_minor=300),
        Product("sofa", "Blue sofa", category="Home > Seating", price_minor=90000),
        Product("chair", "Oak chair", category="Home > Seating", price_minor=12000),
        Product("rug", "Wool rug", category="Home > Floor", price_minor=8000, stock=0),
        Product("tv", "Television", category="Electronics", price_minor=50000),
        Product("secret", "Not yet", category="Home > Lighting", hidden=True),
    )
}


def popular():
    return ListRecommender("popular", {EVERYWHERE: POPULAR})


def ranker(session=None, products=PRODUCTS, **lists) -> Ranker:
    makers = {"popular": popular()}
    if session is not None:
        makers["session"] = ByHand(session)
    makers |= {
        f"list:{name}": ListRecommender(f"list:{name}", kept) for name, kept in lists.items()
    }
    return Ranker(makers, products, version="v1")


def ids(recommendations) -> list[str]:
    return [r.product for r in recommendations]


def test_the_model_s_list_has_its_reasons_and_no_note():
    found, note = ranker({"lamp": ("bulb", "sofa")}).rank(Query(("lamp",), n=2), "session")
    assert [(r.product, r.reason, r.source) for r in found] == [
        ("bulb", "Because you viewed Brass lamp", "session"),
        ("sofa", "Because you viewed Brass lamp", "session"),
    ]
    assert note == ""


def test_what_the_shop_shows_today_says_so():
    found, _ = ranker(incumbent={"lamp": ("tv",)}).rank(Query(("lamp",), n=1), "list:incumbent")
    assert found[0].reason == "Shown beside Brass lamp today"
    assert found[0].source == "list:incumbent"


def test_a_short_list_is_filled_from_the_category_then_the_popular_then_the_catalogue():
    found, note = ranker({"lamp": ("sofa",)}).rank(Query(("lamp",), n=5), "session")
    assert [(r.product, r.source) for r in found] == [
        ("sofa", "session"),
        ("bulb", "popular_in_category"),
        ("tv", "popular"),
        ("chair", "popular"),
        ("candle", "catalogue"),
    ]
    assert [r.reason for r in found[1:]] == [
        "Popular in Lighting",
        "Popular now",
        "Popular now",
        "From the catalogue",
    ]
    assert note.startswith("The session model has only 1 for what was viewed; 4 of 5 are popular")


def test_before_anything_was_viewed_the_popular_are_shown_and_the_note_says_why():
    found, note = ranker({}).rank(Query((), n=3), "session")
    assert ids(found) == ["tv", "lamp", "sofa"]
    assert note.startswith("Nothing was viewed yet; all are popular")


@pytest.mark.parametrize("policy", ["session", "item_to_item", "popular"])
def test_who_comes_in_by_a_category_page_gets_what_is_popular_there_first(policy):
    found, _ = ranker({}).rank(Query((), n=4, category="home > lighting"), policy)
    assert [(r.product, r.reason) for r in found] == [
        ("lamp", "Popular in lighting"),
        ("bulb", "Popular in lighting"),
        ("candle", "From the catalogue"),
        ("tv", "Popular now"),
    ]


def test_behind_a_category_page_comes_what_is_popular_elsewhere():
    query = Query((), n=9, category="Home > Lighting")
    found, note = ranker({}).rank(query, "session")
    assert ids(found) == ["lamp", "bulb", "candle", "tv", "sofa", "chair"]
    assert note.startswith("Nothing was viewed yet; all are popular or from the catalogue")


def test_a_category_page_that_nothing_is_listed_under_changes_nothing():
    elsewhere = ranker({}).rank(Query((), n=4, category="Garden"), "session")
    assert elsewhere == ranker({}).rank(Query((), n=4), "session")


def test_what_was_viewed_says_more_than_the_category_page():
    session = {"lamp": ("bulb", "sofa")}
    query = Query(("lamp",), n=3, category="Electronics")
    assert ids(ranker(session).rank(query, "session")[0]) == ["bulb", "sofa", "tv"]
    assert ranker(session).rank(query, "session") == ranker(session).rank(
        Query(("lamp",), n=3), "session"
    )


def test_a_list_of_the_shop_s_own_comes_before_the_category_page():
    makers = ranker(incumbent={EVERYWHERE: ("tv",)})
    found, _ = makers.rank(Query((), n=2, category="Home > Lighting"), "list:incumbent")
    assert ids(found) == ["tv", "lamp"]


def test_popular_on_request_needs_no_note():
    assert ranker().rank(Query((), n=3), "popular")[1] == ""


def test_without_any_model_the_catalogue_itself_is_shown():
    found, note = Ranker({}, PRODUCTS).rank(Query(("lamp",), n=3), "session")
    assert ids(found) == ["bulb", "candle", "sofa"]
    assert {r.source for r in found} == {"catalogue"}
    assert note.startswith("Nothing is learned from visits yet")


def test_a_shop_with_nothing_gets_an_empty_list_and_the_next_step():
    found, note = Ranker({}, {}).rank(Query((), n=3), "session")
    assert found == ()
    assert "import" in note


def test_a_product_that_is_not_in_the_catalogue_is_skipped():
    found, _ = ranker({"lamp": ("withdrawn", "bulb")}).rank(Query(("lamp",), n=1), "session")
    assert ids(found) == ["bulb"]


def test_without_a_catalogue_ids_are_shown_as_they_are():
    made = Ranker({"session": ByHand({"a": ("b", "c", "d")})}, {})
    found, _ = made.rank(Query(("a",), n=2, filters=Filters(exclude=frozenset("c"))), "session")
    assert [(r.product, r.reason) for r in found] == [
        ("b", "Because you viewed a"),
        ("d", "Because you viewed a"),
    ]


def test_only_what_matches_the_filters_is_shown_and_the_note_counts_it():
    query = Query(("tv",), n=8, filters=Filters(category="home > lighting", price_max_minor=600))
    found, note = ranker({"tv": ("sofa", "lamp")}).rank(query, "session")
    assert ids(found) == ["bulb", "candle"]
    assert note.endswith("Only 2 products match the filters.")


def test_a_category_that_nothing_is_in_gives_an_empty_list_and_says_so():
    query = Query(("tv",), n=8, filters=Filters(category="Garden"))
    assert ranker({"tv": ("sofa",)}).rank(query, "session") == (
        (),
        "No products match the filters.",
    )


def test_a_list_that_is_short_without_filters_does_not_blame_them():
    _, note = ranker().rank(Query((), n=50), "popular")
    assert note.endswith("Only 6 products can be shown.")


def test_a_rare_product_of_a_filtered_category_is_found_behind_many_popular_ones():
    products = {f"p{i}": Product(f"p{i}", f"P{i}", category="Many") for i in range(2000)}
    products["rare"] = Product("rare", "Rare", category="Few")
    order = ListRecommender("popular", {EVERYWHERE: (*list(products)[:2000], "rare")})
    made = Ranker({"popular": order}, products)
    found, _ = made.rank(Query((), n=5, filters=Filters(category="few")), "popular")
    assert [(r.product, r.source) for r in found] == [("rare", "popular")]


def test_a_product_seen_before_comes_back_with_a_reason_of_its_own():
    class Revisits:
        name = "session"

        def recommend(self, session, n, *, now_us=None):
            return [s._replace(because=None) for s in popular().recommend(session, n)]

    made = Ranker({"session": Revisits()}, PRODUCTS)
    found, _ = made.rank(Query(("sofa", "tv", "lamp"), n=2), "session")
    assert [(r.product, r.reason) for r in found] == [
        ("tv", "You viewed this earlier"),
        ("sofa", "You viewed this earlier"),
    ]


@pytest.mark.parametrize("policy", ["", "best", "list:", "SESSION"])
def test_a_policy_that_cannot_be_is_refused_with_what_can(policy):
    with pytest.raises(InputError, match="item_to_item"):
        ranker().rank(Query(()), policy)


def test_an_experiment_cannot_use_a_list_that_is_not_there():
    made = ranker({}, incumbent={"lamp": ("tv",)})
    made.check_policies("session", "list:incumbent")
    with pytest.raises(InputError, match="there is no list maker 'list:other'"):
        made.check_policies("list:other")


some_products = st.lists(st.sampled_from([*PRODUCTS, "unknown"]), max_size=4)


@given(
    items=some_products,
    n=st.integers(1, 10),
    policy=st.sampled_from(["session", "popular", "list:incumbent", "item_to_item"]),
    category=st.sampled_from([None, "Home", "Home > Lighting", "Garden"]),
    price_max=st.sampled_from([None, 1000, 60000]),
    exclude=st.frozensets(st.sampled_from(list(PRODUCTS))),
)
def test_no_list_ever_breaks_a_rule(items, n, policy, category, price_max, exclude):
    filters = Filters(category=category, price_max_minor=price_max, exclude=exclude)
    made = ranker({"lamp": ("bulb", "rug", "secret")}, incumbent={"tv": ("lamp", "rug")})
    found, note = made.rank(Query(tuple(items), n=n, filters=filters), policy)
    assert len(set(ids(found))) == len(found) <= n
    assert not {"rug", "secret", *exclude, *items[-1:]} & set(ids(found))
    for shown in (PRODUCTS[product] for product in ids(found)):
        assert category is None or shown.category.startswith(category)
        assert price_max is None or shown.price_minor <= price_max
    assert all(r.reason and r.source for r in found)
    assert note or all(r.source == policy for r in found)
    could = [
        p
        for p in PRODUCTS.values()
        if p.in_stock
        and p.id not in exclude
        and p.id not in items[-1:]
        and (category is None or p.category.startswith(category))
        and (price_max is None or p.price_minor <= price_max)
    ]
    assert len(found) == min(n, len(could))


class ComesBack(ByHand):
    """A session model of a shop that lets the product at hand compete."""

    repeats = True

    def recommend(self, session, n, *, now_us=None):
        return [Scored(session[-1], 2.0, None), *super().recommend(session, n)]


def test_the_product_at_hand_is_shown_only_where_the_shop_lets_it_compete():
    for repeats, expected in ((True, ["lamp", "bulb"]), (False, ["bulb", "sofa"])):
        maker = ComesBack({"lamp": ("bulb", "sofa")})
        maker.repeats = repeats
        made = Ranker({"session": maker, "popular": popular()}, PRODUCTS)
        found, _ = made.rank(Query(("lamp",), n=2), "session")
        assert ids(found) == expected


def test_a_session_list_that_is_popularity_says_so():
    same = popular()
    made = Ranker({"session": same, "popular": same}, PRODUCTS)
    found, _ = made.rank(Query(("lamp",), n=1), "session")
    assert [(r.product, r.reason) for r in found] == [("tv", "Popular now")]


def test_what_was_bought_in_this_visit_is_not_shown_again_and_the_trace_says_so():
    query, trace = Query(("lamp",), n=8, bought=frozenset({"bulb"})), []
    found, _ = ranker({"lamp": ("bulb", "sofa")}).rank(query, "session", trace=trace)
    assert "bulb" not in ids(found)
    assert ids(found)[0] == "sofa"
    assert ("bulb", "left out: it was bought in this visit") in [(t.product, t.did) for t in trace]


@pytest.mark.parametrize("objective", ["orders", "margin"])
def test_what_is_in_the_cart_is_left_out_where_lists_are_ranked_for_what_is_bought(objective):
    made = ranker({"lamp": ("bulb", "sofa")})
    query = Query(("lamp",), n=8, cart=frozenset({"bulb"}))
    assert ids(made.rank(query, "session")[0])[0] == "bulb"
    trace: list[Ruling] = []
    bought = Ranker(made.recommenders, PRODUCTS, rules=ListRules(objective=objective))
    assert "bulb" not in ids(bought.rank(query, "session", trace=trace)[0])
    assert [t.rule for t in trace if t.product == "bulb"] == ["in_cart"]


def test_after_warming_up_no_request_sorts_the_catalogue():
    warm, empty = ranker(), Ranker({}, {})
    warm.warm_up()
    order = warm._popular_order
    assert order is not None
    warm.rank(Query(items=("p1",), n=50), "session")
    assert warm._popular_order is order
    empty.warm_up()
