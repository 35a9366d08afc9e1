"""``init`` and ``demo``: the first two commands of a newcomer work as they stand."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scanner.demo.description import read_description
from scanner.errors import UsageError
from scanner.institution.estate import load_estate
from tests.scanner.commands.conftest import Bank
from tests.scanner.commands.stage import parsed, ztgrade


def test_after_init_plan_scan_and_report_work_in_that_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = ztgrade("init")
    assert made.exit_code == 0 and "wrote estate.toml" in made.stdout
    planned = ztgrade("plan", "--json")
    assert planned.exit_code == 0
    assert {row["target"] for row in json.loads(planned.stdout)["plan"]} == {"this-host"}
    assert sorted(place.name for place in tmp_path.iterdir()) == ["estate.toml", "registers"]
    scanned = ztgrade("scan", "--json", "--quiet", "--beside", "none")
    assert scanned.exit_code in {0, 4}, scanned.stderr
    result = parsed(scanned)
    assert [row["target"] for row in result["collections"]] == ["this-host"]
    assert result["errors"] == [] and result["institution"] == "my-institution"
    told = ztgrade("report", "latest", "--output", "report.html")
    assert told.exit_code == 0, told.stderr
    assert "this-host" in (tmp_path / "report.html").read_text("utf-8")
    assert ztgrade("init").exit_code == 2, "what exists is left as it is"


def test_demo_grades_the_bank_and_writes_both_reports(bank: Bank) -> None:
    result = bank.assessment
    assert (result["institution"], result["as_of"]) == ("lab-bank", read_description().as_of)
    assert {grade["floor"] for grade in result["grades"]} == {"none", "I", "II", "III", "IV"}
    assert result["errors"] == []
    output = bank.store.parent
    assert sorted(place.name for place in output.glob("*.html")) == ["lab-bank.en.html", "lab-bank.zh-TW.html"]
    assert all(place.stat().st_size > 100_000 for place in output.glob("*.html"))


@pytest.mark.parametrize(("asked", "collectors"), [((), {"import"}), (("--raw",), {"import", "ad", "aws"})])
def test_demo_writes_the_bank_in_either_form(
    asked: tuple[str, ...], collectors: set[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object, **__: object) -> None:
        raise UsageError("far enough")

    monkeypatch.setattr("scanner.commands.starting.scan_store", broken)
    assert ztgrade("demo", "--bank", *asked, "--output", tmp_path / "out").exit_code == 2
    estate = load_estate(tmp_path / "out" / "lab-bank" / "estate.toml")
    assert {target.collector for target in estate.targets.values()} == collectors


def test_demo_makes_its_own_folder_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object) -> None:
        raise UsageError("far enough")

    monkeypatch.setattr("scanner.commands.starting._bank", broken)
    assert ztgrade("demo", "--bank", "--output", tmp_path / "out").exit_code == 2
    (tmp_path / "out" / "left over").touch()
    assert ztgrade("demo", "--bank", "--output", tmp_path / "out").exit_code == 2
    assert [place.name for place in (tmp_path / "out").iterdir()] == [".ztgrade-demo"]


def test_demo_touches_no_folder_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("three years of work")
    result = ztgrade("demo", "--bank", "--output", tmp_path)
    assert result.exit_code == 2 and "--output" in result.stderr
    assert (tmp_path / "thesis.txt").read_text() == "three years of work"
