"""How sure is sure? Scores of held-out titles in, confidences that mean what they say out.

A confidence of 0.9 is right nine times in ten. Chances are softmax(scores * temperature), with the
temperature that makes the held-out labels most likely (Guo et al., *On calibration of modern neural
networks*, ICML 2017), and a monotone curve (isotonic regression, in straight lines between knots)
puts right what one temperature cannot.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.floating]
    Bools = NDArray[np.bool_]

KNOTS = 24
_STEPS = 40


def best_temperature(scores: Floats, labels: NDArray[np.integer]) -> float:
    """The temperature that makes the labels most likely, by golden section on its logarithm.

    `scores` has shape (n, classes); a label that no score stands for (-1) is left out.
    """
    kept = labels >= 0
    scores, labels = scores[kept], labels[kept]
    if len(labels) == 0:
        return 1.0
    low, high, ratio = np.log(0.05), np.log(100.0), (np.sqrt(5) - 1) / 2
    a, b = high - ratio * (high - low), low + ratio * (high - low)
    at_a, at_b = _surprise(scores, labels, a), _surprise(scores, labels, b)
    for _ in range(_STEPS):
        if at_a < at_b:
            high, b, at_b = b, a, at_a
            a = high - ratio * (high - low)
            at_a = _surprise(scores, labels, a)
        else:
            low, a, at_a = a, b, at_b
            b = low + ratio * (high - low)
            at_b = _surprise(scores, labels, b)
        if high - low < 1e-3:
            break
    return float(np.exp((low + high) / 2))


def chances(scores: Floats, temperature: float) -> Floats:
    """softmax(scores * temperature), row by row."""
    scaled = (scores - scores.max(axis=1, keepdims=True)) * temperature
    np.exp(scaled, out=scaled)
    scaled /= scaled.sum(axis=1, keepdims=True)
    return scaled


def curve(chance: Floats, hit: Bools, knots: int = KNOTS) -> Floats:
    """The monotone curve from chance to share of hits: shape (2, knots), chances over confidences.

    Knots lie where equally many held-out titles lie between them. With too few titles to say more
    the curve is the straight line from 0 to 1.
    """
    line = np.linspace(0, 1, knots)
    if len(chance) < 4 * knots:
        return np.stack([line, line])
    from sklearn.isotonic import IsotonicRegression

    order = np.argsort(chance)
    at = np.array([part.mean() for part in np.array_split(chance[order], knots - 2)])
    share = np.array([part.mean() for part in np.array_split(hit[order], knots - 2)])
    size = np.array([len(part) for part in np.array_split(order, knots - 2)])
    # One hit and one miss are added to each part, so that none is certain from what was seen.
    prior = (share * size + at * 2) / (size + 2)
    rising = IsotonicRegression(y_min=0, y_max=1, out_of_bounds="clip")  # equal chances merge
    smooth = rising.fit(at, prior, sample_weight=size).predict(at)
    return np.stack([np.r_[0, at, 1], np.r_[0, smooth, max(smooth[-1], prior[-1])]])


def calibrated(chance: Floats, knots: Floats) -> Floats:
    """The confidences of chances."""
    return np.interp(chance, knots[0], knots[1])


def calibration_error(confidence: Floats, hit: Bools, bins: int = 15) -> float:
    """Expected calibration error: the gap between confidence and hits in bins of equal width,
    weighted by their titles (Naeini et al., AAAI 2015)."""
    place = np.minimum((np.asarray(confidence) * bins).astype(int), bins - 1)
    gaps = np.bincount(place, np.asarray(confidence) - np.asarray(hit), minlength=bins)
    return float(np.abs(gaps).sum() / max(len(place), 1))


def bar_for_precision(
    confidence: Floats, hit: Bools, precision: float, weight: Floats | None = None
) -> float:
    """The lowest confidence above which held-out answers are right at least that often.

    Above 1, which nothing reaches, where no bar gives that precision. `weight` is how much each
    answer counts; all alike without it.
    """
    order = np.argsort(-confidence, kind="stable")
    each = np.ones(len(order)) if weight is None else weight[order]
    right = np.cumsum(hit[order] * each) / np.maximum(np.cumsum(each), 1e-300)
    # Titles of equal confidence are accepted together.
    ends = np.append(np.diff(confidence[order]) != 0, True)
    good = np.flatnonzero((right >= precision) & ends)
    return float(confidence[order][good[-1]]) if len(good) else 1.01


def _surprise(scores: Floats, labels: NDArray[np.integer], log_temperature: float) -> float:
    scaled = scores * np.float32(np.exp(log_temperature))
    highest = scaled.max(axis=1)
    total = np.log(np.exp(scaled - highest[:, None]).sum(axis=1)) + highest
    return float((total - scaled[np.arange(len(labels)), labels]).mean())
