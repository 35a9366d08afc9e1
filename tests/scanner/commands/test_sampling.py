"""A sample from the command line: how many, the paper, what was found, and what the registers make of it."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import openpyxl
import pytest

from scanner.sampling.draw import draw, frame_digest
from tests.scanner.commands.stage import Institution, now, requirement, sign_in, user, ztgrade

SEED = "drawn by lot 2026"
PEOPLE = [f"user:ad:{number:03d}" for number in range(100)]


def run(office: Institution, action: str, *arguments: object, **options: object) -> Any:
    given = [part for name, value in options.items() for part in _option(name, value)]
    store = ["--store", office.store] if action == "draw" else []
    return ztgrade("sample", action, *arguments, *given, "--estate", office.estate, *store)


def _option(name: str, value: object) -> Iterator[object]:
    flag = f"--{name.replace('_', '-')}"
    if value is True:
        yield flag
    elif value is not None:
        yield from (flag, value)


def drawn(office: Institution, name: str = "paper.xlsx", **options: object) -> Any:
    asked: dict[str, object] = {
        "output": office.folder / name,
        "requirement": "1-1/covered-entrances",
        "system": "core",
        "frame": office.folder / "keys.csv",
        "seed": SEED,
        "by": "Li",
        "need": "0.95",
    }
    return run(office, "draw", **(asked | options))


def read(office: Institution, name: str = "paper.xlsx", **options: object) -> Any:
    expires = (now() + timedelta(days=300)).date().isoformat()
    given = {"id": "AT-1", "owner": "wang", "approver": "chang", "expires_at": expires} | options
    return run(office, "read", office.folder / name, **given)


def fill(office: Institution, name: str = "paper.xlsx", failures: int = 0, blanks: int = 0) -> None:
    """Fill in the paper as an examiner would; the first rows fail, the last stay blank."""
    book = openpyxl.load_workbook(office.folder / name)
    sheet = book["sample"]
    for row in range(2, sheet.max_row + 1 - blanks):
        sheet[f"C{row}"] = "fail" if row < 2 + failures else "pass"
        sheet[f"D{row}"], sheet[f"E{row}"], sheet[f"F{row}"] = "screen 7", "Li", now().date()
    book.save(office.folder / name)


def approve(office: Institution, entry: str = "AT-1") -> None:
    result = ztgrade("attest", "approve", entry, "--key", office.approver_key, "--estate", office.estate)
    assert result.exit_code == 0, result.stderr


def verdict(office: Institution) -> tuple[str, list[str], str]:
    """State and whys of the requirement after an assessment, and what is said of the entry."""
    result = json.loads(office.run("assess", "--json").stdout)
    found = requirement(result, "1-1", "covered-entrances")
    (entry,) = [row for row in result["registers"] if row["id"] == "AT-1"]
    return found["state"], found["why"], entry["detail"]


def standing(office: Institution, word: str = "attest") -> tuple[bool, str | None, str]:
    """Whether the entry counts, and if not why."""
    result = ztgrade(word, "list", "--json", "--estate", office.estate)
    (entry,) = json.loads(result.stdout)["entries"]
    return entry["counts"], entry["why"], entry["detail"]


@pytest.fixture
def staffed(tmp_path: Path) -> Institution:
    """An institution with a list of a hundred people; nothing is collected."""
    office = Institution(tmp_path)
    (office.folder / "keys.csv").write_text("asset\n" + "".join(f"{key}\n" for key in PEOPLE), "utf-8")
    return office


# How many


def test_the_size_is_told_in_words_and_as_json() -> None:
    said = ztgrade("sample", "size", "--population", "100", "--need", "0.95", "--confidence", "0.95")
    assert said.stdout == "39 of 100: with 0 failures at least 95 % pass with 95 % confidence\n"
    asked = ["--unbounded", "--need", "0.95", "--tolerable-failures", "1", "--json"]
    assert json.loads(ztgrade("sample", "size", *asked).stdout)["size"] == 93


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--population", "100"], "--need is missing"),
        (["--need", "0.95"], "--population or --unbounded"),
        (["--population", "100", "--unbounded", "--need", "0.95"], "--population or --unbounded"),
        (["--population", "100", "--need", "95"], "--need '95': expected a share"),
        (["--population", "100", "--need", "0.95", "--confidence", "0.5"], "expected 0.9 to 0.9999"),
        (["--population", "100", "--need", "0.95", "--tolerable-failures", "6"], "at most 5 may fail"),
        (["--unbounded", "--need", "1"], "unbounded population"),
    ],
)
def test_what_cannot_be_asked_is_refused(arguments: list[str], said: str) -> None:
    result = ztgrade("sample", "size", *arguments)
    assert result.exit_code == 2
    assert said in result.stderr


def test_without_scipy_the_command_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "scipy", None)
    result = ztgrade("sample", "size", "--population", "100", "--need", "0.95")
    assert (result.exit_code, "pip install 'ztgrade[sampling]'" in result.stderr) == (2, True)


# From a census to a verdict


def test_a_sample_of_a_closed_census_is_drawn_filled_in_read_signed_and_counts(staffed: Institution) -> None:
    names = [key.rpartition(":")[2] for key in PEOPLE]
    staffed.supply([row for name in names for row in (user(name), sign_in(name))])
    staffed.scan()
    assert (result := drawn(staffed, frame=None, population="User")).exit_code == 0, result.stderr
    book = openpyxl.load_workbook(staffed.folder / "paper.xlsx")
    cover = {row[0].value: row[1].value for row in book["cover"].iter_rows(min_row=2)}
    assert (cover["frame"], cover["origin"], cover["population"], cover["drawn"]) == ("closed", "User", "100", "39")
    assert cover["frame_sha256"] == frame_digest(PEOPLE)
    assert [row[1].value for row in book["sample"].iter_rows(min_row=2)] == draw(PEOPLE, SEED, 39)

    fill(staffed)
    result = read(staffed)
    assert result.exit_code == 0, result.stderr
    assert "at least 95 % pass with 95 % confidence; 95 % was needed: shown" in result.stdout
    assert standing(staffed)[:2] == (False, "self_declared")
    approve(staffed)
    assert verdict(staffed)[:2] == ("met", [])
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "scipy", None)
        state, why, detail = verdict(staffed)
    assert (state, why) == ("undetermined", ["unproved"])
    assert "cannot be checked here" in detail
    assert "did you mean 'User'" in drawn(staffed, "other.xlsx", frame=None, population="Usr").stderr


def test_a_failure_too_many_is_signed_in_vain(staffed: Institution) -> None:
    drawn(staffed)
    fill(staffed, failures=1)
    result = read(staffed)
    assert "not shown" in result.stdout and "stays unmet" in result.stderr
    approve(staffed)
    counts, why, detail = standing(staffed)
    assert (counts, why) == (False, "unproved")
    assert "at least 91 % pass, 95 % is needed" in detail


def test_what_was_left_blank_counts_as_failed(staffed: Institution) -> None:
    drawn(staffed)
    fill(staffed, blanks=1)
    assert "0 failed, 1 not determinable" in read(staffed).stdout
    approve(staffed)
    assert standing(staffed)[:2] == (False, "unproved")


def test_a_sample_that_disproves_it_is_a_no(staffed: Institution) -> None:
    drawn(staffed)
    fill(staffed, failures=20)
    read(staffed)
    assert 'answer = "no"' in (staffed.folder / "registers/attestations.toml").read_text("utf-8")
    approve(staffed)
    assert standing(staffed)[:2] == (True, None)  # a no that is signed counts


@pytest.mark.parametrize(
    ("old", "new"),
    [("failures = 1", "failures = 0"), ('need = "0.95"', 'need = "0.5"'), ("drawn = 39", "drawn = 60")],
)
def test_numbers_that_were_bettered_by_hand_and_then_signed_do_not_count(
    staffed: Institution, old: str, new: str
) -> None:
    drawn(staffed)
    fill(staffed, failures=1)
    read(staffed)
    place = staffed.folder / "registers/attestations.toml"
    text = place.read_text("utf-8")
    assert old in text
    place.write_text(text.replace(old, new), "utf-8")
    ztgrade("attest", "approve", "AT-1", "--key", staffed.approver_key, "--estate", staffed.estate)
    assert standing(staffed)[0] is False


# Frames


def test_an_open_census_is_no_frame_unless_asked_for_and_then_proves_nothing(institution: Institution) -> None:
    institution.supply([user("amy"), user("bob"), sign_in("amy")], facts=("SignIn",))
    institution.scan()
    refused = drawn(institution, frame=None, population="User")
    assert refused.exit_code == 2
    assert "is no closed list: ad has not said" in refused.stderr
    assert not list(institution.folder.glob("paper*"))

    assert (result := drawn(institution, frame=None, population="User", open_frame=True)).exit_code == 0, result.stderr
    assert "proves nothing of the rest" in result.stderr
    fill(institution)
    assert "nothing follows for the rest" in read(institution).stdout
    approve(institution)
    state, why, detail = verdict(institution)
    assert (state, why) == ("undetermined", ["unproved"])
    assert "open frame" in detail


def test_a_list_may_be_a_frame(institution: Institution) -> None:
    keys = ["=cmd|' /C calc'!A1", *(f"ticket {number}" for number in range(30))]
    (institution.folder / "keys.csv").write_text("asset\n" + "".join(f"{key}\n" for key in keys), "utf-8")
    assert drawn(institution).exit_code == 0
    fill(institution)
    assert "shown" in read(institution).stdout
    assert 'frame = "listed"' in (institution.folder / "registers/attestations.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"frame": None}, "--population or --frame"),
        ({"population": "User"}, "--population or --frame"),
        ({"system": "cor"}, "did you mean 'core'"),
        ({"scene": "cloud_access"}, "there is no scene of core"),
        ({"requirement": "1-1/mfa-enforced"}, "is a check; only an attestation or a review"),
        ({"requirement": "1-1/covered"}, "there is no requirement"),
        ({"seed": "short"}, "--seed: expected 8 to 200"),
        ({"by": " "}, "--by: expected a name"),
        ({"need": None}, "--need is missing"),
        ({"need": "1.5"}, "--need '1.5'"),
        ({"size": 101}, "101 cannot be drawn of 100"),
    ],
)
def test_a_draw_that_cannot_be_is_refused_and_writes_nothing(
    staffed: Institution, options: dict[str, Any], said: str
) -> None:
    result = drawn(staffed, **options)
    assert result.exit_code == 2
    assert said in result.stderr
    assert not list(staffed.folder.glob("paper*"))


def test_a_paper_is_not_drawn_twice(staffed: Institution) -> None:
    drawn(staffed)
    again = drawn(staffed, seed="a luckier seed")
    assert (again.exit_code, "exists already" in again.stderr) == (2, True)


def test_fewer_than_needed_can_be_drawn_and_it_is_said(staffed: Institution) -> None:
    assert "10 are fewer than the 39 that can prove 95 %" in drawn(staffed, size=10).stderr


# What comes back


def test_a_paper_that_was_tampered_with_leaves_no_entry(staffed: Institution) -> None:
    drawn(staffed)
    fill(staffed)
    book = openpyxl.load_workbook(staffed.folder / "paper.xlsx")
    book["sample"]["B5"] = "user:ad:000"
    book.save(staffed.folder / "paper.xlsx")
    result = read(staffed)
    assert (result.exit_code, "sample!B5" in result.stderr) == (2, True)
    assert not (staffed.folder / "registers/attestations.toml").exists()


def test_a_paper_without_its_record_is_not_read(staffed: Institution) -> None:
    drawn(staffed)
    kept = staffed.folder / "paper.xlsx.draw.json"
    kept.rename(staffed.folder / "safe.json")
    assert "paper.xlsx.draw.json" in read(staffed).stderr
    fill(staffed)
    assert read(staffed, record=staffed.folder / "safe.json").exit_code == 0


def test_a_paper_of_another_institution_is_not_read(staffed: Institution) -> None:
    drawn(staffed)
    staffed.write_estate()
    staffed.estate.write_text(staffed.estate.read_text("utf-8").replace('id = "small"', 'id = "other"'), "utf-8")
    assert "was drawn for small" in read(staffed).stderr


def test_a_review_takes_its_period_from_the_answers_and_needs_a_count(staffed: Institution) -> None:
    drawn(staffed, requirement="1-6/log-review")
    fill(staffed)
    assert "--count is missing" in read(staffed).stderr
    assert (result := read(staffed, count=1)).exit_code == 0, result.stderr
    written = (staffed.folder / "registers/reviews.toml").read_text("utf-8")
    assert "[[review]]" in written and f"period_to = {now().date()}" in written
