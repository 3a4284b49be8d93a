from __future__ import annotations

import json

from thinslice.domain import Event, EventType
from thinslice.store.incumbent import lists_shown
from thinslice.store.log.schema import to_table


def _shown(time_us: int, product: str | None, products: object) -> Event:
    return Event(
        message_id=f"m{time_us}",
        type=EventType.PRODUCT_LIST_VIEWED,
        time_us=time_us,
        visitor="v",
        product=product,
        properties=json.dumps({"products": products}),
    )


def test_the_latest_list_of_each_page_is_what_the_shop_shows() -> None:
    events = [
        _shown(3, "a", [{"product_id": "c", "position": 2}, {"sku": "b", "position": 1}]),
        _shown(1, "a", ["x"]),
        _shown(2, "b", ["a", "a", "b", 7]),
    ]
    assert lists_shown(to_table(events)) == {"a": ("b", "c"), "b": ("a", "7")}


def test_lists_without_a_page_or_without_products_count_for_nothing() -> None:
    events = [_shown(1, None, ["x"]), _shown(2, "a", []), _shown(3, "b", "no list")]
    broken = Event("m", EventType.PRODUCT_LIST_VIEWED, 4, "v", product="c", properties="{broken")
    assert lists_shown(to_table([*events, broken])) == {}
