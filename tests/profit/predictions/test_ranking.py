import json

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from thinslice.domain import Verdict
from thinslice.errors import InputError, NotEnoughDataError
from thinslice.profit import Payoff, Plan, Range, decide, evaluate, profit_scorer

ITEMS = {"item": ["a", "b", "c", "d"], "margin": [10.0, 4.0, 2.0, 1.0]}
PAYOFF = Payoff.ranking(click=0.05, purchase="margin")
HAPPENED = {"click": [["a", "b"], ["c"], []], "purchase": [["a"], [], ["d"]]}
LISTS = [["a", "c"], ["c", "b"], ["b", "a"]]


def test_the_numbers_by_hand():
    # Row 0 holds the click and the purchase of a, row 1 the click of c, row 2 nothing.
    found = evaluate(HAPPENED, LISTS, Plan(PAYOFF), data=ITEMS)
    assert found.profit.total == pytest.approx(0.05 + 10 + 0.05)
    assert found.profit.per_prediction == pytest.approx(10.1 / 3)
    assert found.profit.by_class == pytest.approx({"click": 0.1, "purchase": 10.0})
    assert found.counts() == [[2, 1], [1, 1]]  # held and missed
    totals = {name: rival.total for name, rival in found.rivals.items()}
    assert totals["nothing"] == 0
    assert totals["random"] == pytest.approx(2 / 4 * (3 * 0.05 + 10 + 1))
    assert totals["oracle"] == pytest.approx(3 * 0.05 + 10 + 1)


def test_where_on_the_list_an_item_stands_makes_no_difference():
    turned = [list(reversed(row)) for row in LISTS]
    one, other = (evaluate(HAPPENED, rows, Plan(PAYOFF), data=ITEMS) for rows in (LISTS, turned))
    assert one.profit == other.profit


def test_an_item_shown_twice_counts_once_and_one_bought_twice_counts_twice():
    payoff = Payoff.ranking(purchase=3)
    assert evaluate([["a"], []], [["a", "a"], ["b"]], Plan(payoff)).profit.total == 3
    assert evaluate([["a", "a"], []], [["a"], ["b"]], Plan(payoff)).profit.total == 6


def test_capacity_is_how_many_items_of_a_list_count():
    found = evaluate(HAPPENED, LISTS, Plan(PAYOFF, capacity=1), data=ITEMS)
    assert found.profit.total == pytest.approx(0.05 + 10 + 0.05)
    other = Plan(PAYOFF, capacity=1, baseline=[["b", "a"], ["c"], ["d"]])
    assert evaluate(HAPPENED, LISTS, other, data=ITEMS).rivals["incumbent"].total == pytest.approx(
        0.05 + 0.05 + 1
    )


