from __future__ import annotations

import numpy as np
import pytest

from thinslice.errors import InputError
from thinslice.profit import Payoff, decide
from thinslice.profit.asking import AskingTerms, bars, trade_off

RNG = np.random.default_rng(0)
CONFIDENCE = RNG.random(2000)
HIT = RNG.random(2000) < CONFIDENCE
ONE = np.zeros(2000, np.int64)


def test_the_bar_is_where_a_look_costs_what_it_saves() -> None:
    found = bars(AskingTerms(wrong_cost=4, look_cost=0.5), ("Lamps",), CONFIDENCE, ONE)
    assert found.tolist() == [1 - 0.5 / 4]


def test_the_bar_decides_as_the_payoff_does() -> None:
    terms = AskingTerms(wrong_cost=4, look_cost=0.5)
    bar = bars(terms, ("Lamps",), CONFIDENCE, ONE)[0]
    payoff = Payoff(tp=0, fp=-4, fn=-0.5, tn=-0.5)
    assert decide(CONFIDENCE, payoff).tolist() == (bar < CONFIDENCE).astype(int).tolist()


def test_a_look_dearer_than_a_mistake_is_never_taken() -> None:
    found = bars(AskingTerms(wrong_cost=1, look_cost=2), ("Lamps",), CONFIDENCE, ONE)
    assert found.tolist() == [0]


def test_a_category_has_the_cost_of_the_nearest_level_above() -> None:
    terms = AskingTerms(wrong_cost=1, look_cost=0.5, wrong_costs={"Drugs": 50, "Drugs > Tea": 2})
    names = ("Drugs > Pills", "Drugs > Tea", "Mugs")
    found = bars(terms, names, CONFIDENCE, np.arange(2000) % 3)
    assert found == pytest.approx([0.99, 0.75, 0.5])


def test_no_more_is_asked_than_people_can_look_at() -> None:
    terms = AskingTerms(wrong_cost=10, look_cost=0.1, looks_per_day=100, titles_per_day=1000)
    bar = bars(terms, ("Lamps",), CONFIDENCE, ONE)[0]
    assert np.mean(bar > CONFIDENCE) == pytest.approx(0.1, abs=0.001)


def test_money_bars_cost_less_than_any_other_bar() -> None:
    terms = AskingTerms(wrong_cost=4, look_cost=1)
    points = trade_off(CONFIDENCE, HIT, terms)
    cheapest = min(points, key=lambda p: p["cost"])
    assert cheapest["bar"] == pytest.approx(0.75, abs=0.06)


def test_the_trade_off_goes_from_nothing_to_everything_with_its_range_and_sample() -> None:
    points = trade_off(CONFIDENCE, HIT, AskingTerms())
    assert (points[0]["accepted"], points[-1]["accepted"]) == (0, 1)
    assert points[0]["precision"] is None
    assert points[-1]["precision"] == pytest.approx(HIT.mean())
    assert points[-1]["wrong"] == pytest.approx(1000 * (1 - HIT.mean()))
    assert all(p["precision_low"] <= p["precision"] <= p["precision_high"] for p in points[1:])
    assert points[-1]["sample"] == 2000


def test_terms_survive_as_plain_values() -> None:
    terms = AskingTerms(wrong_cost=4, look_cost=1, wrong_costs={"Lamps": 9})
    assert AskingTerms.from_dict({**terms.to_dict(), "saved_at": "today"}) == terms


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"precision": 1.0}, "below 1"),
        ({"wrong_cost": 4}, "give both"),
        ({"looks_per_day": 9}, "give both"),
        ({"wrong_cost": -1, "look_cost": 1}, "above 0"),
        ({"wrong_costs": {"Lamps": 0}}, "cost of Lamps"),
        ({"unknown_share": 0.6}, "from 0 to 0.5"),
    ],
)
def test_terms_that_make_no_sense_are_refused(given: dict[str, float], said: str) -> None:
    with pytest.raises(InputError, match=said):
        AskingTerms(**given)
