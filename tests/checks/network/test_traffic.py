"""Rows for 3-3: flows that are seen on every interface, or somewhere."""

from __future__ import annotations

from checks.network.traffic import flows_are_exported_on_every_interface
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts

ROUTER = {"NetworkDevice.category": "router"}


def test_flows_are_seen_on_every_interface() -> None:
    def flows(*monitored: bool | None, exporter: bool | None = True) -> dict[str, object]:
        interfaces = [{"name": "Vlan10", "monitored": state} for state in monitored]
        return ROUTER | {"FlowExport.exporter": exporter, "FlowExport.interfaces": interfaces}

    cases: dict[str, Case] = {
        "all monitored": (Outcome.PASS, flows(True, True)),
        "exporter defined, applied nowhere": (Outcome.FAIL, flows(False, False)),
        "one interface left out": (Outcome.FAIL, flows(True, False)),
        "monitors without an exporter (bandwidth graph)": (Outcome.FAIL, flows(True, exporter=False)),
        "one interface not read": (Outcome.UNKNOWN, flows(True, None)),
        "no routed interface read": (Outcome.UNKNOWN, flows()),
        "nothing seen": (Outcome.UNKNOWN, ROUTER),
        "access point": (Outcome.NA, {"NetworkDevice.category": "access_point"}),
    }
    assert verdicts(flows_are_exported_on_every_interface, cases) == expected(cases)
