"""Which settings and which of the list makers serve a shop best? Its own last days decide.

    earlier sessions | the first two thirds of the later ones | the last third
    sources learn    | settings are chosen, trees are grown   | the list maker is chosen

Nothing is chosen on a session that a source has learned from, and the list maker is not chosen on
sessions that its settings or trees were chosen on. How visits begin is foreseen by settings of its
own, chosen in the same way. The measure is the geometric mean of HitRate@20
and MRR@20 over the steps. `settings_search.py` chooses the settings, `tier_choice.py` the tier,
`entries.py` what visits begin with.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from thinslice.models.sessions.candidates import learn_candidates
from thinslice.models.sessions.choice import Choice
from thinslice.models.sessions.clock import Clock, Progress
from thinslice.models.sessions.entries import EntrySettings, choose_entries
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.settings_search import SettingsSearch
from thinslice.models.sessions.steps import steps_of
from thinslice.models.sessions.tier_choice import TierChoice

if TYPE_CHECKING:
    from thinslice.domain import SessionLog
    from thinslice.models.sessions.places import Compare


def choose(
    earlier: SessionLog,
    later: SessionLog,
    compare: Compare,
    *,
    seconds: float,
    start: Choice | None = None,
    may_repeat: bool = False,
    popularity: EntrySettings | None = None,
    progress: Progress | None = None,
    seed: int = 0,
) -> Choice:
    """Choose on the later sessions what to make of the earlier ones, in about `seconds`.

    `start` is where the search begins; hand over what is served, since it is kept where it is
    proven better than what was found. `may_repeat` lets the product at hand compete, if that pays.
    `popularity` is the plain one that settings for the beginnings of visits have to beat.
    """
    start, clock = start or Choice(), Clock(seconds, progress)
    entries, began = choose_entries(earlier, later, compare, popularity or EntrySettings())
    found = _session_list(earlier, later, compare, clock, start, may_repeat, seed)
    return replace(found, entries=entries, report={**found.report, "entries": began})


def _session_list(
    earlier: SessionLog,
    later: SessionLog,
    compare: Compare,
    clock: Clock,
    start: Choice,
    may_repeat: bool,
    seed: int,
) -> Choice:
    products = ProductCodes(earlier.products)
    at_most = int(np.clip(clock.seconds * 400, 2_000, 45_000))
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
