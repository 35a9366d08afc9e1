"""2-3 External devices: what belongs to others is as sound as one's own, or comes in through a sound relay."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Device, DeviceAccess


@check(over=Device)
def external_device_meets_baseline_or_uses_relay(device: Subject) -> Claim:
    """The external device meets the internal baseline, or enters only through a relay that meets it."""
    access = device[DeviceAccess]
    return Claim(
        applies=device.external,
        holds=access.baseline_met | ((access.entry == "relay") & access.relay_compliant),
        shows={
            "baseline_met": access.baseline_met,
            "entry": access.entry,
            "relay_compliant": access.relay_compliant,
        },
    )
