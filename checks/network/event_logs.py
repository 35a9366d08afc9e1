"""3-6 Network logs: events of the network arrive in true time, are judged and carry what was decided."""

from __future__ import annotations

from checks.event_stream import arrives, carries_all, is_judged
from scanner.column import Claim, Subject, check
from scanner.facts import LogSource, NetworkDevice, TimeSync


@check(over=NetworkDevice)
def network_events_arrive(device: Subject, *, hours: int) -> Claim:
    """Events of the device reached the collecting side within the last hours."""
    return arrives(device, applies=True, hours=hours)


@check(over=NetworkDevice)
def clock_is_synchronised(device: Subject) -> Claim:
    """The clock of the device follows a source now, so that its events stand in true order."""
    time = device[TimeSync]
    return Claim(
        applies=True,
        holds=time.synchronised,
        shows={"synchronised": time.synchronised, "source": time.source},
    )


@check(over=LogSource)
def network_events_are_judged(source: Subject, *, rules: int) -> Claim:
    """Enabled rules read the network stream and their alerts reach security operations."""
    return is_judged(source, applies=source.pillar == "network", rules=rules)


@check(over=LogSource)
def network_events_carry_decisions(source: Subject, *, carries: list[str]) -> Claim:
    """Events of the network stream carry the decisions of policy and the attributes behind them."""
    return carries_all(source, applies=source.pillar == "network", carries=carries)
