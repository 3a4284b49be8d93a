from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from thinslice.models.sessions.item_table import ItemTable


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.tuples(*[st.integers(0, 5)] * 2), st.sampled_from([-1.0, 0, 1, 2, 3])))
def test_each_row_keeps_its_strongest_positive_entries_and_ties_go_by_code(weight_of):
    pairs = np.array(list(weight_of), np.int32).reshape(-1, 2)
    weights = np.array(list(weight_of.values()), np.float64)
    table = ItemTable.strongest(pairs[:, 0], pairs[:, 1], weights, 6, 2)
    for row in range(6):
        entries = [(-w, i) for (j, i), w in weight_of.items() if j == row and w > 0]
        start, end = table.offsets[row : row + 2]
        found = zip(-table.weights[start:end], table.neighbours[start:end], strict=True)
        assert list(found) == sorted(entries)[:2]
