"""Which settings and which of the list makers serve a shop best? Its own last days decide.

    earlier sessions | the first two thirds of the later ones | the last third
    sources learn    | settings are chosen, trees are grown   | the list maker is chosen

Nothing is chosen on a session that a source has learned from, and the list maker is not chosen on
sessions that its settings or trees were chosen on. The measure is the geometric mean of HitRate@20
and MRR@20 over the steps. `settings_search.py` chooses the settings, `tier_choice.py` the tier.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from thinslice.models.sessions.candidates import learn_candidates
from thinslice.models.sessions.choice import Choice
from thinslice.models.sessions.clock import Clock, Progress
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.settings_search import SettingsSearch
from thinslice.models.sessions.steps import steps_of
from thinslice.models.sessions.tier_choice import Compare, TierChoice

if TYPE_CHECKING:
    from thinslice.domain import SessionLog


def choose(
    earlier: SessionLog,
    later: SessionLog,
    compare: Compare,
    *,
    seconds: float,
    start: Choice | None = None,
    may_repeat: bool = False,
    progress: Progress | None = None,
    seed: int = 0,
) -> Choice:
    """Choose on the later sessions what to make of the earlier ones, in about `seconds`.

    `start` is where the search begins; hand over what is served, since it is kept where it is
    proven better than what was found. `may_repeat` lets the product at hand compete, if that pays.
    """
    start, clock = start or Choice(), Clock(seconds, progress)
    products = ProductCodes(earlier.products)
    at_most = int(np.clip(seconds * 400, 2_000, 45_000))
    steps = steps_of(later, products, repeats=may_repeat, at_most=at_most)
    first, last = steps.cut(2 / 3)
    if len(last) < FEWEST:
        why = f"too few later steps to choose on: {len(last)}, and {FEWEST} are needed"
        return replace(start, report={"why": why})
    search = SettingsSearch(earlier, products, start, clock, may_repeat=may_repeat)
    chosen = search.choose(first.evenly(3_000))
    candidates = learn_candidates(earlier, products, chosen.knn, chosen.linear)
    tiers = TierChoice(earlier, candidates, start, compare, clock, seed)
    return tiers.choose(chosen, first, last, tried=search.tried)


FEWEST = 300
"""Steps to judge on, without which nothing is chosen."""
