from __future__ import annotations

from thinslice.evaluation.photo_search import PhotoQuality, photo_quality

KINDS = {"a": "shoe", "b": "shoe", "c": "shoe", "d": "lamp", "e": ""}


def test_shares_of_what_is_found_are_counted() -> None:
    found = photo_quality(["a", "d"], [["a", "b", "d", "c"], ["b", "d"]], KINDS)
    assert (found.sample, found.found_first, found.found_in_ten) == (2, 0.5, 1.0)
    assert found.same_category == 0.5  # of the two beside "a" that there could be; "d" is alone


def test_a_search_that_always_finds_the_same_is_rough() -> None:
    found = photo_quality(list("abcd"), [["d", "e"]] * 4, KINDS)
    assert found.is_rough
    assert "thinslice build --fit-encoder" in found.sentence()


def test_without_categories_nothing_is_said_of_them() -> None:
    found = photo_quality(["a"], [["a", "b"]], {"a": "", "b": ""})
    assert found.same_category is None
    assert not found.is_rough
    assert "category" not in found.sentence()


def test_an_encoder_is_worse_when_both_shares_together_are_lower() -> None:
    one = PhotoQuality(200, found_first=0.5, found_in_ten=0.9, same_category=0.7)
    assert one.is_worse_than(PhotoQuality(200, 0.6, 0.9, 0.65))
    assert not one.is_worse_than(PhotoQuality(200, 0.6, 0.9, 0.55))
    assert not one.is_worse_than(one)
    assert PhotoQuality.from_dict(one.to_dict()) == one


def test_photos_unlike_those_the_encoder_learned_from_are_rough_however_well_they_are_found() -> (
    None
):
    found = photo_quality(["a"], [["a", "b", "c"]], KINDS, unlike=3.0)
    assert found.found_first == found.same_category == 1
    assert found.is_rough
    assert not photo_quality(["a"], [["a", "b", "c"]], KINDS, unlike=1.1).is_rough
    earlier = {k: v for k, v in found.to_dict().items() if k != "unlike"}
    assert PhotoQuality.from_dict(earlier).unlike is None
