from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from thinslice.domain import Event, Product
from thinslice.errors import ColumnError, InputError
from thinslice.store.exports import sources
from thinslice.store.exports.columns import ColumnMap
from thinslice.store.exports.staging import Staged, read_lists, read_products, stage_events
from thinslice.store.log.schema import EVENT_SCHEMA, to_events

HEADER = "event_time,event_type,product_id,price,user_id,user_session"


def _stage(
    source: Path,
    columns: str | None = None,
    currency: str = "EUR",
    time_zone: str = "UTC",
) -> Staged:
    folder = source.parent / f"staged-{source.name}"
    folder.mkdir(exist_ok=True)
    return stage_events(
        source,
        ColumnMap.parse(columns) if columns else None,
        folder,
        currency=currency,
        time_zone=time_zone,
    )


def _events(staged: Staged) -> list[Event]:
    table = pq.read_table(staged.path)
    assert table.schema.names == EVENT_SCHEMA.names and table.schema.types == EVENT_SCHEMA.types
    return to_events(table)


def _file(tmp_path: Path, *lines: str, name: str = "events.csv", encoding: str = "utf-8") -> Path:
    path = tmp_path / name
    path.write_bytes(("\n".join(lines) + "\n").encode(encoding))
    return path


def _identities(staged: Staged) -> set[tuple[str, int]]:
    return {(e.message_id, e.line) for e in _events(staged)}


def test_a_log_becomes_events(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        HEADER,
        "2019-10-01 00:00:01 UTC,view,7,35.79,u1,s1",
        "2019-10-01 00:00:02 UTC,cart,7,35.79,u1,s1",
        "2019-10-01 00:00:03 UTC,purchase,7,35.79,u1,s1",
        "2019-10-01 00:00:04 UTC,remove_from_cart,8,,u1,s1",
    )
    staged = _stage(path)
    view, cart, purchase, remove = _events(staged)
    second = 1_569_888_000_000_000
    assert (view.type, view.time_us) == ("Product Viewed", second + 1_000_000)
    assert (view.visitor, view.session, view.product) == ("u1", "s1", "7")
    assert (view.price_minor, view.currency, view.revenue_minor) == (3579, "EUR", None)
    assert (cart.type, cart.line) == ("Product Added", 0)
    assert (purchase.type, purchase.revenue_minor) == ("Order Completed", 3579)
    assert (remove.type, remove.price_minor, remove.currency) == ("Product Removed", None, None)
    assert len(_identities(staged)) == 4
    assert staged.report.sentence() == "4 events read, 4 kept, 0 skipped."


def test_a_click_log_without_types_or_visitors_is_views_by_session(tmp_path: Path) -> None:
    path = _file(tmp_path, "SessionId\tItemId\tTime", "10036\t14957\t1592337718.0")
    staged = _stage(path)
    (event,) = _events(staged)
    assert (event.type, event.visitor, event.session) == ("Product Viewed", "10036", "10036")
    assert event.time_us == 1_592_337_718_000_000
    assert "There is no column of visitors: each session counts as a visitor." in (
        staged.report.notes
    )


@pytest.mark.parametrize(
    ("text", "zone", "expected", "form"),
    [
        ("1592337718", "UTC", 1592337718000000, "seconds"),
        ("1592337718.25", "UTC", 1592337718250000, "seconds"),
        ("1592337718123", "UTC", 1592337718123000, "milliseconds"),
        ("1592337718123456", "UTC", 1592337718123456, "microseconds"),
        ("1592337718123456789", "UTC", 1592337718123456, "nanoseconds"),
        ("2020-06-16T20:01:58Z", "UTC", 1592337718000000, "year-first dates"),
        ("2020-06-16T22:01:58.5+02:00", "UTC", 1592337718500000, "year-first dates"),
        ("2020-06-16 20:01:58 UTC", "Europe/Berlin", 1592337718000000, "year-first dates"),
        ("2020-06-16 22:01:58", "Europe/Berlin", 1592337718000000, "year-first dates"),
        ("2020/06/16 22:01", "Europe/Berlin", 1592337660000000, "year-first dates"),
        ("16.06.2020 22:01:58", "Europe/Berlin", 1592337718000000, "day-first dates"),
        ("06/16/2020 10:01:58 PM", "Europe/Berlin", 1592337718000000, "month-first dates"),
        ("20200616", "UTC", 1592265600000000, "dates without separators"),
        ("2020-06-16", "UTC", 1592265600000000, "year-first dates"),
    ],
)
def test_times_are_understood(
    tmp_path: Path, text: str, zone: str, expected: int, form: str
) -> None:
    staged = _stage(_file(tmp_path, "session,item,time", f"s,i,{text}"), time_zone=zone)
    assert [e.time_us for e in _events(staged)] == [expected]
    assert staged.report.notes[1].startswith(f"Times are read as {form}")


