from __future__ import annotations

import threading
from pathlib import Path

import pytest

from thinslice.errors import InputError, StorageError
from thinslice.store import title_reviews
from thinslice.store.title_reviews import Correction, TitleReviews


@pytest.fixture
def reviews(tmp_path: Path) -> TitleReviews:
    return TitleReviews(tmp_path / "titles" / "shop" / "reviews.sqlite")


def test_a_correction_is_kept_with_who_when_before_and_after(reviews: TitleReviews) -> None:
    said = Correction("Red Lamp", "Lamps", was="Mugs", who="Ada", key="red lamp", time_us=5)
    number = reviews.correct([said])
    (kept,) = TitleReviews(reviews.path).corrections()
    assert (kept.title, kept.category, kept.was, kept.who) == ("Red Lamp", "Lamps", "Mugs", "Ada")
    assert (kept.time_us, kept.number) == (5, number)


def test_what_was_said_since_is_told_apart(reviews: TitleReviews) -> None:
    first = reviews.correct([Correction("a", "A", key="a")])
    reviews.correct([Correction("b", "B", key="b")])
    assert [c.title for c in reviews.corrections(since=first)] == ["b"]
    assert reviews.last_number() == first + 1


def test_a_correction_without_a_category_is_refused_and_none_of_its_batch_kept(
    reviews: TitleReviews,
) -> None:
    with pytest.raises(InputError, match="category"):
        reviews.correct([Correction("a", "A", key="a"), Correction("b", " ", key="b")])
    assert reviews.corrections() == []


def test_a_title_waits_once_until_it_is_corrected(reviews: TitleReviews) -> None:
    assert reviews.wait([("a", "A!"), ("b", "B")]) == 2
    assert reviews.wait([("a", "A")]) == 2
    assert reviews.waiting() == [("A!", 2), ("B", 1)]
    reviews.correct([Correction("A", "Lamps", key="a")])
    assert reviews.waiting() == [("B", 1)]
    reviews.set_aside(["b"])
    assert reviews.waiting() == []
    assert reviews.aside() == {"b"}


def test_the_oldest_give_way_when_too_many_wait(
    reviews: TitleReviews, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(title_reviews, "MOST_WAITING", 2)
    for i, key in enumerate("abc"):
        reviews.wait([(key, key)], now_us=i + 1)
    assert [title for title, _ in reviews.waiting()] == ["b", "c"]


def test_many_people_may_correct_at_once(reviews: TitleReviews) -> None:
    def work(n: int) -> None:
        for i in range(5):
            reviews.correct([Correction(f"{n} {i}", "Lamps", key=f"{n} {i}")])

    threads = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(reviews.corrections()) == 20


def test_a_file_that_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "reviews.sqlite"
    path.write_bytes(b"not a database at all, just text" * 10)
    with pytest.raises(StorageError, match="damaged"):
        TitleReviews(path)
