import numpy as np
import pytest

from thinslice.demo.catalogue import make_catalogue
from thinslice.demo.shoppers import (
    Shoppers,
    Shown,
    expected_conversion,
    make_visits,
)
from thinslice.demo.tastes import (
    TASTES,
    best_sellers_of_the_category,
    make_tastes,
    slow_sellers,
)
from thinslice.domain import DAY_US, EventType

TASTES_OF_SHOP = make_tastes(make_catalogue(np.random.default_rng(7)))
SHOPPERS = Shoppers(TASTES_OF_SHOP)
VISITS = make_visits(
    TASTES_OF_SHOP, sessions=3000, since_us=0, until_us=28 * DAY_US, seed=5, prefix="v"
)


def always(lists):
    return lambda page: Shown(lists[page.items[-1]])


def nothing(page):
    return Shown(())


INCUMBENT = always(best_sellers_of_the_category(TASTES_OF_SHOP))


def test_the_same_visit_always_goes_the_same_way():
    assert SHOPPERS.live(VISITS[0], INCUMBENT) == SHOPPERS.live(VISITS[0], INCUMBENT)


def test_the_best_products_for_a_taste_are_in_stock_and_of_its_kind_style_and_price():
    taste = TASTES[40]
    catalogue = TASTES_OF_SHOP.catalogue
    first = TASTES_OF_SHOP.best(taste, 1)[0]
    trait = catalogue.trait(first)
    assert catalogue.products[catalogue.positions[first]].in_stock
    assert (trait.kind, trait.style) == (taste.kind, taste.style)


def test_acts_are_in_order_and_a_cart_comes_before_its_order():
    for visit in VISITS[:300]:
        acts = SHOPPERS.live(visit, INCUMBENT)
        assert [a.time_us for a in acts] == sorted(a.time_us for a in acts)
        in_cart = {a.products[0] for a in acts if a.type == EventType.PRODUCT_ADDED}
        for act in acts:
            if act.type == EventType.ORDER_COMPLETED:
                assert set(act.products) == in_cart


def test_what_is_clicked_was_in_the_list_and_is_viewed_next():
    lists = best_sellers_of_the_category(TASTES_OF_SHOP)
    for visit in VISITS[:300]:
        acts = SHOPPERS.live(visit, always(lists))
        views = [a.products[0] for a in acts if a.type == EventType.PRODUCT_VIEWED]
        clicks = [a.products[0] for a in acts if a.type == EventType.RECOMMENDATION_CLICKED]
        followed = [b for a, b in zip(views, views[1:], strict=False) if b in lists[a]]
        assert set(clicks) <= set(followed)


def test_orders_come_as_often_as_the_expected_conversion_says():
    ordered = [
        any(a.type == EventType.ORDER_COMPLETED for a in SHOPPERS.live(v, INCUMBENT))
        for v in VISITS
    ]
    expected = expected_conversion(SHOPPERS, VISITS, INCUMBENT)
    error = np.sqrt(expected * (1 - expected) / len(VISITS))
    assert np.mean(ordered) == pytest.approx(expected, abs=3 * error)


def test_a_list_that_fits_beats_the_dull_one_beats_slow_sellers_beats_none():
    visits = VISITS[:1000]
    slow = always(slow_sellers(TASTES_OF_SHOP, np.random.default_rng(0)))
    right = np.mean(
        [
            SHOPPERS.conversion_chance(
                v, lambda page, taste=v.taste: Shown(TASTES_OF_SHOP.best(taste, 8))
            )
            for v in visits
        ]
    )
    dull, poor, none = (
        expected_conversion(SHOPPERS, visits, show) for show in (INCUMBENT, slow, nothing)
    )
    assert right > 1.5 * dull
    assert dull > 1.2 * poor
    assert poor > none


def test_visitors_come_back_with_the_taste_they_had():
    tastes = {}
    for visit in VISITS:
        assert tastes.setdefault(visit.visitor, visit.taste) == visit.taste
    assert 0.75 < len(tastes) / len(VISITS) < 0.95


def test_two_visits_of_a_visitor_are_hours_apart():
    last = {}
    for visit in VISITS:
        if visit.visitor in last:
            assert visit.time_us - last[visit.visitor] > DAY_US // 8
        last[visit.visitor] = visit.time_us
