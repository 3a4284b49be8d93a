"""What a person would expect of a session list, on data whose answer is known."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import pytest
from tests.contracts.session_logs import log_of

from thinslice.config import Settings
from thinslice.models.sessions.bundle import learn, untuned
from thinslice.models.sessions.candidates import learn_candidates
from thinslice.models.sessions.choice import BLEND, KNN, LINEAR, RERANKED, Choice
from thinslice.models.sessions.linear import LinearSettings
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.reranker import learn_trees
from thinslice.models.sessions.session_knn import KnnSettings
from thinslice.models.sessions.steps import steps_of
from thinslice.models.sessions.trees import Trees

TIERS = (KNN, LINEAR, BLEND, RERANKED)


def televisions() -> list[list[str]]:
    """Who looks at a television looks at a cable next; a cable is bought for many other things."""
    sessions = []
    for i in range(60):
        sessions += [["tv", "cable"], *([["cable", "plug"]] * 3), [f"lamp-{i % 5}", "bulb"]]
    return sessions


@lru_cache
def order_of_trees() -> Trees:
    """Trees that have learned the order of candidates on later sessions of the same kind."""
    earlier, later = log_of(televisions()), log_of(televisions()[:90])
    products = ProductCodes(earlier.products)
    candidates = learn_candidates(earlier, products, KnnSettings(), LinearSettings())
    steps = steps_of(later, products, repeats=False, at_most=1000)
    return learn_trees(candidates.describe(steps, keep_missed=False, repeats=False))


def choice_of(tier: str) -> Choice:
    trees = order_of_trees() if tier == RERANKED else None
    return replace(untuned(Settings()), tier=tier, trees=trees)


@pytest.mark.parametrize("tier", TIERS)
def test_a_television_leads_to_a_cable_and_not_the_other_way_round(tier):
    session = learn(log_of(televisions()), Settings(), choice_of(tier)).recommenders["session"]
    assert session.recommend(["tv"], 10)[0].product == "cable"
    assert session.recommend(["cable"], 10)[0].product == "plug"


@pytest.mark.parametrize("tier", TIERS)
def test_other_names_of_sessions_and_products_change_nothing_but_names(tier):
    sessions = log_of(televisions())
    renamed = replace(
        log_of([[f"x{p}" for p in session] for session in televisions()]),
        ids=tuple(f"visitor-{number}" for number in reversed(range(sessions.n_sessions))),
    )
    plain, other = (
        learn(log, Settings(), choice_of(tier)).recommenders["session"]
        for log in (sessions, renamed)
    )
    answers = plain.recommend(["lamp-1", "tv"], 10)
    assert [s.product for s in other.recommend(["xlamp-1", "xtv"], 10)] == [
        f"x{s.product}" for s in answers
    ]
