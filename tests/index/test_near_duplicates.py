from __future__ import annotations

from pathlib import Path

import numpy as np
from tests.index.test_vector_index import BITS, clustered, query_of, unit

from thinslice.index.near_duplicates import near_duplicates
from thinslice.index.vector_index import VectorIndex

COPIES = 100


def copied(folder: Path) -> tuple[VectorIndex, dict[str, np.ndarray]]:
    """Two thousand products; the last hundred are the first hundred again, hardly changed."""
    rng = np.random.default_rng(3)
    vectors = {"style": clustered(2000, 96), "colour": clustered(2000, 24, seed=1)}
    for rows in vectors.values():
        noise = 0.01 * rng.standard_normal((COPIES, rows.shape[1]))
        rows[-COPIES:] = unit(rows[:COPIES] + noise)
    index = VectorIndex.create(folder, encoder="e", bits=BITS)
    index.add([f"p{i}" for i in range(2000)], vectors)
    return index, vectors


def test_all_pairs_are_found_that_scoring_every_product_finds(tmp_path: Path) -> None:
    index, vectors = copied(tmp_path)
    by_hand = {
        frozenset((f"p{row}", near.product))
        for row in range(2000)
        for near in index.exact(query_of(vectors, row), 6)
        if near.product != f"p{row}" and near.score >= 0.96
    }
    found = near_duplicates(index, 0.96)
    assert len(by_hand) >= COPIES
    assert {frozenset(pair[:2]) for pair in found} == by_hand
    assert [pair[2] for pair in found] == sorted((pair[2] for pair in found), reverse=True)


def test_products_that_are_left_out_are_in_no_pair(tmp_path: Path) -> None:
    index, _ = copied(tmp_path)
    among = {f"p{i}" for i in range(1, 2000)}
    found = near_duplicates(index, 0.96, among=among)
    assert found
    assert not any("p0" in pair for pair in found)
