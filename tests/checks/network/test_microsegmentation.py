"""Rows for 3-2: boundaries that are enforced, or only watched."""

from __future__ import annotations

from checks.network.microsegmentation import boundary_is_enforced
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts


def test_boundary_enforces_and_leaves_nothing_out() -> None:
    sound = {
        "Microsegmentation.mode": "enforce",
        "Microsegmentation.final_action": "deny",
        "Microsegmentation.unlabelled_workloads": 0,
    }
    cases: dict[str, Case] = {
        "enforced to the end": (Outcome.PASS, sound),
        "monitor mode": (Outcome.FAIL, sound | {"Microsegmentation.mode": "monitor"}),
        "another product under that name": (Outcome.FAIL, sound | {"Microsegmentation.mode": "none"}),
        "ends in allow": (Outcome.FAIL, sound | {"Microsegmentation.final_action": "allow"}),
        "workloads without a label": (Outcome.FAIL, sound | {"Microsegmentation.unlabelled_workloads": 1}),
        "workloads not counted": (Outcome.UNKNOWN, sound | {"Microsegmentation.unlabelled_workloads": None}),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(boundary_is_enforced, cases) == expected(cases)
