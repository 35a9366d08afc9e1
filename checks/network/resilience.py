"""3-5 Resilience: the network changes its own settings when it measures harm."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import NetworkDevice, Redundancy


@check(over=NetworkDevice)
def failover_follows_measured_state(device: Subject) -> Claim:
    """The path moves when measured state says so, not only when a unit dies."""
    redundancy = device[Redundancy]
    return Claim(
        applies=device.category.is_in(["router", "firewall", "load_balancer"]),
        holds=redundancy.failover == "tracked",
        shows={"failover": redundancy.failover},
    )
