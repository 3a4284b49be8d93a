from __future__ import annotations

import numpy as np
import pytest
from tests.contracts.recommender import RecommenderContract
from tests.contracts.session_logs import checkerboard, kind, log_of

from thinslice.models.sessions.candidates import Candidates, feature_names, learn_candidates
from thinslice.models.sessions.linear import LinearSettings
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.ranked_candidates import RankedCandidates
from thinslice.models.sessions.session_knn import KnnSettings
from thinslice.models.sessions.steps import steps_of


def candidates(log, knn: KnnSettings | None = None) -> Candidates:
    products = ProductCodes(log.products)
    return learn_candidates(log, products, knn or KnnSettings(), LinearSettings())


class TestCandidatesAreARecommender(RecommenderContract):
    @pytest.fixture
    def recommender(self):
        return RankedCandidates(candidates(checkerboard()))


def described(log, session: list[str]) -> dict[str, dict[str, float]]:
    """The features of each candidate after a session, by name."""
    found = candidates(log)
    steps = steps_of(log_of([[*session, "unknown"]]), found.products, repeats=False, at_most=99)
    last = steps.some(len(steps.targets) - 1, len(steps.targets))
    rows = found.describe(last, keep_missed=True, repeats=False).features
    names = feature_names()
    assert rows.shape[1] == len(names)
    order = [s.product for s in RankedCandidates(found).recommend(session, 100)]
    return {
        product: dict(zip(names, row.tolist(), strict=True))
        for product, row in zip(order, rows, strict=True)
    }


def test_every_source_of_a_lamp_shopper_speaks_for_lamps():
    features = described(checkerboard(), ["lamp-3", "lamp-4"])
    assert {kind(product) for product in features} == {"lamp"}
    assert max(f["share_knn"] for f in features.values()) == 1.0
    assert max(f["share_walk"] for f in features.values()) == 1.0


def test_a_candidate_knows_when_and_how_often_the_session_touched_it():
    features = described(checkerboard(), ["lamp-1", "lamp-2", "lamp-1", "lamp-3"])
    assert (features["lamp-1"]["lag"], features["lamp-1"]["visits"]) == (1, 2)
    assert (features["lamp-4"]["lag"], features["lamp-4"]["visits"]) == (-1, 0)
    assert (features["lamp-4"]["events"], features["lamp-4"]["products"]) == (4, 3)


def test_popularity_counts_sessions_and_not_events():
    found = candidates(log_of([["a", "b", "a", "a"], ["b"], ["b", "c"]]))
    assert np.expm1(found.facts[:, 0]).round().tolist() == [1, 3, 1]


def test_the_latest_product_knows_when_it_was_there_before():
    returned = {
        session: max(f["returned"] for f in described(checkerboard(), list(session)).values())
        for session in (("lamp-1", "lamp-2"), ("lamp-1", "lamp-2", "lamp-3", "lamp-1"))
    }
    assert list(returned.values()) == [0, 3]


def test_what_the_session_saw_is_a_candidate_though_no_source_speaks_for_it():
    sessions = [["a", f"p{i:03}"] for i in range(300)] + [["lonely"]]
    found = RankedCandidates(candidates(log_of(sessions), KnnSettings(sample=300)))
    listed = [s.product for s in found.recommend(["lonely", "a"], 100)]
    assert listed[-1] == "lonely"
    assert listed[:99] == [s.product for s in found.recommend(["a"], 99)]


def test_back_is_follow_seen_from_the_other_end():
    found = candidates(log_of([["a", "b", "a", "c"], ["b", "c"]]))
    seen = {
        name: dict(
            zip(
                zip(found.tables[name].rows(), found.tables[name].neighbours, strict=True),
                found.tables[name].weights,
                strict=True,
            )
        )
        for name in ("follow", "back", "fresh")
    }
    assert seen["back"] == {(j, i): weight for (i, j), weight in seen["follow"].items()}
    assert list(seen["fresh"]) == [(1, 2)]


def test_next_is_the_share_of_what_came_after():
    log = log_of([["a", "b"]] * 3 + [["a", "c"]] * 2)
    features = described(log, ["a"])
    assert features["b"]["weight_next_0"] == pytest.approx(3 / (5 + 3))
    assert features["c"]["weight_next_0"] == pytest.approx(2 / (5 + 3))


def test_two_steps_lead_to_what_never_shared_a_session():
    log = log_of([["a", "b"]] * 5 + [["b", "c"]] * 5)
    found = candidates(log)
    assert "c" in [s.product for s in RankedCandidates(found).recommend(["a"], 5)]
    assert described(log, ["a"])["c"]["weight_linear_0"] == 0
    assert described(log, ["a"])["c"]["weight_walk_0"] > 0


def test_follow_is_what_came_right_after_returns_included():
    features = described(log_of([["a", "b", "b", "a", "c"]]), ["a"])
    assert features["b"]["weight_follow_0"] == pytest.approx(1 / (2 + 3))
    assert features["c"]["weight_follow_0"] == pytest.approx(1 / (2 + 3))


def test_facts_of_a_product_and_of_the_latest_one():
    features = described(log_of([["a", "b"], ["a", "b", "a"]]), ["b"])
    assert features["a"]["sessions"] == pytest.approx(np.log(3))
    assert features["a"]["views_per_session"] == pytest.approx(1.5)
    assert features["a"]["latest_sessions"] == pytest.approx(np.log(3))


def test_the_product_at_hand_competes_where_repeats_are_wanted():
    found = candidates(checkerboard())
    with_repeats = RankedCandidates(found, repeats=True)
    assert "lamp-1" in [s.product for s in with_repeats.recommend(["lamp-0", "lamp-1"], 20)]


def test_steps_collapse_repeats_and_mark_what_is_unknown():
    products = ProductCodes(["a", "b"])
    log = log_of([["a", "a", "x", "b"], ["b", "a"]])
    steps = steps_of(log, products, repeats=False, at_most=99)
    seen = np.split(steps.codes, steps.offsets[1:-1])
    assert [s.tolist() for s in seen] == [[0], [0, -1], [1]]
    assert steps.targets.tolist() == [-2, 1, 0]
    assert steps.session_of.tolist() == [0, 0, 1]
    assert steps.now_us.tolist() == log.times_us[[0, 2, 4]].tolist()
    assert len(steps_of(log, products, repeats=True, at_most=99).targets) == 4


def test_too_many_steps_leave_out_whole_sessions_over_all_the_time():
    log = checkerboard(100)
    steps = steps_of(log, ProductCodes(log.products), repeats=False, at_most=100)
    assert len(steps.targets) == 100
    assert np.ptp(steps.session_of) > 90
