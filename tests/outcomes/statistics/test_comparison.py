import pytest

from thinslice.outcomes.statistics.comparison import compare
from thinslice.outcomes.statistics.metric import Metric
from thinslice.outcomes.statistics.moments import Moments


def pair(control: float, treatment: float, variance: float) -> tuple[Moments, Moments]:
    return (
        Moments.from_summary("x", 100, control, variance),
        Moments.from_summary("x", 100, treatment, variance),
    )


def test_what_is_never_negative_cannot_fall_by_more_than_all_of_it():
    arms = pair(5.0, 1.0, 100.0)
    assert compare(Metric("x"), *arms).relative.low == -1
    assert compare(Metric("x", may_be_negative=True), *arms).relative.low < -1


@pytest.mark.parametrize("tuned_for", [None, 200])
@pytest.mark.parametrize("better", ["higher", "lower"])
def test_a_guardrail_is_harmless_exactly_where_its_interval_lies_within_what_is_allowed(
    better, tuned_for
):
    metric, seen = Metric("x", better=better, max_worse=0.05), set()
    sign = 1 if better == "higher" else -1
    for treatment in range(940, 1060):
        row = compare(metric, *pair(10.0, treatment / 100, 2.0), tuned_for=tuned_for)
        worst = row.relative.low if sign > 0 else -row.relative.high
        assert row.harmless.proven == (worst > -0.05)
        best = row.relative.high if sign > 0 else -row.relative.low
        assert row.harmless.violated == (best < -0.05)
        seen |= {row.harmless.proven, row.reading}
        assert row.relative.confidence == pytest.approx(0.9)
    assert {True, False, "not worse by more than 5%", "not yet shown to be harmless"} <= seen


def test_a_guardrail_that_also_decides_keeps_the_interval_of_a_success_metric():
    arms = pair(10.0, 10.1, 2.0)
    both = compare(Metric("x", max_worse=0.05, decides=True), *arms)
    assert both.relative == compare(Metric("x"), *arms).relative
