"""The ways in which recommenders have been made to look better than they are, each of them shut.

Sampled negatives; another treatment of the current product, or of repeats, for one rival; windows
and settings chosen on the test; random splits; ties that are broken for the truth; a look ahead.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.contracts.session_logs import checkerboard, log_of

import thinslice.engine
from thinslice.config import Settings
from thinslice.domain import Event, EventType, Scored, Shop
from thinslice.engine import Engine
from thinslice.evaluation.offline import PROTOCOLS, evaluate
from thinslice.evaluation.splits import Split, split_by_time
from thinslice.models.sessions.bundle import learn

MINUTE_US = 60_000_000


class ByList:
    """Shows a fixed order of products; `scores` may all be equal."""

    name = "by list"

    def __init__(self, products, score=lambda place: 1.0 / place):
        self.products, self.score = list(products), score
        self.asked = []

    def recommend(self, session, n, *, now_us=None):
        self.asked.append((tuple(session), n, now_us))
        found = [p for p in self.products if p != session[-1]][:n]
        return [Scored(p, self.score(place), None) for place, p in enumerate(found, start=1)]


def catalogue_of_a_thousand() -> Split:
    train = log_of([[f"p{i}", f"p{i + 1}"] for i in range(1000)])
    return Split(train, log_of([["p0", "p30"], ["p1", "p30"]], start_us=10**12), 10**12)


def test_no_negative_is_sampled():
    """The truth stands at 30 of 1,000: among 100 drawn at random it would stand at about 3."""
    order = [f"p{i}" for i in range(1, 1001)]
    split = catalogue_of_a_thousand()
    assert evaluate({"x": ByList(order)}, split, n=20).value("x", "HitRate").estimate == 0
    assert evaluate({"x": ByList(order)}, split, n=30).value("x", "HitRate").estimate == 1


@pytest.mark.parametrize("protocol", PROTOCOLS)
def test_every_rival_makes_the_very_same_predictions(protocol):
    """Same sessions, same prefixes, same repeats, same length: whoever is asked."""
    split = Split(
        log_of([["a", "b"], ["b", "c"]]),
        log_of([["a", "a", "b"], ["b", "b", "c", "a"]], start_us=10**12),
        10**12,
    )
    first, second = ByList("abc"), ByList("cba")
    found = evaluate({"first": first, "second": second}, split, protocol=protocol)
    assert first.asked == second.asked
    sizes = [tally.predictions.tolist() for tally in found.tallies.values()]
    assert sizes[0] == sizes[1]
    assert found.to_dict()["protocol"] == protocol


def test_the_current_product_wins_nothing_for_whoever_shows_it():
    class ShowsIt(ByList):
        def recommend(self, session, n, *, now_us=None):
            return [Scored(session[-1], 9.0, None), *super().recommend(session, n)]

    split = Split(
        log_of([["a", "b"], ["b", "c"]]), log_of([["a", "b", "c"]] * 3, start_us=10**12), 10**12
    )
    found = evaluate({"shy": ByList("cb"), "bold": ShowsIt("cb")}, split, n=1)
    assert found.value("bold", "MRR") == found.value("shy", "MRR")


def test_nobody_sees_what_comes_later():
    split = split_by_time(checkerboard(40))
    maker = ByList(split.train.products)
    evaluate({"x": maker}, split)
    log = split.test
    asked = iter(maker.asked)
    for s in range(log.n_sessions):
        start, end = log.offsets[s], log.offsets[s + 1]
        products = [log.products[c] for c in log.codes[start:end]]
        for step in range(1, len(products)):
            session, _, now_us = next(asked)
            assert list(session) == products[:step]
            assert now_us == log.times_us[start + step - 1]


@given(
    lengths=st.lists(st.integers(1, 5), min_size=4, max_size=30),
    share=st.floats(0.05, 0.5),
)
def test_every_session_of_the_test_ended_after_every_session_of_the_training(lengths, share):
    """Time splits and nothing is shuffled: a random split would put tomorrow into the training."""
    log = log_of([[f"p{(s + i) % 7}" for i in range(n)] for s, n in enumerate(lengths)])
    split = split_by_time(log, test_share=share)
    ended = [part.times_us[part.offsets[1:] - 1] for part in (split.train, split.test)]
    assert ended[0].max() < split.cut_us <= ended[1].min()
    assert {*split.train.ids} | {*split.test.ids} == {*log.ids}


@pytest.mark.parametrize("score", [lambda _: 1.0, lambda _: 0.0, lambda place: float(place)])
def test_the_place_decides_and_never_a_score(score):
    """Equal scores, or scores upside down, win nothing: places are given before the truth is."""
    split = catalogue_of_a_thousand()
    order = [f"p{i}" for i in range(1, 1001)]
    honest = evaluate({"x": ByList(order)}, split, n=100)
    tied = evaluate({"x": ByList(order, score)}, split, n=100)
    assert tied.value("x", "MRR") == honest.value("x", "MRR")


def test_ties_of_a_model_are_broken_by_the_product_and_not_by_luck():
    """Twenty products that were seen equally often: the same order whoever asks, and each time."""
    log = log_of([["hub", f"p{i:02}"] for i in range(20)])
    for name, maker in learn(log, Settings()).recommenders.items():
        once, again = (
            [s.product for s in maker.recommend(["hub"], 20, now_us=10**9)] for _ in range(2)
        )
        assert once == again, name


def test_nothing_is_chosen_on_the_sessions_that_are_predicted(tmp_path, monkeypatch):
    """What `evaluate` tunes on ended before the first session that it predicts began to count."""
    engine = Engine(Settings(data=tmp_path / "data"))
    engine.control.add_shop(Shop("lamps", "Lamps"))
    engine.log.append(
        "lamps",
        [
            Event(
                f"m{s}-{i}",
                EventType.PRODUCT_VIEWED,
                10**15 + (60 * s + i) * MINUTE_US,
                f"v{s}",
                product=f"p{(s + i) % 6}",
            )
            for s in range(60)
            for i in range(3)
        ],
    )
    given_to_tuning = []
    choose = thinslice.engine.choose

    def watched(earlier, later, *rest, **more):
        given_to_tuning.append((earlier, later))
        return choose(earlier, later, *rest, **more)

    monkeypatch.setattr(thinslice.engine, "choose", watched)
    evaluation = engine.evaluate("lamps", minutes=0.001)
    cut_us = evaluation.period["cut_us"]
    ((earlier, later),) = given_to_tuning
    assert earlier.times_us.max() < later.times_us.max() < cut_us


def test_the_figures_of_the_literature_are_kept_apart(tmp_path):
    engine = Engine(Settings(data=tmp_path / "data"))
    engine.control.add_shop(Shop("lamps", "Lamps"))
    engine.log.append(
        "lamps",
        [
            Event(
                f"m{s}-{i}",
                EventType.PRODUCT_VIEWED,
                10**15 + (60 * s + i) * MINUTE_US,
                f"v{s}",
                product=f"p{(s + i // 2) % 6}",  # every product is looked at twice in a row
            )
            for s in range(20)
            for i in range(4)
        ],
    )
    honest = engine.evaluate("lamps")
    papers = engine.evaluate("lamps", protocol="literature")
    assert papers.sizes["predictions"] == 3 * honest.sizes["predictions"]
    results = engine.shelf("lamps").results
    assert results.load("evaluation")["protocol"] == "honest"
    assert results.load("evaluation-literature")["protocol"] == "literature"
