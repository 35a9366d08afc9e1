"""Rows for 5-8: retention that runs, or stands on paper."""

from __future__ import annotations

from checks.data.lifecycle import retention_executes
from scanner.model import Outcome
from tests.checks.world import Case, ago, expected, verdicts


def test_retention_runs_and_reaches_the_copies() -> None:
    sound = {
        "Retention.policy": "executing",
        "Retention.last_run": ago(days=10),
        "Retention.covers_copies": True,
    }
    cases: dict[str, Case] = {
        "runs everywhere": (Outcome.PASS, sound),
        "policy on paper": (Outcome.FAIL, sound | {"Retention.policy": "on_paper"}),
        "stopped running": (Outcome.FAIL, sound | {"Retention.last_run": ago(days=36)}),
        "backups outlive it": (Outcome.FAIL, sound | {"Retention.covers_copies": False}),
        "copies not seen": (Outcome.UNKNOWN, sound | {"Retention.covers_copies": None}),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(retention_executes, cases, days=35) == expected(cases)
