"""Workbooks: every cell has a place, text stays text, and what is no workbook is told so."""

from __future__ import annotations

import io
import zipfile
from datetime import date, datetime
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from scanner.errors import ConfigurationError, Problem
from scanner.institution import workbook
from scanner.institution.workbook import Row, Sheet, blanks, is_workbook, read_sheet
from scanner.selection.inventory import read_inventory


def book(*rows: list[Any], title: str = "systems") -> bytes:
    made = openpyxl.Workbook()
    page = made.active
    assert page is not None
    page.title = title
    for row in rows:
        page.append(row)
    stream = io.BytesIO()
    made.save(stream)
    return stream.getvalue()


def _read(content: bytes, problems: list[Problem] | None = None) -> list[Row]:
    return list(read_sheet("x.xlsx", content, ("system",), ("hours", "note"), [] if problems is None else problems))


def test_cells_come_as_a_person_reads_them_with_their_places() -> None:
    content = book(["system", "hours", "note"], ["core", 8, date(2026, 11, 1)], [None, None, None], ["hr", 8.5, True])
    first, second = _read(content)

    assert first.cells == {"system": "core", "hours": "8", "note": "2026-11-01"}
    assert first.place("hours") == "systems!B2"
    assert second.cells == {"system": "hr", "hours": "8.5", "note": "yes"}
    assert second.place("note") == "systems!C4"


def test_a_time_of_day_is_kept_and_midnight_is_a_date() -> None:
    first, second = _read(book(["system", "note"], ["a", datetime(2026, 11, 1, 9, 30)], ["b", datetime(2026, 11, 1)]))

    assert (first.cells["note"], second.cells["note"]) == ("2026-11-01T09:30:00", "2026-11-01")


@pytest.mark.parametrize(
    ("rows", "place", "said"),
    [
        ([["system", "hour"], ["core", 1]], "systems!B1", "did you mean 'hours'"),
        ([["system", "hours", "hours"], ["core", 1, 2]], "systems!C1", "is given twice"),
        ([["system", "hours"], ["core", 1, "stray"]], "systems!C2", "stands under no column"),
        ([["hours"], [1]], "systems!A1", "the column 'system' is missing"),
        ([], "systems", "is empty"),
    ],
)
def test_a_wrong_header_is_told_by_its_cell(rows: list[list[Any]], place: str, said: str) -> None:
    problems: list[Problem] = []

    assert _read(book(*rows), problems) == []
    assert [problem.key for problem in problems] == [place]
    assert said in problems[0].message


@pytest.mark.parametrize("content", [b"PK\x03\x04 no archive", b"system,hours", b""])
def test_what_is_no_workbook_is_told_so(content: bytes) -> None:
    problems: list[Problem] = []

    assert _read(content, problems) == []
    assert "is no workbook (XLSX)" in problems[0].message


def test_an_archive_of_something_else_is_no_workbook() -> None:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("letter.txt", "dear sir")
    problems: list[Problem] = []

    assert is_workbook(stream.getvalue())
    assert _read(stream.getvalue(), problems) == []
    assert len(problems) == 1


def test_a_workbook_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbook, "LARGEST_UNPACKED", 1000)
    problems: list[Problem] = []

    assert _read(book(["system"], ["core"]), problems) == []
    assert "unpacks to more than 1000 bytes" in problems[0].message


def test_text_of_blanks_never_becomes_a_formula_or_a_link() -> None:
    hostile = ["=cmd|' /C calc'!A0", "+1+1", "@SUM(A1)", "https://example.invalid/", "-2"]
    made = blanks([Sheet("attestation", ["requirement", "note"], [{"requirement": text} for text in hostile])])
    page = openpyxl.load_workbook(io.BytesIO(made))["attestation"]

    assert [row[0].value for row in page.iter_rows(min_row=2)] == hostile
    assert {row[0].data_type for row in page.iter_rows(min_row=2)} == {"s"}
    assert all(row[0].hyperlink is None for row in page.iter_rows())


def test_blanks_are_the_same_bytes_each_time() -> None:
    sheets = [Sheet("drill", ["system"], [{"system": "core"}], {"system": ["core", "hr"]})]

    assert blanks(sheets) == blanks(sheets)


def test_an_inventory_may_be_a_workbook_and_its_mistakes_are_told_by_cell() -> None:
    (record,) = read_inventory("systems.xlsx", book(["system", "rto_hours", "customer_personal"], ["core", 8.5, "yes"]))
    with pytest.raises(ConfigurationError) as caught:
        read_inventory("systems.xlsx", book(["system", "rto_hours"], ["core", "many"], ["hr", 4], ["core", 1]))

    assert (str(record.rto_hours), record.customer_personal) == ("8.5", True)
    assert [str(problem) for problem in caught.value.problems] == [
        "systems.xlsx: systems!B2: rto_hours: expected a number, found 'many'",
        "systems.xlsx: systems!A4: system: 'core' stands on line 2 already",
    ]


def test_the_institutions_of_the_funnel_read_the_same_from_a_workbook() -> None:
    path = Path(__file__).parents[1] / "selection/institution-a.csv"
    lines = [line.split(",") for line in path.read_text("utf-8").splitlines()]

    assert read_inventory("a.xlsx", book(*lines)) == read_inventory("a.csv", path.read_bytes())


def test_rows_beyond_the_size_that_a_file_claims_are_read() -> None:
    stream = io.BytesIO(book(["system", "hours"], ["core", 1], ["hr", 2]))
    shrunk = io.BytesIO()
    with zipfile.ZipFile(stream) as held, zipfile.ZipFile(shrunk, "w") as made:
        for name in held.namelist():
            part = held.read(name)
            made.writestr(name, part.replace(b'<dimension ref="A1:B3"', b'<dimension ref="A1:B2"'))

    assert shrunk.getvalue() != stream.getvalue()
    assert [row.cells["system"] for row in _read(shrunk.getvalue())] == ["core", "hr"]
