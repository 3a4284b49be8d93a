from collections import Counter

import pytest

from thinslice.demo.mishaps import CANCELLED, REFUNDED, ROBOTS, with_mishaps
from thinslice.demo.world import make_world
from thinslice.domain import DAY_US

WORLD = make_world(seed=7)
BEFORE = list(WORLD.messages(WORLD.visits(6000, 0, DAY_US)))
AFTER = list(with_mishaps(BEFORE))


def orders(messages):
    return {m["properties"]["order_id"] for m in messages if m["event"] == "Order Completed"}


def test_a_few_orders_are_cancelled_and_a_few_refunded_none_both():
    back = [m for m in AFTER if m["anonymousId"] == "back-office"]
    told = Counter(m["event"] for m in back)
    n = len(orders(AFTER))
    assert told["Order Cancelled"] == pytest.approx(CANCELLED * n, abs=4 * (CANCELLED * n) ** 0.5)
    assert told["Order Refunded"] == pytest.approx(REFUNDED * n, abs=4 * (REFUNDED * n) ** 0.5)
    ids = [m["properties"]["order_id"] for m in back]
    assert len(ids) == len(set(ids)) and set(ids) <= orders(AFTER)


def test_robots_say_so_and_buy_nothing_and_everybody_else_stays_as_they_were():
    robots = {m["anonymousId"] for m in AFTER if "bot" in str(m.get("context"))}
    visitors = {m["anonymousId"] for m in BEFORE}
    assert len(robots) == pytest.approx(ROBOTS * len(visitors), rel=0.5)
    for message in AFTER:
        if message["anonymousId"] in robots:
            assert message["event"] not in ("Product Added", "Order Completed")
    others = [m for m in AFTER if m["anonymousId"] not in {*robots, "back-office"}]
    assert others == [m for m in BEFORE if m["anonymousId"] not in robots]


def test_every_message_still_has_its_own_id():
    assert len({m["messageId"] for m in AFTER}) == len(AFTER)
