"""``list`` names everything that a script may meet in results."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import pytest

from tests.scanner.commands.conftest import Bank
from tests.scanner.commands.stage import ztgrade


def listed(*arguments: object) -> Any:
    result = ztgrade("list", *arguments, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    return json.loads(result.stdout)


def kinds(requirement: dict[str, Any]) -> set[str]:
    return {requirement["kind"]}.union(*(kinds(branch) for branch in requirement.get("branches", ())))


def test_items_are_the_36_of_the_guideline_in_both_languages() -> None:
    answer = listed("items")
    assert answer["schema_version"] == 1
    assert Counter(item["level"] for item in answer["items"]) == {"I": 12, "II": 10, "III": 9, "IV": 5}
    assert Counter(item["pillar"] for item in answer["items"]) == {
        "identity": 7, "device": 7, "network": 7, "application": 7, "data": 8
    }  # fmt: skip
    for item in answer["items"]:
        assert set(item) >= {"id", "pillar", "level", "function", "title", "requirements"}
        for text in (item["function"], item["title"]):
            assert set(text) == {"zh-TW", "en"} and all(text.values())
        slugs = [requirement["id"] for requirement in item["requirements"]]
        assert slugs and len(slugs) == len(set(slugs)) and not any("/" in slug for slug in slugs)
    first = next(item for item in answer["items"] if item["id"] == "1-1")
    assert [requirement["id"] for requirement in first["requirements"]][:2] == ["mfa-enforced", "legacy-blocked"]


def test_every_kind_of_requirement_is_one_of_five() -> None:
    answer = listed("items")
    owners = [*answer["items"], *answer["gates"]]
    found = set().union(*(kinds(requirement) for owner in owners for requirement in owner["requirements"]))
    assert found == {"check", "attestation", "drill", "review", "any_of"}


def test_gates_stand_beside_the_items() -> None:
    assert {gate["level"]: len(gate["requirements"]) for gate in listed("items")["gates"]} == {"II": 3, "III": 2}


def test_a_gate_that_does_not_exist_cannot_be_listed() -> None:
    assert ztgrade("list", "items", "--baseline", "fsc-1999").exit_code == 2


def test_checks_say_what_they_are_over_and_what_they_read() -> None:
    checks = {check["id"]: check for check in listed("checks")["checks"]}
    used = {
        part["check"]
        for item in listed("items")["items"]
        for requirement in item["requirements"]
        for part in [requirement, *requirement.get("branches", ())]
        if "check" in part
    }
    assert used == set(checks)
    facts = {fact["id"]: {field["name"] for field in fact["fields"]} for fact in listed("facts")["facts"]}
    for check in checks.values():
        assert set(check) == {"id", "from", "over", "needs", "doc"} and check["from"] == "ztgrade"
        assert check["doc"].endswith(".")
        assert check["over"] in facts and check["needs"]
        for need in check["needs"]:
            fact, _, field = need.partition(".")
            assert field in facts[fact]
    mfa = checks["identity.multi_factor.second_factor_is_enforced"]
    assert mfa["over"] == "User"
    assert set(mfa["needs"]) >= {"User.enabled", "SignIn.mfa", "SignIn.excluded"}


def test_collectors_say_which_rights_they_ask_for() -> None:
    collectors = {row["id"]: row for row in listed("collectors")["collectors"]}
    assert set(collectors) >= {"import", "local"}
    for row in collectors.values():
        assert row["doc"] and row["permissions"] and row["from"] == "ztgrade"
        assert all(right["name"] and right["why"] and right["facts"] for right in row["permissions"])


def test_facts_say_what_each_field_means_and_how_sensitive_it_is() -> None:
    for fact in listed("facts")["facts"]:
        assert fact["doc"] and fact["kind"]
        for field in fact["fields"]:
            assert field["doc"] and field["sensitivity"] in {"public", "internal", "personal", "secret_adjacent"}


def test_enums_are_closed_lists_of_every_word() -> None:
    enums = {row["id"]: row["values"] for row in listed("enums")["enums"]}
    assert enums["Level"] == ["none", "I", "II", "III", "IV"]
    assert enums["Pillar"] == ["identity", "device", "network", "application", "data"]
    assert enums["ItemState"] == [
        "met", "partial", "not_met", "needs_attestation", "undetermined", "not_assessed", "not_applicable"
    ]  # fmt: skip
    assert enums["RequirementState"] == ["met", "not_met", "undetermined"]
    assert enums["GapWhy"] == [
        "denied", "unreachable", "unsupported", "malformed", "truncated", "stale", "conflict", "unseen", "error"
    ]  # fmt: skip
    assert enums["RegisterWhy"] == [
        "missing", "expired", "lapsed", "self_declared", "revoked", "unchained", "too_few", "too_old", "uncompensated",
        "unproved",
    ]  # fmt: skip
    assert enums["AlarmWord"] == ["widened", "stale", "expiring", "compensation_lost"]
    assert enums["Scene"] == [
        "remote_work", "cloud_access", "system_operations", "application_administration", "service_provider",
        "cross_institution",
    ]  # fmt: skip
    assert enums["Outcome"] == ["pass", "fail", "unknown", "na"]
    assert enums["Origin"] == ["live", "capture", "supplied"]
    assert enums["RequirementKind"] == ["check", "attestation", "drill", "review", "any_of"]
    assert enums["ServiceModel"] == ["on_premises", "iaas", "paas", "saas"]
    assert enums["FailOn"] == ["never", "below-target", "regression", "new-gap"]


def test_every_word_of_a_result_stands_in_an_enum(bank: Bank) -> None:
    enums = {row["id"]: set(row["values"]) for row in listed("enums")["enums"]}
    result = bank.assessment
    for grade in result["grades"]:
        assert {grade["floor"], grade["ceiling"], grade["target"]} <= enums["Level"]
        assert grade["scene"] in enums["Scene"] and grade["pillar"] in enums["Pillar"]
        for item in grade["items"]:
            assert item["state"] in enums["ItemState"]
            for requirement in item["requirements"]:
                assert requirement["state"] in enums["RequirementState"]
                assert requirement["kind"] in enums["RequirementKind"]
                assert set(requirement["origin"]) <= enums["Origin"]
                assert set(requirement["why"]) <= enums["GapWhy"] | enums["RegisterWhy"]
    assert {gap["why"] for gap in result["gaps"]} <= enums["GapWhy"]


def test_assessments_of_a_store_are_listed_oldest_first(bank: Bank) -> None:
    first, last = listed("assessments", "--store", bank.store)["assessments"]
    assert (first["baseline"], last["baseline"]) == ("fsc-2024-strict", "fsc-2024")
    assert (last["id"], last["path"]) == (bank.assessment["assessment"], bank.assessment["path"])


@pytest.mark.parametrize("what", ["items", "checks", "collectors", "facts", "enums"])
def test_people_get_a_line_for_each(what: str) -> None:
    result = ztgrade("list", what)
    assert result.exit_code == 0
    assert len(result.stdout.splitlines()) == len(listed(what)[what])
