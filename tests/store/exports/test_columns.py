from __future__ import annotations

import pyarrow as pa
import pytest

from thinslice.errors import ColumnError
from thinslice.store.exports.columns import (
    ColumnMap,
    guess_events,
    guess_lists,
    guess_products,
    require,
)


def _events(header: str, *rows: str) -> dict[str, str]:
    names = header.split(",")
    cells = zip(*(row.split(",") for row in rows), strict=True)
    table = pa.table({n: pa.array(c) for n, c in zip(names, cells, strict=True)})
    return guess_events(names, table).to_dict()


def test_a_multi_category_store_log_is_understood() -> None:
    assert _events(
        "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session",
        "2019-10-01 00:00:00 UTC,view,44600062,2103807459595387724,,shiseido,35.79,541312140,72d7",
    ) == {
        "time": "event_time",
        "type": "event_type",
        "product": "product_id",
        "category": "category_code",
        "brand": "brand",
        "price": "price",
        "visitor": "user_id",
        "session": "user_session",
    }


def test_a_click_log_of_three_columns_is_understood() -> None:
    assert _events("SessionId,ItemId,Time", "10036,14957,1592337718.0") == {
        "session": "SessionId",
        "product": "ItemId",
        "time": "Time",
    }


def test_invoice_lines_are_understood() -> None:
    guess = _events(
        "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
        "536365,85123A,T-LIGHT HOLDER,6,2022-12-01 08:26:00,2.55,17850.0,United Kingdom",
    )
    assert guess == {
        "time": "InvoiceDate",
        "visitor": "CustomerID",
        "product": "StockCode",
        "price": "UnitPrice",
        "quantity": "Quantity",
        "order": "InvoiceNo",
        "title": "Description",
    }


def test_a_column_whose_values_do_not_fit_its_name_is_not_taken() -> None:
    guess = _events("time,type,item,when", "morning,simple,7,2024-05-01T10:00:00Z")
    assert guess == {"time": "when", "product": "item"}


def test_times_and_types_under_unknown_names_are_found_by_their_values() -> None:
    guess = _events("a,b,sku,d", "x,2024-05-01 10:00,7,purchase", "y,2024-05-01 11:00,8,view")
    assert guess == {"time": "b", "type": "d", "product": "sku"}


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("id,title,link,image_link,availability,price,google_product_category,brand", "id"),
        ("Handle,Title,Vendor,Variant SKU,Variant Price,Image Src", "Variant SKU"),
        ("Type,SKU,Name,Regular price,Categories,Images,Stock", "SKU"),
    ],
)
def test_product_feeds_are_understood(header: str, expected: str) -> None:
    names = header.split(",")
    guess = guess_products(names, pa.table({n: pa.array([], pa.string()) for n in names}))
    assert guess.to_dict()["id"] == expected
    assert {"title", "price", "photo"} <= guess.to_dict().keys()


def test_category_levels_are_joined() -> None:
    names = ["id", "masterCategory", "subCategory", "articleType", "productDisplayName"]
    guess = guess_products(names, pa.table({n: ["x"] for n in names}))
    assert guess.columns("category") == ("masterCategory", "subCategory", "articleType")
    assert "category is read from masterCategory > subCategory > articleType" in guess.describe()


def test_columns_that_tell_kinds_of_products_apart_are_attributes() -> None:
    n = 400
    table = pa.table(
        {
            "id": [str(i) for i in range(n)],
            "title": [f"Thing {i}" for i in range(n)],
            "gender": ["Men", "Women", None, "Unisex"] * (n // 4),
            "Season": ["summer", "winter"] * (n // 2),
            "rare": ["yes"] * 20 + [None] * (n - 20),
            "year": ["2011", "2012"] * (n // 2),
            "supplier": [f"S-{i % 90}" for i in range(n)],
            "note": ["of the kind that nobody would call a label, ever", "-"] * (n // 2),
            "one": ["same"] * n,
        }
    )
    guess = guess_products(table.column_names, table)
    assert guess.columns("attributes") == ("gender", "Season")
    assert ColumnMap.parse("attributes=").over(guess).columns("attributes") == ()
    assert ColumnMap.parse("attributes=rare+year").over(guess).columns("attributes") == (
        "rare+year",
    )


def test_two_columns_of_any_name_are_lists() -> None:
    guess = guess_lists(["this", "those"], pa.table({"this": ["a"], "those": ["b c"]}))
    assert guess.to_dict() == {"product": "this", "recommended": "those"}


def test_a_map_is_read_shown_and_read_again() -> None:
    text = "product=sku,time=when,type="
    mapped = ColumnMap.parse(text)
    assert "type" not in mapped and mapped.as_option() == "product=sku,time=when"
    assert ColumnMap.parse('"product=a, b",time=t').columns("product") == ("a, b",)


def test_a_map_is_met_in_the_files_own_spelling() -> None:
    said = ColumnMap.parse("product=itemid,category=main + Sub")
    mapped = said.checked(["ItemID", "main", "sub"])
    assert mapped.to_dict() == {"product": "ItemID", "category": "main+sub"}


def test_what_the_user_says_goes_before_the_guess() -> None:
    guess = ColumnMap.parse("product=item,time=t,type=event,visitor=user")
    said = ColumnMap.parse("type=,session=user")
    assert said.over(guess).to_dict() == {"product": "item", "time": "t", "session": "user"}


def test_a_wrong_column_names_the_closest() -> None:
    with pytest.raises(ColumnError, match="did you mean 'product_id'"):
        ColumnMap.parse("product=produkt_id").checked(["product_id", "price"])


def test_a_missing_column_is_asked_for_with_the_words_to_type() -> None:
    with pytest.raises(ColumnError, match="'a', 'b'.*--map product=COLUMN,time=COLUMN"):
        require(ColumnMap(), "events", ["a", "b"])


@pytest.mark.parametrize("text", ["nonsense", "colur=x", "=x"])
def test_a_map_that_cannot_be_read_says_how_one_reads(text: str) -> None:
    with pytest.raises(ColumnError, match="field=column"):
        ColumnMap.parse(text)
