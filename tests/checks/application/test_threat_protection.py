"""Rows for 4-3: requests that are stopped and authority that is withdrawn, or alerts."""

from __future__ import annotations

from checks.application.threat_protection import abnormal_operation_revokes, requests_are_filtered_at_every_entry
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts


def test_filter_blocks_at_every_entry() -> None:
    sound = {"WebProtection.mode": "block", "WebProtection.entries": 2, "WebProtection.protected_entries": 2}
    cases: dict[str, Case] = {
        "every entry": (Outcome.PASS, sound),
        "counting, not blocking": (Outcome.FAIL, sound | {"WebProtection.mode": "count"}),
        "one entry beside the filter": (Outcome.FAIL, sound | {"WebProtection.protected_entries": 1}),
        "filter before nothing": (
            Outcome.FAIL,
            sound | {"WebProtection.entries": 0, "WebProtection.protected_entries": 0},
        ),
        "entries not counted": (Outcome.UNKNOWN, sound | {"WebProtection.entries": None}),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(requests_are_filtered_at_every_entry, cases) == expected(cases)


def test_abnormal_operation_loses_its_authority() -> None:
    cases: dict[str, Case] = {
        "revoked": (Outcome.PASS, {"ThreatResponse.on_abnormal": "revoke"}),
        "alert without revocation": (Outcome.FAIL, {"ThreatResponse.on_abnormal": "alert"}),
        "nothing happens": (Outcome.FAIL, {"ThreatResponse.on_abnormal": "nothing"}),
        "not seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(abnormal_operation_revokes, cases) == expected(cases)
