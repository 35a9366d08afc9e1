"""Rows for 2-5: sensors that stop an attack, and those that watch it."""

from __future__ import annotations

from checks.device.threat_protection import detection_blocks_and_cannot_be_stopped
from scanner.model import Outcome
from tests.checks.world import Case, Row, expected, verdicts

SERVER = {"Device.external": False, "Device.category": "server"}


def test_sensor_blocks_and_stays_on() -> None:
    def products(*seen: Row) -> dict[str, object]:
        return SERVER | {"EndpointProtection.products": list(seen)}

    sensor = {"category": "edr", "running": True, "mode": "block", "tamper_protection": True}
    plain = sensor | {"category": "antivirus"}
    cases: dict[str, Case] = {
        "blocking sensor": (Outcome.PASS, products(sensor)),
        "blocking sensor beside plain antivirus": (Outcome.PASS, products(plain, sensor)),
        "plain antivirus": (Outcome.FAIL, products(plain)),
        "passive mode": (Outcome.FAIL, products(sensor | {"mode": "passive"})),
        "audit mode": (Outcome.FAIL, products(sensor | {"mode": "audit"})),
        "installed, not running": (Outcome.FAIL, products(sensor | {"running": False})),
        "administrator can stop it": (Outcome.FAIL, products(sensor | {"tamper_protection": False})),
        "no one product does it all": (
            Outcome.FAIL,
            products(sensor | {"mode": "audit"}, sensor | {"tamper_protection": False}),
        ),
        "server without a sensor": (Outcome.FAIL, products()),
        "mode not seen": (Outcome.UNKNOWN, products(sensor | {"mode": None})),
        "products not seen": (Outcome.UNKNOWN, SERVER),
        "phone": (Outcome.NA, {"Device.external": False, "Device.category": "mobile"}),
    }
    assert verdicts(detection_blocks_and_cannot_be_stopped, cases) == expected(cases)
