from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinslice.domain import Filters, Product
from thinslice.ranking.rules import allowed, in_category

LAMP = Product("lamp", "Lamp", category="Home > Lighting > Lamps", price_minor=1999, stock=3)


@pytest.mark.parametrize(
    ("product", "filters", "shown"),
    [
        (LAMP, Filters(), True),
        (Product("x", "X", stock=0), Filters(), False),
        (Product("x", "X", stock=0), Filters(in_stock=False), True),
        (Product("x", "X", stock=None), Filters(), True),
        (Product("x", "X", hidden=True), Filters(in_stock=False), False),
        (LAMP, Filters(exclude=frozenset({"lamp"})), False),
        (LAMP, Filters(category="Home > Lighting"), True),
        (LAMP, Filters(category="Home > Lighting > Lamps"), True),
        (LAMP, Filters(category="Home > Lighting > Lamps > Small"), False),
        (LAMP, Filters(category="Lighting"), False),
        (LAMP, Filters(price_min_minor=1999, price_max_minor=1999), True),
        (LAMP, Filters(price_min_minor=2000), False),
        (LAMP, Filters(price_max_minor=1998), False),
        (Product("x", "X"), Filters(price_max_minor=1), False),
        (Product("x", "X"), Filters(category="Home"), False),
    ],
)
def test_a_product_is_shown_only_under_its_rules(product, filters, shown):
    assert allowed(product, filters) is shown


def test_a_category_is_a_path_and_not_the_start_of_a_word():
    assert not in_category("Home > Lightings", "Home > Light")


def test_spaces_and_case_of_a_category_do_not_matter():
    assert in_category("Home>Lighting >  Table   lamps", "home > lighting > table lamps")


@given(st.lists(st.text("abAB ", min_size=1), max_size=4), st.integers(0, 4))
def test_every_category_lies_in_all_above_it(steps, depth):
    assert in_category(" > ".join(steps), " > ".join(steps[:depth]))
