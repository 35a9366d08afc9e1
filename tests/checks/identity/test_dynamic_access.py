"""Rows for 1-5: attributes that decide and rights that can be withdrawn, or roles under a new name."""

from __future__ import annotations

from checks.identity.dynamic_access import running_session_can_be_revoked, sign_in_weighs_dynamic_attributes
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts

PERSON = {"User.enabled": True, "User.category": "person"}
SERVICE = {"User.enabled": True, "User.category": "service"}
ATTRIBUTES = ["location", "device_health", "risk", "time", "behaviour"]


def test_dynamic_attribute_decides_everywhere() -> None:
    weighed = PERSON | {"SignIn.conditions": ["device_health", "risk"], "SignIn.trusted_network_bypass": False}
    cases: dict[str, Case] = {
        "device and risk": (Outcome.PASS, weighed),
        "one attribute": (Outcome.PASS, weighed | {"SignIn.conditions": ["time"]}),
        "roles alone": (Outcome.FAIL, weighed | {"SignIn.conditions": []}),
        "roles under a new name": (Outcome.FAIL, weighed | {"SignIn.conditions": ["role"]}),
        "office network lifts the conditions": (Outcome.FAIL, weighed | {"SignIn.trusted_network_bypass": True}),
        "bypass not seen": (Outcome.UNKNOWN, PERSON | {"SignIn.conditions": ["risk"]}),
        "conditions not seen": (Outcome.UNKNOWN, PERSON | {"SignIn.trusted_network_bypass": False}),
        "service account": (Outcome.NA, SERVICE | {"SignIn.conditions": []}),
    }
    assert verdicts(sign_in_weighs_dynamic_attributes, cases, attributes=ATTRIBUTES) == expected(cases)


def test_withdrawn_right_ends_the_session() -> None:
    cases: dict[str, Case] = {
        "at once": (Outcome.PASS, PERSON | {"SignIn.revocation": "continuous"}),
        "within the hour": (Outcome.PASS, PERSON | {"SignIn.revocation": "timed", "SignIn.revocation_minutes": 60}),
        "a minute later": (Outcome.FAIL, PERSON | {"SignIn.revocation": "timed", "SignIn.revocation_minutes": 61}),
        "only when the token expires": (
            Outcome.FAIL,
            PERSON | {"SignIn.revocation": "at_expiry", "SignIn.revocation_minutes": 30},
        ),
        "timed, minutes not seen": (Outcome.UNKNOWN, PERSON | {"SignIn.revocation": "timed"}),
        "not seen": (Outcome.UNKNOWN, PERSON),
        "service account": (Outcome.NA, SERVICE | {"SignIn.revocation": "at_expiry"}),
    }
    assert verdicts(running_session_can_be_revoked, cases, minutes=60) == expected(cases)
