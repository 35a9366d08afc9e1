"""``plan`` sends nothing and names everything; ``collect`` seals, and a run that was stopped is no success."""

from __future__ import annotations

import json

import pytest

from tests.scanner.commands.stage import ESTATE, Institution, parsed, user

TWO = ESTATE.replace(
    "[systems.core]",
    '[targets.hr]\ncollector = "import"\ncaptures = "captures/hr"\npromises = ["Employment"]\n[systems.core]',
)


def test_plan_names_every_target_and_touches_nothing(institution: Institution) -> None:
    institution.estate_text = TWO
    institution.write_estate()
    before = sorted(institution.folder.rglob("*"))
    result = institution.run("plan", "--json")
    assert (result.exit_code, result.stderr) == (0, "")
    rows = json.loads(result.stdout)["plan"]
    assert [(row["target"], row["collector"], row["origin"]) for row in rows] == [
        ("ad", "import", "supplied"),
        ("hr", "import", "supplied"),
    ]
    assert all("captures" in row["call"] for row in rows)
    assert sorted(institution.folder.rglob("*")) == before
    told = institution.run("plan", "--only", "hr").stdout
    assert "hr  (import, supplied" in told and "captures/hr" in told and "captures/ad" not in told


def test_plan_of_a_target_that_does_not_exist_names_the_nearest(institution: Institution) -> None:
    result = institution.run("plan", "--only", "add")
    assert result.exit_code == 2 and "'ad'" in result.stderr


def test_collect_seals_one_collection_a_target(institution: Institution) -> None:
    result = institution.run("collect", "--json")
    assert result.exit_code == 0
    (row,) = json.loads(result.stdout)["collections"]
    assert (row["target"], row["collector"], row["origin"], row["complete"]) == ("ad", "import", "supplied", True)
    assert (row["facts"], row["gaps"]) == (4, 0)
    assert [place.name for place in (institution.store / "collections").iterdir()] == [row["digest"]]
    assert "ad: reading" in result.stderr and "4 facts" in result.stderr


def test_progress_goes_to_stderr_and_quiet_silences_it(institution: Institution) -> None:
    loud = institution.run("collect")
    assert loud.stdout.startswith("ad: 4 facts, 0 gaps, complete, ") and "reading 1 targets" in loud.stderr
    assert institution.run("collect", "--quiet").stderr == ""


def test_a_store_is_for_its_owner_alone(institution: Institution) -> None:
    institution.run("collect", "--quiet")
    assert institution.store.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("more", [(), ("--json",), ("--quiet",)])
def test_a_stopped_collect_is_no_success(institution: Institution, more: tuple[str, ...]) -> None:
    institution.run("collect", "--quiet")
    (institution.store / "stop").touch()
    result = institution.run("collect", *more)
    assert result.exit_code == 4
    assert "not read: ad: not_started" in result.stderr and "stop file" in result.stderr
    if more == ("--json",):
        assert json.loads(result.stdout)["collections"] == []
    (institution.store / "stop").unlink()
    assert institution.run("collect", "--quiet").exit_code == 0


def test_a_stopped_scan_is_no_success_even_where_nothing_new_is_wrong(institution: Institution) -> None:
    institution.scan()
    institution.supply([user("amy")])
    (institution.store / "stop").touch()
    result = institution.run("scan", "--json", "--quiet", "--fail-on", "never")
    assert result.exit_code == 4
    assert "not read: ad" in result.stderr
    assert parsed(result)["collections"][0]["facts"] == 4, "what was sealed before still counts"


def test_only_the_targets_asked_for_are_read(institution: Institution) -> None:
    institution.estate_text = TWO
    institution.write_estate()
    result = institution.run("collect", "--only", "hr", "--json", "--quiet")
    assert [row["target"] for row in json.loads(result.stdout)["collections"]] == ["hr"]