def test_dates_whose_day_could_be_the_month_are_said_to_be_so(tmp_path: Path) -> None:
    staged = _stage(_file(tmp_path, "session,item,time", "s,i,03/04/2020"))
    assert "could be month-first" in staged.report.notes[1]


def test_a_later_row_tells_the_day_from_the_month(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "CHUNK_BYTES", 400)
    rows = [f"s,i,03/04/2020 10:{n:02}" for n in range(60)]
    staged = _stage(_file(tmp_path, "session,item,time", *rows, "s,i,03/28/2020 10:00"))
    assert staged.report.notes[1].startswith("Times are read as month-first dates;")
    assert staged.report.kept == 61


def test_every_spelling_of_a_price_is_understood(tmp_path: Path) -> None:
    texts = ["1.234,50 €", "12,5", "7", "NaN", "", "EUR 3,00", "1 234,56", "12.50"]
    rows = [f"s;i;{n};{text}" for n, text in enumerate(texts, 1_600_000_000)]
    staged = _stage(_file(tmp_path, "session;item;time;price", *rows))
    found = [e.price_minor for e in _events(staged)]
    assert found == [123450, 1250, 700, None, None, 300, 123456, 1250]
    assert "Amounts are read with a decimal comma." in staged.report.notes


def test_minor_units_follow_the_currency(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        "session,item,time,price,currency",
        "s,a,1600000000,1500,jpy",
        "s,b,1600000000,1.5,KWD",
        "s,c,1600000000,1.5,",
    )
    found = [(e.price_minor, e.currency) for e in _events(_stage(path, currency="USD"))]
    assert found == [(1500, "JPY"), (1500, "KWD"), (150, "USD")]


def test_each_bad_row_is_reported_with_its_number_value_and_rule(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        "session,user,type,item,time,price,quantity",
        "s,u,view,a,1600000000,1,1",
        "s,u,view,b,yesterday,1,1",
        "s,u,dance,c,1600000000,1,1",
        "s,u,view,,1600000000,1,1",
        "s,u,view,d,1600000000,-3,1",
        "s,u,view,e,1600000000,cheap,1",
        ",,view,f,1600000000,1,1",
        "s,u,view,g,1600000000,1,0.5",
        "s,u,view,h,1600000000,1,0",
        "s,u,view,i",
        "s,u,view,j,99,1,1",
        "s,u,view,z,1600000000,1,1",
    )
    staged = _stage(path, "visitor=user,session=session,product=item")
    assert [e.product for e in _events(staged)] == ["a", "z"]
    problems = sorted((p.number, p.column, p.value, p.rule) for p in staged.report.problems)
    assert [p[:3] for p in problems] == [
        (3, "time", "yesterday"),
        (4, "type", "dance"),
        (5, "item", ""),
        (6, "price", "-3"),
        (7, "price", "cheap"),
        (8, "user", ""),
        (9, "quantity", "0.5"),
        (10, "quantity", "0"),
        (11, "", "s,u,view,i"),
        (12, "time", "99"),
    ]
    assert problems[3][3] == "a price must be at least 0"
    assert (staged.report.rows, staged.report.kept, staged.report.skipped) == (12, 2, 10)
    assert "Rows of these types are not used: 'dance' (1)." in staged.report.notes
    assert staged.report.problems_file is not None
    with staged.report.problems_file.open(newline="") as file:
        assert len(list(csv.reader(file))) == 11


def test_a_formula_in_a_bad_row_stays_text_in_the_list_of_problems(tmp_path: Path) -> None:
    staged = _stage(_file(tmp_path, "session,item,time", "s,i,1600000000", "s,i,=cmd()"))
    assert staged.report.problems_file is not None
    assert "'=cmd()" in staged.report.problems_file.read_text()


