"""``scope explain`` says who belongs where before anything is graded, and seals nothing."""

from __future__ import annotations

import json

from scanner.demo.description import read_description
from tests.scanner.commands.conftest import Bank
from tests.scanner.commands.stage import ESTATE, Institution, sign_in, user, ztgrade

MORE = """
[systems.branch]
title.zh-TW = "分行"
title.en = "Branch"
scenes = ["remote_work"]
service_model = "on_premises"
target = "I"
[[systems.branch.members.User]]
listed = ["user:ad:amy", "user:ad:zoe"]
"""
LISTED = ESTATE.replace("all = true", 'listed = ["user:ad:amy"]')


def test_overlaps_unassigned_assets_and_missing_selectors_are_told(institution: Institution) -> None:
    institution.estate_text = LISTED + MORE
    institution.write_estate()
    institution.run("collect", "--quiet")
    before = sorted((institution.store / "assessments").iterdir())
    result = ztgrade("scope", "explain", "--estate", institution.estate, "--store", institution.store, "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    body = json.loads(result.stdout)
    users = {row["system"]: row for row in body["scopes"] if row["population"] == "User"}
    assert {name: (row["members"], row["undetermined"], row["closed"]) for name, row in users.items()} == {
        "core": (1, 0, True),
        "branch": (2, 0, True),
    }
    (overlap,) = (row for row in body["overlaps"] if row["population"] == "User")
    assert overlap["assets"] == 1
    (rest,) = (row for row in body["unassigned"] if row["population"] == "User")
    assert (rest["count"], rest["examples"]) == (1, ["user:ad:bob"])
    assert {row["note"] for row in body["scopes"] if row["population"] == "Device"} == {"no selector"}
    assert sorted((institution.store / "assessments").iterdir()) == before
    people = ztgrade("scope", "explain", "--estate", institution.estate, "--store", institution.store).stdout
    assert "core / remote_work (on_premises)" in people
    assert "unassigned: 1 of User, such as user:ad:bob" in people


def test_a_selector_that_matches_nothing_is_told(institution: Institution) -> None:
    institution.estate_text = ESTATE.replace("all = true", 'groups = ["Nobody"]')
    institution.write_estate()
    institution.supply(
        [user("amy"), sign_in("amy"), {"fact": "Placement", "asset": "user:ad:amy", "groups": ["Somebody"]}]
    )
    institution.run("collect", "--quiet")
    result = ztgrade("scope", "explain", "--estate", institution.estate, "--store", institution.store, "--json")
    (row,) = (row for row in json.loads(result.stdout)["scopes"] if row["population"] == "User")
    assert row["members"] == 0
    assert row["note"] == "no match" or row["undetermined"] == 1


def test_scopes_of_the_explanation_are_those_of_the_assessment(bank: Bank) -> None:
    options = ("--estate", bank.estate, "--store", bank.store, "--as-of", read_description().as_of)
    result = ztgrade("scope", "explain", *options, "--json")
    assert json.loads(result.stdout)["scopes"] == bank.assessment["scopes"]
