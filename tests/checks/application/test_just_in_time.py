"""Rows for 4-2: privilege for the task, or for good under another name."""

from __future__ import annotations

from checks.application.just_in_time import activation_is_approved, privilege_is_activated_when_needed
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts

PRIVILEGED = {"User.enabled": True, "Privilege.privileged": True}
ORDINARY = {"User.enabled": True, "Privilege.privileged": False}


def test_privilege_is_held_for_the_task() -> None:
    sound = PRIVILEGED | {
        "Privilege.standing": False,
        "Privilege.eligible": True,
        "Privilege.activation_hours": 8,
    }
    cases: dict[str, Case] = {
        "activated for a working day": (Outcome.PASS, sound),
        "eligible and permanent": (Outcome.FAIL, sound | {"Privilege.standing": True}),
        "permanent": (Outcome.FAIL, PRIVILEGED | {"Privilege.standing": True, "Privilege.eligible": False}),
        "activated all day and night": (Outcome.FAIL, sound | {"Privilege.activation_hours": 24}),
        "neither standing nor eligible": (Outcome.FAIL, sound | {"Privilege.eligible": False}),
        "length not seen": (Outcome.UNKNOWN, sound | {"Privilege.activation_hours": None}),
        "standing inside the application not seen": (Outcome.UNKNOWN, sound | {"Privilege.standing": None}),
        "nothing seen": (Outcome.UNKNOWN, {}),
        "ordinary account": (Outcome.NA, ORDINARY | {"Privilege.standing": True}),
    }
    assert verdicts(privilege_is_activated_when_needed, cases, hours=8) == expected(cases)


def test_somebody_approves_each_activation() -> None:
    cases: dict[str, Case] = {
        "approved": (Outcome.PASS, PRIVILEGED | {"Privilege.activation": "approved"}),
        "approved by itself": (Outcome.FAIL, PRIVILEGED | {"Privilege.activation": "automatic"}),
        "not asked": (Outcome.FAIL, PRIVILEGED | {"Privilege.activation": "none"}),
        "not seen": (Outcome.UNKNOWN, PRIVILEGED),
        "ordinary account": (Outcome.NA, ORDINARY),
    }
    assert verdicts(activation_is_approved, cases) == expected(cases)
