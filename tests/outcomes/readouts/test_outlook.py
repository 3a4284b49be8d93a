from dataclasses import replace

import pytest

from thinslice.domain import DAY_US, MICROSECONDS, Change, Planned, Verdict
from thinslice.outcomes.readouts.outlook import outlook
from thinslice.outcomes.readouts.readout import read_out
from thinslice.outcomes.statistics.decision import several

PLAN = {"kpi": "conversion", "guardrails": {}}


def seen(log, experiment, visitors, orders):
    """So many visitors of each group in the first day, of whom some ordered."""
    for arm in "AB":
        for i in range(visitors):
            visitor = f"{arm}{i}"
            log.shown(visitor, arm, at=60 * i)
            log.add(visitor, "Product Viewed", 60 * i + 1, product="p")
            if i < orders:
                log.order(visitor, 60 * i + 2)
    return read_out(experiment, log.table(), plan=PLAN, currency="EUR")


def test_before_anyone_has_joined_nothing_is_foretold(log, experiment):
    log.add("anna", "Page Viewed", 1)
    readout = read_out(experiment(), log.table(), plan=PLAN, currency="EUR")
    expected = outlook(readout, now_us=DAY_US)
    assert (expected.visitors, expected.needed, expected.known_us) == (0, None, None)


def test_before_anyone_has_joined_the_day_is_foreseen(log, experiment):
    """800 visitors, 100 a day with all of the traffic: eight days at least, so two weeks."""
    log.add("anna", "Page Viewed", 1)
    planned = Planned(visitors=800, per_day=100.0)
    readout = read_out(experiment(planned=planned), log.table(), plan=PLAN, currency="EUR")
    expected = outlook(readout, now_us=MICROSECONDS)
    assert (expected.needed, expected.per_day, expected.basis) == (800, 100.0, "design")
    assert expected.known_us == 14 * DAY_US
    half = replace(readout, experiment=experiment(planned=planned, traffic=0.5))
    slower = outlook(half, now_us=MICROSECONDS)
    assert (slower.known_us, slower.with_everyone_us) == (21 * DAY_US, 14 * DAY_US)
    paused = replace(readout, experiment=experiment(planned=planned, traffic=0.0))
    assert outlook(paused, now_us=MICROSECONDS).known_us is None


def test_visitors_without_an_order_leave_what_was_foreseen(log, experiment):
    planned = Planned(visitors=5000, per_day=10.0)
    readout = seen(log, experiment(planned=planned), visitors=20, orders=0)
    expected = outlook(readout, now_us=DAY_US)
    assert (expected.visitors, expected.needed) == (40, 4960)
    assert expected.per_day == pytest.approx(40)


def test_a_guardrail_that_may_lose_nothing_has_no_day(log, experiment):
    for i in range(40):
        log.shown(f"v{i}", "AB"[i % 2])
        log.add(f"v{i}", "Product Viewed", 11, product="p")
        if i < 20:
            log.order(f"v{i}", 20)
    plan = {"kpi": "conversion", "guardrails": {"bounce_rate": 0.0}}
    readout = read_out(experiment(), log.table(), plan=plan, currency="EUR")
    assert outlook(replace(readout, decision=several("AB")), now_us=DAY_US).needed is None


def test_the_day_is_a_whole_number_of_weeks_after_the_start(log, experiment):
    readout = seen(log, experiment(), visitors=400, orders=100)
    expected = outlook(readout, now_us=DAY_US)
    assert expected.per_day == pytest.approx(800)
    assert expected.needed > 0
    assert expected.known_us % (7 * DAY_US) == 0
    assert expected.known_us >= DAY_US + expected.needed / expected.per_day * DAY_US


def test_more_traffic_brings_the_day_nearer(log, experiment):
    changes = (Change(0, "", "started", traffic=0.1), Change(DAY_US, "", "ramped", traffic=1.0))
    ramped = experiment(traffic=1.0, changes=changes)
    readout = seen(log, ramped, visitors=400, orders=100)
    assert outlook(readout, now_us=DAY_US).per_day == pytest.approx(8_000)


def test_what_is_settled_or_over_needs_no_outlook(log, experiment):
    readout = seen(log, experiment(), visitors=400, orders=100)
    stopped = replace(readout, experiment=replace(readout.experiment, stopped_us=DAY_US))
    assert outlook(stopped, now_us=DAY_US) is None
    shipped = replace(readout, decision=replace(readout.decision, verdict=Verdict.SHIP))
    assert outlook(shipped, now_us=DAY_US) is None


def test_traffic_counts_days_by_the_share_that_took_part(experiment):
    steps = ((0, 0.1), (10, 0.5), (20, 0.0), (25, 0.5))
    changes = tuple(Change(day * DAY_US, "", "ramped", traffic=t) for day, t in steps)
    e = experiment(traffic=0.5, changes=changes)
    assert e.traffic_days(30 * DAY_US) == pytest.approx(10 * 0.1 + 10 * 0.5 + 5 * 0.5)
    assert e.traffic_days(5 * DAY_US) == pytest.approx(0.5)
    assert replace(e, stopped_us=26 * DAY_US).traffic_days(99 * DAY_US) == pytest.approx(6.5)
    assert experiment().traffic_days(2 * DAY_US + MICROSECONDS // 2) == pytest.approx(2, abs=1e-4)
