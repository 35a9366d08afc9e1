"""Rows for 5-4: both halves, the pair at home and the copy elsewhere, and proof that it comes back."""

from __future__ import annotations

from checks.data.availability import (
    backup_lies_elsewhere_out_of_reach,
    restore_was_tested,
    store_survives_local_failure,
)
from scanner.model import Outcome
from tests.checks.world import Case, Row, ago, expected, verdicts


def test_store_goes_on_when_a_unit_fails() -> None:
    cases: dict[str, Case] = {
        "pair": (Outcome.PASS, {"Availability.local": "pair"}),
        "several zones": (Outcome.PASS, {"Availability.local": "multi_zone"}),
        "single": (Outcome.FAIL, {"Availability.local": "single"}),
        "not seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(store_survives_local_failure, cases) == expected(cases)


def test_backup_survives_site_and_administrators() -> None:
    def copies(*listed: Row) -> dict[str, object]:
        return {"Backup.copies": list(listed)}

    sound = {"method": "backup", "place": "other_site", "same_administrators": False}
    cases: dict[str, Case] = {
        "elsewhere, out of reach": (Outcome.PASS, copies(sound)),
        "beside a replica": (Outcome.PASS, copies(sound | {"method": "replica"}, sound)),
        "replication as backup": (Outcome.FAIL, copies(sound | {"method": "replica"})),
        "same site": (Outcome.FAIL, copies(sound | {"place": "same_site"})),
        "deletable by the store's administrators": (Outcome.FAIL, copies(sound | {"same_administrators": True})),
        "no one copy is all of it": (
            Outcome.FAIL,
            copies(sound | {"method": "replica"}, sound | {"same_administrators": True}),
        ),
        "no copy": (Outcome.FAIL, copies()),
        "rights not read": (Outcome.UNKNOWN, copies(sound | {"same_administrators": None})),
        "copies not seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(backup_lies_elsewhere_out_of_reach, cases) == expected(cases)


def test_restore_was_proved() -> None:
    cases: dict[str, Case] = {
        "this year": (Outcome.PASS, {"Backup.ever_restored": True, "Backup.restored_at": ago(days=90)}),
        "long ago": (Outcome.FAIL, {"Backup.ever_restored": True, "Backup.restored_at": ago(days=400)}),
        "never restored": (Outcome.FAIL, {"Backup.ever_restored": False}),
        "time not seen": (Outcome.UNKNOWN, {"Backup.ever_restored": True}),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(restore_was_tested, cases, days=365) == expected(cases)
