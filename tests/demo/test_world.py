import numpy as np
import pytest

from thinslice.demo.experiments import TRIALS, true_effect
from thinslice.demo.messages import in_batches, product_bodies
from thinslice.demo.world import make_world
from thinslice.domain import DAY_US, INCUMBENT

WORLD = make_world(seed=7)


def make_list(policy, items):
    """The lists kept by name; for a session the products most like the one it ended with."""
    if policy != "session":
        return WORLD.lists[policy.removeprefix("list:")][items[-1]]
    traits = WORLD.catalogue.traits
    last = WORLD.catalogue.trait(items[-1])
    like = [(t.kind == last.kind) * 2 + (t.style == last.style) for t in traits]
    order = np.argsort(-np.array(like), kind="stable")
    return [p for i in order if (p := WORLD.catalogue.products[i].id) not in items][:8]


def test_the_same_seed_sends_the_same_messages():
    visits = WORLD.visits(50, 0, DAY_US)
    assert list(WORLD.messages(visits)) == list(make_world(seed=7).messages(visits))


def test_every_message_has_its_own_id_and_a_known_product():
    messages = list(WORLD.messages(WORLD.visits(500, 0, DAY_US)))
    known = {body["product_id"] for body in product_bodies(WORLD.catalogue)}
    assert len({m["messageId"] for m in messages}) == len(messages)
    for message in messages:
        lines = message["properties"].get("products", [message["properties"]])
        assert {line["product_id"] for line in lines} <= known


def test_an_orders_revenue_is_the_sum_of_its_lines():
    messages = WORLD.messages(WORLD.visits(500, 0, DAY_US))
    orders = [m["properties"] for m in messages if m["event"] == "Order Completed"]
    assert orders
    for order in orders:
        assert order["revenue"] == pytest.approx(sum(line["price"] for line in order["products"]))


def test_visitors_of_two_periods_share_no_id():
    one, two = (WORLD.visits(200, 0, DAY_US, number=n) for n in (1, 2))
    assert not {v.visitor for v in one} & {v.visitor for v in two}


def test_what_the_shop_shows_today_is_of_the_same_category():
    for product in WORLD.catalogue.products:
        for other in WORLD.lists[INCUMBENT][product.id]:
            assert WORLD.catalogue.trait(other).kind == WORLD.catalogue.trait(product.id).kind
        assert product.id not in WORLD.lists[INCUMBENT][product.id]


def test_one_trial_helps_one_does_nothing_and_one_harms():
    visits = WORLD.visits(2000, 0, DAY_US)
    helps, nothing, harms = (
        true_effect(trial, WORLD.shoppers, visits, make_list) for trial in TRIALS
    )
    assert helps > 0.2
    assert nothing == 0
    assert harms < -0.2


def test_batches_keep_the_order_and_lose_nothing():
    batches = list(in_batches(({"n": i} for i in range(10)), size=4))
    assert [len(b) for b in batches] == [4, 4, 2]
    assert [m["n"] for b in batches for m in b] == list(range(10))
