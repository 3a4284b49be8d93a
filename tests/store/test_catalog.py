from __future__ import annotations

import multiprocessing
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from thinslice.domain import Product
from thinslice.errors import InputError, NotFoundError, StorageError
from thinslice.store.catalog import ShopCatalog

LAMP = Product("lamp", "A lamp", "Home > Lighting", "Lux", "white", 1999, 3, "https://x.example/l")


@pytest.fixture
def catalog(tmp_path: Path) -> ShopCatalog:
    return ShopCatalog(tmp_path / "catalog" / "shop.sqlite", "EUR")


def test_a_product_comes_back_as_it_went_in(catalog: ShopCatalog) -> None:
    assert catalog.upsert([LAMP]) == 1
    assert catalog.get("lamp") == LAMP
    assert catalog.all() == {"lamp": LAMP}
    assert catalog.get("chair") is None


def test_the_last_of_two_products_with_one_id_wins(catalog: ShopCatalog) -> None:
    catalog.upsert([LAMP, Product("lamp", "A better lamp")])
    assert catalog.all()["lamp"].title == "A better lamp"


def test_a_patch_changes_what_it_names_and_says_whether_the_product_exists(
    catalog: ShopCatalog,
) -> None:
    catalog.upsert([LAMP])
    assert catalog.patch("lamp", price_minor=1500, stock=0)
    assert catalog.get("lamp") == Product(
        "lamp", "A lamp", "Home > Lighting", "Lux", "white", 1500, 0, "https://x.example/l"
    )
    assert not catalog.patch("chair", stock=1)


@pytest.mark.parametrize(
    "changes", [{"price": 3}, {"id": "x"}, {"price_minor": -1}, {"stock": "many"}, {"title": None}]
)
def test_a_patch_that_breaks_a_rule_changes_nothing(
    catalog: ShopCatalog, changes: dict[str, object]
) -> None:
    catalog.upsert([LAMP])
    with pytest.raises(InputError):
        catalog.patch("lamp", **changes)
    assert catalog.get("lamp") == LAMP


def test_a_snapshot_is_read_only_and_later_writes_do_not_change_it(catalog: ShopCatalog) -> None:
    catalog.upsert([LAMP])
    before = catalog.all()
    catalog.upsert([Product("chair", "A chair")])
    assert set(before) == {"lamp"}
    assert set(catalog.all()) == {"lamp", "chair"}
    with pytest.raises(TypeError):
        before["lamp"] = LAMP  # type: ignore[index]


def test_what_another_catalogue_object_wrote_is_seen_soon(
    catalog: ShopCatalog, eventually: Any
) -> None:
    assert catalog.all() == {}
    ShopCatalog(catalog.path, "EUR").upsert([LAMP])
    assert eventually(catalog.all) == {"lamp": LAMP}


def test_a_hidden_product_stays_and_a_deleted_one_goes(catalog: ShopCatalog) -> None:
    catalog.upsert([LAMP, Product("chair", "A chair")])
    assert catalog.hide("lamp") and catalog.delete("chair")
    assert catalog.all()["lamp"].hidden and "chair" not in catalog.all()
    assert not catalog.delete("chair") and catalog.get("chair") is None


def test_missing_products_are_added_bare_and_known_ones_are_left_alone(
    catalog: ShopCatalog,
) -> None:
    catalog.upsert([LAMP, Product("gone", "Gone")])
    catalog.delete("gone")
    assert catalog.ensure(["lamp", "vase", "vase", "gone"], {"vase": 700, "lamp": 1}) == 1
    assert catalog.get("lamp") == LAMP
    assert catalog.get("vase") == Product("vase", "Product vase", price_minor=700)
    assert catalog.get("gone") is None


def test_a_new_feed_keeps_the_photos(catalog: ShopCatalog) -> None:
    catalog.upsert([LAMP])
    assert catalog.mark_photos(["lamp", "nothing"]) == 1
    catalog.upsert([LAMP])
    assert catalog.all()["lamp"].has_photo


def test_lists_are_kept_by_name_and_replaced_whole(catalog: ShopCatalog) -> None:
    catalog.set_list("incumbent", {"a": ("b", "c"), "b": ["a"]})
    assert catalog.list("incumbent") == {"a": ("b", "c"), "b": ("a",)}
    catalog.set_list("incumbent", {"a": ("c",)})
    assert catalog.list("incumbent") == {"a": ("c",)} and catalog.list_names() == ("incumbent",)
    with pytest.raises(NotFoundError, match="incumbent"):
        catalog.list("rivals")


