from __future__ import annotations

import numpy as np
from tests.contracts.session_logs import checkerboard, log_of

from thinslice.models.sessions import lessons as module
from thinslice.models.sessions.candidates import learn_candidates
from thinslice.models.sessions.clock import Clock
from thinslice.models.sessions.lessons import lessons, sessions_between
from thinslice.models.sessions.linear import LinearSettings
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.session_knn import KnnSettings
from thinslice.models.sessions.steps import steps_of


def learned(n_sessions: int, at_most: int, n_later: int = 60):
    log = checkerboard(n_sessions)
    earlier = sessions_between(log, 0, n_sessions - n_later)
    products = ProductCodes(earlier.products)
    found = learn_candidates(earlier, products, KnnSettings(), LinearSettings())
    later = sessions_between(log, n_sessions - n_later, n_sessions)
    first = steps_of(later, products, repeats=False, at_most=9_999)
    return lessons(earlier, found, first, at_most, Clock(60), repeats=False, seed=0)


def test_where_the_later_steps_are_few_earlier_blocks_fill_up():
    _, few = learned(2_000, at_most=120)
    described, many = learned(2_000, at_most=500)
    assert few == 120
    assert 120 < many <= 500
    assert len(described.sizes) > 120


def test_a_short_log_has_no_blocks_further_back():
    assert learned(200, at_most=500)[1] == 120


def test_no_source_has_learned_from_what_it_describes(monkeypatch):
    """Each block's sources end before the block begins."""
    seen = []

    def learn(log, *rest):
        seen.append(log)
        return learn_candidates(log, *rest)

    monkeypatch.setattr(module, "learn_candidates", learn)
    learned(2_000, at_most=2_000)
    assert [log.n_sessions for log in seen] == [1_746, 1_571, 1_413]


def test_sessions_between_keep_their_products_and_times():
    log = log_of([["a", "b"], ["c", "a"], ["d", "c"]])
    part = sessions_between(log, 1, 3)
    assert part.products == ("a", "c", "d")
    assert [part.products[code] for code in part.codes] == ["c", "a", "d", "c"]
    assert part.offsets.tolist() == [0, 2, 4]
    assert part.ids == ("s1", "s2")
    assert np.array_equal(part.times_us, log.times_us[2:])
