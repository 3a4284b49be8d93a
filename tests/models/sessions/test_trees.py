from __future__ import annotations

import numpy as np
import pytest

from thinslice.models.sessions.trees import Trees


def leaf(value: float) -> dict:
    return {"leaf_value": value}


def split(feature: int, threshold: float, left: dict, right: dict) -> dict:
    return {
        "split_feature": feature,
        "threshold": threshold,
        "decision_type": "<=",
        "left_child": left,
        "right_child": right,
    }


def trees(*structures: dict) -> Trees:
    return Trees.from_dump({"tree_info": [{"tree_structure": s} for s in structures]})


def test_a_row_walks_to_its_leaf_and_leaves_add_up():
    first = split(0, 1.0, leaf(1.0), split(1, 5.0, leaf(10.0), leaf(20.0)))
    found = trees(first, split(1, 0.0, leaf(100.0), leaf(200.0)))
    rows = np.array([[1.0, 0.0], [2.0, 5.0], [2.0, 6.0]], np.float32)
    assert found.score(rows).tolist() == [101.0, 210.0, 220.0]


def test_a_tree_that_never_splits_is_one_leaf():
    assert trees(leaf(0.5), leaf(0.25)).score(np.zeros((2, 3), np.float32)).tolist() == [0.75] * 2


def test_thresholds_between_two_single_precision_numbers_send_rows_the_same_way():
    just_above = float(np.nextafter(np.float32(0.1), np.float32(1)))
    for threshold in (0.1, just_above, (just_above + float(np.float32(0.1))) / 2):
        found = trees(split(0, threshold, leaf(-1.0), leaf(1.0)))
        rows = np.array([[0.1], [just_above]], np.float32)
        expected = [-1.0 if float(x) <= threshold else 1.0 for x in rows[:, 0]]
        assert found.score(rows).tolist() == expected


def test_a_split_of_another_kind_is_refused():
    with pytest.raises(ValueError, match="<="):
        trees({**split(0, 1.0, leaf(0), leaf(1)), "decision_type": "=="})


def test_the_arrays_are_all_there_is():
    found = trees(split(0, 1.0, leaf(1.0), leaf(2.0)))
    rows = np.array([[0.0], [3.0]], np.float32)
    assert Trees.from_arrays(found.to_arrays()).score(rows).tolist() == [1.0, 2.0]


def test_lightgbm_and_its_flat_arrays_give_the_same_scores():
    lightgbm = pytest.importorskip("lightgbm")
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(500, 4)).astype(np.float32)
    labels = (rows[:, 0] + rows[:, 1] ** 2 > 0.5).astype(int)
    parameters = {"objective": "binary", "verbosity": -1, "num_threads": 1}
    booster = lightgbm.train(parameters, lightgbm.Dataset(rows, labels), num_boost_round=20)
    found = Trees.from_dump(booster.dump_model())
    assert found.score(rows) == pytest.approx(booster.predict(rows, raw_score=True), abs=1e-5)
