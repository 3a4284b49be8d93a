from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from thinslice.domain import ListRules, Shop
from thinslice.errors import InputError, NotFoundError
from thinslice.store.control import ControlPlane


@pytest.fixture
def control(tmp_path: Path) -> ControlPlane:
    plane = ControlPlane(tmp_path / "control.sqlite")
    plane.add_shop(Shop("lamps", "Lamps"))
    plane.add_shop(Shop("books", "Books"))
    return plane


def test_a_shop_begins_without_rules(control: ControlPlane) -> None:
    assert control.list_rules("lamps") == ListRules()
    assert control.rules_history("lamps") == []


def test_every_change_is_kept_with_who_and_why(control: ControlPlane) -> None:
    control.change_rules("lamps", lambda r: r.pin("p1"), who="ada", why="new", at_us=1)
    control.change_rules("lamps", lambda r: replace(r, price_to=2.0), who="ben", at_us=2)
    assert control.list_rules("lamps") == ListRules(pinned=("p1",), price_to=2.0)
    assert [(c.at_us, c.who, c.why) for c in control.rules_history("lamps")] == [
        (1, "ada", "new"),
        (2, "ben", ""),
    ]
    assert control.list_rules("books") == ListRules()


def test_what_changes_nothing_is_not_kept(control: ControlPlane) -> None:
    for _ in range(3):
        control.change_rules("lamps", lambda r: r.bury("p1"), who="ada")
    assert len(control.rules_history("lamps")) == 1


def test_pinning_takes_a_product_back_from_the_buried_ones() -> None:
    assert ListRules(buried=("a", "b")).pin("a") == ListRules(pinned=("a",), buried=("b",))
    assert ListRules(pinned=("a",)).bury("a").free("a") == ListRules()


def test_two_people_who_pin_at_once_both_find_theirs_pinned(control: ControlPlane) -> None:
    threads = [
        threading.Thread(target=control.change_rules, args=("lamps", lambda r, i=i: r.pin(f"p{i}")))
        for i in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(control.list_rules("lamps").pinned) == {f"p{i}" for i in range(8)}


@pytest.mark.parametrize(
    ("wrong", "rule"),
    [
        ({"pinned": ("a", "a")}, "name each once"),
        ({"pinned": ("a",), "buried": ("a",)}, "pinned or buried"),
        ({"price_from": 1.5}, "from 0 to 1"),
        ({"price_to": 0.5}, "at least 1"),
        ({"price_to": float("nan")}, "at least 1"),
        ({"most_of_category": 0}, "from 1 to 100"),
        ({"least_categories": 101}, "from 1 to 100"),
    ],
)
def test_rules_that_cannot_be_are_refused_in_words(
    control: ControlPlane, wrong: dict, rule: str
) -> None:
    with pytest.raises(InputError, match=rule):
        control.change_rules("lamps", lambda r: replace(r, **wrong))
    assert control.rules_history("lamps") == []


def test_rules_belong_to_a_shop_that_exists(control: ControlPlane) -> None:
    with pytest.raises(NotFoundError):
        control.change_rules("nobody", lambda r: r.pin("p1"))
