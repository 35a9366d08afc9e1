"""3-3 Traffic: who depends on whom can be seen, and what is unusual is noticed."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import FlowExport, NetworkDevice


@check(over=NetworkDevice)
def flows_are_exported_on_every_interface(device: Subject) -> Claim:
    """Flow records are exported, and a monitor is applied to every routed interface."""
    export = device[FlowExport]
    return Claim(
        applies=device.category.is_in(["router", "firewall", "switch"]),
        holds=export.exporter & export.interfaces.all(lambda interface: interface.monitored),
        shows={"exporter": export.exporter},
    )
