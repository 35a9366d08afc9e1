"""Rows for 1-2: a carrier that cannot be phished, and the weaker ways that stay open beside it."""

from __future__ import annotations

from checks.identity.phishing_resistance import authenticator_is_bound_to_carrier, usable_authenticators_resist_phishing
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts

PERSON = {"User.enabled": True, "User.category": "person"}
LITERAL = ["fido2_bound", "fido2_synced", "smart_card", "platform_bound", "otp_hardware"]
STRICT = ["fido2_bound", "fido2_synced", "smart_card", "platform_bound"]
CARRIERS = ["fido2_bound", "smart_card", "platform_bound", "otp_hardware"]


def holding(*methods: str, unusable: tuple[str, ...] = (), doubtful: tuple[str, ...] = ()) -> dict[str, object]:
    usable = {True: methods, False: unusable, None: doubtful}
    return PERSON | {
        "Authenticators.methods": [{"method": m, "usable": can} for can, names in usable.items() for m in names]
    }


def test_no_usable_method_can_be_phished() -> None:
    cases: dict[str, Case] = {
        "security key alone": (Outcome.PASS, holding("fido2_bound")),
        "smart card and hardware one-time password": (Outcome.PASS, holding("smart_card", "otp_hardware")),
        "synced passkey": (Outcome.PASS, holding("fido2_synced")),
        "password registered, policy refuses it": (Outcome.PASS, holding("fido2_bound", unusable=("password",))),
        "text message": (Outcome.FAIL, holding("sms")),
        "push": (Outcome.FAIL, holding("push")),
        "software one-time password": (Outcome.FAIL, holding("totp_software")),
        "weaker fallback beside the security key": (Outcome.FAIL, holding("fido2_bound", "sms")),
        "security key unusable, password usable": (Outcome.FAIL, holding("password", unusable=("fido2_bound",))),
        "nothing registered": (Outcome.FAIL, holding()),
        "fallback of which nobody says whether it is usable": (
            Outcome.UNKNOWN,
            holding("fido2_bound", doubtful=("sms",)),
        ),
        "methods not seen": (Outcome.UNKNOWN, PERSON),
        "service account": (Outcome.NA, holding("password") | {"User.category": "service"}),
    }
    assert verdicts(usable_authenticators_resist_phishing, cases, methods=LITERAL) == expected(cases)


def test_strict_reading_does_not_take_one_time_passwords() -> None:
    cases: dict[str, Case] = {
        "hardware one-time password": (Outcome.FAIL, holding("otp_hardware")),
        "security key": (Outcome.PASS, holding("fido2_bound")),
    }
    assert verdicts(usable_authenticators_resist_phishing, cases, methods=STRICT) == expected(cases)


def test_some_usable_method_is_bound_to_a_carrier() -> None:
    cases: dict[str, Case] = {
        "security key": (Outcome.PASS, holding("fido2_bound")),
        "key of the platform's own hardware": (Outcome.PASS, holding("platform_bound", "password")),
        "synced passkey where a carrier is claimed": (Outcome.FAIL, holding("fido2_synced")),
        "software certificate": (Outcome.FAIL, holding("certificate_software")),
        "security key that policy does not let decide": (Outcome.FAIL, holding("sms", unusable=("fido2_bound",))),
        "nothing registered": (Outcome.FAIL, holding()),
        "security key of which nobody says whether it is usable": (
            Outcome.UNKNOWN,
            holding("sms", doubtful=("fido2_bound",)),
        ),
        "methods not seen": (Outcome.UNKNOWN, PERSON),
        "disabled account": (Outcome.NA, holding("sms") | {"User.enabled": False}),
    }
    assert verdicts(authenticator_is_bound_to_carrier, cases, carriers=CARRIERS) == expected(cases)