def test_an_orders_lines_are_one_message_whose_revenue_adds_up(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        "InvoiceNo,StockCode,Quantity,InvoiceDate,UnitPrice,CustomerID",
        "1,a,6,2022-12-01 08:26:00,2.55,17850.0",
        "1,b,2,2022-12-01 08:26:00,3.00,17850.0",
        "1,a,6,2022-12-01 08:26:00,2.55,17850.0",
        "2,a,1,2022-12-01 09:00:00,2.55,",
        "C3,a,-2,2022-12-02 09:00:00,2.55,17850.0",
    )
    staged = _stage(path)
    a, b, again, other, refund = _events(staged)
    assert a.message_id == b.message_id != other.message_id
    assert a.line != b.line and (a.message_id, a.line) == (again.message_id, again.line)
    assert (a.revenue_minor, b.revenue_minor) == (1530, 600)
    assert (a.visitor, other.visitor) == ("17850", "order 2")
    assert (refund.type, refund.quantity, refund.revenue_minor) == ("Order Refunded", 2, 510)


def test_an_orders_total_on_each_of_its_rows_counts_once(tmp_path: Path) -> None:
    rows = [
        "u,purchase,a,1600000000,1,9.00",
        "u,purchase,b,1600000000,1,9.00",
        "u,purchase,c,1600000000,2,5.00",
        "u,view,c,1600000000,,5.00",
    ]
    header = "user_id,type,item,time,order_id,revenue"
    staged = _stage(_file(tmp_path, header, *rows))
    assert sum(e.revenue_minor or 0 for e in _events(staged)) == 1400
    backwards = _stage(_file(tmp_path, header, *rows[::-1], name="backwards.csv"))
    assert set(_events(backwards)) == set(_events(staged))


def test_revenue_that_differs_within_an_order_is_each_rows_own(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        "user_id,type,item,time,order_id,revenue",
        "u,purchase,a,1600000000,1,9.00",
        "u,purchase,b,1600000000,1,5.00",
    )
    assert sum(e.revenue_minor or 0 for e in _events(_stage(path))) == 1400


def test_the_shops_own_message_ids_are_kept(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        "message_id,user_id,type,item,time,order_id",
        "m1,u,view,a,1600000000,",
        "m2,u,purchase,a,1600000000,7",
        "m2,u,purchase,b,1600000000,7",
        ",u,view,b,1600000000,",
    )
    events = _events(_stage(path))
    assert [e.message_id for e in events[:3]] == ["m1", "m2", "m2"]
    assert events[0].line == 0 and events[1].line != events[2].line
    assert len(events[3].message_id) == 32


def test_the_same_rows_again_have_the_same_identity(tmp_path: Path) -> None:
    rows = [f"2020-01-0{d} 10:00:00,view,{d},1.50,u,s" for d in range(1, 8)]
    first = _stage(_file(tmp_path, HEADER, *rows))
    again = _stage(_file(tmp_path, HEADER, *rows[::-1], rows[0], name="again.csv"))
    assert _identities(first) == _identities(again) and again.report.kept == 8
    assert again.report.with_new(0).sentence() == (
        "8 events read, 8 kept, 0 skipped. 0 are new; 8 were there already, counted once."
    )


letters = "ab01äöüß \"',;\t|"  # in cp1252 no two of them look like UTF-8
plain = st.text(letters, min_size=1, max_size=6).map(str.strip).filter(bool)
row = st.fixed_dictionaries(
    {
        "time": st.integers(1_000_000_000, 2_000_000_000),
        "type": st.sampled_from(["view", "cart", "purchase"]),
        "user_id": plain,
        "session": plain,
        "item": plain,
        "price": st.integers(0, 10**7).map(lambda cents: cents / 100) | st.none(),
        "quantity": st.integers(1, 9) | st.none(),
        "order_id": st.none() | st.integers(1, 3).map(str),
    }
)


def _as_text(rows: list[dict[str, Any]], delimiter: str) -> str:
    out = [delimiter.join(rows[0])]
    for r in rows:
        cells = (
            "" if v is None else f"{v:.2f}" if isinstance(v, float) else v
            for v in (r[name] for name in rows[0])
        )
        out.append(delimiter.join('"' + str(c).replace('"', '""') + '"' for c in cells))
    return "\n".join(out)


rows_of_an_export = st.lists(row, min_size=1, max_size=12)


