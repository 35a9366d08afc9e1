"""Rows for 2-1: devices that are known by a key of their own, and names that only look like one."""

from __future__ import annotations

from checks.device.inventory import (
    access_ports_demand_dot1x,
    device_has_hardware_identity,
    device_identity_is_its_own,
    device_is_managed,
)
from scanner.model import Outcome
from tests.checks.world import Case, ago, expected, verdicts

OWN = {"Device.external": False}
FOREIGN = {"Device.external": True}


def test_identity_lives_in_hardware() -> None:
    cases: dict[str, Case] = {
        "trusted platform module": (Outcome.PASS, OWN | {"HardwareIdentity.anchor": "tpm"}),
        "secure enclave": (Outcome.PASS, OWN | {"HardwareIdentity.anchor": "secure_enclave"}),
        "key in a file": (Outcome.FAIL, OWN | {"HardwareIdentity.anchor": "software_key"}),
        "host name or MAC address taken for an identity": (Outcome.FAIL, OWN | {"HardwareIdentity.anchor": "none"}),
        "not seen": (Outcome.UNKNOWN, OWN),
        "owner not seen": (Outcome.UNKNOWN, {"HardwareIdentity.anchor": "tpm"}),
        "foreign device": (Outcome.NA, FOREIGN | {"HardwareIdentity.anchor": "none"}),
    }
    assert verdicts(device_has_hardware_identity, cases, anchors=["tpm", "secure_enclave"]) == expected(cases)


def test_an_identity_belongs_to_one_device() -> None:
    alone = OWN | {"EndpointAgent.clone_suspected": False, "EndpointAgent.identity_collision": False}
    cases: dict[str, Case] = {
        "one host, one key": (Outcome.PASS, alone),
        "copied with its key": (Outcome.FAIL, alone | {"EndpointAgent.clone_suspected": True}),
        "two agents that give one machine": (Outcome.FAIL, alone | {"EndpointAgent.identity_collision": True}),
        "copies not looked for": (Outcome.UNKNOWN, alone | {"EndpointAgent.clone_suspected": None}),
        "no agent": (Outcome.UNKNOWN, OWN),
        "foreign device": (Outcome.NA, FOREIGN | {"EndpointAgent.clone_suspected": True}),
    }
    assert verdicts(device_identity_is_its_own, cases) == expected(cases)


def test_management_hears_from_the_device() -> None:
    cases: dict[str, Case] = {
        "heard yesterday": (Outcome.PASS, OWN | {"Enrolment.managed": True, "Enrolment.last_contact": ago(days=1)}),
        "in the list, silent for a month": (
            Outcome.FAIL,
            OWN | {"Enrolment.managed": True, "Enrolment.last_contact": ago(days=30)},
        ),
        "seen, not managed": (Outcome.FAIL, OWN | {"Enrolment.managed": False}),
        "last contact not seen": (Outcome.UNKNOWN, OWN | {"Enrolment.managed": True}),
        "nothing seen": (Outcome.UNKNOWN, {}),
        "foreign device": (Outcome.NA, FOREIGN | {"Enrolment.managed": False}),
    }
    assert verdicts(device_is_managed, cases, days=14) == expected(cases)


def test_ports_talk_to_authenticated_devices_only() -> None:
    switch = {"NetworkDevice.category": "switch"}

    def ports(*controls: str | None) -> dict[str, object]:
        return switch | {"AccessPorts.ports": [{"name": "Gi1/0/1", "control": control} for control in controls]}

    cases: dict[str, Case] = {
        "802.1X on every port": (Outcome.PASS, ports("dot1x", "dot1x")),
        "no access ports": (Outcome.PASS, ports()),
        "MAC bypass counted as 802.1X": (Outcome.FAIL, ports("dot1x", "mac_bypass")),
        "open authentication": (Outcome.FAIL, ports("open")),
        "one bare port": (Outcome.FAIL, ports("dot1x", "none", None)),
        "one port not read": (Outcome.UNKNOWN, ports("dot1x", None)),
        "ports not seen": (Outcome.UNKNOWN, switch),
        "router": (Outcome.NA, {"NetworkDevice.category": "router"}),
    }
    assert verdicts(access_ports_demand_dot1x, cases) == expected(cases)
