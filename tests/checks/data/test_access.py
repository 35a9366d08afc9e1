"""Rows for 5-5: readers who are weighed and prove themselves again, or came in once."""

from __future__ import annotations

from checks.data.access import dynamic_attributes_decide, reader_authenticates_again
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts

SENSITIVE = {"DataStore.sensitive": True}
HARMLESS = {"DataStore.sensitive": False}
ATTRIBUTES = ["location", "device_health", "risk", "time", "behaviour"]


def test_dynamic_attribute_is_a_condition() -> None:
    cases: dict[str, Case] = {
        "device health": (Outcome.PASS, SENSITIVE | {"DataAccess.conditions": ["device_health"]}),
        "static access list": (Outcome.FAIL, SENSITIVE | {"DataAccess.conditions": []}),
        "roles alone": (Outcome.FAIL, SENSITIVE | {"DataAccess.conditions": ["role"]}),
        "not seen": (Outcome.UNKNOWN, SENSITIVE),
        "harmless store": (Outcome.NA, HARMLESS | {"DataAccess.conditions": []}),
    }
    assert verdicts(dynamic_attributes_decide, cases, attributes=ATTRIBUTES) == expected(cases)


def test_reader_proves_themself_again() -> None:
    sound = SENSITIVE | {
        "DataAccess.reauthentication": "on_sensitive_access",
        "DataAccess.reader_identity": "person",
    }
    cases: dict[str, Case] = {
        "again, as a person": (Outcome.PASS, sound),
        "application sign-in only": (Outcome.FAIL, sound | {"DataAccess.reauthentication": "at_sign_in"}),
        "never": (Outcome.FAIL, sound | {"DataAccess.reauthentication": "never"}),
        "one service account reaches the database": (
            Outcome.FAIL,
            sound | {"DataAccess.reader_identity": "shared_service"},
        ),
        "identity not seen": (Outcome.UNKNOWN, sound | {"DataAccess.reader_identity": None}),
        "nothing seen": (Outcome.UNKNOWN, {}),
        "harmless store": (Outcome.NA, sound | HARMLESS),
    }
    assert verdicts(reader_authenticates_again, cases) == expected(cases)
