from __future__ import annotations

import json
import math

import pytest
from tests.contracts.session_logs import checkerboard, log_of

from thinslice.config import Settings
from thinslice.domain import Scored
from thinslice.errors import InputError, NotEnoughDataError
from thinslice.evaluation.offline import PAIRED, PROTOCOLS, evaluate
from thinslice.evaluation.splits import Split, split_by_time
from thinslice.models.sessions.bundle import learn


class Always:
    """Recommends the same products to everyone, the one at hand included unless told otherwise."""

    name = "always"

    def __init__(self, *products: str, score: float = 1.0) -> None:
        self.products = products
        self.score = score

    def recommend(self, session, n, *, now_us=None):
        return [Scored(product, self.score, None) for product in self.products[:n]]


class Echo:
    """Shows the current product first, as a rival under laxer rules might."""

    name = "echo"

    def recommend(self, session, n, *, now_us=None):
        return [Scored(session[-1], 1.0, None)]


def split_of(train, test) -> Split:
    learned, predicted = log_of(train), log_of(test, start_us=10**12)
    return Split(learned, predicted, 10**12)


TEST = [["a", "b", "c"], ["b", "d"]]
SPLIT = split_of([["a", "b"], ["a", "c"], ["a", "x"]], TEST)
"""Three predictions: a -> b, (a b) -> c, b -> d; d is unknown to training."""


def test_figures_by_hand():
    found = evaluate({"always": Always("c", "b")}, SPLIT, n=2)
    value = {m: found.value("always", m).estimate for m in PAIRED}
    assert found.sizes["predictions"] == 3
    assert value["HitRate"] == pytest.approx(2 / 3)  # b at 2, c at 1, miss
    assert value["MRR"] == pytest.approx((1 / 2 + 1 + 0) / 3)
    assert value["Recall"] == pytest.approx((2 / 2 + 1 / 1 + 0) / 3)
    assert value["NDCG"] == pytest.approx((1 + 1 + 0) / 3)
    assert found.value("always", "coverage").estimate == pytest.approx(2 / 4)


def test_popularity_bias_is_the_mean_percentile_of_what_is_shown():
    """Of a (3 views), b, c, x (1 each): a stands at 7/8, the others at 3/8."""
    assert evaluate({"always": Always("a")}, SPLIT).value(
        "always", "popularity"
    ).estimate == pytest.approx(7 / 8)
    assert evaluate({"always": Always("b", "c")}, SPLIT).value(
        "always", "popularity"
    ).estimate == pytest.approx(3 / 8)


def test_products_that_training_never_saw_stay_as_misses():
    found = evaluate({"always": Always("c", "b")}, SPLIT)
    assert found.sizes["impossible"] == 1


def test_repeating_a_product_is_no_prediction_under_the_honest_protocol():
    split = split_of([["a", "b"]], [["a", "a", "a", "b"], ["a", "b", "b"]])
    assert evaluate({"always": Always("b")}, split).sizes["predictions"] == 2
    assert evaluate({"x": Always("b")}, split, protocol="literature").sizes["predictions"] == 5


def test_the_current_product_is_removed_from_every_rival_s_list():
    """A rival that shows the page at hand wins repeated clicks for nothing, and loses a place."""
    split = split_of([["a", "b"]], [["a", "a", "b"], ["b", "b", "a"]])
    honest = evaluate({"echo": Echo()}, split)
    lax = evaluate({"echo": Echo()}, split, protocol="literature")
    assert honest.value("echo", "HitRate").estimate == 0.0
    assert lax.value("echo", "HitRate").estimate == 0.5


def test_removing_the_current_product_does_not_shorten_the_list():
    split = split_of([["a", "b"]], [["a", "b"], ["a", "b"]])
    assert evaluate({"x": Always("a", "b")}, split, n=1).value("x", "HitRate").estimate == 1.0


def test_equal_scores_flatter_nobody():
    """Every product scores the same: what counts is the place at which it would be shown."""
    products = [f"p{i:02}" for i in range(40)]
    split = split_of([products], [["p00", product] for product in products[1:]])
    found = evaluate({"flat": Always(*products, score=0.0)}, split, n=20)
    assert found.value("flat", "HitRate").estimate == pytest.approx(20 / 39)


def test_every_product_competes_and_none_is_sampled():
    """A list of the wrong half of the catalogue finds nothing, which a sample would hide."""
    products = [f"p{i:03}" for i in range(400)]
    split = split_of([products], [["p000", product] for product in products[300:]])
    found = evaluate({"wrong": Always(*products[1:200])}, split, n=20)
    assert found.value("wrong", "HitRate").estimate == 0.0


def test_a_product_listed_twice_takes_one_place():
    split = split_of([["a", "b"]], [["x", "b"], ["x", "b"]])
    found = evaluate({"x": Always("a", "a", "b")}, split, n=2)
    assert found.value("x", "MRR").estimate == 0.5


def test_difference_is_paired_and_turns_its_sign():
    rivals = {"good": Always("b", "c"), "bad": Always("x")}
    found = evaluate(rivals, split_of([["a", "b"]], [["a", "b"], ["a", "c"]] * 20))
    forth, back = found.difference("good", "bad", "MRR"), found.difference("bad", "good", "MRR@20")
    assert forth.estimate == pytest.approx(0.75)
    assert (back.low, back.estimate, back.high) == pytest.approx(
        (-forth.high, -forth.estimate, -forth.low)
    )


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_the_sentence_names_its_protocol(protocol):
    found = evaluate({"one": Always("b")}, SPLIT, protocol=protocol)
    assert found.sentence().startswith(f"By the {protocol} protocol, in ")


