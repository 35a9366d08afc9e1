"""5-7 Data logs: access to sensitive data leaves events that arrive, name the reader, and are judged."""

from __future__ import annotations

from checks.event_stream import arrives, carries_all, is_judged
from scanner.column import Claim, Subject, check
from scanner.facts import DataStore, LogSource


@check(over=DataStore)
def data_events_arrive(store: Subject, *, hours: int) -> Claim:
    """Events of the sensitive store reached the collecting side within the last hours."""
    return arrives(store, applies=store.sensitive, hours=hours)


@check(over=DataStore)
def data_events_carry_access(store: Subject, *, carries: list[str]) -> Claim:
    """Events of the sensitive store tell who reached which data, not only who administers it."""
    return carries_all(store, applies=store.sensitive, carries=carries)


@check(over=LogSource)
def data_events_are_judged(source: Subject, *, rules: int) -> Claim:
    """Enabled rules read the data stream and their alerts reach security operations."""
    return is_judged(source, applies=source.pillar == "data", rules=rules)
