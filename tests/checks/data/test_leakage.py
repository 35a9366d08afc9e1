"""Rows for 5-2: leaks that are stopped, or only told."""

from __future__ import annotations

from checks.data.leakage import bulk_export_is_watched, suspected_leak_is_blocked
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts

SENSITIVE = {"DataStore.sensitive": True}
HARMLESS = {"DataStore.sensitive": False}


def test_suspected_leak_is_stopped() -> None:
    cases: dict[str, Case] = {
        "blocked": (Outcome.PASS, SENSITIVE | {"LeakageControl.mode": "block"}),
        "alert only": (Outcome.FAIL, SENSITIVE | {"LeakageControl.mode": "alert"}),
        "off": (Outcome.FAIL, SENSITIVE | {"LeakageControl.mode": "off"}),
        "not seen": (Outcome.UNKNOWN, SENSITIVE),
        "sensitivity not registered": (Outcome.UNKNOWN, {"LeakageControl.mode": "block"}),
        "harmless store": (Outcome.NA, HARMLESS | {"LeakageControl.mode": "off"}),
    }
    assert verdicts(suspected_leak_is_blocked, cases) == expected(cases)


def test_exports_by_administrators_are_watched() -> None:
    cases: dict[str, Case] = {
        "watched": (Outcome.PASS, SENSITIVE | {"LeakageControl.bulk_export_watched": True}),
        "administrator's export goes unseen": (
            Outcome.FAIL,
            SENSITIVE | {"LeakageControl.bulk_export_watched": False},
        ),
        "not seen": (Outcome.UNKNOWN, SENSITIVE),
        "harmless store": (Outcome.NA, HARMLESS),
    }
    assert verdicts(bulk_export_is_watched, cases) == expected(cases)
