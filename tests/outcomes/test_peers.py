"""Where other libraries go wrong with experiments, and what is right.

The sample size of statsmodels, which halves alpha by itself, is in test_sizing.py.
"""

import numpy as np
import pytest
from scipy.stats import norm

from thinslice.outcomes.statistics.intervals import non_inferiority
from thinslice.outcomes.statistics.moments import Estimate


def test_a_one_sided_upper_bound_lies_above_the_estimate():
    """gbstats 0.8.0, OneSidedTreatmentLesserTTest: the upper bound is the estimate less the width.

    200 of 2,000 in control, 230 of 2,000 in treatment, lower is better: the bound is 0.0311; it
    gave -0.0011, by which a rise of 1.5 points could not be one at all.
    """
    control, treatment = (
        Estimate(share, share * (1 - share) / 2000, 2000) for share in (0.1, 0.115)
    )
    spread = np.sqrt(control.variance + treatment.variance)
    bound = 0.015 + norm.ppf(0.95) * spread
    assert bound == pytest.approx(0.0311, abs=1e-4)
    # At most 20 % worse is 2 points: within reach of that bound, far above the wrong one.
    found = non_inferiority(treatment, control, 0.2, better="lower")
    assert not found.proven
    # 1.2 * 0.1 - 0.115 = 0.005 over sqrt(0.115 * 0.885 / 2000 + 1.44 * 0.1 * 0.9 / 2000)
    assert found.z == pytest.approx(0.005 / np.sqrt(0.101775 / 2000 + 0.1296 / 2000), rel=1e-6)
    assert non_inferiority(treatment, control, 0.4, better="lower").proven
