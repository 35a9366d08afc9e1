"""``scan``, ``assess`` and ``regrade``: what they print, how they end, and what they remember from one to the next."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from scanner.commands.session import exit_code
from scanner.model import RequirementState, Scene
from scanner.result.assessment import Assessment
from scanner.result.change import Regression
from tests.scanner.commands.conftest import Bank
from tests.scanner.commands.stage import Institution, now, parsed, requirement, sign_in, stamp, user, ztgrade

HEADLINE = {"floor", "ceiling"}


def test_the_assessment_has_the_fields_that_scripts_read(bank: Bank) -> None:
    result = bank.assessment
    assert set(result) >= {
        "schema_version", "assessment", "path", "institution", "as_of", "baseline", "estate_digest",
        "registers_digest", "previous", "collections", "headline", "grades", "gaps",
    }  # fmt: skip
    assert result["schema_version"] == 1 and len(result["assessment"]) == 64
    assert Path(result["path"]).name == result["assessment"]
    assert set(result["baseline"]) == {"id", "version", "digest"}
    assert {name: set(span) for name, span in result["headline"].items()} == {
        "without_exceptions": HEADLINE,
        "with_exceptions": HEADLINE,
    }
    for row in result["collections"]:
        assert set(row) >= {"target", "collector", "origin", "collected_at", "complete", "facts", "gaps"}
    for row in result["gaps"]:
        assert set(row) == {"target", "collector", "fact", "field", "asset", "why", "detail", "count"}
        assert row["count"] >= 1 and row["fact"]
    assert len(result["grades"]) == 11 * 5
    for grade in result["grades"]:
        assert set(grade) >= {"system", "scene", "pillar", "floor", "ceiling", "gates", "blocking", "items"}
        assert {gate["level"] for gate in grade["gates"]} == {"II", "III"}
        for gate in grade["gates"]:
            assert set(gate) == {"level", "state", "requirements"}
        for item in grade["items"]:
            assert set(item) >= {"id", "state", "reason", "last_proved", "requirements"} and item["reason"]
            for each in item["requirements"]:
                assert set(each) >= {
                    "id", "kind", "state", "origin", "population", "assessed", "passed", "failed", "unknown", "excepted"
                }  # fmt: skip
                assert each["assessed"] == each["passed"] + each["failed"]
                assert each["population"] == each["assessed"] + each["unknown"]


def test_requirements_of_a_result_are_those_that_list_names(bank: Bank) -> None:
    items = {
        item["id"]: [each["id"] for each in item["requirements"]]
        for item in json.loads(ztgrade("list", "items", "--json").stdout)["items"]
    }
    for grade in bank.assessment["grades"]:
        for item in grade["items"]:
            assert [each["id"] for each in item["requirements"]] == items[item["id"]]


def test_an_open_level_says_what_blocks_it(bank: Bank) -> None:
    for grade in bank.assessment["grades"]:
        assert bool(grade["blocking"]) is (grade["floor"] != "IV"), (grade["system"], grade["scene"], grade["pillar"])


# how it ends


@pytest.fixture(scope="module")
def plain(bank: Bank) -> Assessment:
    """A result below target, with gaps and nothing else wrong."""
    return msgspec.convert(bank.assessment, Assessment)


ALL = ("below-target", "regression", "new-gap")
Change = Callable[[Assessment], Assessment]


def changed(**changes: Any) -> Change:
    return lambda result: msgspec.structs.replace(result, **changes)


def on_target(result: Assessment) -> Assessment:
    return changed(grades=[msgspec.structs.replace(grade, target=grade.floor) for grade in result.grades])(result)


def fallen(result: Assessment) -> Assessment:
    row = Regression(
        system="crm",
        scene=Scene.CLOUD_ACCESS,
        item="1-1",
        requirement="mfa-enforced",
        was=RequirementState.MET,
        now=RequirementState.NOT_MET,
        last_proved=None,
    )
    return changed(regressions=[row])(result)


def crashed(result: Assessment) -> Assessment:
    return changed(errors=["identity.x@00000000: ValueError: no"])(result)


@pytest.mark.parametrize(
    ("changes", "fail_on", "code"),
    [
        ([], ("never",), 0),
        ([], ("below-target",), 3),
        ([on_target], ("below-target",), 0),
        ([], ("regression",), 0),
        ([fallen], ("regression",), 3),
        ([fallen], ("never",), 0),
        ([], ("new-gap",), 4),
        ([], ALL, 3),
        ([on_target], ALL, 4),
        ([on_target, fallen], ALL, 3),
        ([on_target, changed(gaps=[])], ALL, 0),
        ([crashed], ("never",), 1),
        ([crashed, fallen], ALL, 1),
        ([crashed, on_target], ("new-gap",), 1),
    ],
)
def test_the_exit_code_is_the_gravest_of_what_was_asked_for(
    plain: Assessment, changes: list[Change], fail_on: tuple[str, ...], code: int
) -> None:
    result = plain
    for change in changes:
        result = change(result)
    assert exit_code(result, None, fail_on) == code


def test_a_gap_that_the_previous_assessment_had_is_not_new(plain: Assessment) -> None:
    assert exit_code(plain, plain, ("new-gap",)) == 0
    fewer = msgspec.structs.replace(plain, gaps=plain.gaps[1:])
    assert exit_code(plain, fewer, ("new-gap",)) == 4
    assert exit_code(fewer, plain, ("new-gap",)) == 0


def test_first_scan_is_new_gaps_the_second_is_not(institution: Institution) -> None:
    assert institution.run("scan", "--json").exit_code == 4
    again = institution.run("scan", "--json")
    assert again.exit_code == 0
    assert parsed(again)["previous"]
    assert institution.run("assess", "--fail-on", "below-target").exit_code == 3


def test_only_json_on_stdout_and_progress_on_stderr(institution: Institution) -> None:
    result = institution.run("scan", "--json")
    assert parsed(result)["institution"] == "small"
    assert "ad: reading" in result.stderr
    for_people = institution.run("assess")
    assert for_people.stdout.startswith("small  as of ") and "sealed in " in for_people.stdout


# one assessment after another


def test_a_disproved_requirement_whose_source_goes_dark_stays_a_regression(institution: Institution) -> None:
    first = institution.scan()
    assert requirement(first, "1-1", "mfa-enforced")["state"] == "not_met"
    shutil.rmtree(institution.folder / "captures/ad")
    result = institution.run("scan", "--json", "--quiet")
    assert result.exit_code == 3
    second = parsed(result)
    dark = requirement(second, "1-1", "mfa-enforced")
    assert (dark["state"], dark["last_proved"]) == ("undetermined", first["as_of"])
    assert dark["why"]
    lost = {(gap["fact"], gap["why"]) for gap in second["gaps"] if gap["target"] == "ad"}
    assert {("User", "unreachable"), ("SignIn", "unreachable")} <= lost
    (item,) = (item for grade in second["grades"] for item in grade["items"] if item["id"] == "1-1")
    assert item["last_proved"] == first["as_of"] and item["state"] != "met"
    (row,) = (row for row in second["regressions"] if row["requirement"] == "mfa-enforced")
    assert (row["was"], row["now"], row["last_proved"]) == ("not_met", "undetermined", first["as_of"])
    third = institution.scan()
    assert requirement(third, "1-1", "mfa-enforced")["last_proved"] == first["as_of"], "it stays so until seen again"
    institution.supply([user("bob"), sign_in("bob")])
    healed = institution.scan()
    assert requirement(healed, "1-1", "mfa-enforced")["state"] == "met"
    assert healed["regressions"] == []


def test_a_source_that_supplies_an_empty_file_proves_nothing(institution: Institution) -> None:
    first = institution.scan()
    institution.supply([])
    second = institution.scan()
    emptied = requirement(second, "1-1", "mfa-enforced")
    assert (emptied["state"], emptied["population"]) == ("undetermined", 0)
    assert emptied["last_proved"] == first["as_of"]


def test_a_requirement_that_was_met_and_is_not_is_a_regression(institution: Institution) -> None:
    institution.supply([user("amy"), sign_in("amy")])
    assert requirement(institution.scan(), "1-1", "mfa-enforced")["state"] == "met"
    institution.supply([user("amy"), sign_in("amy", mfa="not_required")])
    result = institution.run("scan", "--json", "--quiet")
    assert result.exit_code == 3
    (row,) = parsed(result)["regressions"]
    assert (row["item"], row["was"], row["now"], row["last_proved"]) == ("1-1", "met", "not_met", None)


def exception(institution: Institution, expires: str) -> None:
    made = stamp(now() - timedelta(days=1))
    (institution.folder / "registers/exceptions.toml").write_text(
        f"""[[exception]]
