"""``ztgrade lift`` on the lab bank: what lies between its hand-written levels and their targets, and what-if."""

from __future__ import annotations

import csv
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

import scanner.demo
from scanner.commands.lifting import NOT_A_GRADE
from scanner.grading.assess import Graded
from scanner.grading.assume import Assumptions, assumed
from scanner.model import Level
from tests.scanner.commands.conftest import Bank
from tests.scanner.commands.stage import Institution, ztgrade

EXPECTED = Path(scanner.demo.__file__).parent / "expected" / "levels.csv"
BLOCKED = {("portal", "cloud_access", "network"): {"II/protect-surface", "3-3/dependency-map"}}


@pytest.fixture
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    """The bank is verified by other tests; here it would take most of the time."""
    monkeypatch.setattr("scanner.commands.session.whole", lambda path, trust=None: None)


def lift(bank: Bank, *arguments: object) -> Result:
    result = ztgrade("lift", bank.path, *arguments)
    assert (result.exit_code, result.stderr) == (0, "")
    return result


def told(bank: Bank, *arguments: object) -> Any:
    return json.loads(lift(bank, "--json", *arguments).stdout)


def levels() -> dict[tuple[str, str, str], tuple[str, str]]:
    """Floor and ceiling of the hand-written table."""
    with EXPECTED.open(encoding="utf-8", newline="") as file:
        return {
            (row["system"], row["scene"], row["pillar"]): (row["floor"], row["ceiling"]) for row in csv.DictReader(file)
        }


def key(cell: dict[str, Any]) -> tuple[str, str, str]:
    return cell["system"], cell["scene"], cell["pillar"]


def test_without_an_assumption_every_level_is_the_assessments(graded: Graded) -> None:
    for grade in graded.assessment.grades:
        assert assumed(grade, Assumptions()) == grade


@pytest.mark.usefixtures("unverified")
def test_what_is_needed_lifts_every_pillar_from_its_written_level_to_its_target(bank: Bank) -> None:
    found = told(bank)

    assert {key(cell): (cell["floor"], cell["ceiling"]) for cell in found["cells"]} == levels()
    assert (found["grade"], found["note"], found["assumed"]) == (True, "", [])
    steps = {need["step"]["requirement"] for cell in found["cells"] for need in cell["needs"]}
    again = told(bank, *(word for step in sorted(steps) for word in ("--assume", step)))
    for cell in again["cells"]:
        assert Level(cell["assumed_floor"]).rank >= Level(cell["aim"]).rank
        assert cell["needs"] == []
    assert {key(cell): (cell["floor"], cell["ceiling"]) for cell in again["cells"]} == levels()


@pytest.mark.usefixtures("unverified")
def test_the_bank_is_told_which_two_things_lift_most(bank: Bank) -> None:
    found = told(bank)
    below = [cell for cell in found["cells"] if cell["needs"]]

    assert {key(cell) for cell in below} == {
        key(cell) for cell in found["cells"] if Level(cell["floor"]).rank < Level(cell["asked"]).rank
    }
    assert found["together"]["cells_below"] == len(below)
    for cell in found["cells"]:
        if key(cell) in BLOCKED:
            assert {need["requirement"] for need in cell["needs"]} == BLOCKED[key(cell)]
    first = found["together"]["bundles"][0]
    assert first["exact"]
    assert first["requirements"] == ["II/protect-surface", "1-2/phishing-resistant"]
    assert (first["cells"], first["levels"]) == (2, ["II"])


@pytest.mark.usefixtures("unverified")
def test_every_need_has_words_a_cost_and_a_fix(bank: Bank) -> None:
    found = told(bank, "--target", "IV")
    words = found["requirements"]

    needs = [need for cell in found["cells"] for need in cell["needs"]]
    assert len(needs) > 100
    for need in needs:
        assert words[need["requirement"]]["says"]["zh-TW"]
        assert words[need["step"]["requirement"]]["fix"]["en"]
        assert need["step"]["effort"] in {"setting", "change", "project", "programme"}
        assert need["step"]["impact"] in {"none", "low", "high"}


@pytest.mark.usefixtures("unverified")
def test_the_branch_bank_holds_cloud_accounts_so_nobody_is_told_to_sign_that_it_has_none(bank: Bank) -> None:
    found = told(bank, "--system", "branch")
    (need,) = {
        json.dumps(need, sort_keys=True)
        for cell in found["cells"]
        for need in cell["needs"]
        if need["requirement"] == "1-1/root-mfa"
    }
    root = json.loads(need)
    assert root["step"]["requirement"] == "1-1/root-protected"
    assert [(other["requirement"], other["spoken_against"]) for other in root["others"]] == [
        ("1-1/no-cloud-account", True)
    ]


