from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.contracts.session_logs import log_of

from thinslice.models.sessions.candidates import feature_names, learn_candidates
from thinslice.models.sessions.linear import LinearSettings
from thinslice.models.sessions.pair_table import SMOOTHING, PairTable, find_pair, learn_pairs
from thinslice.models.sessions.products import ProductCodes
from thinslice.models.sessions.ranked_candidates import RankedCandidates
from thinslice.models.sessions.session_knn import KnnSettings
from thinslice.models.sessions.steps import steps_of

sessions = st.lists(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=8), min_size=1, max_size=12
)


def in_a_row(sessions: list[list[str]]) -> Counter[tuple[str, ...]]:
    steps = [[p for place, p in enumerate(s) if place == 0 or p != s[place - 1]] for s in sessions]
    return Counter(tuple(s[x : x + 3]) for s in steps for x in range(len(s) - 2))


@settings(max_examples=60, deadline=None)
@given(sessions=sessions)
def test_every_three_products_in_a_row_are_counted_but_for_repeats(sessions):
    log = log_of(sessions)
    table = learn_pairs(log)
    later = np.repeat(np.arange(len(log.products)), np.diff(table.offsets))
    names = [[log.products[code] for code in codes] for codes in (table.before, later, table.after)]
    found = dict(zip(zip(*names, strict=True), table.counts.tolist(), strict=True))
    assert found == in_a_row(sessions)


def test_the_latest_two_different_known_products_are_the_pair():
    log = log_of([["a", "b", "c"]] * 4 + [["b", "d"]])
    pairs = tuple(PairTable.from_arrays(learn_pairs(log).to_arrays()).to_arrays().values())
    for latest_first in ([1, 0], [1, 1, 0], [1, -1, 0], [-1, 1, 0, 3]):
        latest, lo, hi, times = find_pair(
            np.array(latest_first, np.int32), len(latest_first), pairs
        )
        assert (latest, hi - lo, times) == (1, 1, 4.0)
    assert find_pair(np.array([1, 3], np.int32), 2, pairs)[3] == 0


def test_what_came_after_both_beats_what_came_after_the_latest():
    """After b comes mostly d; after a and then b always c."""
    log = log_of([["a", "b", "c"]] * 4 + [["x", "b", "d"]] * 8)
    products = ProductCodes(log.products)
    found = learn_candidates(log, products, KnnSettings(), LinearSettings())
    steps = steps_of(log_of([["a", "b", "c"]]), products, repeats=False, at_most=9).some(1, 2)
    rows = found.describe(steps, keep_missed=True, repeats=False)
    score = rows.features[:, feature_names().index("score_pair")]
    assert rows.features[:, feature_names().index("in_a_row")].tolist() == [4] * len(score)
    assert score[rows.came_next == 1] == pytest.approx((4 + SMOOTHING * 4 / 15) / (4 + SMOOTHING))
    assert score.max() == score[rows.came_next == 1]


def test_a_product_known_from_the_pair_alone_is_there_because_of_the_latest():
    """The session kNN and the tables are cut short; what came after the pair is not."""
    others = [[kind, f"{kind}{i:03}"] for kind in "ab" for i in range(150)] * 3
    log = log_of([["a", "b", "c"], *others])
    knn = KnnSettings(sample=2, neighbours=2)
    found = learn_candidates(log, ProductCodes(log.products), knn, LinearSettings())
    listed = RankedCandidates(found).recommend(["a", "b"], 400)
    assert next(s.because for s in listed if s.product == "c") == "b"
