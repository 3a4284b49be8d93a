from __future__ import annotations

import gzip
import io
import json
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from thinslice.errors import InputError
from thinslice.store.exports import sources
from thinslice.store.exports.import_report import SkippedRow
from thinslice.store.exports.tables import open_table

ROWS = [("1", "Läufer, rot", "9"), ("2", 'Krug "gross"', "10"), ("3", "Öl\nkanne", "11")]


def _csv(delimiter: str, rows: list[tuple[str, ...]] = ROWS, newline: str = "\r\n") -> str:
    cells = [("id", "title", "price"), *rows]
    quoted = (['"' + c.replace('"', '""') + '"' for c in row] for row in cells)
    return "".join(delimiter.join(row) + newline for row in quoted)


def _read(path: Path) -> tuple[list[tuple[int, ...]], list[SkippedRow]]:
    """(row number, cells) of every row, and what was skipped."""
    table = open_table(path)
    skipped: list[SkippedRow] = []
    found = []
    for batch in table.batches(table.columns, skipped.append):
        cells = zip(*(batch.table[c].to_pylist() for c in table.columns), strict=True)
        found += [(int(n), *row) for n, row in zip(batch.numbers, cells, strict=True)]
    return found, skipped


def _file(tmp_path: Path, data: bytes, name: str = "export.csv") -> Path:
    path = tmp_path / name
    path.write_bytes(data)
    return path


EXPECTED = [
    (2, "1", "Läufer, rot", "9"),
    (3, "2", 'Krug "gross"', "10"),
    (4, "3", "Öl kanne", "11"),
]


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("newline", ["\n", "\r\n", "\r"])
def test_every_delimiter_encoding_and_line_end_gives_the_same_rows(
    tmp_path: Path, delimiter: str, encoding: str, newline: str
) -> None:
    path = _file(tmp_path, _csv(delimiter, newline=newline).encode(encoding))
    assert _read(path) == (EXPECTED, [])


def _gzipped(data: bytes) -> bytes:
    return gzip.compress(data[:20]) + gzip.compress(data[20:])


