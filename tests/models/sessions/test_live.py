from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.recommender import RecommenderContract
from tests.contracts.session_logs import checkerboard, log_of

from thinslice.config import Settings
from thinslice.domain import DAY_US, SESSION, Scored
from thinslice.models.sessions.bundle import learn
from thinslice.models.sessions.choice import BLEND, RERANKED, Choice
from thinslice.models.sessions.live import Known, LiveSessions, Spoken
from thinslice.models.sessions.live_lists import LivePopularity, mixed
from thinslice.models.sessions.trees import Trees

MINUTE_US = 60_000_000
NO_MODEL = Known(None, None)
ONE_LEAF = Trees.from_dump({"tree_info": [{"tree_structure": {"leaf_value": 0.5}}]})


@dataclass(frozen=True)
class Touch:
    visitor: str
    product: str
    time_us: int = 0
    session: str = ""
    file: str = "1-a"
    line: int = 0


def visit(visitor: str, *products: str, **more: Any) -> list[Touch]:
    return [Touch(visitor, product, **more) for product in products]


def window(*visits: list[Touch], **settings: Any) -> LiveSessions:
    live = LiveSessions(**settings)
    for touches in visits:
        live.add(touches)
    return live


def said(live: LiveSessions, *session: str, model: Known = NO_MODEL) -> list[str]:
    spoken = live.speak_for(session, 20, model)
    return spoken.products if spoken else []


class TestALiveListIsARecommender(RecommenderContract):
    @pytest.fixture
    def recommender(self):
        model = learn(checkerboard(60), Settings())
        live = window(visit("v", "lamp-0", "lamp-2", "new"), visit("w", "lamp-1", "new", "lamp-0"))
        return model.with_live(live)["session"]


class TestLiveItemToItemIsARecommender(TestALiveListIsARecommender):
    @pytest.fixture
    def recommender(self):
        model = learn(checkerboard(60), Settings())
        return model.with_live(window(visit("v", "lamp-1", "new")))["item_to_item"]

    def test_unknown_products_are_ignored(self, recommender):
        """All but the last, which is all that it looks at."""
        known = recommender.recommend(["lamp-1"], 5)
        assert recommender.recommend(["nobody", "lamp-0", "lamp-1"], 5) == known


class TestLivePopularityIsARecommender(RecommenderContract):
    needs_a_session = False

    @pytest.fixture
    def recommender(self):
        return learn(checkerboard(60), Settings()).with_live(window(visit("v", "new")))["popular"]


def test_one_visit_speaks_for_what_was_beside_the_product():
    live = window(visit("v", "lamp", "sofa", "rug"))
    assert said(live, "sofa") == ["rug", "lamp"]
    assert said(live, "unknown", "lamp") == ["sofa", "rug"]
    assert said(live, "unknown") == []


def test_two_visitors_do_not_share_a_session():
    assert said(window(visit("v", "lamp") + visit("w", "sofa")), "lamp") == []


def test_a_long_pause_ends_a_session_without_an_id():
    early, late = visit("v", "lamp"), visit("v", "sofa", time_us=31 * MINUTE_US)
    assert said(window(early, late), "lamp") == []
    in_session = visit("v", "lamp", session="s"), visit("v", "sofa", time_us=DAY_US, session="s")
    assert said(window(*in_session), "lamp") == ["sofa"]


def test_a_session_that_goes_on_speaks_as_a_whole():
    live = window(visit("v", "lamp"), visit("x", "lamp"), visit("v", "sofa"))
    assert said(live, "lamp") == ["sofa"]


def test_what_left_the_window_is_silent():
    live = window(visit("v", "lamp", "sofa"), most_touches=4)
    live.add(visit("w", "a", "b", "c", "d"))
    assert said(live, "lamp") == []
    assert said(live, "a") == ["b", "c", "d"]
    assert len(live) == 4


def test_a_robot_counts_with_its_first_products_only():
    live = window(visit("robot", *(f"p{n}" for n in range(100))), session_products=10)
    assert said(live, "p8") == ["p9", "p7", "p6", "p5", "p4"]
    assert said(live, "p50") == []


def test_more_touches_at_once_than_fit_leave_the_newest():
    live = window([Touch(f"v{n // 2}", f"p{n}") for n in range(100)], most_touches=8)
    assert len(live) == 8
    assert said(live, "p98") == ["p99"]
    assert said(live, "p90") == []


def test_a_model_that_learned_the_sessions_silences_them():
    live = window(
        visit("v", "lamp", "sofa", line=1),
        visit("w", "rug", line=2),
        visit("w", "vase", line=3),
    )
    live.forget(lambda file: 2)
    assert said(live, "lamp") == []
    assert said(live, "rug") == ["vase"]  # the session went on, and is kept whole


