"""4-6 Application logs: events of applications arrive, tell the whole act, and are judged."""

from __future__ import annotations

from checks.event_stream import arrives, carries_all, is_judged
from scanner.column import Claim, Subject, check
from scanner.facts import Application, LogSource


@check(over=Application)
def application_events_arrive(application: Subject, *, hours: int) -> Claim:
    """Events of the application reached the collecting side within the last hours."""
    return arrives(application, applies=True, hours=hours)


@check(over=Application)
def application_events_carry_decisions(application: Subject, *, carries: list[str]) -> Claim:
    """Events tell who did what, when, with what result, by which decision, privileged operations included."""
    return carries_all(application, applies=True, carries=carries)


@check(over=LogSource)
def application_events_are_judged(source: Subject, *, rules: int) -> Claim:
    """Enabled rules read the application stream and their alerts reach security operations."""
    return is_judged(source, applies=source.pillar == "application", rules=rules)