def test_two_list_makers_that_always_agree_differ_by_nothing():
    found = evaluate({"one": Always("b"), "two": Always("b")}, SPLIT)
    assert found.difference("one", "two").estimate == 0.0


def test_on_the_checkerboard_the_session_model_beats_popularity_and_that_is_proven():
    split = split_by_time(checkerboard(400, 40))
    found = evaluate(learn(split.train, Settings()).recommenders, split, n=5)
    assert found.value("session", "HitRate").estimate > 0.95
    assert found.difference("session", "popular").low > 0.5
    assert "of the session list" in found.sentence()


def test_to_dict_is_plain_and_complete():
    found = evaluate({"a": Always("b"), "b": Always("c")}, SPLIT, n=20).to_dict()
    assert json.loads(json.dumps(found)) == found
    assert [row["name"] for row in found["rows"]] == ["a", "b"]
    assert set(found["rows"][0]["metrics"]) == {
        "HitRate@20",
        "MRR@20",
        "Recall@20",
        "NDCG@20",
        "coverage",
        "popularity",
        "novelty",
        "gini",
    }
    for row in found["rows"]:
        for name, interval in row["metrics"].items():
            most = float("inf") if name == "novelty" else 1
            assert 0 <= interval["low"] <= interval["estimate"] <= interval["high"] <= most
    assert {(d["a"], d["b"]) for d in found["differences"]} == {("a", "b")}
    assert found["sizes"]["test_sessions"] == 2
    assert found["period"]["cut_us"] == 10**12


def test_novelty_gini_and_diversity_by_hand():
    """Of six views a has three, b, c and x one each: one bit, and log2(6) bits each."""
    categories = {"a": "one", "b": "one", "c": "two"}
    found = evaluate({"always": Always("b", "c")}, SPLIT, n=2, categories=categories)
    value = {m: found.value("always", m).estimate for m in ("novelty", "gini", "diversity")}
    assert value["novelty"] == pytest.approx(math.log2(6))
    # shown: b and c at "a", c at "a b", c at "b": b once, c three times, a and x never
    assert value["gini"] == pytest.approx((1 * 1 + 3 * 3) / (4 * 4))
    assert value["diversity"] == pytest.approx(1)  # one list of two, of two categories


def test_diversity_is_told_of_every_list_maker_or_of_none():
    makers = {"two": Always("b", "c"), "one": Always("b")}
    rows = evaluate(makers, SPLIT, categories={"b": "one", "c": "two"}).to_dict()["rows"]
    assert {"diversity"} & {m for row in rows for m in row["metrics"]} == set()
    both = evaluate({"two": Always("b", "c")}, SPLIT, categories={"b": "one", "c": "two"})
    assert "diversity" in both.to_dict()["rows"][0]["metrics"]


def test_slices_add_up_to_the_whole_and_each_has_its_range():
    found = evaluate({"mine": Always("c", "b"), "other": Always("d")}, SPLIT, n=2).to_dict()
    slices = {(s["by"][:10], s["name"]): s for s in found["slices"]}
    assert {k: s["predictions"] for k, s in slices.items()} == {
        ("By how muc", "1 product"): 2,
        ("By how muc", "2 or 3 products"): 1,
        ("By how pop", "rare"): 2,
        ("By how pop", "new"): 1,
    }
    first = slices["By how muc", "1 product"]
    assert first["metrics"]["HitRate@2"]["estimate"] == pytest.approx(1 / 2)
    assert first["best_other"]["HitRate@2"]["estimate"] == pytest.approx(1 / 2)
    assert first["differences"]["HitRate@2"]["estimate"] == 0
    assert first["differences"]["HitRate@2"]["low"] < 0 < first["differences"]["HitRate@2"]["high"]
    for by in {s["by"] for s in found["slices"]}:
        assert sum(s["predictions"] for s in found["slices"] if s["by"] == by) == 3


def test_a_list_maker_without_answers_is_counted_and_not_left_out():
    found = evaluate({"silent": Always()}, SPLIT).to_dict()
    assert found["rows"][0]["answered"] == 0.0
    assert found["rows"][0]["metrics"]["HitRate@20"]["estimate"] == 0.0


def test_progress_reaches_the_end():
    seen = []
    evaluate({"a": Always("b"), "b": Always("c")}, SPLIT, progress=lambda *at: seen.append(at))
    assert seen[-1] == (4, 4)


def test_too_few_sessions_are_an_answer_with_a_next_step():
    with pytest.raises(NotEnoughDataError, match="import a longer period"):
        evaluate({"a": Always("b")}, split_of([["a", "b"]], [["a", "b"], ["c"]]))


def test_an_unknown_protocol_or_no_list_maker_is_refused():
    with pytest.raises(InputError, match="honest"):
        evaluate({"a": Always("b")}, SPLIT, protocol="best")
    with pytest.raises(InputError, match="list maker"):
        evaluate({}, SPLIT)
    with pytest.raises(InputError, match="HitRate"):
        evaluate({"a": Always("b")}, SPLIT).value("a", "accuracy")
    with pytest.raises(InputError, match="no list maker 'z'"):
        evaluate({"a": Always("b")}, SPLIT).value("z", "MRR")
