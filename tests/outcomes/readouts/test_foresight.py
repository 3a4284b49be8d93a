from collections.abc import Callable

import pytest

from thinslice.domain import DAY_US, Experiment, Planned
from thinslice.errors import InputError
from thinslice.outcomes import Metric, Moments, design
from thinslice.outcomes.readouts.foresight import WORTH_FINDING, foresee, tuned_for

PLAN = {"kpi": "conversion", "guardrails": {}}
DAY = DAY_US // 1_000_000
START = 40 * DAY


@pytest.fixture
def before(log):
    """200 visitors in the ten days before the start, of whom 40 bought, in one session each."""
    for i in range(200):
        at = START - (10 - i % 10) * DAY + i
        log.add(f"v{i}", "Product Viewed", at, product="p")
        if i < 40:
            log.order(f"v{i}", at + 60)
    return log


def foreseen(log, experiment: Callable[..., Experiment], plan=PLAN, **more) -> Planned | None:
    begun = experiment(started_us=START * 1_000_000, **more)
    return foresee(begun, log.table(), plan=plan, currency="EUR")


def test_visitors_of_before_are_those_who_looked_at_a_product(before, experiment):
    before.add("reads the imprint", "Page Viewed", START - DAY)
    before.add("", "Product Viewed", START - DAY, product="p")
    before.add("came after the start", "Product Viewed", START + 5, product="p")
    before.add("long ago", "Product Viewed", 5, product="p")
    assert foreseen(before, experiment).per_day == pytest.approx(20, rel=0.01)


def test_as_many_are_needed_as_a_design_of_them_says(before, experiment):
    """20 % of 200 sessions have an order."""
    bought = Moments.from_summary("bought", 200, 0.2, 0.2 * 0.8 * 200 / 199)
    for sequential in (False, True):
        by_hand = design(
            Metric("bought"), data=bought, mde=WORTH_FINDING, sequential=sequential
        ).visitors
        found = foreseen(before, experiment, sequential=sequential)
        # a share per session is taken to vary as much after the change as before
        assert found.visitors == pytest.approx(by_hand, rel=0.05)


def test_without_visitors_or_orders_before_nothing_is_foreseen(log, experiment):
    assert foreseen(log, experiment) is None
    log.add("anna", "Product Viewed", START - 5 * DAY, product="p")
    assert foreseen(log, experiment) is None


def test_less_than_a_day_says_nothing_about_a_week(log, experiment):
    for i in range(200):
        log.add(f"v{i}", "Product Viewed", START - 3600 + i, product="p")
        if i < 40:
            log.order(f"v{i}", START - 1800 + i)
    assert foreseen(log, experiment) is None


def test_a_plan_that_cannot_be_read_out_is_met_at_the_start(before, experiment):
    with pytest.raises(InputError, match="needs to know what margin is"):
        foreseen(before, experiment, plan={"kpi": "margin_per_session"})


def test_ranges_of_every_look_are_narrowest_at_the_visitors_foreseen(experiment):
    def at(**more) -> float | None:
        return tuned_for(experiment(**more))

    assert at() is None
    assert at(sequential=True) == 10_000
    assert at(sequential=True, planned=Planned(700, 100.0)) == 700
    # what would take years is made for the eight weeks that it will run
    assert at(sequential=True, planned=Planned(1_000_000, 100.0)) == 5600