def _zipped(data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("__MACOSX/._x.csv", b"\0\1")
        archive.writestr("folder/x.csv", data)
    return out.getvalue()


@pytest.mark.parametrize("pack", [_gzipped, _zipped])
def test_packed_files_are_read_whatever_their_name(
    tmp_path: Path, pack: Callable[[bytes], bytes]
) -> None:
    assert _read(_file(tmp_path, pack(_csv(",").encode()), "export"))[0] == EXPECTED


def test_the_files_of_a_zip_are_one_table(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("b.csv", "x,y\n3,4\nbroken\n")
        archive.writestr("a.csv", "y,x\n2,1\n")
    path = _file(tmp_path, out.getvalue())
    table = open_table(path)
    skipped: list[SkippedRow] = []
    found = [b.table.to_pylist() for b in table.batches(["x", "y"], skipped.append)]
    assert found == [[{"x": "1", "y": "2"}], [{"x": "3", "y": "4"}]]
    assert [(s.member, s.number) for s in skipped] == [("b.csv", 3)]


def test_files_of_a_zip_with_other_columns_are_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("a.csv", "x,y\n1,2\n")
        archive.writestr("b.csv", "x,z\n1,2\n")
    with pytest.raises(InputError, match="same columns"):
        open_table(_file(tmp_path, out.getvalue()))


def test_parquet_keeps_its_types_and_flattens_what_is_nested(tmp_path: Path) -> None:
    table = pa.table({"id": [1, 2], "at": [{"time": 5}, {"time": 6}], "extra": ["x", "y"]})
    pq.write_table(table, tmp_path / "t.parquet")
    opened = open_table(tmp_path / "t.parquet")
    assert opened.columns == ("id", "at.time", "extra")
    (batch,) = opened.batches(["at.time", "id"], lambda _: None)
    assert batch.table.to_pydict() == {"at.time": [5, 6], "id": [1, 2]}
    assert batch.numbers.tolist() == [1, 2]


def test_json_lines_are_columns_with_dotted_names(tmp_path: Path) -> None:
    lines = [
        '{"event": "view", "properties": {"product_id": 7, "price": 1.50, "new": true}}',
        "",
        '{"event": "broken"',
        "[1]",
        '{"event": null, "properties": {"product_id": "8", "tags": ["a"]}}',
    ]
    path = _file(tmp_path, "\n".join(lines).encode(), "log.jsonl")
    table = open_table(path)
    assert table.columns[:2] == ("event", "properties.product_id")
    found, skipped = _read(path)
    assert found == [(1, "view", "7", "1.5", "true", None), (5, None, "8", None, None, '["a"]')]
    assert [(s.number, s.rule) for s in skipped] == [
        (3, "a line must be one JSON object"),
        (4, "a line must be one JSON object"),
    ]


def test_a_broken_row_is_reported_and_spoils_nothing_around_it(tmp_path: Path) -> None:
    text = "id,title,price\n1,a,9\n2,b\n\n3,c,9,9\n4,d,9\n5,e"
    found, skipped = _read(_file(tmp_path, text.encode()))
    assert found == [(2, "1", "a", "9"), (6, "4", "d", "9")]
    assert [(s.number, s.value) for s in skipped] == [(3, "2,b"), (5, "3,c,9,9"), (7, "5,e")]
    assert "3 columns" in skipped[0].rule and "2" in skipped[0].rule


def test_a_quote_that_never_closes_costs_one_row(tmp_path: Path) -> None:
    rows = "".join(f"{i},plain,{i}\n" for i in range(3, 400))
    text = f'id,title,price\n1,5" screen,1\n2,"open,2\n{rows}'
    found, skipped = _read(_file(tmp_path, text.encode()))
    assert [r[0] for r in found] == [2, *range(4, 401)]
    assert found[0] == (2, "1", '5" screen', "1")
    assert [(s.number, s.rule) for s in skipped] == [
        (3, "a quotation mark that opens a value must close it")
    ]


def test_a_quote_hidden_behind_another_is_found_too(tmp_path: Path) -> None:
    text = 'id,title,price\n1",a,"open\n2,b,2\n3,"c\nd",3\n4,e,4\n'
    found, skipped = _read(_file(tmp_path, text.encode()))
    assert [r[1:] for r in found] == [("2", "b", "2"), ("3", "c d", "3"), ("4", "e", "4")]
    assert len(skipped) == 1


def test_bytes_that_cannot_be_decoded_cost_one_row(tmp_path: Path) -> None:
    data = "id,title,price\n1,Läufer,9\n2,Öl,9\n".encode() + b"3,bad \xff\xfe,9\n4,fine,9\n"
    found, skipped = _read(_file(tmp_path, data))
    assert [r[1] for r in found] == ["1", "2", "4"]
    assert [(s.number, s.column) for s in skipped] == [(4, "title")]
    assert skipped[0].value.startswith("bad \ufffd")


def test_what_follows_a_long_plain_beginning_is_decoded_right(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "CHUNK_BYTES", 1000)
    plain = "".join(f"{i},plain,1\n" for i in range(1000))
    for encoding in ("utf-8", "cp1252"):
        path = _file(tmp_path, f"id,title,price\n{plain}x,Läufer für 5 €,1\n".encode(encoding))
        found, skipped = _read(path)
        assert found[-1] == (1002, "x", "Läufer für 5 €", "1") and not skipped


def test_small_blocks_change_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = _file(tmp_path, (_csv(";") + '4;"open;1\n' + "5;x;2\n" * 300).encode())
    whole = _read(path)
    monkeypatch.setattr(sources, "CHUNK_BYTES", 16)
    assert _read(path) == whole
    assert len(whole[0]) == 303 and len(whole[1]) == 1


def test_a_cut_off_packed_file_keeps_what_comes_before(tmp_path: Path) -> None:
    packed = gzip.compress("".join(f"{i},{i * 7919 % 1000}\n" for i in range(20_000)).encode())
    path = _file(tmp_path, packed[:-500])
    notes: list[str] = []
    table = open_table(path)
    rows = sum(b.table.num_rows for b in table.batches(table.columns, lambda _: None, notes.append))
    assert rows > 15_000
    assert notes == ["The packed file is cut off; what comes before the cut is kept."]


@pytest.mark.parametrize("kept", [0.3, 0.61, 0.9])
def test_half_a_row_before_a_cut_is_not_taken_for_a_whole_one(tmp_path: Path, kept: float) -> None:
    ids = [f"{i * 7919 % 1000003:06}" for i in range(20_000)]
    packed = gzip.compress("".join(f"s,{i}\n" for i in ["id", *ids]).encode())
    found, _ = _read(_file(tmp_path, packed[: int(len(packed) * kept)]))
    assert [row[-1] for row in found] == ids[: len(found)]


def test_a_packed_file_that_is_damaged_from_the_start_says_so(tmp_path: Path) -> None:
    for name, packed in (("a.gz", gzip.compress(b"id,n\n1,2\n" * 99)), ("a.zip", _zip_of("a.csv"))):
        damaged = bytearray(packed)
        damaged[len(packed) // 2 if name == "a.gz" else 40] ^= 0xFF
        with pytest.raises(InputError, match="damaged"):
            open_table(_file(tmp_path, bytes(damaged), name))


def test_an_empty_zip_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="zip without any file"):
        open_table(_file(tmp_path, b"PK\x05\x06" + bytes(18)))


def _zip_of(name: str) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, "id,n\n" + "1,2\n" * 99)
    return held.getvalue()


def test_remarks_before_the_header_are_passed_over_and_counted(tmp_path: Path) -> None:
    found, _ = _read(_file(tmp_path, b"# GA4 export\n# 2024\n\nid,n\n7,8\n"))
    assert found == [(5, "7", "8")]


def test_columns_without_a_name_or_with_the_same_one_can_be_told_apart(tmp_path: Path) -> None:
    assert open_table(_file(tmp_path, b"a,a,,b\n1,2,3,4\n")).columns == (
        "a",
        "a (2)",
        "column 3",
        "b",
    )


def test_many_columns_of_one_name_take_no_time(tmp_path: Path) -> None:
    began = time.process_time()
    columns = open_table(_file(tmp_path, b"a," * 20_000 + b"a\n")).columns
    assert (columns[0], columns[-1], len(set(columns))) == ("a", "a (20001)", 20_001)
    assert time.process_time() - began < 2


def test_a_header_alone_is_a_table_without_rows(tmp_path: Path) -> None:
    path = _file(tmp_path, b"id,title")
    assert open_table(path).sample(5).to_pydict() == {"id": [], "title": []}
    assert _read(path) == ([], [])


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "empty"),
        (b"\n\n", "no header"),
        (b"\x00\x01\x02binary", "zero bytes"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "zero bytes"),
        (b"PK\x03\x04cut off", "not a complete zip"),
        (b"PAR1 nothing", "not a complete Parquet"),
        (b'[{"a": 1}]', "one JSON object per line"),
        (b"x" * 200_000 + b"\n1\n", "header"),
        ("id\n1\n".encode("utf-32"), "UTF-32"),
    ],
)
def test_what_is_no_table_is_refused_with_the_rule(tmp_path: Path, data: bytes, rule: str) -> None:
    with pytest.raises(InputError, match=rule):
        open_table(_file(tmp_path, data))


