"""Registers by workbook: what is missing goes out, what is filled in comes back, a wrong cell stops all of it."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from tests.scanner.commands.stage import Institution, ztgrade

FILLED = {
    "id": "AT-1",
    "statement": "Every entrance asks for a second factor.",
    "owner": "wang",
    "approver": "chang",
    "made_at": "2026-10-01",
    "expires_at": "2027-09-30",
    "document": "minutes.pdf",
    "answer": "yes",
}


@pytest.fixture
def workbook(institution: Institution) -> Path:
    (institution.folder / "minutes.pdf").write_bytes(b"the minutes")
    path = institution.folder / "blanks.xlsx"
    result = ztgrade("registers", "blanks", "--output", path, "--estate", institution.estate)
    assert result.exit_code == 0, result.stderr
    return path


def _fill(path: Path, requirement: str, sheet: str = "attestation", **given: Any) -> str:
    """Fill in the row of a requirement; returns its number."""
    book = openpyxl.load_workbook(path)
    page = book[sheet]
    header = [cell.value for cell in page[1]]
    (row,) = [row for row in page.iter_rows(min_row=2) if row[0].value == requirement]
    for name, value in given.items():
        row[header.index(name)].value = value
    book.save(path)
    return str(row[0].row)


def _import(institution: Institution, path: Path) -> Any:
    return ztgrade("registers", "import", path, "--estate", institution.estate)


def _rows(path: Path, sheet: str) -> list[tuple[str, str]]:
    page = openpyxl.load_workbook(io.BytesIO(path.read_bytes()))[sheet]
    return [(str(row[0].value), str(row[1].value)) for row in page.iter_rows(min_row=2)]


def test_blanks_ask_for_each_document_that_a_system_lacks(workbook: Path) -> None:
    assert ("1-1/covered-entrances", "core") in _rows(workbook, "attestation")
    assert ("1-5/revocation-drill", "core") in _rows(workbook, "drill")
    assert ("1-6/log-review", "core") in _rows(workbook, "review")


def test_a_row_that_is_filled_in_becomes_an_entry_and_is_not_asked_for_again(
    institution: Institution, workbook: Path
) -> None:
    _fill(workbook, "1-1/covered-entrances", **FILLED)
    imported = _import(institution, workbook)
    assert imported.exit_code == 0, imported.stderr
    ztgrade("attest", "approve", "AT-1", "--key", institution.approver_key, "--estate", institution.estate)
    listed = json.loads(
        ztgrade("attest", "list", "--json", "--as-of", "2026-11-01T00:00:00Z", "--estate", institution.estate).stdout
    )
    ztgrade(
        *("registers", "blanks", "--output", workbook, "--as-of", "2026-11-01T00:00:00Z"),
        *("--estate", institution.estate),
    )

    assert [(row["id"], row["counts"]) for row in listed["entries"]] == [("AT-1", True)]
    assert ("1-1/covered-entrances", "core") not in _rows(workbook, "attestation")


def test_rows_left_empty_are_left_alone(institution: Institution, workbook: Path) -> None:
    result = _import(institution, workbook)

    assert result.exit_code == 0
    assert "0 entries taken in" in result.stderr


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("answer", "perhaps", "there is no word 'perhaps'"),
        ("expires_at", "2026-09-01", "lies before it was made"),
        ("expires_at", "soon", "expected a date"),
        ("scenes", "remote_wrk", "did you mean 'remote_work'"),
        ("document", "nowhere.pdf", "no such file beside the workbook"),
        ("document", "/etc/hostname", "no such file beside the workbook"),
        ("owner", None, "'owner' is missing"),
        ("id", "no name", "is not a name"),
    ],
)
def test_a_wrong_cell_is_told_by_its_place_and_nothing_is_taken_in(
    institution: Institution, workbook: Path, column: str, value: Any, said: str
) -> None:
    row = _fill(workbook, "1-1/covered-entrances", **{**FILLED, column: value})
    _fill(workbook, "II/access-policy", **{**FILLED, "id": "AT-2"})
    result = _import(institution, workbook)

    assert result.exit_code == 2
    assert said in result.stderr
    assert "blanks.xlsx: attestation!" in result.stderr
    assert f"{row}:" in result.stderr
    assert list((institution.folder / "registers").iterdir()) == []


def test_reviews_and_drills_come_in_by_their_own_sheets(institution: Institution, workbook: Path) -> None:
    common = {name: value for name, value in FILLED.items() if name != "answer"}
    _fill(
        workbook,
        "1-6/log-review",
        "review",
        **{
            **common,
            "id": "RV-1",
            "answer": "yes",
            "period_from": "2026-07-01",
            "period_to": "2026-09-30",
            "count": 12,
        },
    )
    happened = {"trigger": "stolen token", "decision": "revoke", "action": "ended", "occurred_at": "2026-09-30"}
    _fill(workbook, "1-5/revocation-drill", "drill", **{**common, "id": "DR-1", **happened})
    result = _import(institution, workbook)

    assert result.exit_code == 0, result.stderr
    written = sorted(path.name for path in (institution.folder / "registers").iterdir())
    assert written == ["chain.jsonl", "documents", "drills.toml", "reviews.toml"]


def test_a_sheet_that_is_no_kind_of_entry_is_told(institution: Institution, workbook: Path) -> None:
    book = openpyxl.load_workbook(workbook)
    book["drill"].title = "drlil"
    book.save(workbook)
    result = _import(institution, workbook)

    assert result.exit_code == 2
    assert "did you mean 'drill'" in result.stderr


def _planned(path: Path, **given: Any) -> str:
    """Fill in the first row of the adoption plan; returns its number."""
    book = openpyxl.load_workbook(path)
    page = book["adoption"]
    header = [cell.value for cell in page[1]]
    for name, value in given.items():
        page.cell(2, header.index(name) + 1).value = value
    book.save(path)
    return "2"


PLAN = {
    "id": "PL-1",
    "current": "none",
    "target": "I",
    "due": "2027-06-30",
    "status": "planned",
    "statement": "Every entrance asks for a second factor.",
    "owner": "wang",
    "approver": "chang",
    "made_at": "2026-10-01",
}


def test_a_scene_without_a_plan_is_asked_for_one_until_one_is_in_force(
    institution: Institution, workbook: Path
) -> None:
    asked = _rows(workbook, "adoption")
    _planned(workbook, **PLAN)
    imported = _import(institution, workbook)
    assert imported.exit_code == 0, imported.stderr
    signed = ztgrade(
        *("plan-register", "approve", "PL-1", "--key", institution.approver_key, "--estate", institution.estate)
    )
    assert signed.exit_code == 0, signed.stderr
    ztgrade("registers", "blanks", "--output", workbook, "--estate", institution.estate)

    assert asked[0][0] == "core"
    assert _rows(workbook, "adoption") == asked[1:]


@pytest.mark.parametrize(
    ("column", "value", "said"),
    [
        ("target", "none", "does not lie above current"),
        ("scenes", "remote_work, cloud_access", "one scene"),
        ("scenes", "remote_wrk", "did you mean 'remote_work'"),
        ("due", "soon", "expected a date"),
        ("status", "begun", "there is no word 'begun'"),
        ("pillar", "identiy", "did you mean 'identity'"),
        ("current", None, "'current' is missing"),
    ],
)
def test_a_wrong_cell_of_a_plan_is_told_by_its_place(
    institution: Institution, workbook: Path, column: str, value: Any, said: str
) -> None:
    _planned(workbook, **{**PLAN, column: value})
    result = _import(institution, workbook)

    assert result.exit_code == 2
    assert said in result.stderr
    assert "blanks.xlsx: adoption!" in result.stderr
    assert list((institution.folder / "registers").iterdir()) == []
