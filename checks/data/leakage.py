"""5-2 Leakage: use of sensitive data is watched and a suspected leak is stopped."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import DataStore, LeakageControl


@check(over=DataStore)
def suspected_leak_is_blocked(store: Subject) -> Claim:
    """A suspected leak from the sensitive store is blocked, not only reported."""
    control = store[LeakageControl]
    return Claim(
        applies=store.sensitive,
        holds=control.mode == "block",
        shows={"mode": control.mode},
    )


@check(over=DataStore)
def bulk_export_is_watched(store: Subject) -> Claim:
    """Bulk exports from the sensitive store are watched, those of its administrators too."""
    control = store[LeakageControl]
    return Claim(
        applies=store.sensitive,
        holds=control.bulk_export_watched,
        shows={"bulk_export_watched": control.bulk_export_watched},
    )
