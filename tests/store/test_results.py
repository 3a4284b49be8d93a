from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from thinslice.errors import StorageError
from thinslice.store.results import Results


def test_a_result_comes_back_with_the_time_of_saving(tmp_path: Path) -> None:
    results = Results(tmp_path / "shop")
    results.save("audit", {"rows": 3})
    loaded = results.load("audit")
    assert loaded is not None and loaded["rows"] == 3
    assert datetime.fromisoformat(loaded["saved_at"]).tzinfo is not None


def test_the_later_result_replaces_the_earlier_one(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.save("audit", {"rows": 3, "old": True})
    results.save("audit", {"rows": 4})
    loaded = results.load("audit")
    assert loaded is not None and loaded["rows"] == 4 and "old" not in loaded


def test_what_was_never_saved_is_none(tmp_path: Path) -> None:
    assert Results(tmp_path / "none").load("audit") is None
    assert Results(tmp_path / "none").names() == []


def test_any_name_stays_inside_the_folder(tmp_path: Path) -> None:
    results = Results(tmp_path / "shop")
    results.save("../readout-ä 1", {"n": 1})
    assert results.names() == ["../readout-ä 1"]
    assert [p.name for p in tmp_path.iterdir()] == ["shop"]


def test_numpy_values_and_missing_numbers_become_plain_json(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.save("e", {"a": np.float64(0.5), "b": np.array([1, 2]), "c": float("nan"), "d": (1,)})
    loaded = results.load("e")
    assert loaded is not None
    assert {k: loaded[k] for k in "abcd"} == {"a": 0.5, "b": [1, 2], "c": None, "d": [1]}


def test_a_damaged_result_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "audit.json").write_text("{")
    with pytest.raises(StorageError, match="compute it again"):
        Results(tmp_path).load("audit")
