"""2-6 Device logs: events of devices arrive, are judged and carry what was decided."""

from __future__ import annotations

from checks.event_stream import arrives, carries_all, is_judged
from scanner.column import Claim, Subject, check
from scanner.facts import Device, LogSource


@check(over=Device)
def device_events_arrive(device: Subject, *, hours: int) -> Claim:
    """Events of the device itself reached the collecting side within the last hours."""
    return arrives(device, applies=~device.external, hours=hours)


@check(over=LogSource)
def device_events_are_judged(source: Subject, *, rules: int) -> Claim:
    """Enabled rules read the device stream and their alerts reach security operations."""
    return is_judged(source, applies=source.pillar == "device", rules=rules)


@check(over=LogSource)
def device_events_carry_decisions(source: Subject, *, carries: list[str]) -> Claim:
    """Events of the device stream carry the decisions of policy and the attributes behind them."""
    return carries_all(source, applies=source.pillar == "device", carries=carries)
