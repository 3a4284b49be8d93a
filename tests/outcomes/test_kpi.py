import math
from pathlib import Path

import pytest

from thinslice.errors import InputError
from thinslice.outcomes.counting.columns import COLUMNS
from thinslice.outcomes.kpi import KPIS, kpi
from thinslice.outcomes.kpi_page import kpi_page
from thinslice.outcomes.statistics.moments import Moments


def one_visitor(**values):
    return Moments.of({name: [values.get(name, 0)] for name in COLUMNS})


def test_the_kpis_by_hand():
    # Two visitors: 3 sessions with 1 order of 20.00 and 5 views, 1 bounced; 1 session, bounced.
    both = one_visitor(
        sessions=3, orders=1, ordering_sessions=1, revenue=2000, margin=500, bounced=1, views=5,
        seconds=60, lists=4, clicked_lists=1, attributed_orders=1, attributed_revenue=900,
    ) + one_visitor(sessions=1, bounced=1, views=1, lists=1)  # fmt: skip
    figures = {name: k.estimate(both).value for name, k in KPIS.items()}
    assert figures == {
        "conversion": 1 / 4,
        "revenue_per_session": 2000 / 4,
        "margin_per_session": 500 / 4,
        "revenue_per_visitor": 2000 / 2,
        "margin_per_visitor": 500 / 2,
        "average_order_value": 2000,
        "bounce_rate": 2 / 4,
        "views_per_session": 6 / 4,
        "seconds_per_session": 60 / 4,
        "click_through": 1 / 5,
        "clicks_per_session": 1 / 4,
        "clicks_per_visitor": 1 / 2,
        "attributed_orders_per_visitor": 1 / 2,
        "attributed_revenue_per_visitor": 900 / 2,
    }


def test_without_visitors_every_kpi_is_unknown():
    assert all(math.isnan(k.estimate(Moments.zero(COLUMNS)).value) for k in KPIS.values())


def test_an_unknown_kpi_is_an_error_with_the_closest_name():
    with pytest.raises(InputError, match="did you mean 'conversion'"):
        kpi("conversions")


def test_every_kpi_says_what_it_is():
    for k in KPIS.values():
        assert k.label
        assert "/" in k.definition
        assert set(k.columns) <= set(COLUMNS)


def test_the_page_of_the_kpis_is_the_one_made_from_their_definitions():
    page = Path(__file__).parents[2] / "docs" / "kpi.md"
    assert page.read_text("utf-8") == kpi_page(), (
        "python -m thinslice.outcomes.kpi_page > docs/kpi.md"
    )


def test_everything_that_is_counted_is_part_of_a_kpi():
    used = {column for k in KPIS.values() for column in k.columns}
    assert used == set(COLUMNS)
