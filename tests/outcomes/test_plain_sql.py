"""The same numbers, to the cent, as plain SQL over the raw events of the generated shop."""

import random

import duckdb
import msgspec
import pyarrow as pa
import pytest

from thinslice.demo.messages import messages_of
from thinslice.demo.shoppers import Shown
from thinslice.demo.world import make_world
from thinslice.domain import DAY_US, Exposure
from thinslice.outcomes.counting.attribution import attribute
from thinslice.outcomes.counting.columns import COLUMNS
from thinslice.outcomes.statistics.moments import Moments
from thinslice.store.log.schema import to_table
from thinslice.store.wire import events_of

SINCE_US = 1_790_000_000_000_000

PLAIN = """
with own as (
    select e.*, w.variant as arm, w.exposed_us from events e join (
        select visitor, min(variant) as variant, min(time_us) as exposed_us from events
        where type = 'Recommendation Served' group by visitor having count(distinct variant) = 1
    ) w using (visitor)
),
ordered as (
    select arm, order_id, first(visitor) as visitor, first(session_key) as session_key,
        sum(price_minor * coalesce(quantity, 1)) as worth
    from own where type = 'Order Completed' and time_us >= exposed_us group by arm, order_id
),
back as (
    select order_id, sum(revenue_minor) as amount, bool_or(type = 'Order Cancelled') as cancelled
    from events where type in ('Order Refunded', 'Order Cancelled') group by order_id
),
kept as (
    select ordered.*, worth - coalesce(amount, 0) as left_over from ordered
    left join back using (order_id) where not coalesce(cancelled, false)
        and worth > coalesce(amount, 0)
),
visits as (
    select arm, visitor, session_key, min(time_us) as began, max(time_us) as ended,
        count(*) filter (type = 'Product Viewed') as views,
        count(*) filter (type <> 'Product Viewed') as more
    from own where type <> 'Recommendation Served' group by all
    having max(time_us) >= min(exposed_us) - 1800000000
)
select arm,
    (select count(distinct visitor) from own where own.arm = a.arm) as visitors,
    (select count(*) from visits v where v.arm = a.arm) as sessions,
    (select sum(views) from visits v where v.arm = a.arm) as views,
    (select count(*) from visits v where v.arm = a.arm and views <= 1 and more = 0) as bounced,
    (select sum((ended - began) // 1000000) from visits v where v.arm = a.arm) as seconds,
    (select count(*) from kept k where k.arm = a.arm) as orders,
    (select count(distinct session_key) from kept k where k.arm = a.arm) as ordering_sessions,
    (select sum(left_over) from kept k where k.arm = a.arm) as revenue,
    (select count(*) from own where own.arm = a.arm and type = 'Recommendation Served') as lists,
    (select count(distinct exposure_id) from own where own.arm = a.arm
        and type = 'Recommendation Clicked') as clicked_lists
from (select distinct arm from own) a order by arm
"""


@pytest.fixture(scope="module")
def events():
    """A week of the generated shop in two variants; some orders come back, one is cancelled."""
    world, rng, encode = make_world(3), random.Random(3), msgspec.json.Encoder().encode
    rows, keys = [], []
    for visit in world.visits(600, SINCE_US, SINCE_US + 7 * DAY_US):
        arm = "AB"[int(visit.visitor.rsplit("-", 1)[1]) % 2]
        shown = []

        def show(page, visit=visit, arm=arm, shown=shown):
            id = f"list {visit.visitor} {visit.number} {len(shown)}"
            shown.append(
                Exposure(
                    id, "shop", page.time_us, visit.visitor, None, "product", "session", None, (),
                    "e", arm,
                )
            )  # fmt: skip
            return Shown(world.shown_today(page).products, id)

        acts = world.shoppers.live(visit, show)
        messages = list(messages_of(visit, acts, world.catalogue))
        for bought in [m for m in messages if m["event"] == "Order Completed"]:
            kind = rng.choice(["Order Refunded", "Order Cancelled", *[None] * 6])
            if kind:
                given = {"order_id": bought["properties"]["order_id"], "currency": "EUR"}
                given |= {"total": 5} if kind == "Order Refunded" else {}
                more = {"event": kind, "messageId": f"back {bought['messageId']}"}
                back = {**bought, **more, "anonymousId": "office", "properties": given}
                rows += events_of(encode(back), received_us=SINCE_US + 9 * DAY_US, trusted=True)
        for message in messages:
            rows += events_of(encode(message), received_us=SINCE_US + 9 * DAY_US, trusted=True)
        rows += [exposure.to_event() for exposure in shown]
        keys += [f"{visit.visitor}/{visit.number}"] * (len(rows) - len(keys))
    return to_table(rows).append_column("session_key", pa.array(keys))


def test_the_totals_are_those_of_plain_sql(events):
    with duckdb.connect() as connection:
        connection.register("events", events)
        plain = connection.sql(PLAIN).to_arrow_table().to_pylist()
    cells = attribute(events, "e", ["A", "B"], "EUR").cells
    assert [row["arm"] for row in plain] == ["A", "B"]
    for row in plain:
        own = sum((c.moments for c in cells if c.variant == row["arm"]), Moments.zero(COLUMNS))
        assert row["orders"] > 10
        assert own.n == row["visitors"]
        assert {name: own.total(name) for name in COLUMNS if name in row} == {
            name: int(row[name]) for name in COLUMNS if name in row
        }


def test_days_and_machines_add_up(events):
    """Every moment of the whole is the sum of those of its parts, whoever counts which visitors."""
    whole = attribute(events, "e", ["A", "B"], "EUR").cells
    visitors = events["visitor"].to_pylist()
    office = [visitor == "office" for visitor in visitors]  # refunds are known to every machine
    parts = []
    for machine in range(3):
        own = [
            back or hash_of(visitor) % 3 == machine
            for visitor, back in zip(visitors, office, strict=True)
        ]
        parts += attribute(events.filter(pa.array(own)), "e", ["A", "B"], "EUR").cells
    for arm in "AB":
        sides = [
            sum((c.moments for c in cells if c.variant == arm), Moments.zero(COLUMNS))
            for cells in (whole, parts)
        ]
        assert sides[0] == sides[1]


def hash_of(visitor):
    return sum(visitor.encode())
