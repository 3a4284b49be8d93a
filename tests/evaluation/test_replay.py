from __future__ import annotations

import pytest
from tests.contracts.session_logs import log_of

from thinslice.domain import Exposure, Recommendation
from thinslice.errors import NotFoundError
from thinslice.evaluation.replay import replay_session

LOG = log_of([["a", "b"], ["a", "a", "c", "b"]])


def shown(*products: str) -> Exposure:
    found = tuple(Recommendation(p, 1.0, "Popular now", None, "popular") for p in products)
    return Exposure("e", "shop", 0, "", None, "product", "popular", None, found)


def test_a_session_is_played_as_its_visitor_lived_it():
    replay = replay_session(LOG, 1, lambda seen: shown("b", "c"))
    assert [(s.seen, s.came_next, s.rank) for s in replay.steps] == [
        (("a",), "c", 2),
        (("a", "c"), "b", 1),
        (("a", "c", "b"), None, None),
    ]
    assert (replay.hits, replay.chances, replay.session) == (2, 2, "s1")


def test_a_step_happens_when_its_product_was_first_looked_at():
    replay = replay_session(LOG, 1, lambda seen: shown())
    assert [s.time_us for s in replay.steps] == [LOG.times_us[j] for j in (2, 4, 5)]
    assert replay.hits == 0


def test_the_newest_session_can_be_asked_for_from_the_end():
    assert replay_session(LOG, -1, lambda seen: shown()).index == 1


@pytest.mark.parametrize("index", [2, -3])
def test_a_session_that_is_not_there_is_not_found(index):
    with pytest.raises(NotFoundError, match="the log has 2"):
        replay_session(LOG, index, lambda seen: shown())
