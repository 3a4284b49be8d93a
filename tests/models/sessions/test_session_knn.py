from __future__ import annotations

import math
import threading

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.recommender import RecommenderContract
from tests.contracts.session_logs import checkerboard, kind, log_of

from thinslice.domain import DAY_US
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.session_knn import KnnSettings, SessionKnn, learn_session_knn
from thinslice.models.sessions.training import training_sessions


def session_knn(log, knn: KnnSettings | None = None) -> SessionKnn:
    knn = knn or KnnSettings()
    return learn_session_knn(
        training_sessions(log, knn.max_products), ProductCodes(log.products), knn
    )


class TestSessionKnnIsARecommender(RecommenderContract):
    @pytest.fixture
    def recommender(self):
        return session_knn(checkerboard())


def products_of(scored) -> list[str]:
    return [s.product for s in scored]


def test_a_lamp_shopper_sees_lamps():
    best = session_knn(checkerboard()).recommend(["lamp-3", "lamp-4"], 20)
    assert best
    assert {kind(product) for product in products_of(best)} == {"lamp"}


def test_what_followed_beats_what_came_before():
    knn = KnnSettings(backward=0.5)
    log = log_of([["before", "here", "after"]] * 3)
    assert products_of(session_knn(log, knn).recommend(["here"], 2)) == ["after", "before"]


def test_the_latest_product_of_the_session_weighs_most():
    log = log_of([["a", "from-a"], ["b", "from-b"]] * 5)
    assert products_of(session_knn(log).recommend(["a", "b"], 4))[0] == "from-b"


def test_the_reason_is_the_product_whose_sessions_voted():
    log = log_of([["a", "from-a"], ["b", "from-b"]] * 5)
    reasons = {s.product: s.because for s in session_knn(log).recommend(["a", "b"], 4)}
    assert reasons == {"from-a": "a", "from-b": "b", "a": None}


def test_a_product_seen_before_may_come_back_but_not_because_of_itself():
    log = log_of([["a", "b"]] * 4)
    best = session_knn(log).recommend(["a", "b"], 4)
    assert [(s.product, s.because) for s in best] == [("a", "b")]


def test_products_far_back_in_a_long_session_still_count():
    """A weight of 1 - lag / 10 would turn negative here, and votes with it."""
    log = log_of([["first", "wanted"]] + [[f"p{i}", f"q{i}"] for i in range(30)])
    session = ["first", *(f"p{i}" for i in range(30))]
    wide = KnnSettings(position_decay=50.0, step_decay=50.0)
    scores = {s.product: s.score for s in session_knn(log, wide).recommend(session, 100)}
    assert scores["wanted"] > 0


def test_the_last_click_of_the_log_is_learned_from():
    log = log_of([["a", "x"], ["a", "the-very-last"]])
    assert "the-very-last" in products_of(session_knn(log).recommend(["a"], 5))


def test_equal_scores_come_in_the_order_of_the_product_codes():
    log = log_of([["a", "z"], ["a", "m"], ["a", "c"]])
    assert products_of(session_knn(log).recommend(["a"], 3)) == ["c", "m", "z"]


def test_only_the_newest_sessions_are_looked_at():
    log = log_of([["a", "old"]] * 5 + [["a", "new"]] * 5)
    knn = KnnSettings(sample=5)
    assert products_of(session_knn(log, knn).recommend(["a"], 5)) == ["new"]


def test_older_sessions_fade_with_a_half_life():
    log = log_of([["a", "old"], ["a", "new"]])
    log.times_us[2:] += 10 * DAY_US
    knn = KnnSettings(half_life_days=1.0)
    best = session_knn(log, knn).recommend(["a"], 2, now_us=int(log.times_us[-1]))
    assert products_of(best) == ["new", "old"]
    assert best[0].score / best[1].score == pytest.approx(2**10, rel=0.01)


def test_a_session_longer_than_the_model_looks_at_is_cut_to_its_latest_products():
    model = session_knn(checkerboard(), KnnSettings(max_products=2))
    long = ["sofa-0", "sofa-1", "lamp-0", "lamp-1"]
    assert model.recommend(long, 5) == model.recommend(long[-2:], 5)


def test_a_model_without_a_single_pair_answers_nothing():
    assert session_knn(log_of([["a"], ["b"]])).recommend(["a"], 5) == []


def test_an_index_takes_eight_bytes_per_click_and_eight_per_session():
    rng = np.random.default_rng(0)
    log = log_of([[f"p{p:02}" for p in rng.permutation(99)[:6]] for _ in range(2_000)])
    size = sum(array.nbytes for array in session_knn(log).arrays.values())
    assert size <= 8 * log.n_events + 8 * log.n_sessions + 99 * 16


