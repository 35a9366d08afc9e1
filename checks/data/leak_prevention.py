"""5-1 Leak prevention: sensitive data cannot simply be carried out."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Device, LeakPrevention


@check(over=Device)
def device_policy_is_enforced(device: Subject, *, channels: list[str]) -> Claim:
    """Leak prevention on the laptop or desktop enforces, on every channel that leads out."""
    prevention = device[LeakPrevention]
    return Claim(
        applies=~device.external & device.category.is_in(["laptop", "desktop"]),
        holds=(prevention.mode == "enforce") & prevention.channels.has_all(channels),
        shows={"mode": prevention.mode, "channels": prevention.channels},
    )
