import numpy as np

from thinslice.demo.catalogue import KINDS, STYLES, make_catalogue


def test_the_same_seed_invents_the_same_shop():
    assert make_catalogue(np.random.default_rng(3)) == make_catalogue(np.random.default_rng(3))
    assert make_catalogue(np.random.default_rng(3)) != make_catalogue(np.random.default_rng(4))


def test_every_kind_comes_in_every_style():
    catalogue = make_catalogue(np.random.default_rng(0))
    pairs = {(trait.kind, trait.style) for trait in catalogue.traits}
    assert len(catalogue.products) == 300
    assert len(pairs) == len(KINDS) * len(STYLES)


def test_ids_and_titles_are_unique_and_every_product_has_a_price_and_a_category():
    products = make_catalogue(np.random.default_rng(0)).products
    assert len({p.id for p in products}) == len({p.title for p in products}) == len(products)
    assert all(p.price_minor and p.price_minor > 0 and " > " in p.category for p in products)


def test_some_products_are_out_of_stock_and_most_are_not():
    products = make_catalogue(np.random.default_rng(0)).products
    gone = sum(not p.in_stock for p in products)
    assert 0.03 < gone / len(products) < 0.15


def test_premium_costs_more_than_budget_within_a_kind():
    catalogue = make_catalogue(np.random.default_rng(0))
    for k in range(len(KINDS)):
        prices = {
            band: [
                p.price_minor
                for p, t in zip(catalogue.products, catalogue.traits, strict=True)
                if t.kind == k and t.band == band
            ]
            for band in (0, 2)
        }
        assert max(prices[0]) < min(prices[2])
