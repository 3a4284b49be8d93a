"""Learn in which order candidates come next: lambdarank over their features.

The trees are grown by LightGBM (lambdarank: Burges, "From RankNet to LambdaRank to LambdaMART",
2010), which is imported here and nowhere on the request path. It grows them in one thread: its
threads wait for each other by spinning, which takes many times as long on a busy machine. Time does
not leak: candidates come from sources that learned from earlier sessions than the steps described.
"""

from __future__ import annotations

import numpy as np

from thinslice.models.sessions.steps import Described
from thinslice.models.sessions.trees import Trees

ROUNDS = 160
NEGATIVES = 25
"""Of a step's candidates that did not come next, so many are learned from, drawn at random."""

_PARAMETERS = {
    "objective": "lambdarank",
    "learning_rate": 0.08,
    "num_leaves": 31,
    "min_data_in_leaf": 50,
    "max_bin": 63,
    "lambdarank_truncation_level": 20,
    "verbosity": -1,
    "metric": "None",
    "deterministic": True,
    "force_row_wise": True,
}


class NoLightGBMError(Exception):
    """LightGBM cannot be imported here; the message says why."""


def learn_trees(described: Described, *, seed: int = 0, rounds: int = ROUNDS) -> Trees:
    """Grow trees that put what came next first. The same rows give the same trees.

    Steps whose candidates lack what came next are left out. Raises NoLightGBMError where the
    package or its OpenMP library is missing.
    """
    try:
        import lightgbm
    except (ImportError, OSError) as error:
        raise NoLightGBMError(str(error).splitlines()[0]) from error
    lessons = thinned(described, seed)
    parameters = {**_PARAMETERS, "seed": seed, "num_threads": 1}
    data = lightgbm.Dataset(
        lessons.features, lessons.came_next, group=lessons.sizes, params=parameters
    )
    booster = lightgbm.train(parameters, data, num_boost_round=rounds)
    return Trees.from_dump(booster.dump_model())


def thinned(described: Described, seed: int) -> Described:
    """All that came next and some that did not, of the steps that have both."""
    step_of = np.repeat(np.arange(len(described.sizes)), described.sizes)
    wanted = described.came_next == 1
    has_wanted = np.zeros(len(described.sizes), bool)
    has_wanted[step_of[wanted]] = True
    draw = np.random.default_rng(seed).random(len(step_of))
    draw[wanted] = -1.0
    order = np.lexsort((draw, step_of))
    starts = np.concatenate([[0], np.cumsum(described.sizes)[:-1]])
    drawn = np.arange(len(order)) - starts[step_of[order]] <= NEGATIVES
    rows = np.sort(order[drawn & has_wanted[step_of[order]]])
    sizes = np.bincount(step_of[rows], minlength=len(described.sizes))
    return Described(
        described.features[rows], described.came_next[rows], sizes[sizes > 0].astype(np.int32)
    )
