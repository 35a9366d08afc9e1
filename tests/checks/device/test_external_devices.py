"""Rows for 2-3: foreign devices that are sound or come through a sound relay."""

from __future__ import annotations

from checks.device.external_devices import external_device_meets_baseline_or_uses_relay
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts

FOREIGN = {"Device.external": True}


def test_foreign_device_is_sound_or_comes_through_a_sound_relay() -> None:
    relayed = FOREIGN | {
        "DeviceAccess.baseline_met": False,
        "DeviceAccess.entry": "relay",
        "DeviceAccess.relay_compliant": True,
    }
    cases: dict[str, Case] = {
        "meets the baseline": (Outcome.PASS, FOREIGN | {"DeviceAccess.baseline_met": True}),
        "sound relay": (Outcome.PASS, relayed),
        "sound relay, posture not seen": (Outcome.PASS, relayed | {"DeviceAccess.baseline_met": None}),
        "relay exists, way around it remains": (Outcome.FAIL, relayed | {"DeviceAccess.entry": "direct"}),
        "relay itself unsound": (Outcome.FAIL, relayed | {"DeviceAccess.relay_compliant": False}),
        "relay not read": (Outcome.UNKNOWN, relayed | {"DeviceAccess.relay_compliant": None}),
        "entry not seen": (Outcome.UNKNOWN, relayed | {"DeviceAccess.entry": None}),
        "nothing seen": (Outcome.UNKNOWN, FOREIGN),
        "own device": (Outcome.NA, relayed | {"Device.external": False}),
    }
    assert verdicts(external_device_meets_baseline_or_uses_relay, cases) == expected(cases)
