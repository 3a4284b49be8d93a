"""The arms of an experiment: the control first, and the share of the visitors meant for each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from math import inf
from typing import Any

from thinslice.errors import InputError
from thinslice.outcomes.notebook.rows import name_of
from thinslice.outcomes.statistics.metric import Metric, number
from thinslice.outcomes.statistics.moments import Moments


def given_sums(data: Mapping[Any, Any], metrics: Sequence[Metric]) -> dict[str, Moments]:
    """Sums that were handed over by arm; `InputError` where they are not all sums."""
    odd = [arm for arm, sums in data.items() if not isinstance(sums, Moments)]
    if odd:
        raise InputError(f"all arms are given as Moments or none, but {odd[0]!r} is not")
    capped = next((metric for metric in metrics if metric.cap is not None), None)
    if capped:
        raise InputError(
            f"{capped.name!r} asks for a cap, and sums cannot be capped any more; cap the values "
            "before they are summed"
        )
    return {name_of(arm): sums for arm, sums in data.items()}


def control_first(
    moments: Mapping[str, Moments], control: str, weights: Mapping[Any, float] | None
) -> dict[str, Moments]:
    """The control, then the treatments by name.

    `InputError` for an arm without visitors, a control that is none, and fewer than two arms.
    """
    arms = list(moments)
    if weights is not None and not isinstance(weights, Mapping):
        raise InputError(
            f'weights are a dictionary such as {{"A": 0.9, "B": 0.1}}, got {weights!r}'
        )
    meant = [name_of(arm) for arm in weights or {}]
    empty = [arm for arm in meant if arm not in arms] + [a for a in arms if not moments[a].n]
    if empty:
        raise InputError(
            f"every arm needs visitors, but {', '.join(empty)} has none; the arms with visitors "
            f"are: {', '.join(arm for arm in arms if moments[arm].n) or 'none'}"
        )
    if control not in arms:
        close = get_close_matches(control, arms, n=1)
        hint = f"did you mean {close[0]!r}? " if close else "say which with control=. "
        raise InputError(
            f"no arm is called {control!r}, which is to be the control; {hint}There are: "
            f"{', '.join(sorted(arms))}"
        )
    if len(arms) < 2:
        raise InputError(
            f"an experiment compares arms, but all visitors are in {control!r}; add the treatment's"
        )
    ordered = [control, *sorted(arm for arm in arms if arm != control)]
    return {arm: moments[arm] for arm in ordered}


def intended_shares(
    moments: Mapping[str, Moments], weights: Mapping[Any, float] | None
) -> dict[str, float]:
    """The intended share of each arm, which sum to 1; equal ones unless stated."""
    given = {name_of(arm): number(w, "a weight") for arm, w in (weights or {}).items()}
    if given and (set(given) != set(moments) or not all(0 < w < inf for w in given.values())):
        raise InputError(
            f"weights say the share of each arm, above 0, got {given}; the arms are: "
            f"{', '.join(moments)}"
        )
    total = sum(given.values())
    return {arm: given[arm] / total if given else 1 / len(moments) for arm in moments}
