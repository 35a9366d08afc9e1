"""An exception from its draft with noted failures to the alarm that another scan does not silence."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

import pytest

from tests.scanner.commands.stage import Institution, now, requirement, sign_in, stamp, user, ztgrade

REASON = "A second lock stands before this console until it is replaced."


def _run(institution: Institution, *args: Any) -> Any:
    return ztgrade("exception", *args, "--estate", institution.estate)


def _add(institution: Institution, *assets: str, **given: Any) -> dict[str, Any]:
    """Write and sign an exception; returns its fields as written."""
    options = {"requirement": "1-1/mfa-enforced", "type": "planned"} | given
    flags = [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
    named = [part for asset in assets for part in ("--asset", f"user:ad:{asset}")]
    common = ["--system", "core", "--owner", "wang", "--approver", "chang", "--reason", REASON]
    ends = ["--expires-at", stamp(now() + timedelta(days=10)), "--store", institution.store]
    added = _run(institution, "add", "EX-1", *flags, *named, *common, *ends)
    assert added.exit_code == 0, added.stderr
    signed = _run(institution, "approve", "EX-1", "--key", institution.approver_key)
    assert signed.exit_code == 0, signed.stderr
    return dict(json.loads(_run(institution, "show", "EX-1", "--json").stdout)["fields"])


def _supply(institution: Institution, **factors: str) -> None:
    institution.supply([part for name, mfa in factors.items() for part in (user(name), sign_in(name, mfa=mfa))])


def _alarms(assessment: Mapping[str, Any]) -> list[tuple[str, int | None, int | None]]:
    return [(row["word"], row["before"], row["now"]) for row in assessment["alarms"] if row["word"] != "expiring"]


@pytest.fixture
def failing(institution: Institution) -> Institution:
    """Two people sign in without a second factor, one with it."""
    _supply(institution, amy="not_required", bob="not_required", eve="enforced")
    institution.scan()
    return institution


def test_how_much_fails_is_noted_with_the_entry_and_signed(failing: Institution) -> None:
    fields = _add(failing, "amy", "eve")
    assert (fields["matched"], fields["beyond"]) == (1, 1)


def test_without_a_store_nothing_is_noted(institution: Institution) -> None:
    fields = _add(institution, "amy")
    assert not {"matched", "beyond"} & set(fields)


def test_more_failures_beyond_it_are_told_by_every_assessment_and_by_the_command(failing: Institution) -> None:
    _add(failing, "amy")
    first = failing.scan()
    _supply(failing, amy="not_required", bob="not_required", eve="not_required")
    again = [failing.scan(), failing.scan()]
    told = _run(failing, "expiring", "--store", failing.store)
    rows = json.loads(_run(failing, "expiring", "--store", failing.store, "--json").stdout)

    assert _alarms(first) == []
    assert [_alarms(each) for each in again] == [[("widened", 1, 2)]] * 2
    assert requirement(again[0], "1-1", "mfa-enforced")["excepted"] == 1
    assert "EX-1  1-1/mfa-enforced  core (every scene)  widened: 2 fail beyond all exceptions, 1 before" in told.stdout
    assert "expiring: within 14 days" in told.stdout
    assert [row["id"] for row in rows["entries"]] == ["EX-1"]
    assert {row["word"] for row in rows["alarms"]} == {"widened", "expiring"}


def test_what_healed_leaves_the_exception_stale(failing: Institution) -> None:
    _add(failing, "amy")
    _supply(failing, amy="enforced", bob="not_required", eve="enforced")
    assert _alarms(failing.scan()) == [("stale", 1, 0)]


def test_a_control_that_does_not_hold_compensates_nothing(failing: Institution) -> None:
    _add(failing, "amy", "bob", type="compensating_control", compensated_by="1-7/leavers-disabled")
    assessment = failing.scan()

    found = requirement(assessment, "1-1", "mfa-enforced")
    assert (found["state"], found["state_with_exceptions"], found["excepted"]) == ("not_met", "not_met", 0)
    (row,) = assessment["registers"]
    assert (row["counts"], row["why"]) == (False, "uncompensated")
    assert "1-7/leavers-disabled is to compensate" in row["detail"]
    assert ("compensation_lost", 2, 2) in _alarms(assessment)
