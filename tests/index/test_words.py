"""A query of words finds the rows that have them, what the thing is before what its title names."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinslice.index.words import WordIndex, words_of

COLOUR, KIND, TITLE = range(3)
TEXTS = [
    ("Black", "Shoes", "Red Tape Men's leather shoes"),
    ("Red", "Shoes", "Runner 3"),
    ("Red", "Shirts", "Oxford shirt in red"),
    ("Blue", "T-Shirts", "Plain t-shirt"),
    ("", "Schuhe", "Laufschuh für Damen"),
]
INDEX = WordIndex(TEXTS, [2.0, 2.0, 1.0])


def best(query: str) -> list[int]:
    found = INDEX.find(query)
    rows = np.flatnonzero(found.matches())
    return [int(row) for row in rows[np.argsort(-found.scores[rows], kind="stable")]]


def test_what_a_thing_is_stands_before_what_its_title_names() -> None:
    assert best("red shoe")[:2] == [1, 0]
    assert best("RED TAPE shoes")[0] == 0
    assert best("shirt")[0] == 2
    assert 3 not in best("shirt")
    assert best("T-shirts") == best("t shirt") == [3]


def test_a_word_that_nobody_has_counts_for_those_that_contain_it_or_are_spelled_so() -> None:
    assert best("lauf") == [4]
    assert best("oxfrod shirt")[0] == 2
    assert best("leather unicorn") == []
    assert not WordIndex([("Union shoe",)], [1.0]).find("unicorn").matches().any()
    assert best("unicorn") == best("") == best("für in the") == []


def test_a_field_that_says_nothing_else_counts_more() -> None:
    index = WordIndex([("Navy Blue", "Cap"), ("Blue", "Cap")], [2.0, 1.0])
    found = index.find("blue cap")
    assert found.scores[1] > found.scores[0]


def test_the_fields_that_have_a_word_are_known() -> None:
    assert INDEX.fields("red", 0) == [TITLE]
    assert INDEX.fields("red", 2) == [COLOUR, TITLE]
    assert INDEX.fields("red", 3) == []


def test_made_after_another_it_says_the_same_as_made_anew() -> None:
    texts = [*TEXTS[1:], ("Green", "Hats", "A hat")]
    after, anew = WordIndex(texts, [2, 2, 1], INDEX), WordIndex(texts, [2, 2, 1])
    for query in ("red shirt", "hat", "schuh", "oxford"):
        assert np.array_equal(after.find(query).scores, anew.find(query).scores)
    assert WordIndex([], [1.0]).find("hat").scores.shape == (0,)


@given(st.text(max_size=60), st.lists(st.text(max_size=40), max_size=5))
def test_scores_are_shares_whatever_is_written(query: str, titles: list[str]) -> None:
    found = WordIndex([(title,) for title in titles], [1.0]).find(query)
    assert found.scores.shape == (len(titles),)
    assert ((found.scores >= 0) & (found.scores <= 1.0001)).all()
    assert (found.shares <= 1.0001).all()
    for row, title in enumerate(titles):
        if found.words and set(found.words) <= set(words_of(title)):
            assert found.shares[row] == pytest.approx(1)
            assert found.scores[row] > 0.5
