"""Which list a visitor sees and as part of what: decided by arithmetic, so nothing is stored."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from thinslice.domain import INCUMBENT, SESSION, Experiment, LeftOut, Query, Variant
from thinslice.errors import InputError, NotFoundError


@dataclass(frozen=True, slots=True)
class Placed:
    """The list maker that a visitor sees, as part of which experiment and variant.

    `left_out` says why it does not count. Where it may count, `compared` has the list makers of
    all variants: the list counts only if each of them has something to show for the request.
    """

    policy: str
    experiment: str | None = None
    variant: str | None = None
    left_out: LeftOut | None = None
    compared: tuple[str, ...] = ()


def place(
    experiments: Sequence[Experiment], query: Query, *, shop: str = "", holdout: float = 0.0
) -> Placed:
    """What a request is shown: the same for a visitor on every visit and machine.

    In this order: the policy or the preview that was asked for; today's list for the `holdout`;
    the running experiment of the placement; what the latest stopped one left in place; the
    session list. A visitor who takes no part in the running experiment sees its control.

    Raises `NotFoundError` for a preview of an experiment or variant that there is not.
    """
    if query.policy is not None:
        return Placed(query.policy)
    if query.preview is not None:
        return _previewed(experiments, *query.preview)
    here = [e for e in experiments if e.placement == query.placement]
    running = next((e for e in here if e.stopped_us is None), None)
    if holdout and query.visitor and is_held_out(shop, query.visitor, holdout):
        return Placed(f"list:{INCUMBENT}", running.id if running else None, left_out="holdout")
    if running is None:
        return Placed(_left_in_place(here))
    variant = assign(running, query.visitor)
    if variant is None:
        why: LeftOut = "not_in_traffic" if running.traffic else "paused"
        return Placed(running.control.policy, running.id, left_out=why)
    compared = tuple(v.policy for v in running.variants)
    return Placed(variant.policy, running.id, variant.name, compared=compared)


def assign(experiment: Experiment, visitor: str) -> Variant | None:
    """The variant of a visitor: the same on every visit and machine; None when not taking part.

    SHA-256 of the salt and the visitor gives two numbers in [0, 1). The first says whether the
    visitor takes part, which a share of `traffic * sum(weights)` does; the second picks the
    variant in proportion to the weights. A ramp therefore brings visitors in and moves nobody
    from one variant to another, and on every day of it the variants are split alike, so that the
    days may be pooled: a ramp that changed the weights instead would mix slow days and busy ones
    in different shares, and the sum could show the opposite of every day (Simpson's paradox).
    A visitor without an id takes no part.

    Raises `InputError` for weights that are negative or sum to 0 or to more than 1.

    >>> e = Experiment("e", "shop", "?", (Variant("A", "popular"), Variant("B", "session")), "s", 0)
    >>> assign(e, "v1") == assign(e, "v1")
    True
    """
    total = check_weights(experiment)
    if not visitor:
        return None
    takes_part, position = _uniforms(experiment.salt, visitor)
    if takes_part >= total * experiment.traffic:
        return None
    edge = 0.0
    for variant in experiment.variants:
        edge += variant.weight / total
        if position < edge:
            return variant
    return max(experiment.variants, key=lambda v: v.weight)  # edge rounded to just under 1


def is_held_out(shop: str, visitor: str, share: float) -> bool:
    """Whether a visitor is kept out of all experiments of the shop; more are as the share rises.

    >>> [is_held_out("nord", "anna", share) for share in (0.0, 1.0)]
    [False, True]
    """
    return _uniforms(f"holdout of {shop}", visitor)[0] < share


def check_weights(experiment: Experiment) -> float:
    """The share of the traffic that takes part; `InputError` when the weights make no sense."""
    weights = [variant.weight for variant in experiment.variants]
    total = sum(weights)
    if not weights or min(weights) < 0 or not 0 < total <= 1 + 1e-9:
        raise InputError(
            "the variants' weights must be at least 0 and sum to more than 0 and at most 1, got "
            f"{weights} in experiment {experiment.id!r}; 0.5 and 0.5 shows each to half"
        )
    return total


def _previewed(experiments: Sequence[Experiment], experiment: str, variant: str) -> Placed:
    for known in experiments:
        if known.id == experiment and (wanted := known.variant(variant)):
            return Placed(wanted.policy, experiment, variant, left_out="qa")
    there = "; ".join(f"{e.id}: {', '.join(v.name for v in e.variants)}" for e in experiments)
    raise NotFoundError(
        f"a preview is of a variant that exists, there is no {variant[:63]!r} in "
        f"{experiment[:63]!r}; there is {there or 'no experiment yet'}"
    )


def _left_in_place(experiments: Sequence[Experiment]) -> str:
    """The list maker of the variant that the experiment stopped last left in place."""
    ended = [e for e in experiments if e.stopped_us is not None and e.after]
    if not ended:
        return SESSION
    last = max(ended, key=lambda e: e.stopped_us or 0)
    variant = last.variant(last.after or "")
    return variant.policy if variant else SESSION


def _uniforms(salt: str, visitor: str) -> tuple[float, float]:
    """Two independent numbers in [0, 1), 53 bits each."""
    # The length keeps ("ab", "c") and ("a", "bc") apart.
    digest = hashlib.sha256(f"{len(salt)}:{salt}{visitor}".encode("utf-8", "replace")).digest()
    first, second = (int.from_bytes(digest[i : i + 8], "big") >> 11 for i in (0, 8))
    return first / 2**53, second / 2**53
