from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts.recommender import RecommenderContract
from tests.contracts.session_logs import checkerboard

from thinslice.config import Settings
from thinslice.domain import CLICKS, MARGIN, Product, Query
from thinslice.models.sessions.bundle import learn
from thinslice.ranking.lists import EVERYWHERE, ListRecommender
from thinslice.ranking.objective import DEPTH, RankedFor, Worth, reordered
from thinslice.ranking.ranker import Ranker

FALLING = [0.5 / (place + 1) for place in range(DEPTH)]


class TestRankedFor(RecommenderContract):
    @pytest.fixture
    def recommender(self):
        maker = learn(checkerboard(), Settings()).recommenders["session"]
        worth = Worth({f"lamp-{i}": 1.0 + i % 3 for i in range(12)}, 1.5)
        return RankedFor(maker, MARGIN, FALLING, worth)


def made(worth: dict[str, float], objective: str = MARGIN) -> RankedFor:
    maker = ListRecommender("session", {EVERYWHERE: ("cheap", "middling", "dear", "free")})
    return RankedFor(maker, objective, FALLING, Worth(worth, 1.0))


def test_what_is_worth_more_comes_first_if_it_is_likely_enough():
    worth = {"cheap": 1.0, "middling": 1.0, "dear": 4.0, "free": 0.0}
    assert [s.product for s in made(worth).recommend([], 4)] == [
        "dear",  # 0.5 / 3 x 4
        "cheap",  # 0.5 / 1 x 1
        "middling",
        "free",
    ]
    unlikely = {**worth, "dear": 2.0}
    assert made(unlikely).recommend([], 1)[0].product == "cheap"


def test_for_clicks_and_for_equal_worth_the_list_stays_as_it_is():
    order = ["cheap", "middling", "dear", "free"]
    assert [s.product for s in made({"dear": 9.0}, CLICKS).recommend([], 4)] == order
    assert [s.product for s in made({}).recommend([], 4)] == order


def test_the_reasons_stay_with_their_products():
    maker = ListRecommender("session", {"lamp": ("bulb", "tv")})
    ranked = RankedFor(maker, MARGIN, FALLING, Worth({"tv": 50.0}, 1.0))
    products = {p: Product(p, p.title()) for p in ("lamp", "bulb", "tv")}
    found, note = Ranker({"session": ranked}, products).rank(Query(("lamp",), n=2), "session")
    assert [(r.product, r.reason) for r in found] == [
        ("tv", "Because you viewed Lamp"),
        ("bulb", "Because you viewed Lamp"),
    ]
    assert note == ""


@given(
    products=st.lists(st.text("abc", min_size=1, max_size=4), unique=True, max_size=20),
    worth=st.dictionaries(st.text("abc", max_size=4), st.floats(-5, 5)),
    depth=st.integers(0, 10),
)
def test_nothing_is_lost_and_no_other_order_of_the_first_places_is_worth_more(
    products, worth, depth
):
    chances, worths = FALLING[:depth], Worth(worth, 1.0)
    order = reordered(products, MARGIN, chances, worths)
    assert sorted(place for place, _ in order) == list(range(len(products)))
    first = [value for _, value in order[:depth]]
    assert first == sorted(first, reverse=True)
    assert [p for p, _ in order[depth:]] == list(range(len(products)))[depth:]
