from __future__ import annotations

import time
from functools import partial

import numpy as np
import pytest
from tests.contracts.session_logs import log_of

from thinslice.config import Settings
from thinslice.evaluation.intervals import ratio_interval
from thinslice.evaluation.offline import evaluate
from thinslice.evaluation.splits import Split, split_by_time
from thinslice.models.sessions import clock, reranker, tier_choice
from thinslice.models.sessions.bundle import Bundle, learn
from thinslice.models.sessions.candidates import learn_candidates
from thinslice.models.sessions.choice import KNN, POPULAR, RERANKED, Choice
from thinslice.models.sessions.clock import Clock
from thinslice.models.sessions.linear import LinearSettings
from thinslice.models.sessions.places import knn_places, places_in_order
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.session_knn import KnnSettings, SessionKnn
from thinslice.models.sessions.steps import Described, steps_of
from thinslice.models.sessions.tier_choice import affordable
from thinslice.models.sessions.tuning import choose

compare = partial(ratio_interval, low=-1.0)


def chain(n_sessions: int, seed: int = 0) -> Split:
    """Visitors mostly go from one product to the next in a circle of 120, sometimes back."""
    rng = np.random.default_rng(seed)
    sessions = []
    for _ in range(n_sessions):
        at, seen = int(rng.integers(120)), []
        for _ in range(int(rng.integers(3, 7))):
            seen.append(f"p{at:03}")
            at = (at + int(rng.choice([1, 2, -1, 5, 40], p=[0.5, 0.2, 0.1, 0.1, 0.1]))) % 120
        sessions.append(seen)
    return split_by_time(log_of(sessions), test_share=0.3)


def returning(n_sessions: int = 1200) -> Split:
    """Visitors look at four products again and again, in the same order."""
    rng = np.random.default_rng(0)
    sessions = []
    for _ in range(n_sessions):
        four = [f"p{i:02}" for i in rng.choice(40, 4, replace=False)]
        sessions.append([*four, *four])
    return split_by_time(log_of(sessions), test_share=0.3)


@pytest.fixture(scope="module")
def reranked() -> tuple[Split, Choice]:
    split = returning()
    return split, choose(split.train, split.test, compare, seconds=5)


@pytest.fixture(scope="module")
def tuned() -> tuple[Split, Choice]:
    split = chain(1200)
    return split, choose(split.train, split.test, compare, seconds=5)


def test_it_says_what_won_and_how_every_tier_did(tuned):
    _, choice = tuned
    report = choice.report
    assert choice.tier in report["why"]
    assert {"knn", "linear", "blend", "popular", "reranked"} == set(report["validation"])
    assert report["settings_tried"] > 0
    assert choice.tier != POPULAR


def test_the_places_are_those_of_the_lists_a_visitor_would_see():
    split = chain(400)
    products = ProductCodes(split.train.products)
    found = learn_candidates(split.train, products, KnnSettings(), LinearSettings())
    steps = steps_of(split.test, products, repeats=False, at_most=10_000)
    places = knn_places(found.knn, steps, repeats=False)
    expected = evaluate({"knn": found.knn}, split)
    assert (places > 0).mean() == pytest.approx(expected.value("knn", "HitRate").estimate)
    reciprocal = np.where(places > 0, 1 / np.maximum(places, 1), 0)
    assert reciprocal.mean() == pytest.approx(expected.value("knn", "MRR").estimate)


def test_the_order_by_score_breaks_ties_by_row():
    described = Described(
        np.zeros((5, 1), np.float32),
        np.array([0, 1, 0, 1, 0], np.uint8),
        np.array([3, 2], np.int32),
    )
    scores = np.array([1.0, 1.0, 2.0, 0.0, 0.5])
    assert places_in_order(scores, described).tolist() == [3, 2]


def test_too_few_sessions_keep_what_there_was():
    split = chain(60)
    start = Choice(KnnSettings(neighbours=7))
    choice = choose(split.train, split.test, compare, seconds=5, start=start)
    assert choice.knn == start.knn
    assert "too few" in choice.report["why"]