@settings(max_examples=10, deadline=None)
@given(rows=rows_of_an_export)
def test_every_format_and_encoding_gives_the_same_events(
    rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    compare_formats(rows, tmp_path_factory.mktemp("formats"))


@pytest.mark.faults
@settings(max_examples=200, deadline=None)
@given(rows=rows_of_an_export)
def test_every_format_and_encoding_of_anything_gives_the_same_events(
    rows: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    compare_formats(rows, tmp_path_factory.mktemp("formats"))


def compare_formats(rows: list[dict[str, Any]], folder: Path) -> None:
    (folder / "utf8.csv").write_bytes(_as_text(rows, ",").encode())
    (folder / "cp1252.txt").write_bytes(_as_text(rows, ";").encode("cp1252"))
    (folder / "utf16.tsv").write_bytes(_as_text(rows, "\t").encode("utf-16"))
    (folder / "log.jsonl").write_text("\n".join(json.dumps(r) for r in rows))
    schema = pa.schema(
        [(n, pa.string()) for n in ("type", "user_id", "session", "item", "order_id")]
        + [("time", pa.int64()), ("price", pa.float64()), ("quantity", pa.float64())]
    )
    pq.write_table(pa.Table.from_pylist(rows, schema), folder / "log.parquet")
    said = (
        "time=time,type=type,visitor=user_id,session=session,product=item,price=price,"
        "quantity=quantity,order=order_id"
    )
    first, *others = (_events(_stage(folder / n, said)) for n in (
        "utf8.csv", "cp1252.txt", "utf16.tsv", "log.jsonl", "log.parquet"))  # fmt: skip
    assert len(first) == len(rows)
    for other in others:
        assert other == first


def test_typed_times_of_parquet_are_taken_as_they_are(tmp_path: Path) -> None:
    times = pa.array([1_592_337_718_123], pa.timestamp("ms", "Europe/Berlin"))
    table = pa.table({"session": pa.array([7.0]), "item": pa.array([3]), "time": times})
    pq.write_table(table, tmp_path / "log.parquet")
    (event,) = _events(_stage(tmp_path / "log.parquet"))
    assert (event.time_us, event.session, event.product) == (1_592_337_718_123_000, "7", "3")


def test_a_click_log_alone_gives_a_shop_to_look_at(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        "event_time,event_type,product_id,category_code,brand,price,user_session",
        "2019-10-01 00:00:01 UTC,view,7,appliances.kitchen.coffee_machine,aqua,35.79,s1",
        "2019-10-01 00:00:03 UTC,view,7,,,36.00,s1",
        "2019-10-01 00:00:02 UTC,view,7,,,12.00,s1",
        "2019-10-01 00:00:04 UTC,view,8,,,,s1",
    )
    staged = _stage(path)
    assert sorted(staged.products, key=lambda p: p.id) == [
        Product(
            "7", "Aqua coffee machine 7", "Appliances > Kitchen > Coffee machine", "aqua",
            price_minor=3600,
        ),
        Product("8", "Product 8"),
    ]  # fmt: skip
    assert len(list(staged.products)) == 2


def test_what_is_missing_is_asked_for(tmp_path: Path) -> None:
    with pytest.raises(ColumnError, match="--map product=COLUMN"):
        _stage(_file(tmp_path, "session,time,colour", "s,1600000000,red"))
    with pytest.raises(ColumnError, match="--map session=COLUMN"):
        _stage(_file(tmp_path, "item,time", "s,1600000000"))
    with pytest.raises(ColumnError, match="'soon'"):
        _stage(_file(tmp_path, "session,item,time", "s,i,soon"), "time=time")
    with pytest.raises(InputError, match="time zone"):
        _stage(_file(tmp_path, "session,item,time", "s,i,1600000000"), time_zone="Mars/Base")


def test_an_export_with_a_header_only_gives_no_events(tmp_path: Path) -> None:
    staged = _stage(_file(tmp_path, "session,item,time"))
    assert _events(staged) == [] and list(staged.products) == []
    assert staged.report.sentence() == "0 events read, 0 kept, 0 skipped."


def test_a_report_is_plain_values(tmp_path: Path) -> None:
    staged = _stage(_file(tmp_path, "session,item,time", "s,i,1600000000", "s,i," + "x" * 500))
    said = staged.report.with_new(1).to_dict()
    assert json.loads(json.dumps(said)) == said
    assert said["columns"] == {"time": "time", "session": "session", "product": "item"}
    assert len(said["problems"][0]["value"]) == 200
    assert staged.report.lines()[-1].startswith("  skipped row 3: a time must be")


def test_a_product_feed_becomes_products(tmp_path: Path) -> None:
    path = _file(
        tmp_path,
        "id\ttitle\tproduct_type\tbrand\tcolor\tprice\tavailability\tlink",
        "7\tRed lamp\tHome>Lighting\tLux\tred\t19.99 EUR\tin stock\thttps://x.example/7",
        "8\t\t\t\t\t\tout of stock\t",
        "\tno id\t\t\t\t1 EUR\tin stock\t",
        "9\tbad\t\t\t\t-1 EUR\tin stock\t",
        name="feed.tsv",
    )
    products, report = read_products(path, None, currency="EUR")
    assert list(products) == [
        Product(
            "7", "Red lamp", "Home > Lighting", "Lux", "red", 1999, None, "https://x.example/7"
        ),
        Product("8", "Product 8", stock=0),
    ]
    assert [(p.number, p.column) for p in report.problems] == [(4, "id"), (5, "price")]
    assert report.sentence() == "4 products read, 2 kept, 2 skipped."


def test_a_stock_that_no_shop_has_costs_one_row(tmp_path: Path) -> None:
    for words in ("in stock", "5"):
        path = _file(
            tmp_path, "id,title,stock", f"1,a,{words}", f"2,b,{'9' * 20}", "3,c,inf", "4,d,"
        )
        products, report = read_products(path, None, currency="EUR")
        assert [p.id for p in products] == ["1", "4"]
        assert [(p.number, p.column) for p in report.problems] == [(3, "stock"), (4, "stock")]


@pytest.mark.parametrize("header", ["Cost per item", "cost_price", "COGS", "g:cost_of_goods_sold"])
def test_a_feed_may_say_what_a_product_costs_the_shop(tmp_path: Path, header: str) -> None:
    rows = ("1,a,20,8.50", "2,b,20,", "3,c,20,-1", "4,d,20,unknown", "5,e,20,0", "6,f,20,3 EUR")
    path = _file(tmp_path, f"id,title,price,{header}", *rows)
    products, report = read_products(path, None, currency="EUR")
    assert [p.cost_minor for p in products] == [850, None, None, None, 0, 300]
    assert "3 of 6 products have a cost; no page shows it." in report.notes


def test_category_columns_are_joined_and_stock_is_counted(tmp_path: Path) -> None:
    path = _file(
        tmp_path, "id,name,masterCategory,subCategory,stock", "1,Tee,Apparel,Topwear,3", "2,Cap,,,0"
    )
    products, _ = read_products(path, None, currency="EUR")
    assert [(p.category, p.stock) for p in products] == [("Apparel > Topwear", 3), ("", 0)]


def test_lists_come_a_row_per_recommendation_in_order_of_position(tmp_path: Path) -> None:
    path = _file(
        tmp_path, "product,recommended,position", "a,c,2", "a,b,1", "a,a,3", "b,a,1", ",x,1"
    )
    lists, report = read_lists(path)
    assert lists == {"a": ("b", "c"), "b": ("a",)}
    assert (report.kept, report.skipped) == (4, 1)


@pytest.mark.parametrize(
    "cell", ["b c d", "b;c;d", '"b, c, d"', '"[""b"", ""c"", ""d""]"', "b|c|d"]
)
def test_lists_come_as_ids_in_one_column(tmp_path: Path, cell: str) -> None:
    lists, _ = read_lists(_file(tmp_path, "sku,shown beside", f"a,{cell}", "x,y"))
    assert lists == {"a": ("b", "c", "d"), "x": ("y",)}


def test_a_column_that_only_rare_json_lines_have_is_found(tmp_path: Path) -> None:
    view = {"event": "view", "anonymousId": "u", "timestamp": 1600000000}
    lines = [{**view, "properties": {"sku": str(n), "padding": "x" * 50}} for n in range(4_000)]
    order = {**view, "event": "Order Completed"}
    lines.append({**order, "properties": {"sku": "7", "order_id": "9", "price": 3}})
    path = _file(tmp_path, *map(json.dumps, lines), name="log.jsonl")
    assert path.stat().st_size > sources.SAMPLE_BYTES
    last = _events(_stage(path))[-1]
    assert (last.type, last.order_id, last.revenue_minor) == ("Order Completed", "9", 300)


def test_ids_stored_as_bytes_are_text(tmp_path: Path) -> None:
    cells = {"session": [b"s"], "item": [b"\xff"], "time": [1600000000]}
    pq.write_table(pa.table(cells), tmp_path / "log.parquet")
    (event,) = _events(_stage(tmp_path / "log.parquet"))
    assert (event.session, event.product) == ("s", "\ufffd")