def test_a_missing_file_a_folder_and_a_workbook_say_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        open_table(tmp_path / "missing.csv")
    with pytest.raises(InputError, match="is a folder"):
        open_table(tmp_path)
    with zipfile.ZipFile(tmp_path / "book.xlsx", "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    with pytest.raises(InputError, match="save the sheet as CSV"):
        open_table(tmp_path / "book.xlsx")


def test_progress_ends_at_the_size_of_the_file(tmp_path: Path) -> None:
    path = _file(tmp_path, _gzipped(_csv(",").encode()))
    said: list[tuple[int, int | None]] = []
    table = open_table(path)
    list(table.batches(table.columns, lambda _: None, progress=lambda *now: said.append(now)))
    assert said[-1] == (path.stat().st_size, path.stat().st_size)


cell = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Cn"]), max_size=8
).filter(lambda text: text == text.strip())


@given(rows=st.lists(st.tuples(cell, cell, cell), min_size=1, max_size=20))
def test_whatever_stands_in_quotes_comes_back(
    rows: list[tuple[str, str, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = _file(tmp_path_factory.mktemp("quoted"), _csv(",", list(rows)).encode())
    found, skipped = _read(path)
    assert [row[1:] for row in found] == rows and not skipped


@given(rubbish=st.lists(st.binary(max_size=30), max_size=20))
def test_good_rows_survive_any_rubbish_between_them(
    rubbish: list[bytes], tmp_path_factory: pytest.TempPathFactory
) -> None:
    lines = [b"id,title,price", b"first,\xc3\xa4\xc3\xb6\xc3\xbc,1"]
    for i, junk in enumerate(rubbish):
        junk = junk.translate(None, b'\x00\r\n"')
        lines += [junk, f"good{i},x,1".encode()]
    found, _ = _read(_file(tmp_path_factory.mktemp("junk"), b"\n".join(lines)))
    kept = {row[1] for row in found}
    assert {f"good{i}" for i in range(len(rubbish))} <= kept


@given(
    records=st.lists(
        st.dictionaries(st.sampled_from("abc"), st.integers() | cell | st.booleans()), min_size=1
    )
)
def test_json_lines_come_back_as_text(
    records: list[dict[str, object]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    records = [{"id": "x"}, *records]
    text = "\n".join(json.dumps(r) for r in records)
    path = _file(tmp_path_factory.mktemp("json"), text.encode())
    found, skipped = _read(path)
    assert len(found) == len(records) and not skipped
