from __future__ import annotations

import numpy as np
import pytest

from thinslice.ranking.photo_reasons import usual_cosines, why

USUAL = {part: (0.2, 0.1) for part in ("style", "identity", "shape", "colour")}


@pytest.mark.parametrize(
    ("by_part", "colour", "expected"),
    [
        ({"style": 0.9, "colour": 0.2}, None, "the same kind of thing"),
        (
            {"shape": 0.9, "colour": 0.8, "style": 0.5},
            None,
            "the same outline and the same colours",
        ),
        ({"colour": 0.9}, "red", "in red"),
        ({"colour": 0.9, "shape": 0.6}, "red", "the same outline and in red"),
        ({"style": 0.3}, None, "the nearest there is"),
    ],
)
def test_reasons_are_what_is_more_alike_than_usual(
    by_part: dict[str, float], colour: str | None, expected: str
) -> None:
    assert why(by_part, USUAL, colour=colour) == expected


def test_usual_is_what_two_photos_at_random_share() -> None:
    rows = np.random.default_rng(0).standard_normal((500, 64))
    rows /= np.linalg.norm(rows, axis=1, keepdims=True)
    mean, spread = usual_cosines({"style": rows})["style"]
    assert abs(mean) < 0.02
    assert spread == pytest.approx(1 / 8, rel=0.1)


def test_one_photo_has_nothing_usual() -> None:
    assert usual_cosines({"style": np.ones((1, 4))}) == {"style": (0.0, 1.0)}