def baskets(n=300, seed=0):
    """Fans of even and of odd numbers; each buys two of their kind."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 2, n)
    bought = [(2 * rng.choice(10, 2, replace=False) + k).tolist() for k in kind]
    lists = [[2 * j + k for j in range(5)] for k in kind.tolist()]
    return bought, lists


def test_the_range_is_the_one_for_a_mean_over_visitors():
    bought, lists = baskets()
    who = np.arange(300) // 3
    plan = Plan(Payoff.ranking(purchase=2), baseline="nothing")
    alone = evaluate(bought, lists, plan)
    hits = np.array([2 * len(set(b) & set(s)) for b, s in zip(bought, lists, strict=True)])
    error = hits.std(ddof=1) * np.sqrt(300)
    assert alone.profit.low == pytest.approx(hits.sum() - 1.65 * error, abs=0.1 * error)
    together = evaluate(bought, lists, plan, cluster=who)
    sums = np.bincount(who, hits)
    error = sums.std(ddof=1) * np.sqrt(100)
    assert together.profit.low == pytest.approx(hits.sum() - 1.66 * error, abs=0.1 * error)
    assert together.profit.total == hits.sum()


def test_lists_are_only_ever_worth_testing_or_not():
    bought, lists = baskets()
    payoff = Payoff.ranking(purchase=2)
    won = evaluate(bought, lists, Plan(payoff))
    assert won.baseline == "popular"
    assert won.verdict is Verdict.WORTH_TESTING
    assert "people went on to choose" in won.sentence
    assert "not what a list causes" in won.assumptions[0]
    lost = evaluate(bought, [[row[0]] for row in lists], Plan(payoff, baseline=lists))
    assert lost.verdict is Verdict.NOT_WORTH_TESTING
    asked = evaluate(bought, lists, Plan(payoff, must_beat=1e6))
    assert asked.verdict is Verdict.NOT_WORTH_TESTING
    assert "Even if the lists had caused all they hold" in asked.reason


def test_popularity_does_not_know_the_row_it_is_judged_on():
    # Everyone buys an item of their own: nothing that sold elsewhere sells here.
    bought = [[f"own {row}"] for row in range(100)]
    found = evaluate(bought, bought, Plan(Payoff.ranking(purchase=1)))
    assert found.rivals["popular"].total == 0
    assert found.profit.total == 100


def test_a_guessed_click_widens_the_range_and_shows_in_the_tornado():
    bought, lists = baskets()
    happened = {"click": bought, "purchase": bought}
    table = {"item": range(20), "margin": np.ones(20)}
    known, guessed = (
        evaluate(happened, lists, Plan(Payoff.ranking(click=click, purchase="margin")), data=table)
        for click in (1, Range(-1, 1, 3))
    )
    assert guessed.profit.total == pytest.approx(known.profit.total)
    assert guessed.profit.low < known.profit.low
    assert {bar.name for bar in guessed.tornado()} == {"luck of the sample", "click", "purchase"}
    assert "purchase" in known.break_even().multiples


def test_two_list_makers_are_compared_on_the_same_rows():
    bought, lists = baskets()
    plan = Plan(Payoff.ranking(purchase=2))
    good, bad = evaluate(bought, lists, plan), evaluate(bought, [[0]] * 300, plan)
    assert good.compare(bad).low > 0
    other = evaluate(baskets(seed=1)[0], lists, plan)
    with pytest.raises(InputError, match="same rows"):
        good.compare(other)


KINDS = {
    "numpy": (np.array, lambda c: c),
    "pandas": (pd.Series, pd.DataFrame),
    "polars": (pl.Series, pl.DataFrame),
    "arrow": (pa.array, pa.table),
}


@pytest.mark.parametrize("kind", KINDS)
def test_rows_of_all_kinds_give_the_same_answer(kind):
    bought, lists = baskets(50)
    column, frame = KINDS[kind]
    table = {"item": list(range(20)), "margin": list(np.arange(20.0))}
    plan = Plan(Payoff.ranking(buy="margin / 2"))
    expected = evaluate(bought, lists, plan, data=table)
    assert evaluate(column(bought), column(lists), plan, data=frame(table)).gain == expected.gain
    named = frame({"buy": bought, "visitor": [str(n) for n in range(50)]})
    found = evaluate(named, column(lists), plan, data=frame(table), cluster="visitor")
    assert found.profit.total == expected.profit.total


def test_it_is_plain_json_and_the_plan_survives_its_file():
    plan = Plan(PAYOFF, per_year=12, capacity=2)
    assert Plan.from_yaml(plan.to_yaml()) == plan
    found = evaluate(HAPPENED, LISTS, Plan(PAYOFF, baseline=LISTS), data=ITEMS)
    told = json.loads(json.dumps(found.to_dict()))
    assert told["labels"] == ["click", "purchase"]
    assert told["verdict"] == "not worth testing"


@pytest.mark.parametrize(
    ("call", "says"),
    [
        (lambda: Payoff.ranking(), "names its outcomes"),
        (lambda: Payoff.ranking(click=None), "click is a number"),
        (lambda: Payoff.ranking(click=[1, 2]), "a column of their table"),
        (lambda: Payoff.from_dict({"ranking": {"click": 1}, "tp": 2}), "a payoff of lists has"),
        (lambda: Plan(PAYOFF, baseline="all"), "There are: popular, nothing, random"),
        (lambda: Plan(PAYOFF, threshold=0.5), "lists have no threshold"),
        (lambda: Plan(PAYOFF, capacity=0), "a whole number from 1 on"),
        (lambda: Plan(PAYOFF, capacity=2.5), "a whole number from 1 on"),
        (
            lambda: evaluate([[1], [2]], [["1"], ["2"]], Payoff.ranking(click=1)),
            "items are 1 in one place and '1' in y_score",
        ),
        (lambda: evaluate(HAPPENED, LISTS, Plan(PAYOFF)), "needs the column 'margin'"),
        (lambda: evaluate(HAPPENED, None, Plan(PAYOFF), data=ITEMS), "best first"),
        (
            lambda: evaluate(HAPPENED, [["SKU-a"]] * 3, PAYOFF, data=ITEMS),
            "no item of y_score stands in data: here 'SKU-a', there 'a'",
        ),
        (
            lambda: evaluate(HAPPENED, LISTS, Plan(PAYOFF, baseline=[["x"]] * 3), data=ITEMS),
            "no item of the baseline stands in data",
        ),
        (lambda: evaluate(HAPPENED, LISTS[:2], Plan(PAYOFF), data=ITEMS), "2 rows and y_true has"),
        (lambda: evaluate(LISTS, LISTS, Plan(PAYOFF), data=ITEMS), "column of items for each"),
        (
            lambda: evaluate({**HAPPENED, "purchase": [["e"], [], []]}, LISTS, PAYOFF, data=ITEMS),
            "'e' .purchase in row 0, counted from 0. is not in data",
        ),
        (
            lambda: evaluate({"clicks": [], "purchase": []}, [], PAYOFF, data=ITEMS),
            "did you mean 'clicks'",
        ),
        (
            lambda: evaluate({"click": [["a"]], "purchase": []}, [["a"]], PAYOFF, data=ITEMS),
            "click 1, purchase 0",
        ),
        (
            lambda: evaluate(HAPPENED, LISTS, PAYOFF, data={"sku": ["a"], "margin": [1]}),
            "in the column 'item'",
        ),
        (
            lambda: evaluate(HAPPENED, LISTS, PAYOFF, data={"item": ["a", "a"], "margin": [1, 2]}),
            "'a' twice",
        ),
        (
            lambda: evaluate(HAPPENED, LISTS, PAYOFF, data={"item": ["a"], "margin": [None]}),
            "row 0",
        ),
        (lambda: evaluate(HAPPENED, LISTS, PAYOFF, y_pred=LISTS), "y_pred is for decisions"),
        (lambda: evaluate(HAPPENED, "abc", PAYOFF, data=ITEMS), "one list of items per row"),
        (lambda: evaluate(HAPPENED, [{"a": 1}] * 3, PAYOFF, data=ITEMS), "dictionary with a col"),
        (lambda: evaluate(HAPPENED, LISTS, PAYOFF, data=ITEMS, cluster=[1]), "1 rows and y_true"),
        (lambda: evaluate([], [], Payoff.ranking(click=1)), "empty"),
        (lambda: evaluate([0, 1] * 40, [0.1, 0.9] * 40, PAYOFF), "column of items for each"),
        (lambda: decide([0.1], PAYOFF), "for recommended lists"),
        (lambda: profit_scorer(PAYOFF), "for recommended lists"),
    ],
)
def test_a_misuse_is_an_error_that_says_what_to_do(call, says):
    with pytest.raises((InputError, NotEnoughDataError), match=says):
        call()


def test_lists_are_held_against_the_most_popular_items_as_well():
    happened = {"click": [["a"], ["a", "b"], ["c"]] * 100}
    payoff = Payoff.ranking(click=1.0)
    nobody_wants = [["d"]] * 300
    for mine in (["c"], ["a"]):
        plan = Plan(payoff, baseline=nobody_wants, capacity=1)
        found = evaluate(happened, [mine] * 300, plan)
        assert found.gain.low > 0
        assert found.simplest[0] == "the most popular items"
        assert found.verdict is Verdict.NOT_WORTH_TESTING
        assert "no more than the most popular items" in found.reason
    best = evaluate(happened, [["a"], ["b"], ["c"]] * 100, Plan(payoff, baseline=nobody_wants))
    assert best.verdict is Verdict.WORTH_TESTING