def test_popularity_is_served_where_nothing_beats_it():
    """Every visitor looks at the same few best-sellers, in an order that says nothing."""
    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1, 301) ** 1.5
    draw = partial(rng.choice, 300, p=shares / shares.sum(), replace=False)
    split = split_by_time(
        log_of([[f"p{i:03}" for i in draw(3)] for _ in range(2000)]), test_share=0.3
    )
    choice = choose(split.train, split.test, compare, seconds=5)
    assert choice.tier == POPULAR
    found = evaluate(learn(split.train, Settings(), choice).recommenders, split)
    assert found.difference("session", "popular", "MRR").estimate == 0


def test_without_lightgbm_the_report_says_why(monkeypatch):
    def refuse(*_, **__):
        raise reranker.NoLightGBMError("libgomp.so.1 is missing")

    monkeypatch.setattr(tier_choice, "learn_trees", refuse)
    split = chain(1000)
    choice = choose(split.train, split.test, compare, seconds=5)
    assert choice.tier != RERANKED
    assert choice.report["reranker"] == "not available: libgomp.so.1 is missing"


def test_a_chosen_bundle_answers_the_same_after_it_was_written(reranked, tmp_path):
    split, choice = reranked
    for tier in ("knn", "linear", "blend", RERANKED, POPULAR):
        trees = choice.trees if tier == RERANKED else None
        chosen = Choice(choice.knn, choice.linear, tier, trees)
        learned = learn(split.train, Settings(), chosen)
        learned.publish(tmp_path)
        loaded = Bundle.load(tmp_path, str(learned.version))
        assert loaded.choice.to_dict() == chosen.to_dict()
        for name, recommender in learned.recommenders.items():
            answer = loaded.recommenders[name].recommend(["p01", "p02"], 30)
            assert answer == recommender.recommend(["p01", "p02"], 30)
            assert [s.score for s in answer] == sorted((s.score for s in answer), reverse=True)


def test_the_untuned_choice_is_the_session_knn():
    assert Choice().tier == KNN
    assert isinstance(learn(chain(50).train, Settings()).recommenders["session"], SessionKnn)


def test_trees_are_switched_on_where_they_see_what_no_source_does(reranked):
    split, choice = reranked
    assert choice.tier == RERANKED
    found = learn(split.train, Settings(), choice).recommenders["session"]
    best = found.recommend(["p01", "p02", "p03", "p04"], 5)
    assert best[0].product == "p01"
    assert best[0].because in ("p02", "p03", "p04")


def test_what_was_served_stays_where_it_is_proven_better(reranked, monkeypatch):
    """A served re-ranker is kept when a later choice cannot grow trees of its own."""

    def refuse(*_, **__):
        raise reranker.NoLightGBMError("libgomp.so.1 is missing")

    split, served = reranked
    monkeypatch.setattr(tier_choice, "learn_trees", refuse)
    again = choose(split.train, split.test, compare, seconds=1, start=served)
    assert again.tier == RERANKED
    assert "as before" in again.report["why"]


def test_what_visits_begin_with_is_chosen_beside_the_session_list(tuned):
    split, choice = tuned
    assert {"as usual", "chosen"} <= set(choice.report["entries"])
    assert Choice.from_dict(choice.to_dict(), choice.trees).entries == choice.entries


def test_trees_have_half_of_the_time_however_slow_the_machine_is(monkeypatch):
    late = Clock(20)
    monkeypatch.setattr(clock.time, "monotonic", lambda: time.perf_counter() + 1e9)
    seconds_of = {step_s: 15 * step_s * affordable(late, step_s) for step_s in (1e-4, 4e-4)}
    assert all(9 < seconds <= 10 for seconds in seconds_of.values())
    assert affordable(Clock(600), 1e-4) > 390_000
    assert affordable(late, 1.0) == affordable(late, 10.0) > 0
