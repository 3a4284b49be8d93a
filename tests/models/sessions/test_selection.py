from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from thinslice.models.sessions.selection import kth_largest, select_best

few_values = st.lists(st.sampled_from([0.5, 1.0, 2.0, 3.0]), min_size=1, max_size=60)
any_values = st.lists(st.floats(allow_nan=False), min_size=1, max_size=200)


@settings(deadline=None)
@given(few_values | any_values, st.integers(1, 70), st.randoms(use_true_random=False))
def test_the_best_are_those_of_a_full_sort_ties_by_code(values, n, random):
    scores = np.array(values)
    candidates = list(range(len(values)))
    random.shuffle(candidates)
    best = np.zeros(n, np.int32)
    found = select_best(scores, np.array(candidates, np.int32), len(values), n, best)
    expected = sorted(candidates, key=lambda code: (-scores[code], code))[:n]
    assert best[:found].tolist() == expected


@settings(deadline=None)
@given(few_values, st.data())
def test_the_kth_largest_is_that_of_a_full_sort(values, data):
    k = data.draw(st.integers(1, len(values)))
    found = kth_largest(np.array(values), len(values), k, np.zeros(k))
    assert found == sorted(values, reverse=True)[k - 1]
