"""How many standard errors an interval reaches, for one look or for any number of them.

Looking every day and stopping on the first good one finds differences that are not there, unless
the intervals are made for it: those of Waudby-Smith et al. (2021, "Time-uniform central limit
theory and asymptotic confidence sequences") hold the truth at all looks together. They are wider,
least so near the number of visitors they are tuned for.
"""

from __future__ import annotations

import math

from scipy.special import ndtri

TUNED_FOR = 10_000.0
"""The visitors, all variants together, at which ranges for any number of looks are narrowest unless
stated; they hold at any other number just as well."""


def critical(alpha: float, n: float, tuned_for: float | None = None, *, sides: int = 2) -> float:
    """The standard errors that an interval over n visitors reaches to each side.

    `tuned_for` is None for data that are looked at once, and the number of visitors at which the
    sequence is to be narrowest for data that are looked at whenever one likes. inf without data.
    """
    if tuned_for is None:
        return float(ndtri(1 - alpha / sides))
    if not n > 0:
        return math.inf
    grown = n * mixing_variance(alpha, tuned_for)
    root = math.sqrt(grown + 1)
    crossing = math.log(root / alpha) if sides == 2 else math.log1p(root / (2 * alpha))
    return math.sqrt(2 * (grown + 1) / grown * crossing)


def mixing_variance(alpha: float, tuned_for: float) -> float:
    """Per visitor, the variance of the normal mixture that is narrowest at `tuned_for` visitors.

    rho² of Waudby-Smith et al. (2021, appendix B.2): (-2 log alpha + log(1 - 2 log alpha)) / n.
    """
    bits = -2 * math.log(alpha)
    return (bits + math.log(bits + 1)) / tuned_for
