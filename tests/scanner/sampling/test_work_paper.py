"""A work paper goes out and comes back: what was filled in counts, what was drawn cannot be changed."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import openpyxl
import pytest

from scanner.errors import ConfigurationError
from scanner.sampling.draw import frame_digest
from scanner.sampling.sample import ALGORITHM, Frame
from scanner.sampling.work_paper import (
    MEANINGS,
    Examined,
    Record,
    paper_of,
    read_paper,
    read_record,
    record_bytes,
    sample_of,
)

HOSTILE = (
    "=HYPERLINK(\"http://evil.example\",\"x\")", "=cmd|' /C calc'!A1", "+1+1", "-2", "@SUM(1)", "http://evil.example",
    "<script>alert(1)</script>", "_x0041_", "00123", "1e5", "TRUE", "用戶:甲", "\u202eevil", "a&b<c>\"'",
)  # fmt: skip
KEYS = tuple(sorted((*HOSTILE, *(f"user:corp:{number:02d}" for number in range(6)))))
TODAY = date(2026, 11, 25)


def cover(**changes: str) -> dict[str, str]:
    made = {
        "institution": "small",
        "baseline": "fsc-2024",
        "requirement": "1-1/covered-entrances",
        "system": "core",
        "scenes": "",
        "origin": "=list of keys",
        "frame": "listed",
        "doubts": "",
        "frame_sha256": frame_digest(KEYS),
        "listed": str(len(KEYS)),
        "population": str(len(KEYS)),
        "drawn": "18",
        "seed": "0000000007",
        "algorithm": ALGORITHM,
        "confidence": "0.95",
        "need": "0.9",
        "drawn_at": "2026-11-20T01:00:00Z",
        "drawn_by": "=Wang",
    } | changes
    return {name: made[name] for name in MEANINGS}


RECORD = Record(cover(), KEYS)


def edited(change: Callable[[Any], None], paper: bytes | None = None) -> bytes:
    """The paper as openpyxl leaves it after an examiner changed it."""
    book = openpyxl.load_workbook(io.BytesIO(paper or paper_of(RECORD)))
    change(book)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def answer(book: Any, row: int, text: str | None, **cells: object) -> None:
    given = {"answer": text, "evidence": "ticket 7", "examiner": "Li", "date": "2026-11-21"} | cells
    for column, name in (("C", "answer"), ("D", "evidence"), ("E", "examiner"), ("F", "date"), ("G", "remark")):
        book["sample"][f"{column}{row}"] = given.get(name)


def all_pass(book: Any) -> None:
    for row in range(2, 20):
        answer(book, row, "pass")


def read(content: bytes) -> Examined:
    return read_paper("paper.xlsx", content, RECORD, TODAY)


def told(content: bytes) -> str:
    with pytest.raises(ConfigurationError) as found:
        read(content)
    return str(found.value)


def test_text_stays_text_and_a_workbook_holds_no_formula_and_no_link() -> None:
    book = openpyxl.load_workbook(io.BytesIO(paper_of(RECORD)))
    cells = [cell for sheet in book for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells if cell.value is not None} == {"s"}
    assert not any(cell.hyperlink for cell in cells)
    assert [row[1].value for row in book["sample"].iter_rows(min_row=2)] == RECORD.rows


def test_a_filled_in_paper_gives_its_figures() -> None:
    def fill(book: Any) -> None:
        all_pass(book)
        answer(book, 3, "fail", evidence=None)
        answer(book, 4, "not determinable", evidence=None, examiner=None, date=None)
        answer(book, 5, None, evidence=None, examiner=None, date=None)
        answer(book, 6, "pass", date=datetime(2026, 11, 24), remark="=1+1 said the user")
        answer(book, 7, " pass ", date=date(2026, 11, 20))

    assert read(edited(fill)) == Examined(1, 2, date(2026, 11, 20), date(2026, 11, 24))
    sample = sample_of(RECORD, read(edited(fill)))
    assert (sample.failures, sample.undetermined, sample.drawn, sample.population) == (1, 2, 18, len(KEYS))
    assert (sample.frame, sample.need, sample.frame_sha256) == (Frame.LISTED, "0.9", frame_digest(KEYS))


def test_an_untouched_paper_has_determined_nothing() -> None:
    assert read(paper_of(RECORD)) == Examined(0, 18, None, None)
    assert read(edited(lambda book: None)) == Examined(0, 18, None, None)


def test_rows_may_be_sorted_as_long_as_each_stays_whole() -> None:
    def turn(book: Any) -> None:
        all_pass(book)
        answer(book, 2, "fail")
        rows = [[cell.value for cell in row] for row in book["sample"].iter_rows(min_row=2)]
        for number, row in enumerate(reversed(rows), start=2):
            for column, value in enumerate(row, start=1):
                book["sample"].cell(number, column, value).data_type = "s"

    assert read(edited(turn)) == Examined(1, 0, date(2026, 11, 21), date(2026, 11, 21))


@pytest.mark.parametrize("row", range(2, 2 + len(MEANINGS)))
def test_no_field_of_the_cover_can_be_changed(row: int) -> None:
    def change(book: Any) -> None:
        book["cover"][f"B{row}"] = "0.5"

    assert f"cover!B{row}" in (said := told(edited(change))) and "was changed" in said


def test_a_cover_lacks_no_field_and_has_no_other() -> None:
    assert "need is missing" in told(edited(lambda book: book["cover"].delete_rows(17)))
    assert "'bonus' is no field" in told(edited(lambda book: book["cover"].append(["bonus", "1"])))
    assert "'need' is given twice" in told(edited(lambda book: book["cover"].append(["need", "0.9"])))
    assert "cover: the sheet is missing" in told(edited(lambda book: book.remove(book["cover"])))
    assert "sample: the sheet is missing" in told(edited(lambda book: book.remove(book["sample"])))


def swap(book: Any) -> None:
    sheet = book["sample"]
    sheet["B2"], sheet["B3"] = sheet["B3"].value, sheet["B2"].value
    sheet["B2"].data_type = sheet["B3"].data_type = "s"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (swap, "sample!B2"),
        (lambda book: book["sample"].delete_rows(5), "row 4 is missing"),
        (lambda book: book["sample"].append(["19", "user:corp:99", "pass"]), "no row '19' was drawn"),
        (lambda book: book["sample"].append(["18", "user:corp:99", "pass"]), "row 18 is given twice"),
        (lambda book: book["sample"].__setitem__("B4", "user:corp:99"), "'user:corp:99' was not drawn there"),
        (lambda book: book["sample"].__setitem__("A4", None), "no row '' was drawn"),
        (lambda book: book["sample"].__setitem__("H1", "note"), "unknown column 'note'"),
        (lambda book: book["sample"].__setitem__("H4", "note"), "stands under no column"),
        (lambda book: book["sample"].__setitem__("C1", "result"), "unknown column 'result'"),
    ],
)
def test_no_row_can_be_swapped_added_or_left_out(change: Callable[[Any], None], said: str) -> None:
    assert said in told(edited(change))


@pytest.mark.parametrize(
    ("cells", "said"),
    [
        ({"text": "passed"}, "sample!C4: there is no answer 'passed'; did you mean 'pass'?"),
        ({"text": "PASS"}, "sample!C4: there is no answer 'PASS'"),
        ({"text": True}, "sample!C4: there is no answer 'yes'"),
        ({"text": "pass", "evidence": None}, "sample!D4: pass needs evidence"),
        ({"text": "pass", "examiner": ""}, "sample!E4: pass needs examiner"),
        ({"text": "fail", "date": None}, "sample!F4: fail needs date"),
        ({"text": "pass", "date": "21.11.2026"}, "sample!F4: '21.11.2026' is no date"),
        ({"text": "pass", "date": 46347}, "sample!F4: '46347' is no date"),
        ({"text": "pass", "date": "2026-11-18"}, "sample!F4: 2026-11-18 lies outside 2026-11-20 to 2026-11-25"),
        ({"text": "pass", "date": "2026-12-01"}, "sample!F4: 2026-12-01 lies outside"),
    ],
)
def test_a_wrong_cell_is_told_by_its_place(cells: dict[str, Any], said: str) -> None:
    def change(book: Any) -> None:
        all_pass(book)
        answer(book, 4, cells["text"], **{name: value for name, value in cells.items() if name != "text"})

    assert said in told(edited(change))


def test_a_formula_that_was_never_computed_is_no_answer() -> None:
    def change(book: Any) -> None:
        all_pass(book)
        book["sample"]["C4"] = '=IF(1=1,"pass","fail")'

    assert read(edited(change)).undetermined == 1


def test_the_record_comes_back_as_it_was() -> None:
    assert read_record("r", record_bytes(RECORD)) == RECORD


@pytest.mark.parametrize(
    "change",
    [
        lambda held: held["cover"].update(seed="another seed"),
        lambda held: held["frame"].pop(),
        lambda held: held["frame"].append(KEYS[0]),
        lambda held: held["frame"].__setitem__(0, "another"),
        lambda held: held["cover"].update(drawn="19 "),
        lambda held: held["cover"].update(drawn="0"),
        lambda held: held["cover"].update(population="19"),
        lambda held: held["cover"].update(algorithm="random"),
        lambda held: held["cover"].update(frame="shut"),
        lambda held: held["cover"].update(drawn=18),
        lambda held: held["cover"].pop("need"),
        lambda held: held.update(more=1),
        lambda held: held.update(frame="abc"),
    ],
)
def test_a_record_that_was_changed_is_none_or_draws_otherwise(change: Callable[[Any], None]) -> None:
    held = json.loads(record_bytes(RECORD))
    change(held)
    with pytest.raises(ConfigurationError):
        read_paper("paper.xlsx", paper_of(RECORD), read_record("r", json.dumps(held).encode()), TODAY)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"{", b"\xff", b"[" * 100_000, b'{"cover": {}}'])
def test_what_is_no_record_is_refused(content: bytes) -> None:
    with pytest.raises(ConfigurationError, match="no record of a draw"):
        read_record("r", content)
