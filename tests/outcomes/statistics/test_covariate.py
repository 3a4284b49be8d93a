import math

import numpy as np
import pytest

from thinslice.outcomes.statistics.covariate import differs_before, estimates
from thinslice.outcomes.statistics.intervals import difference, non_inferiority, relative_lift
from thinslice.outcomes.statistics.metric import Metric
from thinslice.outcomes.statistics.moments import Moments, ratio


def moments(**columns):
    return Moments.of({name: list(values) for name, values in columns.items()})


def shoppers(rng, n, lift=0.0):
    before = rng.gamma(2, 10, n)
    return {"before": before, "spent": (before + rng.normal(50, 5, n)) * (1 + lift)}


def test_what_was_known_before_takes_out_its_share_of_the_noise():
    rng = np.random.default_rng(1)
    table = shoppers(rng, 500)
    both = moments(**table)
    c, t = estimates(Metric("spent", covariate="before"), both, both)
    correlation = np.corrcoef(*table.values())[0, 1]
    assert c == t
    assert c.variance / ratio(both, "spent").variance == pytest.approx(1 - correlation**2)


def test_the_difference_is_that_of_a_regression_on_arm_and_covariate():
    """Lin's interacted regression and pooled CUPED agree up to the noise of theta."""
    rng = np.random.default_rng(2)
    x, y = (shoppers(rng, 400, lift) for lift in (0, 0.05))
    c, t = estimates(Metric("spent", covariate="before"), moments(**x), moments(**y))
    arm = np.repeat([0.0, 1.0], 400)
    both = np.concatenate([x["before"], y["before"]])
    design = np.column_stack([np.ones(800), arm, both])
    spent = np.concatenate([x["spent"], y["spent"]])
    fitted, *_ = np.linalg.lstsq(design, spent, rcond=None)
    assert t.value - c.value == pytest.approx(fitted[1])


def test_a_ratio_is_adjusted_by_hand():
    rng = np.random.default_rng(3)
    arms = []
    for _ in range(2):
        views = rng.integers(1, 9, 300)
        arms.append(
            {"v": views, "c": rng.binomial(views, 0.3), "p": views + rng.integers(0, 3, 300)}
        )
    a, b = arms
    influence = []
    for arm in arms:
        r = arm["c"].sum() / arm["v"].sum()
        influence.append((arm["c"] - r * arm["v"]) / arm["v"].mean())
    theta = sum(np.cov(z, arm["p"])[0, 1] for z, arm in zip(influence, arms, strict=True)) / sum(
        arm["p"].var(ddof=1) for arm in arms
    )
    both = np.concatenate([a["p"], b["p"]]).mean()
    c, t = estimates(Metric("c", per="v", covariate="p"), moments(**a), moments(**b))
    expected = a["c"].sum() / a["v"].sum() - theta * (a["p"].mean() - both)
    assert c.value == pytest.approx(expected)
    assert c.variance == pytest.approx((influence[0] - theta * a["p"]).var(ddof=1) / 300)


def test_a_covariate_that_says_nothing_changes_nothing():
    rng = np.random.default_rng(4)
    flat = {"before": [1.0] * 50, "spent": rng.normal(5, 1, 50)}
    a, b = moments(**flat), moments(**flat)
    assert estimates(Metric("spent", covariate="before"), a, b)[0] == ratio(a, "spent")


def test_noise_that_both_share_cancels_in_a_difference_only():
    rng = np.random.default_rng(5)
    a, b = (moments(**shoppers(rng, 500, lift)) for lift in (0, 0.5))
    c, t = estimates(Metric("spent", covariate="before"), a, b)
    alone = [type(x)(x.value, x.variance, x.n) for x in (c, t)]
    assert c.shared == t.shared > 0
    assert difference(t, c) == difference(alone[1], alone[0])
    wider, narrower = relative_lift(t, c), relative_lift(alone[1], alone[0])
    assert wider.high - wider.low > narrower.high - narrower.low
    assert non_inferiority(t, c, 0.2).z < non_inferiority(alone[1], alone[0], 0.2).z


def test_a_covariate_measured_after_the_first_exposure_gives_itself_away():
    rng = np.random.default_rng(6)
    a, b = (moments(**shoppers(rng, 2000, lift)) for lift in (0, 0.2))
    assert not differs_before(Metric("spent", covariate="before"), a, b)
    assert differs_before(Metric("before", covariate="spent"), a, b)
    assert not differs_before(Metric("spent"), a, b)


def test_one_visitor_has_no_spread_to_take_out():
    one = moments(before=[1.0], spent=[2.0])
    assert math.isnan(estimates(Metric("spent", covariate="before"), one, one)[0].variance)