@pytest.mark.usefixtures("unverified")
def test_the_text_tells_pillars_requirements_costs_and_what_lifts_most(bank: Bank) -> None:
    text = lift(bank, "--system", "portal").stdout

    assert "portal / cloud_access network: I..IV, 2 requirements to II" in text
    assert "II/protect-surface [attestation, II]: needs_attestation (missing)" in text
    assert "1-2/phishing-resistant [check, II]: not_met, 1 failing and 0 unknown of 58" in text
    assert "project, impact high: Limit usable methods" in text
    assert "fix II/protect-surface and 1-2/phishing-resistant -> 2 pillars reach II" in text
    assert "no other so small lifts more" in text
    assert "look first" in text
    assert "assumed" not in text.lower()
    assert "crm" not in text


@pytest.mark.usefixtures("unverified")
def test_words_are_told_in_chinese_too(bank: Bank) -> None:
    assert "移除常設指派" in lift(bank, "--system", "portal", "--lang", "zh-TW").stdout


@pytest.mark.usefixtures("unverified")
def test_an_assumption_is_loud_and_seals_nothing(bank: Bank) -> None:
    def state() -> dict[str, str]:
        return {
            str(path): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in sorted(bank.path.rglob("*"))
            if path.is_file()
        }

    before = state()
    arguments = ("--assume", "II/protect-surface@portal", "--assume", "3-3/dependency-map@portal/cloud_access=met")
    text = lift(bank, *arguments).stdout

    assert text.count(NOT_A_GRADE) == 2
    assert "assumed II/protect-surface@portal=met" in text
    assert "portal / cloud_access network: assessed I..IV, assumed II..IV" in text
    assert "1 of 55 levels would differ" in text
    assert state() == before
    found = told(bank, *arguments)
    assert (found["grade"], found["note"]) == (False, NOT_A_GRADE)
    assert found["assumed"][0] == {
        "requirement": "II/protect-surface", "state": "met", "system": "portal", "scene": None,
    }  # fmt: skip


@pytest.mark.usefixtures("unverified")
def test_assuming_the_worse_lowers_levels(bank: Bank) -> None:
    text = lift(bank, "--assume", "1-1/mfa-enforced@ebank=not_met", "--assume", "2-1/managed@ebank=unknown").stdout

    assert "ebank / remote_work identity: assessed IV..IV, assumed none..none" in text
    assert "ebank / remote_work device: assessed IV..IV, assumed none..IV" in text


@pytest.mark.usefixtures("unverified")
@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--assume", "1-1/mfa-enforcd"), "did you mean '1-1/mfa-enforced'"),
        (("--assume", "1-1/mfa-enforced=yes"), "one of met, unknown, not_met"),
        (("--assume", "1-1/mfa-enforced@portl"), "did you mean 'portal'"),
        (("--assume", "1-1/mfa-enforced@"), "expected ADDRESS@SYSTEM"),
        (("--assume", "1-1/mfa-enforced@portal/"), "expected ADDRESS@SYSTEM"),
        (("--assume", "1-1/mfa-enforced@portal/remote_work"), "scene of portal"),
        (("--assume", "1-1/mfa-enforced", "--assume", "1-1/mfa-enforced=unknown"), "contradict each other"),
        (("--system", "portl"), "did you mean 'portal'"),
    ],
)
def test_what_does_not_exist_is_told(bank: Bank, arguments: tuple[str, ...], says: str) -> None:
    result = ztgrade("lift", bank.path, *arguments)

    assert result.exit_code == 2
    assert says in result.stderr


@pytest.mark.usefixtures("unverified")
def test_another_estate_may_give_the_costs(bank: Bank, institution: Institution) -> None:
    cost = '[costs."1-2/phishing-resistant"]\neffort = "setting"\nimpact = "none"\nreason = "keys are handed out"\n'
    estate = institution.estate
    estate.write_text(estate.read_text("utf-8") + cost, "utf-8")
    text = lift(bank, "--system", "portal", "--costs-from", estate).stdout

    assert "setting, impact none (the institution: keys are handed out): Limit" in text
    estate.write_text(estate.read_text("utf-8").replace("phishing-resistant", "phishing-resistent"), "utf-8")
    result = ztgrade("lift", bank.path, "--costs-from", estate)
    assert result.exit_code == 2
    assert "did you mean '1-2/phishing-resistant'" in result.stderr


def test_an_estate_with_the_cost_of_nothing_is_refused_before_anything_is_graded(institution: Institution) -> None:
    cost = '[costs."9-9/nothing"]\neffort = "setting"\nreason = "we know better"\n'
    institution.estate.write_text(institution.estate.read_text("utf-8") + cost, "utf-8")
    result = ztgrade("scan", "--estate", institution.estate, "--store", institution.store, "--quiet")

    assert result.exit_code == 2
    assert "the baseline has no requirement '9-9/nothing'" in result.stderr
    assert "estate.toml:" in result.stderr
