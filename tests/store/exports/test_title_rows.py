from __future__ import annotations

from pathlib import Path

import pytest

from thinslice.errors import ColumnError, StorageError
from thinslice.store.exports.title_rows import AnswerFile, TitleTable, safe, title_column, to_csv


def read(path: Path) -> tuple[TitleTable, list[list[str]], list[str]]:
    table = TitleTable.open(path)
    parts = list(table.parts())
    return table, [r for p in parts for r in p.cells], [t for p in parts for t in p.titles]


def test_a_file_of_excel_on_windows_is_read(tmp_path: Path) -> None:
    path = tmp_path / "titles.csv"
    path.write_bytes("Nr;Titel\r\n007;Für Käse\r\n008;Hut\r\n".encode("cp1252"))
    table, cells, titles = read(path)
    assert (table.title, table.delimiter) == ("Titel", ";")
    assert titles == ["Für Käse", "Hut"]
    assert cells[0][0] == "007"


def test_a_file_in_memory_is_read_as_one_on_disk(tmp_path: Path) -> None:
    data = b"sku,Product Title\n001,red lamp\n002,\n"
    (tmp_path / "t.csv").write_bytes(data)
    table = TitleTable.open(data)
    (part,) = table.parts()
    assert part.cells == [["001", "red lamp"], ["002", ""]]
    assert part.cells == read(tmp_path / "t.csv")[1]


@pytest.mark.parametrize(
    ("columns", "title"),
    [
        (("id", "Name"), "Name"),
        (("sku", "Product Title", "name"), "Product Title"),
        (("productDisplayName", "id"), "productDisplayName"),
        (("whatever",), "whatever"),
    ],
)
def test_the_column_of_titles_is_found_by_its_name(columns: tuple[str, ...], title: str) -> None:
    assert title_column(columns) == title


def test_where_no_column_is_one_they_are_named() -> None:
    with pytest.raises(ColumnError, match="--column"):
        title_column(("a", "b"))
    with pytest.raises(ColumnError, match="there are: a, b"):
        title_column(("a", "b"), "c")


@pytest.mark.parametrize("cell", ["=1+1", "+cmd|' /C calc'!A0", "@SUM(A1)", "-2+3", "\t=1", "\r=1"])
def test_what_a_spreadsheet_would_run_begins_with_an_apostrophe(cell: str) -> None:
    assert safe(cell) == f"'{cell}"
    assert to_csv([[cell]]).startswith(("'", "\"'"))


@pytest.mark.parametrize("cell", ["-12.5", "+49", "-1,5", "lamp", "", "a=b"])
def test_numbers_and_plain_text_stay_as_they_are(cell: str) -> None:
    assert safe(cell) == cell


def test_rows_to_review_stand_on_top(tmp_path: Path) -> None:
    with AnswerFile(tmp_path / "out.csv", ["t"], {}) as file:
        file.write([["a"], ["b"]], [False, True])
        file.write([["c"], ["d"]], [True, False])
        file.finish()
    lines = (tmp_path / "out.csv").read_text("utf-8-sig").split()
    assert lines == ["t", "b", "c", "a", "d"]
    assert list(tmp_path.iterdir()) == [tmp_path / "out.csv"]


def test_rows_stay_in_order_where_that_is_asked(tmp_path: Path) -> None:
    with AnswerFile(tmp_path / "out.csv", ["t"], {}, in_order=True) as file:
        file.write([["a"], ["b"]], [False, True])
        file.finish()
    assert (tmp_path / "out.csv").read_text("utf-8-sig").split() == ["t", "a", "b"]


def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with AnswerFile(out, ["t"], {"v": 1}) as first:
        first.write([["a"], ["b"]], [False, True])
        first._files[0].write(b"half a row that was never noted")
    with AnswerFile(out, ["t"], {"v": 1}) as again:
        assert (again.done, again.to_review) == (2, 1)
        again.write([["c"]], [True])
        again.finish()
    assert out.read_text("utf-8-sig").split() == ["t", "b", "c", "a"]


def test_another_model_or_source_begins_anew(tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    with AnswerFile(out, ["t"], {"v": 1}) as first:
        first.write([["a"]], [False])
    with AnswerFile(out, ["t"], {"v": 2}) as again:
        assert again.done == 0
        again.finish()
    assert out.read_text("utf-8-sig").split() == ["t"]


def test_a_place_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="choose another place"):
        AnswerFile(tmp_path / "missing" / "out.csv", ["t"], {})
