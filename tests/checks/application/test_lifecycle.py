"""Rows for 4-7: retired applications that are gone, and gates that hold."""

from __future__ import annotations

from checks.application.lifecycle import dependency_gate_cannot_be_skipped, retired_application_is_gone
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts


def test_what_is_retired_is_gone() -> None:
    gone = {"Retirement.state": "retired", "Retirement.still_resolves": False, "Retirement.live_accounts": 0}
    cases: dict[str, Case] = {
        "in service": (Outcome.PASS, {"Retirement.state": "in_service"}),
        "gone": (Outcome.PASS, gone),
        "still resolves": (Outcome.FAIL, gone | {"Retirement.still_resolves": True}),
        "accounts and secrets still work": (Outcome.FAIL, gone | {"Retirement.live_accounts": 3}),
        "retired, name not looked up": (Outcome.UNKNOWN, gone | {"Retirement.still_resolves": None}),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(retired_application_is_gone, cases) == expected(cases)


def test_gate_holds() -> None:
    cases: dict[str, Case] = {
        "enforced": (Outcome.PASS, {"Retirement.dependency_gate": "enforced"}),
        "can be skipped": (Outcome.FAIL, {"Retirement.dependency_gate": "skippable"}),
        "none": (Outcome.FAIL, {"Retirement.dependency_gate": "none"}),
        "not seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(dependency_gate_cannot_be_skipped, cases) == expected(cases)
