"""Were visitors split as intended? Where they were not, no difference may be read."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import chdtrc, gammaln

SRM_ALPHA = 0.001
"""Below this p-value the split of visitors is broken and no effect may be read."""

SRM_WARNING = 0.01
"""Below this one it is doubtful, and said so loudly."""

CONCENTRATION = 10_000
"""How near to the intended split the sequential test expects a broken one, in visitors."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Whether visitors were split as intended; `ok` is False when that is all but impossible."""

    p_value: float
    expected: tuple[float, ...]
    observed: tuple[int, ...]
    ok: bool

    @property
    def doubtful(self) -> bool:
        """Not broken beyond doubt, but so that chance alone does it less than once in 100 times."""
        return self.ok and self.p_value < SRM_WARNING

    @property
    def warning(self) -> str | None:
        """What to say where it is doubtful."""
        if not self.doubtful:
            return None
        return (
            f"Alarm: the split of visitors is doubtful (p = {self.p_value:.2g}; chance alone does "
            "that less than once in 100 times). Find out why before you trust any difference: look "
            "for redirects, caches, bots, and events that one variant fails to send."
        )


def sample_ratio(
    observed: Sequence[int], weights: Sequence[float], *, sequential: bool = False
) -> SampleRatio:
    """The visitors per variant against the intended weights, which need not sum to 1.

    Pearson's chi-square for one look. `sequential` is the test of Lindon and Malek (2022, "Anytime-
    valid inference for multinomial count data"), which may be looked at every day: 1 / the Bayes
    factor of a Dirichlet prior around the weights against the weights themselves. A variant of
    weight 0 that has visitors is a broken split. Without visitors the split is not yet wrong.
    """
    n, total = sum(observed), sum(weights)
    expected = tuple(n * weight / total for weight in weights)
    if n == 0:
        return SampleRatio(1.0, expected, tuple(observed), True)
    if any(o and not e for o, e in zip(observed, expected, strict=True)):
        return SampleRatio(0.0, expected, tuple(observed), False)
    used = [(o, e) for o, e in zip(observed, expected, strict=True) if e]
    p_value = 1.0
    if len(used) > 1:
        p_value = _anytime(used, n) if sequential else _once(used)
    return SampleRatio(p_value, expected, tuple(observed), p_value >= SRM_ALPHA)


def _once(used: Sequence[tuple[int, float]]) -> float:
    chi2 = sum((o - e) ** 2 / e for o, e in used)
    return float(chdtrc(len(used) - 1, chi2))


def _anytime(used: Sequence[tuple[int, float]], n: int) -> float:
    log_factor = float(gammaln(CONCENTRATION) - gammaln(CONCENTRATION + n))
    for seen, expected in used:
        share = expected / n
        prior = CONCENTRATION * share
        log_factor += float(gammaln(prior + seen) - gammaln(prior)) - seen * math.log(share)
    return math.exp(-max(log_factor, 0.0))