def test_many_old_sessions_weigh_more_than_a_few_new_ones():
    model = learn(log_of([["lamp", "old"]] * 1000 + [["a", "b"]]), Settings())
    live = window(*(visit(f"v{n}", "lamp", "b") for n in range(3)))
    assert model.with_live(live)["session"].recommend(["lamp"], 1)[0].product == "old"


def test_a_new_product_is_spoken_for_beside_many_old_sessions():
    model = learn(log_of([["lamp", "old"]] * 1000 + [["a", "b"]]), Settings())
    live = window(*(visit(f"v{n}", "lamp", "new") for n in range(3)))
    found = model.with_live(live)["session"].recommend(["lamp"], 3)
    assert Scored("new", found[0].score, "lamp") == found[0]
    assert "old" in [s.product for s in found]


def test_the_reason_is_the_product_that_spoke_most():
    live = window(visit("v", "lamp", "new"))
    model = learn(checkerboard(60), Settings())
    found = model.with_live(live)["session"].recommend(["lamp-0", "lamp"], 20)
    assert found[0] == Scored("new", found[0].score, "lamp")
    assert {s.because for s in found[1:] if s.product != "lamp-0"} == {"lamp-0"}


def test_a_longer_list_begins_like_a_shorter_one_beyond_the_head():
    listed = [Scored(f"p{n:03}", 1 - n / 300, None) for n in range(200)]
    spoken = Spoken(["p150", "p003", "new"], [0.4, 0.2, 0.001], ["a"] * 3, 0.5)
    longer = mixed(listed, spoken, 1.0)
    assert [s.product for s in mixed(listed[:100], spoken, 1.0)[:64]] == [
        s.product for s in longer[:64]
    ]
    assert len({s.product for s in longer}) == len(longer) == 201
    assert [s.score for s in longer] == sorted((s.score for s in longer), reverse=True)


def test_the_window_is_quieter_where_trees_put_the_list_in_order():
    log = checkerboard(60)
    live = window(visit("v", "lamp-0", "lamp-9", "new"))
    scores = {}
    for tier, trees in ((BLEND, None), (RERANKED, ONE_LEAF)):
        with_live = learn(log, Settings(), Choice(tier=tier, trees=trees)).with_live(live)
        listed = with_live[SESSION].recommend(["lamp-0"], 20)
        alone = learn(log, Settings(), Choice(tier=tier, trees=trees)).recommenders[SESSION]
        largest = alone.recommend(["lamp-0"], 1)[0].score
        scores[tier] = next(s.score for s in listed if s.product == "new") / largest
    assert scores[BLEND] == pytest.approx(2 * scores[RERANKED])


def test_touches_count_for_popularity_more_the_older_the_model_is():
    log = log_of([["lamp"]] * 4 + [["sofa"]] * 2)
    model = learn(log, Settings())
    learned_us = model.meta["span"]["last_us"]

    def best(after_us: int) -> list[str]:
        live = window(visit("v", "sofa", time_us=learned_us + after_us))
        return [s.product for s in model.with_live(live)["popular"].recommend((), 2)]

    assert best(0) == ["lamp", "sofa"]
    assert best(14 * DAY_US) == ["sofa", "lamp"]


def test_without_a_model_what_is_touched_is_popular():
    live = window(visit("v", "lamp", "sofa"), visit("w", "sofa"))
    popular = LivePopularity(None, live, 0, 7.0)
    assert [s.product for s in popular.recommend((), 5)] == ["sofa", "lamp"]


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.integers(0, 7)), max_size=60),
    st.integers(3, 20),
    st.integers(0, 7),
)
def test_the_window_says_what_its_sessions_say_in_plain_python(steps, room, asked):
    """The links, the making room and the reading, against lists of touches."""
    live = LiveSessions(most_touches=room)
    for visitor, product in steps:
        live.add([Touch(f"v{visitor}", f"p{product}")])
    kept: list[tuple[int, int]] = []
    last: dict[int, int] = {}
    for visitor, product in steps:
        if last.get(visitor) != product:
            kept.append((visitor, product))
        last[visitor] = product
    votes: dict[int, float] = {}
    heard = 0
    in_window = kept[-room:]
    for visitor in range(6):
        session = [product for v, product in in_window if v == visitor]
        for place, product in enumerate(session):
            if product != asked or len(session) == 1:
                continue
            heard += 1
            for other, beside in enumerate(session):
                steps_away = abs(other - place)
                if beside != asked and 0 < steps_away <= 4:
                    strength = np.exp(-(steps_away - 1) / 2.0) * (1.0 if other > place else 0.7)
                    votes[beside] = votes.get(beside, 0.0) + strength
    spoken = live.speak_for([f"p{asked}"], 20, NO_MODEL)
    if not votes:
        assert spoken is None
        return
    assert spoken is not None
    found = dict(zip(spoken.products, spoken.votes, strict=True))
    assert found == pytest.approx({f"p{p}": vote / heard for p, vote in votes.items()})
