"""Rows for 2-7: drift that is repaired, or only reported."""

from __future__ import annotations

from checks.device.lifecycle import configuration_drift_is_repaired
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts

OWN = {"Device.external": False}


def test_drift_is_repaired_without_a_hand() -> None:
    cases: dict[str, Case] = {
        "repaired": (Outcome.PASS, OWN | {"Enrolment.repair": "automatic"}),
        "reported, not repaired": (Outcome.FAIL, OWN | {"Enrolment.repair": "reported"}),
        "unnoticed": (Outcome.FAIL, OWN | {"Enrolment.repair": "none"}),
        "not seen": (Outcome.UNKNOWN, OWN),
        "foreign device": (Outcome.NA, {"Device.external": True, "Enrolment.repair": "none"}),
    }
    assert verdicts(configuration_drift_is_repaired, cases) == expected(cases)
