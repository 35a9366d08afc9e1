"""1-6 Identity logs: events about identities arrive, are judged and carry what was decided."""

from __future__ import annotations

from checks.event_stream import arrives, carries_all, is_judged
from scanner.column import Claim, Subject, check
from scanner.facts import LogSource


@check(over=LogSource)
def identity_events_arrive(source: Subject, *, hours: int) -> Claim:
    """Events of the identity stream reached the collecting side within the last hours."""
    return arrives(source, applies=source.pillar == "identity", hours=hours)


@check(over=LogSource)
def identity_events_are_judged(source: Subject, *, rules: int) -> Claim:
    """Enabled rules read the identity stream and their alerts reach security operations."""
    return is_judged(source, applies=source.pillar == "identity", rules=rules)


@check(over=LogSource)
def identity_events_carry_decisions(source: Subject, *, carries: list[str]) -> Claim:
    """Events of the identity stream carry the decisions of policy and the attributes behind them."""
    return carries_all(source, applies=source.pillar == "identity", carries=carries)
