"""Predictions of a made-up model over made-up customers, of whom it is known who will leave."""

from __future__ import annotations

from typing import Any

import numpy as np

EXAMPLE_PLAN: dict[str, Any] = {
    "payoff": {
        "tp": {"low": 15, "likely": 30, "high": 50},
        "fp": {"low": -9, "likely": -7, "high": -5},
        "currency": "EUR",
    },
    "question": "Does a call to customers who may leave earn more than it costs?",
    "baseline": "nothing",
    "per_year": 12,
    "fixed_cost": 2000,
    "must_beat": 5000,
}
"""A plan for these predictions: what a customer kept is worth, and what a call costs."""

HEADER = "customer,leaving,score,yearly_value"


def predictions(n: int = 2000, seed: int = 7) -> str:
    """A table as text, one customer a line: leaving or not, the model's score, their worth.

    The scores are a little better than a guess, as those of real models are; `yearly_value` is
    what a customer pays in a year. The same `n` and `seed` give the same table.
    """
    rng = np.random.default_rng(seed)
    leaning = rng.normal(-2.4, 1.1, n)
    leaving = rng.random(n) < 1 / (1 + np.exp(-leaning))
    score = 1 / (1 + np.exp(-(leaning + rng.normal(0, 0.8, n))))
    value = np.exp(rng.normal(4.7, 0.6, n))
    rows = (
        f"C{k + 1:05d},{'yes' if leaving[k] else 'no'},{score[k]:.3f},{value[k]:.0f}"
        for k in range(n)
    )
    return "\n".join([HEADER, *rows]) + "\n"
