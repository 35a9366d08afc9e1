"""Forms of others: the cells that ask are filled, everything else stays, and what cannot be is told by name."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
import openpyxl
import pytest

from reports import as_form, form_workbook
from reports.as_form import FilledForm
from reports.form_names import vocabulary
from scanner.result.dossier import Dossier
from tests.reports.dossier_sample import HOSTILE, dossier
from tests.reports.form_sample import NAMES, form, saved


def filled(content: bytes, told: Dossier | None = None) -> FilledForm:
    told = told or dossier(hostile=False)
    return as_form.fill(content, told, vocabulary(told, "en"))


def opened(content: bytes) -> Any:
    return openpyxl.load_workbook(io.BytesIO(content))


def why(content: bytes) -> dict[str, str]:
    return {each.name: f"{each.why} ({each.hint})" for each in filled(content).unfilled}


def test_cells_that_bear_a_name_are_given_values_of_their_type() -> None:
    done = filled(form())
    page = opened(done.content)["Survey"]

    assert done.unfilled == () and len(done.filled) == len(NAMES)
    assert page["B1"].value == "lab-bank"
    assert page["B2"].value == datetime(2026, 11, 20, 1, 0)
    assert page["B3"].value == "below I"
    assert page["B5"].value == 0 and page["B5"].data_type == "n"
    assert page["B6"].value == sum(row.count for row in dossier(hostile=False).assessment.gaps)
    assert opened(done.content)["Annex (A)"]["B2"].value == "below I..I"


def test_everything_else_stays() -> None:
    before, after = opened(form()), opened(filled(form()).content)

    assert after.sheetnames == before.sheetnames
    assert after["Lists"].sheet_state == "hidden" and after["Lists"]["A1"].value == "kept"
    assert after["Survey"]["B4"].value == "=B5+B6"
    assert after["Survey"]["B2"].number_format == "yyyy/mm/dd"
    assert after["Survey"]["B3"].font.b and after["Survey"]["B3"].fill.fgColor.rgb == "00FFFF00"
    assert after["Survey"].column_dimensions["B"].width == 42
    assert [str(each.sqref) for each in after["Survey"].data_validations.dataValidation] == ["B3"]
    assert list(after["Annex (A)"].tables) == ["Levels"]
    assert list(after.defined_names) == list(before.defined_names)
    assert [str(each) for each in after["Survey"].merged_cells.ranges] == ["B6:C6"]


def test_a_cell_that_holds_a_marker_is_filled_with_or_without_the_prefix() -> None:
    done = filled(form({}, {"E1": "{{headline.floor}}", "E2": " {{ ztgrade.count.scopes }} ", "E3": "{{not ours"}))
    page = opened(done.content)["Survey"]

    assert (page["E1"].value, page["E2"].value, page["E3"].value) == ("below I", 4, "{{not ours")
    assert done.filled == {"Survey!E1": "ztgrade.headline.floor", "Survey!E2": "ztgrade.count.scopes"}


def test_names_that_belong_to_one_sheet_are_filled_too() -> None:
    done = filled(form({}, sheet_names={"ztgrade.program": "'Annex (A)'!$B$3"}))

    assert opened(done.content)["Annex (A)"]["B3"].value == "ztgrade 0.1.0"


def test_a_name_that_is_not_known_is_told_with_the_nearest_one() -> None:
    told = why(form({"ztgrade.headlin.flor": "Survey!$E$1", "ztgrade_x": "Survey!$E$2"}, {"E3": "{{count.gap}}"}))

    assert told["ztgrade.headlin.flor"] == "there is no such name (did you mean ztgrade.headline.floor?)"
    assert "did you mean ztgrade.count.gaps?" in told["ztgrade.count.gap"]
    assert "--template-names" in told["ztgrade_x"]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("#REF!", "points to nothing"),
        ("Survey!#REF!", "points to nothing"),
        ("Survey!$E$1:$F$2", "points to several cells"),
        ("Survey!$E$1,Survey!$E$3", "points to several cells"),
        ("Survey!$E:$E", "is no cell"),
        ("Gone!$A$1", "a sheet that is not there"),
        ("[1]Survey!$A$1", "another workbook"),
        ("'[other.xlsx]Survey'!$A$1", "another workbook"),
        ("42", "is no cell"),
        ("OFFSET(Survey!$A$1,1,1)", "is no cell"),
        ("Survey!$XFE$1", "is no cell"),
        ("Survey!$A$9999999", "is no cell"),
        ("Survey!$C$6", "a part of the merged cell B6:C6 (point it to B6)"),
        ("Survey!$B$6:$B$7", "a part of the merged cell B6:C6"),
        ("Survey!$B$4", "holds a formula"),
        ("'Annex (A)'!$B$1", "a heading of the table Levels"),
    ],
)
def test_a_name_without_one_cell_of_its_own_is_told_and_nothing_is_overwritten(text: str, said: str) -> None:
    assert said in why(form({"ztgrade.institution": text}))["ztgrade.institution"]


def test_two_names_on_one_cell_are_told() -> None:
    told = why(form({"ztgrade.institution": "Survey!$E$1", "ztgrade.program": "Survey!$E$1"}))

    assert told == {"ztgrade.program": "names Survey!E1, which ztgrade.institution names too ()"}


def test_a_marker_among_other_text_is_told_only_if_it_is_ours() -> None:
    told = why(form({}, {"E1": "Level: {{headline.floor}}", "E2": "Dear {{customer}},"}))

    assert told == {"ztgrade.headline.floor": "stands among other text (give it a cell of its own)"}


def test_a_form_that_asks_for_nothing_gives_nothing() -> None:
    assert filled(form({})).content == b""


def test_numbered_rows_beyond_the_last_one_are_known_and_empty() -> None:
    cells = {"E1": "{{proposal.1.system}}", "E2": "{{proposal.99.system}}", "E3": "{{proposal.2.colour}}"}
    done = filled(form({}, cells))
    page = opened(done.content)["Survey"]

    assert (page["E1"].value, page["E2"].value) == ("archive", None)
    assert [each.name for each in done.unfilled] == ["ztgrade.proposal.2.colour"]


@pytest.mark.parametrize("text", ["=cmd|' /C calc'!A0", "=1+1", "+1", "-1", "@SUM(1)", "#N/A", "\t=1", HOSTILE])
def test_hostile_text_is_text_and_nothing_else(text: str) -> None:
    told = dossier(hostile=False)
    hostile = msgspec.structs.replace(told, assessment=msgspec.structs.replace(told.assessment, institution=text))
    content = filled(form(), hostile).content
    cell = opened(content)["Survey"]["B1"]

    assert cell.data_type in {"s", "inlineStr"}
    assert not any(character in str(cell.value) for character in "\x00\x1b\u202e\ud800\t")
    assert cell.quotePrefix == (text[0] in "=+-@")
    sheet = zipfile.ZipFile(io.BytesIO(content)).read("xl/worksheets/sheet1.xml").decode()
    assert sheet.count("<f>") == 1


def test_the_same_input_gives_the_same_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    content = form()
    first = filled(content).content
    monkeypatch.setattr("time.time", lambda: 2_000_000_000.0)

    assert filled(content).content == first
    assert b"2026-11-20T01:00:00Z" in zipfile.ZipFile(io.BytesIO(first)).read("docProps/core.xml")


def test_formulas_are_reckoned_anew_where_the_form_is_opened() -> None:
    assert b'fullCalcOnLoad="1"' in zipfile.ZipFile(io.BytesIO(filled(form()).content)).read("xl/workbook.xml")


def test_what_the_library_cannot_keep_is_told() -> None:
    content = rebuilt(form(), {"xl/media/image1.png": b"\x89PNG", "customXml/item1.xml": b"<a/>"})

    assert filled(content).lost == (
        "1 of 1 parts under customXml/ are not kept",
        "1 of 1 parts under xl/media/ are not kept",
    )
    assert filled(form()).lost == ()


# Forms are hostile


def rebuilt(
    content: bytes, more: dict[str, bytes], change: Callable[[str, bytes], bytes] = lambda _, part: part
) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as old, zipfile.ZipFile(stream, "w", zipfile.ZIP_DEFLATED) as new:
        for name in old.namelist():
            new.writestr(name, change(name, old.read(name)))
        for name, part in more.items():
            new.writestr(name, part)
    return stream.getvalue()


def in_sheet(old: bytes, new: bytes) -> bytes:
    def change(name: str, part: bytes) -> bytes:
        return part.replace(old, new, 1) if name == "xl/worksheets/sheet1.xml" else part

    return rebuilt(form(), {}, change)


BOMB = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]><worksheet>&b;</worksheet>'


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no workbook"),
        (b"name,value\n", "is no workbook"),
        (b"PK\x03\x04 but no more", "is no workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "password"),
        (form()[:-300], "is no workbook"),
        (rebuilt(form(), {"xl/worksheets/sheet9.xml": BOMB}), "declares entities"),
        (rebuilt(form(), {"picture.png": BOMB}), "declares entities"),
        (rebuilt(form(), {"xl/worksheets/sheet9.xml": b"<worksheet"}), "is no markup"),
        (in_sheet(b'ref="B6:C6"', b'ref="A1:XFD1048576"'), "merged"),
        (in_sheet(b'ref="B6:C6"', b'ref="anything"'), "merged"),
        (in_sheet(b"<sheetData>", b'<sheetData><row r="9">' + b"<c/>" * 500_001 + b"</row>"), "cells"),
        (in_sheet(b'r="A1"', b'r="nowhere"'), "is no workbook"),
    ],
)  # fmt: skip
def test_a_form_that_is_no_workbook_or_a_trap_is_refused(content: bytes, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        filled(content)


def test_a_form_that_unpacks_to_too_much_is_refused_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(form_workbook, "LARGEST_UNPACKED", 100_000)

    with pytest.raises(ValueError, match="unpacks to more than 100,000 bytes"):
        filled(rebuilt(form(), {"xl/media/image1.png": b"\0" * 100_001}))


def test_a_form_with_macros_is_refused() -> None:
    def change(name: str, part: bytes) -> bytes:
        if name != "[Content_Types].xml":
            return part
        return part.replace(b"spreadsheetml.sheet.main", b"ms-excel.sheet.macroEnabled.main")

    with pytest.raises(ValueError, match="macros would be lost"):
        filled(rebuilt(form(), {}, change))


def test_a_cell_in_the_last_corner_costs_nothing() -> None:
    book = openpyxl.Workbook()
    page = book.active
    assert page is not None
    page["XFD1048576"] = "{{institution}}"

    assert opened(filled(saved(book)).content).active["XFD1048576"].value == "lab-bank"
