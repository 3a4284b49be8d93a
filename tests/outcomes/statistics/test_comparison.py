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
