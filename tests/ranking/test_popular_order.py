from __future__ import annotations

from thinslice.domain import Product
from thinslice.ranking.lists import EVERYWHERE, ListRecommender
from thinslice.ranking.popular_order import PopularOrder

PRODUCTS = {
    p.id: p
    for p in (
        Product("lamp", "Lamp", category="Home > Lighting"),
        Product("bulb", "Bulb", category="Home > Lighting > Bulbs"),
        Product("candle", "Candle", category="Home > Lighting"),
        Product("sofa", "Sofa", category="Home > Seating"),
    )
}


def order() -> PopularOrder:
    popular = ListRecommender("popular", {EVERYWHERE: ("sofa", "bulb", "lamp")})
    return PopularOrder(popular, PRODUCTS)


def test_a_category_holds_all_below_it_popular_ones_first():
    popular, others = order().inside("home>lighting")
    assert [s.product for s in popular] == ["bulb", "lamp"]
    assert [s.product for s in others] == ["candle"]


def test_categories_that_nobody_has_are_not_remembered():
    """Anyone with a write key may ask for any name."""
    known = order()
    for number in range(100):
        assert known.inside(f"made up {number}") == ([], [])
    known.inside("Home")
    known.inside(" HOME ")
    assert len(known._remembered) == 1
