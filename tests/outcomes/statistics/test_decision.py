import pytest

from thinslice.domain import Interval, Verdict
from thinslice.outcomes.statistics.comparison import compare_all, spread_of
from thinslice.outcomes.statistics.decision import decide, refuse
from thinslice.outcomes.statistics.metric import Metric
from thinslice.outcomes.statistics.moments import Moments
from thinslice.outcomes.statistics.sample_ratio import sample_ratio

N = 10_000


def arm(**means):
    """Moments of columns that do not go together, each of variance 1."""
    k = len(means)
    products = [
        a * b * N + (N - 1) * (i == j)
        for i, a in enumerate(means.values())
        for j, b in enumerate(means.values())
        if i <= j
    ]
    assert len(products) == k * (k + 1) // 2
    return Moments(tuple(means), N, tuple(m * N for m in means.values()), tuple(products))


def verdict_of(metrics, control, treatment):
    return decide(compare_all(metrics, arm(**control), arm(**treatment)), "B", 2 * N)


# The standard error of a difference is sqrt(2 / 10,000) = 0.01414: 1.96 of them are 0.0277.
BASE = {"a": 1.0, "b": 1.0, "c": 1.0}


def moved(**by):
    return {name: value + by.get(name, 0.0) for name, value in BASE.items()}


def test_one_success_metric_of_several_is_enough():
    found = verdict_of([Metric("a"), Metric("b")], BASE, moved(b=0.05))
    assert found.verdict is Verdict.SHIP
    assert found.sentence.startswith("B per visitor is 5.0% higher with B (+")


def test_success_metrics_share_alpha():
    """2.1 standard errors are enough alone and too few for two, which need 2.24."""
    by = 2.1 * (2 / N) ** 0.5
    assert verdict_of([Metric("a")], BASE, moved(a=by)).verdict is Verdict.SHIP
    both = verdict_of([Metric("a"), Metric("b")], BASE, moved(a=by))
    assert both.verdict is Verdict.NOT_PROVEN
    assert "None of a per visitor and b per visitor is clearly better" in both.reason


def test_a_sentence_agrees_with_its_label_and_knows_no_zero_with_a_sign():
    found = verdict_of([Metric("a", label="Visits per visitor")], BASE, moved(a=0.1))
    assert found.sentence.startswith("Visits per visitor are 10% higher with B (+")
    found = verdict_of([Metric("a", label="Clicks")], BASE, BASE)
    assert found.sentence.startswith("Clicks look about the same with B")
    assert found.sentence.endswith("leaves open whether they are.")
    assert spread_of(Interval(-0.0002, 0.0, 0.0004, 0.95)) == "0% to 0%"


def test_guardrails_do_not_share_it():
    """Each is 1.7 standard errors within what is allowed, and needs 1.645, however many."""
    worst = 0.05 - 1.7 * (1 / N + 0.95**2 / N) ** 0.5
    guards = [Metric(name, max_worse=0.05) for name in "bc"]
    found = verdict_of([Metric("a"), *guards], BASE, moved(a=0.1, b=-worst, c=-worst))
    assert found.verdict is Verdict.SHIP
    assert found.sentence.endswith(
        ", b per visitor is not worse by more than 5%, and c per visitor is not worse by more "
        "than 5%."
    )


def test_guardrails_alone_ship_when_they_are_harmless():
    found = verdict_of([Metric("a", max_worse=0.05)], BASE, BASE)
    assert found.verdict is Verdict.SHIP
    assert found.sentence == "With B a per visitor is not worse by more than 5%."
    found = verdict_of([Metric("a", max_worse=0.005)], BASE, BASE)
    assert found.verdict is Verdict.NOT_PROVEN
    assert "not yet shown to be within the 0.5%" in found.reason
    assert "does not rule out that it is worse by more than 0.5%" in found.sentence


def test_a_success_metric_that_deteriorates_stops_what_another_gains():
    found = verdict_of([Metric("a"), Metric("b")], BASE, moved(a=0.1, b=-0.1))
    assert found.verdict is Verdict.STOP
    assert found.reason == "B per visitor is clearly worse."


def test_a_guardrail_that_is_clearly_worse_within_what_is_allowed_stops():
    found = verdict_of([Metric("a", max_worse=0.2)], BASE, moved(a=-0.1))
    assert found.verdict is Verdict.STOP
    assert "even if by less than the 20%" in found.reason


def test_what_is_only_watched_holds_back_and_what_is_only_shown_does_not():
    watched = Metric("b", decides=False)
    shown = Metric("b", decides=False, holds_back=False)
    gain_and_loss = moved(a=0.1, b=-0.1)
    assert verdict_of([Metric("a"), watched], BASE, gain_and_loss).verdict is Verdict.NOT_PROVEN
    assert verdict_of([Metric("a"), shown], BASE, gain_and_loss).verdict is Verdict.SHIP


def test_guardrails_that_pass_do_not_outweigh_what_is_watched():
    metrics = [Metric("a", max_worse=0.1), Metric("b", decides=False)]
    found = verdict_of(metrics, BASE, moved(b=-0.1))
    assert found.verdict is Verdict.NOT_PROVEN
    assert found.sentence == (
        "No guardrail suffers, but b per visitor is 10% lower with B (-13% to -7.3%)."
    )


def test_a_metric_may_be_success_and_guardrail():
    both = Metric("a", decides=True, max_worse=0.1)
    assert verdict_of([both], BASE, moved(a=0.1)).verdict is Verdict.SHIP
    assert verdict_of([both], BASE, BASE).verdict is Verdict.NOT_PROVEN


def test_more_looks_need_more():
    by = 2.5 * (2 / N) ** 0.5
    pair = arm(**BASE), arm(**moved(a=by))
    once, daily = (compare_all([Metric("a")], *pair, tuned_for=t)[0] for t in (None, 2 * N))
    assert (once.change, daily.change) == ("better", "unclear")
    assert daily.relative.low < once.relative.low


def test_too_little_of_what_counts_gets_no_verdict():
    rows = compare_all([Metric("a")], arm(**BASE), arm(**BASE), seen={"a per visitor": 9})
    split = sample_ratio([N, N], [1, 1])
    found = refuse("AB", [N, N], split, rows)
    assert found.reason.startswith("Too early: a per visitor needs at least 10 visitors with a ")


@pytest.mark.parametrize("better", ["higher", "lower"])
def test_lower_can_be_better(better):
    found = verdict_of([Metric("a", better=better)], BASE, moved(a=-0.1)).verdict
    assert found is (Verdict.SHIP if better == "lower" else Verdict.STOP)
