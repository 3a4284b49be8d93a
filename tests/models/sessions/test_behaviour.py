"""What a person would expect of a session list, on data whose answer is known."""

from __future__ import annotations

from dataclasses import replace

import pytest
from tests.contracts.session_logs import log_of

from thinslice.config import Settings
from thinslice.models.sessions.bundle import learn, untuned
from thinslice.models.sessions.choice import BLEND, KNN, LINEAR


def televisions() -> list[list[str]]:
    """Who looks at a television looks at a cable next; a cable is bought for many other things."""
    sessions = []
    for i in range(60):
        sessions += [["tv", "cable"], *([["cable", "plug"]] * 3), [f"lamp-{i % 5}", "bulb"]]
    return sessions


@pytest.mark.parametrize("tier", [KNN, LINEAR, BLEND])
def test_a_television_leads_to_a_cable_and_not_the_other_way_round(tier):
    choice = replace(untuned(Settings()), tier=tier)
    session = learn(log_of(televisions()), Settings(), choice).recommenders["session"]
    assert session.recommend(["tv"], 10)[0].product == "cable"
    assert session.recommend(["cable"], 10)[0].product == "plug"


@pytest.mark.parametrize("tier", [KNN, LINEAR, BLEND])
def test_other_names_of_sessions_and_products_change_nothing_but_names(tier):
    choice = replace(untuned(Settings()), tier=tier)
    sessions = televisions()
    renamed = [[f"x{p}" for p in session] for session in sessions]
    plain, other = (
        learn(log_of(log), Settings(), choice).recommenders["session"]
        for log in (sessions, renamed)
    )
    answers = plain.recommend(["lamp-1", "tv"], 10)
    assert [s.product for s in other.recommend(["xlamp-1", "xtv"], 10)] == [
        f"x{s.product}" for s in answers
    ]
