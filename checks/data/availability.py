"""5-4 Availability: data survive the loss of a unit and of a site, and can be brought back."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Availability, Backup, DataStore


@check(over=DataStore)
def store_survives_local_failure(store: Subject) -> Claim:
    """The store goes on at its own site when one unit fails."""
    availability = store[Availability]
    return Claim(
        applies=True,
        holds=availability.local.is_in(["pair", "multi_zone"]),
        shows={"local": availability.local},
    )


@check(over=DataStore)
def backup_lies_elsewhere_out_of_reach(store: Subject) -> Claim:
    """A backup, not a replica, lies at another site where those who run the store cannot delete it."""
    return Claim(
        applies=True,
        holds=store[Backup].copies.any(
            lambda copy: (copy.method == "backup") & (copy.place == "other_site") & ~copy.same_administrators
        ),
    )


@check(over=DataStore)
def restore_was_tested(store: Subject, *, days: int) -> Claim:
    """A restore of the store was tested within the last days."""
    backup = store[Backup]
    return Claim(
        applies=True,
        holds=backup.ever_restored & store.clock.within(backup.restored_at, days=days),
        shows={"ever_restored": backup.ever_restored, "restored_at": backup.restored_at},
    )
