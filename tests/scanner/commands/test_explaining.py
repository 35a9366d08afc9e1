"""``findings``, ``sql``, ``why`` and ``report``: from a cell to the bytes, and the same outcomes on every way."""

from __future__ import annotations

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import duckdb
import pytest

from scanner.commands.explaining import finding_rows
from scanner.grading.assess import Graded
from scanner.model import Outcome
from scanner.result.finding import FindingRow
from tests.scanner.commands.conftest import Bank
from tests.scanner.commands.stage import Institution, parsed, requirement, ztgrade

MFA = "identity.multi_factor.second_factor_is_enforced"


@pytest.fixture(scope="module")
def rows(graded: Graded) -> list[FindingRow]:
    """Every finding of the bank."""
    return list(finding_rows(graded, None, None))


def printed(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


# findings


def test_a_finding_is_one_object_a_line_with_everything_in_it(scanned: Institution) -> None:
    result = scanned.run("findings", "latest", "--json", "--check", MFA)
    assert (result.exit_code, result.stderr) == (0, "")
    passed, failed = printed(result.stdout)
    assert set(passed) == {
        "id", "check", "use", "asset", "outcome", "why", "evidence", "observed_at", "scopes"
    }  # fmt: skip
    assert (passed["asset"], passed["outcome"], passed["why"]) == ("user:ad:amy", "pass", [])
    assert (failed["asset"], failed["outcome"]) == ("user:ad:bob", "fail")
    assert failed["check"] == MFA and failed["use"].startswith(f"{MFA}@")
    assert failed["scopes"] == [{"system": "core", "scene": "remote_work", "member": True, "outcome": "fail"}]
    assert failed["evidence"]["fields"]["SignIn.mfa"] == "not_required"
    assert failed["observed_at"].endswith("Z")


def test_findings_can_be_asked_for_by_outcome_and_by_use(bank: Bank, reopened: None) -> None:
    result = ztgrade("findings", bank.path, "--json", "--check", MFA, "--outcome", "fail")
    found = printed(result.stdout)
    assert found and {(row["check"], row["outcome"]) for row in found} == {(MFA, "fail")}
    by_use = ztgrade("findings", bank.path, "--json", "--check", found[0]["use"], "--outcome", "fail")
    assert by_use.stdout == result.stdout


def test_a_check_that_is_not_used_is_told_with_the_nearest_one(bank: Bank, reopened: None) -> None:
    result = ztgrade("findings", bank.path, "--check", MFA.replace("enforced", "enforce"))
    assert result.exit_code == 2
    assert MFA in result.stderr and result.stdout == ""


def test_ids_of_findings_are_unique_and_every_asset_is_judged_once_by_each_use(rows: list[FindingRow]) -> None:
    assert len({row.id for row in rows}) == len(rows)
    assert max(Counter((row.use, row.asset) for row in rows).values()) == 1


def test_only_an_unknown_outcome_has_a_why_and_it_always_has_one(rows: list[FindingRow]) -> None:
    assert [row.id for row in rows if bool(row.why) is not (row.outcome is Outcome.UNKNOWN)] == []


def test_every_file_that_a_finding_names_lies_in_the_assessment(bank: Bank, rows: list[FindingRow]) -> None:
    named = {file for row in rows for file in row.evidence["files"]}  # type: ignore[attr-defined]
    assert named
    assert [file for file in sorted(named) if not (bank.path / "inputs/collections" / file).is_file()] == []


def test_findings_add_up_to_the_tallies_of_the_grades(bank: Bank, rows: list[FindingRow]) -> None:
    counted: dict[tuple[str, str, str], Counter[str]] = defaultdict(Counter)
    for row in rows:
        for scope in row.scopes:
            counted[scope.system, scope.scene.value, row.use][scope.outcome.value] += 1
    compared = 0
    for grade in bank.assessment["grades"]:
        for item in grade["items"]:
            for each in item["requirements"]:
                if each["use"]:
                    tally = counted[grade["system"], grade["scene"], each["use"]]
                    got = {"pass": each["passed"], "fail": each["failed"], "unknown": each["unknown"]}
                    assert got == {name: tally[name] for name in got}, (grade["system"], item["id"], each["id"])
                    compared += sum(got.values())
    assert compared > 1000


def test_a_gap_that_was_collected_says_why_a_field_is_not_known(bank: Bank, rows: list[FindingRow]) -> None:
    gaps = [gap for gap in bank.assessment["gaps"] if gap["why"] == "denied" and gap["asset"] and gap["field"]]
    assert gaps
    explained = 0
    for row in rows:
        if row.outcome is Outcome.UNKNOWN and "denied" in row.why:
            fields: Mapping[str, Any] = row.evidence["fields"]  # type: ignore[assignment]
            assert None in fields.values()
            explained += 1
    assert explained


def test_whole_facts_that_were_denied_are_not_called_unseen(institution: Institution) -> None:
    hidden = {"gap": {"fact": "SignIn", "why": "denied", "detail": "the reader may not see policies"}}
    institution.supply(
        [{"fact": "User", "asset": "user:ad:amy", "enabled": True, "category": "person"}, hidden], facts=["User"]
    )
    assert requirement(institution.scan(), "1-1", "mfa-enforced")["why"] == ["denied"]
    (row,) = printed(institution.run("findings", "latest", "--json", "--check", MFA).stdout)
    assert (row["outcome"], row["why"]) == ("unknown", ["denied"])
    told = institution.run("why", "1-1", "--asset", "user:ad:amy").stdout
    assert "unknown (denied): user:ad:amy" in told


def test_a_missing_field_of_one_asset_takes_the_why_of_its_own_gap(institution: Institution) -> None:
    institution.supply(
        [
            {"fact": "User", "asset": f"user:ad:{name}", "enabled": True, "category": "person"} for name in "ab"
        ]
        + [{"fact": "SignIn", "asset": f"user:ad:{name}", "mfa": "enforced"} for name in "ab"]
        + [{"gap": {"fact": "SignIn", "why": "truncated", "detail": "x", "asset": "user:ad:a", "field": "excluded"}}]
    )  # fmt: skip
    institution.scan()
    found = printed(institution.run("findings", "latest", "--json", "--check", MFA).stdout)
    assert [(row["asset"], row["why"]) for row in found] == [("user:ad:a", ["truncated"]), ("user:ad:b", ["unseen"])]


# sql


def test_sql_gives_the_outcomes_of_findings_for_every_use(
    bank: Bank, graded: Graded, rows: list[FindingRow], reopened: None
) -> None:
    expected: dict[str, dict[str, int]] = defaultdict(dict)
    for row in rows:
        expected[row.use][row.asset] = row.outcome.code
    for address, use in graded.uses.items():
        result = ztgrade("sql", use.check.id, "--assessment", bank.path, "--requirement", address)
        assert result.exit_code == 0, result.stderr
        with duckdb.connect() as fresh:
            got = dict(fresh.execute(result.stdout).fetchall())
        assert got == expected[use.id], address
    assert set(expected) == {use.id for use in graded.uses.values()}


def test_sql_runs_from_any_directory(scanned: Institution, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(scanned.folder)
    query = ztgrade("sql", MFA, "--assessment", "latest", "--store", "store").stdout
    monkeypatch.chdir(tmp_path)
    with duckdb.connect() as fresh:
        assert fresh.execute(query).fetchall() == [("user:ad:amy", 0), ("user:ad:bob", 1)]


def test_a_requirement_is_named_by_its_slug_or_by_its_address(bank: Bank, reopened: None) -> None:
    command = ("sql", MFA, "--assessment", bank.path)
    by_slug = ztgrade(*command, "--requirement", "mfa-enforced")
    assert by_slug.stdout == ztgrade(*command, "--requirement", "1-1/mfa-enforced").stdout
    assert by_slug.stdout == ztgrade(*command).stdout
    wrong = ztgrade(*command, "--requirement", "mfa-enforce")
    assert wrong.exit_code == 2 and "1-1/mfa-enforced" in wrong.stderr


def test_branches_are_requirements_too(bank: Bank, graded: Graded, reopened: None) -> None:
    item = graded.inputs.baseline.items["1-1"]
    branch = next(part for each in item.requires for part in each.branches if part.check is not None)
    for name in (branch.slug, branch.address):
        result = ztgrade("sql", branch.check, "--assessment", bank.path, "--requirement", name)
        assert result.exit_code == 0 and f"-- {branch.address}:" in result.stdout


def test_sql_of_a_check_that_does_not_exist_is_refused(bank: Bank, reopened: None) -> None:
    result = ztgrade("sql", "identity.nothing", "--assessment", bank.path)
    assert result.exit_code == 2 and result.stdout == ""


# why


def test_why_walks_from_the_item_to_the_bytes(scanned: Institution) -> None:
    result = scanned.run("why", "1-1", "--asset", "user:ad:bob")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("1-1 (identity, level I)")
    assert "core / remote_work: not_met - disproved: mfa-enforced" in lines
    place = next(Path(line.strip()) for line in lines if line.endswith("/facts/SignIn.parquet"))
    digest = next(line.split()[1] for line in lines[lines.index(f"    {place}") :] if line.strip().startswith("sha256"))
    assert hashlib.sha256(place.read_bytes()).hexdigest() == digest
    assert any('"asset": "user:ad:bob"' in line and '"mfa": "not_required"' in line for line in lines)


def test_why_speaks_both_languages(graded: Graded, reopened: None, bank: Bank) -> None:
    told = ztgrade("why", "1-1", "--lang", "zh-TW", "--assessment", bank.path, "--system", "portal")
    assert told.exit_code == 0
    assert "多因子" in told.stdout and "portal / " in told.stdout and "crm / " not in told.stdout


@pytest.mark.parametrize(
    "wrong", [("why", "9-9"), ("why", "1-1", "--system", "nobody"), ("why", "1-1", "--assessment", "0" * 64)]
)
def test_why_refuses_names_that_do_not_exist(scanned: Institution, wrong: tuple[str, ...]) -> None:
    result = scanned.run(*wrong)
    assert result.exit_code == 2 and result.stdout == ""


def test_why_about_an_asset_that_nobody_knows_is_refused(scanned: Institution) -> None:
    result = scanned.run("why", "1-1", "--asset", "user:ad:carol")
    assert result.exit_code == 2
    assert "user:ad:carol" in result.stderr


# report


@pytest.mark.parametrize("language", ["zh-TW", "en"])
def test_a_report_is_one_file_that_needs_nothing_else(scanned: Institution, tmp_path: Path, language: str) -> None:
    place = tmp_path / "report.html"
    result = scanned.run("report", "latest", "--lang", language, "--output", place)
    assert (result.exit_code, result.stdout) == (0, "")
    text = place.read_text("utf-8")
    assert ("多因子" in text) is (language == "zh-TW")
    assert "user:ad:bob" in text
    assert 'src="http' not in text and "@import" not in text


def test_a_report_as_json_is_json_in_both_languages(scanned: Institution, tmp_path: Path) -> None:
    place = tmp_path / "report.json"
    assert scanned.run("report", "latest", "--format", "json", "--output", place).exit_code == 0
    body = json.loads(place.read_bytes())
    assert body["institution"] == "small" and body["dossier"]["examples"]


def test_a_report_that_cannot_be_written_says_so(scanned: Institution, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    result = scanned.run("report", "latest", "--output", tmp_path / "file" / "report.html")
    assert result.exit_code == 2
    assert str(tmp_path / "file") in result.stderr


def test_an_assessment_is_found_by_path_digest_beginning_and_latest(scanned: Institution) -> None:
    (path,) = (scanned.store / "assessments").iterdir()
    told = {scanned.run("findings", name, "--json", "--check", MFA).stdout for name in (path, path.name[:8], "latest")}
    assert len(told) == 1 and all(told)


def test_an_assessment_that_is_not_there_is_told_with_a_way_to_find_one(scanned: Institution, tmp_path: Path) -> None:
    result = scanned.run("findings", "ffffffffff")
    assert result.exit_code == 2 and "list assessments" in result.stderr
    nowhere = ztgrade("findings", "latest", "--store", tmp_path / "none")
    assert nowhere.exit_code == 2 and not (tmp_path / "none").exists()


def test_the_printed_assessment_is_the_sealed_one(bank: Bank) -> None:
    sealed = json.loads((bank.path / "assessment.json").read_bytes())
    assert sealed | {"path": str(bank.path)} == bank.assessment
    assert parsed(ztgrade("regrade", bank.path, "--json"))["same"]
