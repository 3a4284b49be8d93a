import json

import numpy as np
import pytest
from scipy.stats import norm

from thinslice.errors import ColumnError, InputError, NotEnoughDataError
from thinslice.outcomes import Metric, Moments, design

CONVERSION = Moments.from_summary("bought", 100_000, 0.1, 0.09)
REVENUE = Moments.from_summary("revenue", 100_000, 2.0, 50.0)


def history(n=20_000, seed=1):
    rng = np.random.default_rng(seed)
    before = rng.gamma(2, 10, n)
    return {
        "before": before,
        "spent": before + rng.gamma(2, 5, n),
        "bounced": (rng.random(n) < 0.4).astype(int),
        "views": 1 + rng.poisson(3, n),
    }


def test_conversion_from_10_to_11_percent_by_hand():
    # (1.959964 + 0.841621)² · (0.1·0.9 + 0.11·0.89) / 0.01² = 14,748
    x = np.zeros(1_000_000)
    x[:100_000] = 1
    found = design(Metric("bought"), data={"bought": x}, mde=0.1)
    assert found.visitors_per_arm == pytest.approx(14_748, abs=1)


def test_conversion_is_that_of_statsmodels_where_alpha_is_not_halved_twice():
    """Its pooled test under the null needs 3 more than the unpooled one that we use."""
    proportion = pytest.importorskip("statsmodels.stats.proportion")
    sample_size = proportion.samplesize_proportions_2indep_onetail
    right = sample_size(0.01, 0.10, 0.8, ratio=1, alpha=0.05)  # halves alpha by itself
    assert right == pytest.approx(14_751, abs=1)
    x = np.zeros(1_000_000)
    x[:100_000] = 1
    found = design(Metric("bought"), data={"bought": x}, mde=0.1).visitors_per_arm
    assert found == pytest.approx(right, rel=3e-4)


def test_a_mean_is_that_of_spotify_confidence():
    """spotify-confidence 4.1, SampleSizeCalculator, avg 2, var 50, mde 0.05: 156,978 in all."""
    assert design(Metric("revenue"), data=REVENUE, mde=0.05).visitors == 156_978


def test_a_guardrail_is_the_linear_contrast_by_hand():
    # (1.644854 + 0.841621)² · 50 · (1 + 0.95²) / (0.05 · 2)² = 58,813
    found = design(Metric("revenue", max_worse=0.05), data=REVENUE)
    assert found.visitors_per_arm == pytest.approx(58_813, abs=1)


def test_a_guardrail_costs_the_power_that_it_may_fail_with():
    success, guardrail = Metric("spent"), Metric("bounced", better="lower", max_worse=0.1)
    alone = design(success, data=history())
    both = design([success, guardrail], data=history())
    assert both.power_each == pytest.approx(0.9)
    assert design(guardrail, data=history()).power_each == pytest.approx(0.8)
    assert both.needs[1].cost == both.visitors - alone.visitors > 0
    grown = (norm.isf(0.025) + norm.isf(0.1)) ** 2 / (norm.isf(0.025) + norm.isf(0.2)) ** 2
    assert both.needs[0].visitors_per_arm / alone.visitors_per_arm == pytest.approx(grown, rel=0.01)
    assert "Without the guardrail on bounced per visitor" in both.sentence


def test_success_metrics_and_treatments_share_alpha():
    one, two = Metric("spent"), Metric("views")
    needed = [
        design(metrics, data=history(), treatments=k).needs[0].visitors_per_arm
        for metrics, k in ((one, 1), ([one, two], 1), (one, 2))
    ]
    assert needed[0] < needed[1] == needed[2]


def test_it_is_whole_weeks_and_says_what_needs_most():
    metrics = [Metric("spent"), Metric("bounced", better="lower", max_worse=0.02)]
    found = design(metrics, data=history(), mde=0.05, visitors_per_day=3200)
    assert found.days == -(-found.visitors // 3200)
    assert found.weeks == -(-found.days // 7)
    assert found.sentence.startswith(f"Run it {found.weeks} whole weeks: it takes ")
    assert "Bounced per visitor needs most." in found.sentence
    assert found.most.metric.name == "bounced per visitor"
    assert json.loads(json.dumps(found.to_dict())) == found.to_dict()
    assert "bounced per visitor (at most 2% worse): 4" in repr(found)


def test_what_would_take_too_long_says_what_can_be_found_in_time():
    found = design(Metric("revenue"), data=REVENUE, mde=0.03, visitors_per_day=1000)
    # 436,049 visitors are found after 8 weeks of 7,000: sqrt(436,049 / 56,000) = 2.79 times 3 %
    assert "In 8 weeks it would find a change of 8.4% instead of 3%." in found.sentence


def test_looking_every_day_costs_visitors():
    once, daily = (design(Metric("revenue"), data=REVENUE, sequential=s) for s in (False, True))
    assert daily.sequential_cost == daily.visitors - once.visitors
    assert 1.5 < daily.visitors / once.visitors < 2
    assert "Looking every day costs" in daily.sentence


def test_a_covariate_saves_visitors():
    plain, adjusted = (
        design(Metric("spent", covariate=c), data=history()) for c in (None, "before")
    )
    table = history()
    left = 1 - np.corrcoef(table["before"], table["spent"])[0, 1] ** 2
    assert adjusted.visitors_per_arm / plain.visitors_per_arm == pytest.approx(left, rel=0.01)


def test_a_metric_that_is_its_own_guardrail_needs_no_more_than_a_success():
    both = design(Metric("spent", decides=True, max_worse=0.02), data=history())
    assert both.power_each == pytest.approx(0.9)
    assert both.needs[0].effect == 0.03


def test_questions_that_make_no_sense_are_errors():
    with pytest.raises(InputError, match="max_worse is 0.*allow a little"):
        design(Metric("spent", max_worse=0), data=history())
    with pytest.raises(InputError, match="mde is a relative change above 0, got -1"):
        design(Metric("spent"), data=history(), mde=-1)
    with pytest.raises(InputError, match="mde is a relative change above 0, got inf"):
        design(Metric("spent"), data=history(), mde=float("inf"))
    with pytest.raises(InputError, match="mde names spend"):
        design(Metric("spent"), data=history(), mde={"spent per visitor": 0.1, "spend": 0.1})
    with pytest.raises(InputError, match="mde names spent, but the metrics are: spent per visitor"):
        design(Metric("spent"), data=history(), mde={"spent": 0.1})
    with pytest.raises(InputError, match="power is a share"):
        design(Metric("spent"), data=history(), power=80)
    with pytest.raises(InputError, match="visitors_per_day must be above 0"):
        design(Metric("spent"), data=history(), visitors_per_day=0)
    with pytest.raises(InputError, match="visitors_per_day must be above 0"):
        design(Metric("spent"), data=history(), visitors_per_day=float("inf"))
    with pytest.raises(InputError, match="1 treatment or more"):
        design(Metric("spent"), data=history(), treatments=0)
    with pytest.raises(InputError, match="leaves 0 to 100 %"):
        design(Metric("bounced"), data=history(), mde=2)
    with pytest.raises(ColumnError, match="did you mean 'spent'"):
        design(Metric("spend"), data=history())
    with pytest.raises(NotEnoughDataError, match="is 0 for all of 3 visitors"):
        design(Metric("x"), data={"x": [0, 0, 0]})
