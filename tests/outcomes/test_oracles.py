"""What others compute for the same rows, recorded or at hand."""

import numpy as np
import pytest
import scipy.stats

from thinslice.outcomes import Metric, experiment

I = np.arange(4000)  # noqa: E741
ROWS = {
    "variant": (I * 7919 % 4000) % 2,
    "pre": (I * 31 % 97) / 10.0,
    "views": 1 + I * 13 % 7,
    "pv": 1 + I * 5 % 7,
    "pc": ((I * 17 % 23) < 5).astype(int),
}
EAGER, RICH = I * 17 % 23 - ROWS["variant"] < 3, I * 41 % 53 - ROWS["variant"] < 9
ROWS["clicks"] = EAGER.astype(int) + (I * 29 % 31 < 2)
ROWS["rev"] = np.where(RICH, ROWS["pre"] * 2 + I * 11 % 19, 0.0)

# tea-tasting 1.14 on the same rows, control=0: effect_size with its ci_lower and ci_upper of
# Mean("rev", use_t=False), Mean("rev", "pre", use_t=False), RatioOfMeans("clicks", "views",
# use_t=False) and RatioOfMeans("clicks", "views", "pc", "pv", use_t=False).
TEA_TASTING = [
    (Metric("rev"), 0.362, -0.128381436, 0.852381436),
    (Metric("rev", covariate="pre"), 0.361669544, -0.124044560, 0.847383647),
    (Metric("clicks", per="views"), 0.010985066, 0.004024673, 0.017945460),
    (Metric("clicks", per="views", covariate=("pc", "pv")), 0.010971046, 0.005699807, 0.016242284),
]


@pytest.mark.parametrize(("metric", "estimate", "low", "high"), TEA_TASTING)
def test_the_difference_is_that_of_tea_tasting(metric, estimate, low, high):
    found = experiment(ROWS, metrics=metric, control=0).rows[0].absolute
    assert (found.low, found.estimate, found.high) == pytest.approx((low, estimate, high), abs=1e-7)


def test_the_difference_is_that_of_statsmodels():
    weightstats = pytest.importorskip("statsmodels.stats.weightstats")
    a, b = (ROWS["rev"][ROWS["variant"] == arm] for arm in (0, 1))
    means = weightstats.CompareMeans.from_data(b, a)
    found = experiment(ROWS, metrics=Metric("rev"), control=0).rows[0].absolute
    assert (found.low, found.high) == pytest.approx(means.zconfint_diff(usevar="unequal"))


def test_non_inferiority_is_a_t_test_of_the_contrast():
    """mean_T against 0.9 · mean_C, which is Welch's test of T and 0.9 · C."""
    a, b = (ROWS["rev"][ROWS["variant"] == arm] for arm in (0, 1))
    row = experiment(ROWS, metrics=Metric("rev", max_worse=0.1), control=0).rows[0]
    oracle = scipy.stats.ttest_ind(b, 0.9 * a, equal_var=False, alternative="greater")
    assert row.harmless.z == pytest.approx(oracle.statistic)


def test_the_range_of_a_lift_is_where_the_contrast_test_turns():
    """Fieller's ends are the lifts at which Welch's z of T and (1 + L) · C is 1.96."""
    a, b = (ROWS["rev"][ROWS["variant"] == arm] for arm in (0, 1))
    lift = experiment(ROWS, metrics=Metric("rev"), control=0).rows[0].relative
    for end, sign in ((lift.low, 1), (lift.high, -1)):
        z = scipy.stats.ttest_ind(b, (1 + end) * a, equal_var=False).statistic
        assert sign * z == pytest.approx(1.959964, abs=1e-5)
