"""Which variant a visitor sees: decided by arithmetic, so nothing has to be stored."""

from __future__ import annotations

import hashlib

from thinslice.domain import Experiment, Variant
from thinslice.errors import InputError


def assign(experiment: Experiment, visitor: str) -> Variant | None:
    """The variant of a visitor: the same on every visit and machine; None when not taking part.

    SHA-256 of the salt and the visitor gives two numbers in [0, 1). The first says whether the
    visitor takes part, which a share of `sum(weights)` does; the second picks the variant in
    proportion to the weights. A ramp that raises all weights alike therefore brings visitors in
    and moves nobody from one variant to another. A visitor without an id takes no part.

    Raises `InputError` for weights that are negative or sum to 0 or to more than 1.

    >>> e = Experiment("e", "shop", "?", (Variant("A", "popular"), Variant("B", "session")), "s", 0)
    >>> assign(e, "v1") == assign(e, "v1")
    True
    """
    total = check_weights(experiment)
    if not visitor:
        return None
    takes_part, place = _uniforms(experiment.salt, visitor)
    if takes_part >= total:
        return None
    edge = 0.0
    for variant in experiment.variants:
        edge += variant.weight / total
        if place < edge:
            return variant
    return max(experiment.variants, key=lambda v: v.weight)  # edge rounded to just under 1


def check_weights(experiment: Experiment) -> float:
    """The share of visitors that take part; `InputError` when the weights make no sense."""
    weights = [variant.weight for variant in experiment.variants]
    total = sum(weights)
    if not weights or min(weights) < 0 or not 0 < total <= 1 + 1e-9:
        raise InputError(
            "the variants' weights must be at least 0 and sum to more than 0 and at most 1, got "
            f"{weights} in experiment {experiment.id!r}; 0.5 and 0.5 shows each to half"
        )
    return total


def _uniforms(salt: str, visitor: str) -> tuple[float, float]:
    """Two independent numbers in [0, 1), 53 bits each."""
    # The length keeps ("ab", "c") and ("a", "bc") apart.
    digest = hashlib.sha256(f"{len(salt)}:{salt}{visitor}".encode("utf-8", "replace")).digest()
    first, second = (int.from_bytes(digest[i : i + 8], "big") >> 11 for i in (0, 8))
    return first / 2**53, second / 2**53
