"""Were visitors split as intended? Where they were not, no difference may be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from scipy.special import chdtrc

SRM_ALPHA = 0.001
"""Below this p-value the split of visitors is broken and no effect may be read."""


@dataclass(frozen=True, slots=True)
class SampleRatio:
    """Whether visitors were split as intended; `ok` is False when that is all but impossible."""

    p_value: float
    expected: tuple[float, ...]
    observed: tuple[int, ...]
    ok: bool


def sample_ratio(observed: Sequence[int], weights: Sequence[float]) -> SampleRatio:
    """Pearson's chi-square of the visitors per variant against the intended weights.

    Weights need not sum to 1. A variant of weight 0 that has visitors is a broken split. Without
    visitors the split is not yet wrong.
    """
    n, total = sum(observed), sum(weights)
    expected = tuple(n * weight / total for weight in weights)
    if n == 0:
        return SampleRatio(1.0, expected, tuple(observed), True)
    if any(o and not e for o, e in zip(observed, expected, strict=True)):
        return SampleRatio(0.0, expected, tuple(observed), False)
    used = [(o, e) for o, e in zip(observed, expected, strict=True) if e]
    chi2 = sum((o - e) ** 2 / e for o, e in used)
    p_value = float(chdtrc(len(used) - 1, chi2)) if len(used) > 1 else 1.0
    return SampleRatio(p_value, expected, tuple(observed), p_value >= SRM_ALPHA)
