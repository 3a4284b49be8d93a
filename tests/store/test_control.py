from __future__ import annotations

import hashlib
import sqlite3
import threading
from pathlib import Path

import pytest

from thinslice.domain import Shop
from thinslice.errors import InputError, NotFoundError, StorageError
from thinslice.store.control import ControlPlane
from thinslice.store.people import Feedback, Visit


@pytest.fixture
def control(tmp_path: Path) -> ControlPlane:
    plane = ControlPlane(tmp_path / "control.sqlite")
    plane.add_shop(Shop("lamps", "Lamps & more", "EUR", "Europe/Vienna"))
    return plane


class Cramped(ControlPlane):
    """One whose disk has room for little more."""

    def _connect(self) -> sqlite3.Connection:
        db = super()._connect()
        db.execute("pragma max_page_count = 30")
        return db


def test_a_full_disk_is_told_as_such(tmp_path: Path) -> None:
    plane = Cramped(tmp_path / "control.sqlite")
    with pytest.raises(StorageError, match="disk is full"):
        for number in range(100):
            plane.add_shop(Shop(f"s{number}", "x" * 10_000))


def test_a_shop_is_found_again_by_another_process(control: ControlPlane) -> None:
    again = ControlPlane(control.path)
    assert again.shop("lamps") == Shop("lamps", "Lamps & more", "EUR", "Europe/Vienna")


def test_an_unknown_shop_names_those_that_exist(control: ControlPlane) -> None:
    control.add_shop(Shop("books", "Books"))
    with pytest.raises(NotFoundError, match="no 'lamp'; the shops here: books, lamps"):
        control.shop("lamp")


@pytest.mark.parametrize(
    "bad", ["", "-a", "Lamps", "a/b", "..", "a b", "a" * 64, "é", "a\n", "v1", "static"]
)
def test_a_shop_id_that_is_not_a_slug_is_refused(control: ControlPlane, bad: str) -> None:
    with pytest.raises(InputError, match="a shop id must be"):
        control.add_shop(Shop(bad, "x"))


def test_a_shop_has_a_tax_and_a_margin_of_its_own_or_leaves_them_to_the_settings(
    control: ControlPlane,
) -> None:
    assert control.shop("lamps").vat_rate is None
    control.set_tax_and_margin("lamps", vat_rate=0.19, margin_share=None)
    again = ControlPlane(control.path)
    assert (again.shop("lamps").vat_rate, again.shops()[0].margin_share) == (0.19, None)
    with pytest.raises(InputError, match="19 % is written 0.19"):
        control.set_tax_and_margin("lamps", vat_rate=19, margin_share=None)
    with pytest.raises(NotFoundError):
        control.set_tax_and_margin("books", vat_rate=None, margin_share=None)


def test_a_shop_is_not_registered_twice(control: ControlPlane) -> None:
    with pytest.raises(InputError, match="exists"):
        control.add_shop(Shop("lamps", "Other"))


def test_a_currency_or_time_zone_that_does_not_exist_is_refused(control: ControlPlane) -> None:
    with pytest.raises(InputError, match="got 'euro'"):
        control.add_shop(Shop("a", "a", "euro"))
    with pytest.raises(InputError, match="got 'Mars/Crater'"):
        control.add_shop(Shop("a", "a", "EUR", "Mars/Crater"))


def test_a_key_opens_its_shop_until_it_is_revoked(control: ControlPlane) -> None:
    plain = control.create_key("lamps", "write", ("https://lamps.example",))
    key = control.key(plain)
    assert key is not None
    assert (key.shop, key.kind, key.origins) == ("lamps", "write", ("https://lamps.example",))
    assert control.revoke_key("lamps", plain) == 1
    assert control.key(plain) is None


def test_only_the_hash_of_a_key_is_on_disk(control: ControlPlane) -> None:
    plain = control.create_key("lamps", "secret")
    assert plain.startswith("sk_") and len(plain) == 3 + 43
    content = control.path.read_bytes()
    assert plain.encode() not in content
    assert hashlib.sha256(plain.encode()).digest() in content


def test_a_key_with_a_known_beginning_and_another_end_opens_nothing(control: ControlPlane) -> None:
    plain = control.create_key("lamps", "write")
    assert control.key(plain[:-1] + ("A" if plain[-1] != "A" else "B")) is None
    assert control.key(plain[:11]) is None
    assert control.key("") is None
    assert control.key("pk_\ud800") is None


def test_the_last_use_of_a_key_is_noted(control: ControlPlane) -> None:
    plain = control.create_key("lamps", "write")
    control.mark_used([plain[:11]], now_us=77)
    assert [k.last_used_us for k in control.keys("lamps")] == [77]


def test_an_origin_with_a_path_is_refused(control: ControlPlane) -> None:
    with pytest.raises(InputError, match="no path"):
        control.create_key("lamps", "write", ("https://lamps.example/",))


def test_the_latest_plan_is_in_force_and_the_earlier_ones_stay(control: ControlPlane) -> None:
    assert control.plan("lamps") is None
    control.agree_plan("lamps", "kpi: a", "d1", 1)
    control.agree_plan("lamps", "kpi: b", "d2", 2)
    assert control.plan("lamps") == "kpi: b"
    assert [p.digest for p in control.plans("lamps")] == ["d1", "d2"]


def test_feedback_is_kept_with_its_state_and_cut_at_2000_characters(control: ControlPlane) -> None:
    said = Feedback("/lamps/shop", "/lamps/shop?items=a", False, "x" * 3000, "Anna", 5)
    control.add_feedback("lamps", said)
    (kept,) = control.feedback("lamps")
    assert (kept.state, kept.right, kept.who, len(kept.text)) == (
        "/lamps/shop?items=a",
        False,
        "Anna",
        2000,
    )


def test_visits_and_feedback_of_a_shop_are_its_own(control: ControlPlane) -> None:
    control.add_shop(Shop("books", "Books"))
    control.add_visits([("lamps", Visit("/lamps/shop", "", "Anna", 1)), ("books", Visit("/b", ""))])
    control.add_feedback("books", Feedback("/b", "", None, "hello"))
    assert [v.page for v in control.visits("lamps")] == ["/lamps/shop"]
    assert control.feedback("lamps") == []


def test_the_signing_secret_is_the_same_for_everyone(control: ControlPlane) -> None:
    secret = control.signing_secret()
    assert len(secret) == 32
    assert ControlPlane(control.path).signing_secret() == secret


def test_threads_that_write_at_once_all_get_their_turn(control: ControlPlane) -> None:
    def visit(number: int) -> None:
        for _ in range(5):
            control.add_visits([("lamps", Visit(f"/{number}", ""))])

    threads = [threading.Thread(target=visit, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(control.visits("lamps")) == 20


def test_the_file_is_never_in_wal_mode(control: ControlPlane) -> None:
    db = sqlite3.connect(control.path)
    assert db.execute("pragma journal_mode").fetchone() == ("delete",)
    db.close()


def test_a_damaged_file_is_reported_with_its_name(tmp_path: Path) -> None:
    path = tmp_path / "control.sqlite"
    path.write_bytes(b"this is not a database, it only looks like a file" * 50)
    with pytest.raises(StorageError, match="control.sqlite"):
        ControlPlane(path)
