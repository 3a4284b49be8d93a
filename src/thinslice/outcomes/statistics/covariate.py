"""Noise that was there before the experiment, taken out of both variants (CUPED).

Deng, Xu, Kohavi and Walker (2013), and Deng, Knoblich and Lu (2018, section 4) for ratios: a
figure's influence per visitor is linear in the columns, so means and ratios are one case, and sums
are all it takes.
"""

from __future__ import annotations

import math

from thinslice.outcomes.statistics.intervals import difference
from thinslice.outcomes.statistics.metric import Metric
from thinslice.outcomes.statistics.moments import Estimate, Moments, linear, ratio

SUSPICIOUS = 0.001
"""Below this p-value a covariate differs between variants by more than chance makes."""


def estimates(metric: Metric, control: Moments, treatment: Moments) -> tuple[Estimate, Estimate]:
    """The metric in control and treatment, adjusted for its covariate where it has one.

    value - theta·(covariate - covariate of both), with one theta for both variants, their pooled
    regression coefficient. Both then share the noise of the covariate over all visitors, which
    cancels in a difference and not in a ratio.
    """
    pair = (control, treatment)
    plain = ratio(control, *metric.figure), ratio(treatment, *metric.figure)
    if metric.covariate is None or any(math.isnan(one.variance) for one in plain):
        return plain
    figures = [linear(moments, *metric.figure) for moments in pair]
    before = [linear(moments, *metric.before) for moments in pair]
    if any(math.isnan(value) for value, _ in before):
        return plain
    weighed = [m.n * m.covariance_of(w, w) for m, (_, w) in zip(pair, before, strict=True)]
    if not sum(weighed) > 0:
        return plain
    shared_noise = sum(
        moments.n * moments.covariance_of(y, x)
        for moments, (_, y), (_, x) in zip(pair, figures, before, strict=True)
    )
    theta = shared_noise / sum(weighed)
    both = ratio(control + treatment, *metric.before)

    def adjusted(i: int) -> Estimate:
        moments, (value, y), (x_value, x) = pair[i], figures[i], before[i]
        left = (
            moments.covariance_of(y, y)
            - 2 * theta * moments.covariance_of(y, x)
            + theta * theta * moments.covariance_of(x, x)
        )
        return Estimate(
            value - theta * (x_value - both.value),
            max(left, 0.0) / moments.n,
            moments.n,
            shared=theta * theta * both.variance,
        )

    return adjusted(0), adjusted(1)


def differs_before(metric: Metric, control: Moments, treatment: Moments) -> bool:
    """Whether the covariate differs between the variants as nothing from before them can.

    Then it was measured after the first exposure, or the visitors were not split by chance.
    """
    if metric.covariate is None:
        return False
    gap = difference(
        ratio(treatment, *metric.before), ratio(control, *metric.before), 1 - SUSPICIOUS
    )
    return gap.low > 0 or gap.high < 0