def test_an_id_may_be_any_text(catalog: ShopCatalog) -> None:
    ids = ["../../etc", "'; DROP TABLE products; --", "ä 🙂", "a\nb"]
    catalog.upsert([Product(i, i) for i in ids])
    assert set(catalog.all()) == set(ids)
    with pytest.raises(InputError):
        catalog.upsert([Product("", "no id")])


def _write(path: Path, start: int) -> None:
    catalog = ShopCatalog(path, "EUR")
    for i in range(start, start + 20):
        catalog.upsert([Product(str(i), "made")])


def test_several_processes_write_and_nothing_is_lost(catalog: ShopCatalog) -> None:
    spawn = multiprocessing.get_context("spawn")
    writers = [spawn.Process(target=_write, args=(catalog.path, n * 20)) for n in range(3)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert set(ShopCatalog(catalog.path, "EUR").all()) == {str(i) for i in range(60)}


def test_a_file_that_is_no_database_is_a_storage_error(tmp_path: Path) -> None:
    (tmp_path / "shop.sqlite").write_bytes(b"not a database" * 100)
    with pytest.raises(StorageError):
        ShopCatalog(tmp_path / "shop.sqlite", "EUR")


def test_the_file_uses_the_rollback_journal(catalog: ShopCatalog) -> None:
    connection = sqlite3.connect(catalog.path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()


def test_several_changes_are_one_step_and_unknown_ids_are_named(tmp_path: Path) -> None:
    catalog = ShopCatalog(tmp_path / "shop.sqlite", "EUR")
    catalog.upsert([Product("a", "A", price_minor=100), Product("b", "B", stock=3)])

    unknown = catalog.patch_all(
        [("a", {"price_minor": 90}), ("gone", {"stock": 1}), ("b", {"stock": 0})]
    )

    assert unknown == ["gone"]
    assert (catalog.get("a"), catalog.get("b")) == (
        Product("a", "A", price_minor=90),
        Product("b", "B", stock=0),
    )


def test_a_cost_is_kept_where_a_feed_has_none_and_a_patch_can_take_it_away(
    catalog: ShopCatalog,
) -> None:
    catalog.upsert([Product("lamp", "A lamp", cost_minor=900)])
    catalog.upsert([Product("lamp", "A better lamp")])
    assert catalog.get("lamp") == Product("lamp", "A better lamp", cost_minor=900)
    catalog.patch("lamp", cost_minor=None)
    assert catalog.all()["lamp"].cost_minor is None
    with pytest.raises(InputError, match="cost_minor must be at least 0"):
        catalog.patch("lamp", cost_minor=-1)


def test_attributes_are_kept_where_a_feed_has_none_and_a_patch_can_take_them_away(
    catalog: ShopCatalog,
) -> None:
    shirt = Product("shirt", "A shirt", attributes=(("gender", "Men"), ("season", "Été")))
    catalog.upsert([shirt])
    catalog.upsert([Product("shirt", "A shirt")])
    assert catalog.get("shirt") == catalog.all()["shirt"] == shirt
    catalog.upsert([replace(shirt, attributes=(("gender", "Women"),))])
    assert catalog.all()["shirt"].label("gender") == "Women"
    assert catalog.all()["shirt"].label("season") == ""
    catalog.patch("shirt", attributes=())
    assert catalog.get("shirt") == Product("shirt", "A shirt")
    for wrong in ((("colour", "red"),), (("gender", 7),), {"gender": "Men"}, (("", "x"),)):
        with pytest.raises(InputError, match="attributes must be pairs"):
            catalog.patch("shirt", attributes=wrong)


def test_a_file_from_before_products_had_costs_is_brought_up_to_date(tmp_path: Path) -> None:
    path = tmp_path / "shop.sqlite"
    with sqlite3.connect(path) as connection:
        connection.execute(
            "CREATE TABLE products (id TEXT PRIMARY KEY, title TEXT NOT NULL, category TEXT NOT"
            " NULL, brand TEXT NOT NULL, colour TEXT NOT NULL, price_minor INTEGER, stock INTEGER,"
            " url TEXT NOT NULL, has_photo INTEGER NOT NULL, hidden INTEGER NOT NULL,"
            " removed INTEGER NOT NULL, revision INTEGER NOT NULL) WITHOUT ROWID"
        )
        connection.execute(
            "INSERT INTO products VALUES ('lamp', 'A lamp', '', '', '', 1999, 3, '', 1, 0, 0, 0)"
        )
    connection.close()
    for _ in range(2):
        catalog = ShopCatalog(path, "EUR")
        lamp = Product("lamp", "A lamp", price_minor=1999, stock=3, has_photo=True)
        assert catalog.get("lamp") == lamp
    catalog.patch("lamp", cost_minor=900)
    assert ShopCatalog(path, "EUR").get("lamp") == replace(lamp, cost_minor=900)
