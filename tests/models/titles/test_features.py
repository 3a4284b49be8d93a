from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from thinslice.models.titles.features import (
    PER_CHARACTER,
    clean,
    encode,
    features_of,
    find_features,
)


def test_html_entities_width_and_case_make_no_difference() -> None:
    assert clean("<b>Men&#39;s</b>  T-Shirt") == clean("MEN'S t-shirt") == "men s t shirt"
    assert clean("ＸＬ　ｌａｍｐ") == "xl lamp"


def test_words_of_scripts_with_combining_marks_stay_whole() -> None:
    assert clean("हिन्दी शर्ट") == "हिन्दी शर्ट"
    assert clean("กระเป๋า หนัง") == "กระเป๋า หนัง".casefold() or " " in clean("กระเป๋า หนัง")


def test_emoji_and_punctuation_are_no_words() -> None:
    assert clean("🎉🎉 --- !!!") == ""


def test_a_word_alone_has_its_own_its_last_and_its_runs_of_letters() -> None:
    hashes, starts = features_of(["ab"])
    # "ab" as a word and as the last one; " a", "ab", "b ", " ab", "ab ", " ab "
    assert starts.tolist() == [0, 8]
    assert len(set(hashes.tolist())) == 8


def test_the_order_of_words_shows_in_pairs_only() -> None:
    one, other = (set(features_of([t])[0].tolist()) for t in ("red lamp red", "red red lamp"))
    assert one != other
    assert len(one & other) > len(one) / 2


@given(st.lists(st.text(max_size=80), min_size=1, max_size=8))
def test_features_of_many_titles_are_those_of_each(titles: list[str]) -> None:
    cleaned = [clean(t) for t in titles]
    hashes, starts = features_of(cleaned)
    for i, text in enumerate(cleaned):
        alone, _ = features_of([text])
        assert hashes[starts[i] : starts[i + 1]].tolist() == alone.tolist()


@given(st.text(max_size=200))
def test_features_never_outnumber_what_is_made_room_for(title: str) -> None:
    letters, offsets = encode([clean(title)])
    found = np.empty(len(letters) * PER_CHARACTER + 8, np.uint32)
    words = np.empty(len(found), np.int32)
    n = find_features(letters, 0, int(offsets[1]), found, words)
    assert n <= len(letters) * PER_CHARACTER
    assert n == 0 or words[:n].max() + 1 == len(clean(title).split(" "))