def test_threads_do_not_disturb_each_other():
    model = session_knn(checkerboard())
    queries = [["lamp-0"], ["sofa-1", "sofa-2"], ["lamp-1", "sofa-3"]]
    expected = [model.recommend(query, 10) for query in queries]
    wrong = []

    def ask(number: int) -> None:
        for _ in range(200):
            if model.recommend(queries[number % 3], 10) != expected[number % 3]:
                wrong.append(number)

    threads = [threading.Thread(target=ask, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_mapped_and_own_arrays_share_one_compiled_kernel(tmp_path):
    from thinslice.models.sessions.session_knn_kernels import recommend

    model = session_knn(checkerboard())
    model.recommend(["lamp-0"], 3)
    compiled = len(recommend.signatures)
    mapped = {}
    for name, array in model.arrays.items():
        np.save(tmp_path / f"{name}.npy", array)
        mapped[name] = np.load(tmp_path / f"{name}.npy", mmap_mode="r")
    again = SessionKnn(model.products, mapped, model.settings)
    assert again.recommend(["lamp-0"], 3) == model.recommend(["lamp-0"], 3)
    assert len(recommend.signatures) == compiled


class PlainKnn:
    """The formula of `session_knn.py`, word for word, with lists and dictionaries."""

    def __init__(self, log, knn: KnnSettings) -> None:
        self.knn = knn
        self.ids = log.products
        sessions = [
            log.codes[log.offsets[s] : log.offsets[s + 1]].tolist() for s in range(log.n_sessions)
        ]
        latest = [list(dict.fromkeys(reversed(s)))[: knn.max_products][::-1] for s in sessions]
        kept = [number for number, session in enumerate(latest) if len(session) > 1]
        self.sessions = [latest[number] for number in kept]
        self.ended = [int(log.times_us[log.offsets[number + 1] - 1]) for number in kept]

    def recommend(self, session, n: int, now_us: int) -> list[tuple[str, float]]:
        knn = self.knn
        codes = [self.ids.index(p) for p in reversed(session) if p in self.ids]
        query = list(dict.fromkeys(codes))[: knn.max_products]
        candidates = [s for s in reversed(range(len(self.sessions))) if self.shared(s, query)]
        similar = {s: self.similarity(s, query, now_us) for s in candidates[: knn.sample]}
        neighbours = sorted(similar, key=lambda s: (-similar[s], -s))[: knn.neighbours]
        scores: dict[int, float] = {}
        for s in sorted(neighbours, reverse=True):
            latest = self.shared(s, query)[0]
            where = self.sessions[s].index(latest)
            vote = similar[s] * math.exp(-query.index(latest) / knn.step_decay)
            for j, code in enumerate(self.sessions[s]):
                weight = math.exp(-abs(j - where) / knn.distance_decay)
                weight *= 1.0 if j >= where else knn.backward
                value = vote * weight * (1 + knn.idf_weight * self.idf(code))
                scores[code] = scores.get(code, 0.0) + value
        if session[-1] in self.ids:
            scores.pop(self.ids.index(session[-1]), None)
        best = sorted(scores, key=lambda code: (-scores[code], code))[:n]
        return [(self.ids[code], scores[code]) for code in best]

    def shared(self, s: int, query) -> list[int]:
        return [code for code in query if code in self.sessions[s]]

    def similarity(self, s: int, query, now_us: int) -> float:
        knn = self.knn
        total = sum(math.exp(-query.index(c) / knn.position_decay) for c in self.shared(s, query))
        if knn.cosine:
            total /= math.sqrt(len(self.sessions[s]))
        if knn.half_life_days:
            age_us = max(0, now_us - self.ended[s])
            total *= 0.5 ** (age_us / (knn.half_life_days * DAY_US))
        return total

    def idf(self, code: int) -> float:
        having = sum(code in session for session in self.sessions)
        return float(np.float32(math.log(len(self.sessions) / having)))


products = st.sampled_from("abcdefgh")


@settings(max_examples=150, deadline=None)
@given(
    sessions=st.lists(st.lists(products, min_size=1, max_size=8), min_size=1, max_size=25),
    query=st.lists(st.sampled_from("abcdefghX"), min_size=1, max_size=8),
    n=st.integers(1, 9),
    neighbours=st.integers(1, 30),
    sample=st.integers(1, 30),
    max_products=st.integers(2, 9),
    backward=st.sampled_from([0.5, 1.0]),
    idf_weight=st.sampled_from([0.0, 1.5]),
    cosine=st.booleans(),
    half_life_days=st.sampled_from([None, 0.01]),
)
def test_the_kernel_computes_the_formula(sessions, query, n, **choices):
    log = log_of(sessions)
    knn = KnnSettings(**choices)
    now_us = int(log.times_us[-1])
    expected = PlainKnn(log, knn).recommend(query, 100, now_us)
    found = session_knn(log, knn).recommend(query, n, now_us=now_us)
    score_of = dict(expected)
    assert len(found) == min(n, len(expected))
    assert [s.score for s in found] == pytest.approx([score for _, score in expected[:n]])
    assert [s.score for s in found] == pytest.approx([score_of[s.product] for s in found])
