"""2-4 Resource access: the present state of the device is a condition for what it may reach."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Device, DeviceAccess


@check(over=Device)
def device_health_is_a_condition(device: Subject, *, gates: list[str]) -> Claim:
    """Access from the device depends on its health, with no weaker grant beside it."""
    access = device[DeviceAccess]
    return Claim(
        applies=~device.external,
        holds=access.health_gate.is_in(gates),
        shows={"health_gate": access.health_gate},
    )
