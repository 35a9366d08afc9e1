"""5-8 Data lifecycle: content leaves when its time is over, and its copies with it."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import DataStore, Retention


@check(over=DataStore)
def retention_executes(store: Subject, *, days: int) -> Claim:
    """The retention rule ran within the last days and reaches the backups too."""
    retention = store[Retention]
    recent = store.clock.within(retention.last_run, days=days)
    return Claim(
        applies=True,
        holds=(retention.policy == "executing") & recent & retention.covers_copies,
        shows={
            "policy": retention.policy,
            "last_run": retention.last_run,
            "covers_copies": retention.covers_copies,
        },
    )
