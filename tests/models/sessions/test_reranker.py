from __future__ import annotations

import builtins

import numpy as np
import pytest

from thinslice.models.sessions.candidates import feature_names
from thinslice.models.sessions.reranker import NEGATIVES, NoLightGBMError, learn_trees, thinned
from thinslice.models.sessions.steps import Described


def described(n_steps: int = 400, n_candidates: int = 60, seed: int = 0) -> Described:
    """What comes next is the candidate with the largest third feature; every fifth step misses."""
    rng = np.random.default_rng(seed)
    rows = rng.random((n_steps * n_candidates, len(feature_names()))).astype(np.float32)
    best = rows[:, 2].reshape(n_steps, n_candidates).argmax(axis=1)
    came_next = np.zeros((n_steps, n_candidates), np.uint8)
    came_next[np.arange(n_steps), best] = 1
    came_next[::5] = 0
    return Described(rows, came_next.ravel(), np.full(n_steps, n_candidates, np.int32))


def test_trees_learn_what_decides():
    trees = learn_trees(described(), rounds=20)
    unseen = described(50, seed=1)
    scores = trees.score(unseen.features).reshape(50, -1)
    places = (-scores).argsort(axis=1).argsort(axis=1)
    hit = unseen.came_next.reshape(50, -1) == 1
    assert places[hit].mean() < 3


def test_the_same_rows_give_the_same_trees():
    first, second = (learn_trees(described(100), rounds=5) for _ in range(2))
    assert (first.thresholds == second.thresholds).all()
    assert (first.values == second.values).all()


def test_of_what_did_not_come_next_some_are_learned_from():
    lessons = thinned(described(10), 0)
    assert lessons.sizes.tolist() == [NEGATIVES + 1] * 8
    assert lessons.came_next.sum() == 8


@pytest.mark.parametrize("error", [ImportError, OSError])
def test_without_lightgbm_or_its_openmp_library_it_says_why(monkeypatch, error):
    def refuse(name, *args, **kwargs):
        if name == "lightgbm":
            raise error("libgomp.so.1: cannot open shared object file")
        return original(name, *args, **kwargs)

    original = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(NoLightGBMError, match="libgomp"):
        learn_trees(described(10))
