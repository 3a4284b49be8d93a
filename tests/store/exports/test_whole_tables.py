"""Tables read whole: the same rows, whatever they were saved as."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from thinslice.errors import InputError
from thinslice.store.exports.whole_tables import WholeTable, read_whole, to_csv

NAMES = ["customer", "left", "score", "worth"]
ROWS = [("Zoë", "yes", 0.25, 1234.5), ("Max", "no", 0.75, 80.0), ("Ana", "no", 0.5, 7.25)]


def as_csv(separator: str, point: str, encoding: str) -> bytes:
    lines = [separator.join(NAMES)]
    for name, left, score, worth in ROWS:
        cells = [name, left, *(f"{x:.2f}".replace(".", point) for x in (score, worth))]
        lines.append(separator.join(cells))
    return "\r\n".join(lines).encode(encoding)


def as_parquet() -> bytes:
    out = io.BytesIO()
    columns = dict(zip(NAMES, zip(*ROWS, strict=True), strict=True))
    pq.write_table(pa.table({name: list(cells) for name, cells in columns.items()}), out)
    return out.getvalue()


def as_workbook(rows: list[tuple[object, ...]]) -> bytes:
    """The least that a spreadsheet program takes for a workbook."""

    def cell(value: object) -> str:
        if isinstance(value, float):
            return f"<c><v>{value}</v></c>"
        return f'<c t="inlineStr"><is><t>{value}</t></is></c>'

    space = "http://schemas.openxmlformats.org"
    main, package = f"{space}/spreadsheetml/2006/main", f"{space}/package/2006"
    office = f"{space}/officeDocument/2006/relationships"
    lines = "".join(f"<row>{''.join(map(cell, row))}</row>" for row in rows)
    parts = {
        "[Content_Types].xml": f'<Types xmlns="{package}/content-types"/>',
        "_rels/.rels": f'<Relationships xmlns="{package}/relationships"><Relationship Id="a" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="Sheet" sheetId="1" r:id="b"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}/relationships">'
        f'<Relationship Id="b" Type="{office}/worksheet" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{lines}</sheetData>'
        "</worksheet>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, f'<?xml version="1.0" encoding="UTF-8"?>{text}')
    return out.getvalue()


FORMS = {
    "csv": as_csv(",", ".", "utf-8"),
    "german excel": as_csv(";", ",", "cp1252"),
    "tabs": as_csv("\t", ".", "utf-16"),
    "parquet": as_parquet(),
    "workbook": as_workbook([tuple(NAMES), *ROWS]),
}


def rows(table: WholeTable) -> list[tuple[object, ...]]:
    return list(zip(*(column.tolist() for column in table.columns.values()), strict=True))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kept", ["in memory", "in a file"])
def test_the_same_rows_come_out_of_every_form(form: str, kept: str, tmp_path: Path) -> None:
    file = tmp_path / "predictions"
    file.write_bytes(FORMS[form])
    table = read_whole(FORMS[form] if kept == "in memory" else file)
    assert list(table.columns) == NAMES
    assert rows(table) == ROWS


def test_a_table_survives_being_written_as_text() -> None:
    table = read_whole(FORMS["workbook"])
    assert rows(read_whole(to_csv(table).encode())) == ROWS


def test_true_and_false_are_one_and_nought_and_gaps_stay_gaps() -> None:
    table = read_whole(b"a,b,c\nTrue,1,x\nfalse,,\n")
    assert table.columns["a"].tolist() == [1.0, 0.0]
    assert np.isnan(table.columns["b"][1])
    assert table.columns["c"].tolist() == ["x", None]


def test_a_broken_row_is_told_and_the_others_are_kept() -> None:
    table = read_whole(b"a,b\n1,2\n1,2,3\n3,4\n")
    assert rows(table) == [(1.0, 2.0), (3.0, 4.0)]
    assert "row 3" in str(table.skipped[0])


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "names of its columns"),
        (b"a,b\n", "got no row"),
        (b"PK\x03\x04broken", "packed"),
        (b"\x1f\x8bbroken", "packed"),
        (b"PAR1broken", "no complete Parquet"),
        (b"a,b\n\x00\x01\x02", "zero bytes"),
        (as_workbook([]), "no sheet with anything"),
        (as_workbook([tuple(NAMES)]), "got no row"),
    ],
)
def test_what_is_no_table_is_refused_with_what_to_do(data: bytes, said: str) -> None:
    with pytest.raises(InputError, match=said):
        read_whole(data)


def test_more_rows_than_are_taken_are_refused(tmp_path: Path) -> None:
    text = b"a,b\n" + b"1,2\n" * 11
    (tmp_path / "t.csv").write_bytes(text)
    for source in (text, tmp_path / "t.csv"):
        with pytest.raises(InputError, match="at most 10 rows are taken here"):
            read_whole(source, most_rows=10)


def test_a_workbook_that_unpacks_to_more_than_it_says_is_refused() -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/workbook.xml", bytes(201 << 20))
    data = bytearray(out.getvalue())
    place = data.rindex(b"PK\x01\x02") + 24
    data[place : place + 4] = (100).to_bytes(4, "little")
    with pytest.raises(InputError, match="once unpacked"):
        read_whole(bytes(data))
