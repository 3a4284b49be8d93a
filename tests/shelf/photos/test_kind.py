from __future__ import annotations

import numpy as np
import pytest

from thinslice.shelf.photos.kind import kind_chances, likeliest_rows


def test_heads_and_neighbours_together_say_which_kind() -> None:
    chances = kind_chances({"Bags": 0.4, "Belts": 0.5, "Hats": 0.1}, [("Bags", 0.9), ("Bags", 0.8)])
    assert max(chances, key=lambda kind: chances[kind]) == "Bags"
    assert sum(chances.values()) == pytest.approx(1)
    assert kind_chances({}, []) == {}


def test_rows_are_chosen_by_colour_first_and_then_by_kind() -> None:
    in_colour = np.array([0.9, 0.88, 0.5, 0.05, 0.95])
    of_kind = np.array([0.0, 1.0, 1.0, 1.0, 1.0])
    allowed = np.array([True, True, True, True, False])
    assert likeliest_rows(in_colour, of_kind, allowed, 2).tolist() == [
        False,
        True,
        True,
        False,
        False,
    ]
    assert likeliest_rows(in_colour, of_kind, allowed, 9).sum() == 3
    alike = np.ones(5)
    assert likeliest_rows(in_colour, alike, allowed, 2).tolist() == [
        True,
        True,
        False,
        False,
        False,
    ]