id = "EX-1"
requirement = "1-1/mfa-enforced"
system = "core"
type = "risk_accepted"
reason = "The account serves a machine that is taken out of service this month."
statement = "accepted"
assets = ["user:ad:bob"]
owner = "lee"
approver = "chang"
made_at = {made}
effective_from = {made}
expires_at = {expires}
document = {{ name = "EX-1.pdf", sha256 = "{"0" * 64}" }}
""",
        encoding="utf-8",
    )
    signed = ztgrade("sign", "EX-1", "--key", institution.approver_key, "--estate", institution.estate)
    assert signed.exit_code == 0, signed.stderr


def test_an_exception_expires_between_two_assessments(institution: Institution) -> None:
    exception(institution, stamp(now() + timedelta(days=1)))
    first = institution.scan()
    held = requirement(first, "1-1", "mfa-enforced")
    assert (held["state"], held["excepted"], held["state_with_exceptions"]) == ("not_met", 1, "met")
    (row,) = first["registers"]
    assert (row["id"], row["counts"], row["why"]) == ("EX-1", True, None)
    later = parsed(institution.run("assess", "--json", "--as-of", stamp(now() + timedelta(days=3))))
    lapsed = requirement(later, "1-1", "mfa-enforced")
    assert (lapsed["state"], lapsed["excepted"], lapsed["state_with_exceptions"]) == ("not_met", 0, "not_met")
    (row,) = later["registers"]
    assert (row["counts"], row["why"]) == (False, "expired")
    assert later["previous"] == first["assessment"]


# grading again


def test_regrade_of_a_copied_folder_needs_nothing_else(institution: Institution, tmp_path: Path) -> None:
    institution.scan()
    result = institution.scan()
    copy = tmp_path / "elsewhere" / "evidence"
    shutil.copytree(result["path"], copy)
    for part in ("store", "captures", "keys", "registers"):
        shutil.rmtree(institution.folder / part)
    institution.estate.unlink()
    again = ztgrade("regrade", copy, "--json")
    assert again.exit_code == 0, again.stdout
    assert json.loads(again.stdout) == {
        "schema_version": 1,
        "same": True,
        "sealed": result["assessment"],
        "rebuilt": result["assessment"],
        "differences": [],
    }
    assert ztgrade("report", copy, "--output", tmp_path / "report.html").exit_code == 0


@pytest.mark.parametrize("command", [("regrade",), ("findings",), ("why", "1-1", "--assessment"), ("report",)])
def test_a_result_that_was_altered_is_neither_shown_nor_graded_again(
    scanned: Institution, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (path,) = (scanned.store / "assessments").iterdir()
    copy = tmp_path / "copy"
    shutil.copytree(path, copy)
    sealed = json.loads((copy / "assessment.json").read_bytes())
    sealed["grades"][0]["floor"] = "IV"
    (copy / "assessment.json").write_text(json.dumps(sealed))
    more = ("--output", tmp_path / "report.html") if command == ("report",) else ()
    result = ztgrade(*command, copy, *more)
    assert (result.exit_code, result.stdout) == (3, "")
    assert "assessment.json: was altered after sealing" in result.stderr
    assert not (tmp_path / "report.html").exists()


def test_an_altered_previous_result_cannot_hide_a_regression(institution: Institution) -> None:
    path = Path(institution.scan()["path"]) / "assessment.json"
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b'"not_met"', b'"met"'))
    result = institution.run("assess", "--json")
    assert (result.exit_code, result.stdout) == (3, "")
    assert "assessment.json: was altered after sealing" in result.stderr


@pytest.mark.parametrize("moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59-14:00", "noon", ""])
def test_moments_that_nobody_can_mean_are_refused(institution: Institution, moment: str) -> None:
    institution.run("collect", "--quiet")
    result = institution.run("assess", "--as-of", moment)
    assert (result.exit_code, result.stdout) == (2, "") and "--as-of" in result.stderr


def test_a_result_whose_inputs_are_gone_cannot_be_graded_again(scanned: Institution, tmp_path: Path) -> None:
    (path,) = (scanned.store / "assessments").iterdir()
    copy = tmp_path / "copy"
    shutil.copytree(path, copy)
    (collection,) = (copy / "inputs/collections").iterdir()
    shutil.rmtree(collection)
    result = ztgrade("regrade", copy)
    assert result.exit_code == 3 and collection.name in result.stderr


def test_the_strict_baseline_is_graded_beside(institution: Institution) -> None:
    options = ("--estate", institution.estate, "--store", institution.store)
    assert ztgrade("scan", *options, "--quiet").exit_code == 4
    listed = json.loads(ztgrade("list", "assessments", "--store", institution.store, "--json").stdout)["assessments"]
    assert [row["baseline"] for row in listed] == ["fsc-2024-strict", "fsc-2024"]


def test_a_moment_without_its_zone_is_refused(institution: Institution) -> None:
    institution.run("collect", "--quiet")
    result = institution.run("assess", "--as-of", "2026-11-01")
    assert result.exit_code == 2 and "RFC 3339" not in result.stdout and "2026-11-01T00:00:00Z" in result.stderr


def test_assess_needs_a_store_and_makes_none(institution: Institution) -> None:
    result = institution.run("assess")
    assert result.exit_code == 2 and str(institution.store) in result.stderr
    assert not institution.store.exists()
