from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from tests.contracts.recommender import RecommenderContract
from tests.contracts.session_logs import checkerboard, log_of

from thinslice.domain import DAY_US, SessionLog
from thinslice.evaluation.intervals import ratio_interval
from thinslice.evaluation.splits import Split, split_by_time
from thinslice.models.sessions.entries import (
    ByVisit,
    EntrySettings,
    choose_entries,
    learn_entries,
)
from thinslice.models.sessions.popularity import learn_popularity
from thinslice.models.sessions.products import ProductCodes

compare = partial(ratio_interval, low=-1.0)
PLAIN = EntrySettings()


def home_pages(n_sessions: int = 1600) -> Split:
    """Visits begin with one of forty products, and then look at thirty that everyone looks at."""
    rng = np.random.default_rng(0)
    log = log_of(
        [
            [f"first-{rng.integers(40):02}", *(f"all-{i:02}" for i in rng.permutation(30)[:4])]
            for _ in range(n_sessions)
        ]
    )
    return split_by_time(log, test_share=0.2)


def a_new_season_every_day(n_sessions: int = 2400, per_day: int = 60) -> Split:
    """Every day has twenty products of its own; nobody looks at those of the day before."""
    rng = np.random.default_rng(0)
    log = log_of(
        [
            [f"day-{s // per_day:02}-{i:02}" for i in rng.permutation(20)[:2]]
            for s in range(n_sessions)
        ]
    )
    log.times_us[:] = np.arange(log.n_events) * DAY_US // (2 * per_day)
    return split_by_time(log, test_share=0.2)


def chosen(split: Split, usual: EntrySettings = PLAIN) -> EntrySettings | None:
    return choose_entries(split.train, split.test, compare, usual)[0]


def entries(log: SessionLog, **settings: float) -> list[tuple[str, float]]:
    found = learn_entries(log, ProductCodes(log.products), EntrySettings(**settings), 7.0)
    return [(s.product, s.score) for s in found.recommend((), 20)]


class TestByVisitIsARecommender(RecommenderContract):
    needs_a_session = False

    @pytest.fixture
    def recommender(self):
        log = checkerboard()
        products = ProductCodes(log.products)
        return ByVisit(learn_entries(log, products, PLAIN, 7.0), learn_popularity(log, products))


def test_what_visits_begin_with_comes_first_where_later_events_count_less():
    log = log_of([["home", "lamp", "lamp"], ["home", "lamp", "bulb"]])
    assert entries(log)[0][0] == "lamp"
    assert entries(log, later_events=0.1)[0][0] == "home"


def test_scores_add_up_to_those_of_plain_popularity():
    log = log_of([["home", "lamp", "lamp"], ["home", "bulb"]])
    plain = learn_popularity(log, ProductCodes(log.products)).recommend((), 20)
    total = sum(score for _, score in entries(log, later_events=0.1))
    assert total == pytest.approx(sum(s.score for s in plain))


def test_what_nobody_looked_at_for_long_keeps_the_order_of_plain_popularity():
    log = log_of([["b-often"] * 3, ["a-seldom"], ["new"]])
    log.times_us[-1] += 700 * DAY_US
    found = entries(log, half_life_days=0.25)
    assert [product for product, _ in found] == ["new", "b-often", "a-seldom"]
    assert all(score > 0 for _, score in found)


def test_who_has_viewed_something_gets_plain_popularity():
    log = log_of([["home", "lamp", "lamp"], ["home", "lamp", "bulb"]])
    products = ProductCodes(log.products)
    begun = learn_entries(log, products, EntrySettings(later_events=0.1), 7.0)
    popular = ByVisit(begun, learn_popularity(log, products))
    assert popular.recommend((), 1)[0].product == "home"
    assert popular.recommend(("bulb",), 1)[0].product == "lamp"


def test_a_shop_whose_visits_begin_elsewhere_finds_out():
    found = chosen(home_pages())
    assert found is not None
    assert found.later_events < 1


def test_a_shop_that_changes_every_day_forgets_within_days():
    found = chosen(a_new_season_every_day(), EntrySettings(half_life_days=60.0))
    assert found is not None
    assert found.half_life_days <= 1


def test_plain_popularity_stays_where_visits_begin_with_what_everyone_looks_at():
    rng = np.random.default_rng(0)
    shares = 1 / np.arange(1, 101) / (1 / np.arange(1, 101)).sum()
    log = log_of([[f"p{i:02}" for i in rng.choice(100, 3, p=shares)] for _ in range(1600)])
    found, report = choose_entries(*_halves(log), compare, PLAIN)
    assert found is None
    assert report["judged"] >= 300


def test_too_few_visits_choose_nothing_and_say_so():
    found, report = choose_entries(*_halves(checkerboard(60)), compare, PLAIN)
    assert found is None
    assert report["why"] == "too few later visits to judge on: 12"


def test_a_visit_is_foreseen_from_what_was_before_it_alone():
    """Each later visit begins with a product that nobody has seen yet: no list can have it."""
    log = log_of([["old", "older"]] * 800 + [[f"new-{i:03}", "old"] for i in range(200)])
    found, report = choose_entries(*_halves(log), compare, PLAIN)
    assert found is None
    assert report["as usual"]["HitRate@20"] == 0.0


def _halves(log: SessionLog) -> tuple[SessionLog, SessionLog]:
    split = split_by_time(log, test_share=0.2)
    return split.train, split.test
