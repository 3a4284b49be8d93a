from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinslice.models.titles.features import clean, features_of
from thinslice.models.titles.nearness import TitleNearness

TITLES = ["red table lamp", "green table lamp", "blue sofa", "sofa bed, blue", "wheelbarrow"]


def test_the_same_words_come_first():
    near = TitleNearness(TITLES).nearest("Table Lamp RED", 2)
    assert [place for place, _ in near] == [0, 1]


def test_a_title_is_as_near_to_itself_as_can_be():
    for place, title in enumerate(TITLES):
        assert TitleNearness(TITLES).nearest(title, 1) == [(place, pytest.approx(1.0))]


def test_what_shares_nothing_is_not_near():
    assert TitleNearness(TITLES).nearest("xyz", 5) == []
    assert TitleNearness(TITLES).nearest("", 5) == []
    assert TitleNearness([]).nearest("red", 5) == []
    assert TitleNearness(["", ""]).nearest("red", 5) == []


def test_what_most_titles_have_says_nothing():
    titles = [f"lamp {n * 7919}" for n in range(500)]
    assert TitleNearness(titles).nearest("lamp", 5) == []


@settings(deadline=None)
@given(st.lists(st.text("abc ", max_size=12), min_size=1, max_size=8), st.text("abc ", max_size=12))
def test_it_is_the_cosine_in_plain_numpy(titles, asked):
    hashes, starts = features_of([clean(title) for title in titles])
    own, _ = features_of([clean(asked)])
    of = [set(hashes[a:b].tolist()) for a, b in zip(starts[:-1], starts[1:], strict=True)]
    weight = {h: np.log(max(len(titles), 2) / sum(h in o for o in of)) for o in of for h in o}
    asked_features = {h for h in own.tolist() if weight.get(h)}

    def length(features):
        return np.sqrt(sum(weight[h] ** 2 for h in features))

    expected = {
        place: sum(weight[h] ** 2 for h in o & asked_features)
        / (max(length(o), 1e-9) * length(asked_features))
        for place, o in enumerate(of)
        if o & asked_features
    }
    found = dict(TitleNearness(titles).nearest(asked, len(titles)))
    assert found == pytest.approx(expected)
