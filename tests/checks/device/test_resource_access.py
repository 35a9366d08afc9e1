"""Rows for 2-4: device health as a condition, or as a suggestion."""

from __future__ import annotations

from checks.device.resource_access import device_health_is_a_condition
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts

OWN = {"Device.external": False}


def test_device_health_decides_in_every_session() -> None:
    cases: dict[str, Case] = {
        "in every session": (Outcome.PASS, OWN | {"DeviceAccess.health_gate": "every_session"}),
        "at join only": (Outcome.FAIL, OWN | {"DeviceAccess.health_gate": "at_join"}),
        "or a weaker grant": (Outcome.FAIL, OWN | {"DeviceAccess.health_gate": "alternative"}),
        "posture not fed to the decision": (Outcome.FAIL, OWN | {"DeviceAccess.health_gate": "none"}),
        "not seen": (Outcome.UNKNOWN, OWN),
        "foreign device": (Outcome.NA, {"Device.external": True}),
    }
    assert verdicts(device_health_is_a_condition, cases, gates=["every_session"]) == expected(cases)
