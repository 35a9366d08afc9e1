"""Rows for 1-1: what a second factor that really is demanded looks like, and what only resembles one."""

from __future__ import annotations

from checks.identity.multi_factor import (
    access_keys_need_second_factor,
    legacy_protocols_are_blocked,
    passed_factor_is_soon_forgotten,
    root_user_has_second_factor,
    second_factor_is_enforced,
)
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts

PERSON = {"User.enabled": True, "User.category": "person"}
SERVICE = {"User.enabled": True, "User.category": "service"}
DISABLED = {"User.enabled": False, "User.category": "person"}


def test_only_an_enforced_policy_without_exclusion_counts() -> None:
    demanded = {"SignIn.mfa": "enforced", "SignIn.excluded": False}
    cases: dict[str, Case] = {
        "enforced for a person": (Outcome.PASS, PERSON | demanded),
        "enforced for the emergency account": (Outcome.PASS, PERSON | {"User.category": "break_glass"} | demanded),
        "report-only policy": (Outcome.FAIL, PERSON | demanded | {"SignIn.mfa": "report_only"}),
        "registered but not required": (Outcome.FAIL, PERSON | demanded | {"SignIn.mfa": "not_required"}),
        "exclusion group holds the user": (Outcome.FAIL, PERSON | demanded | {"SignIn.excluded": True}),
        "report-only although the exclusion is not seen": (Outcome.FAIL, PERSON | {"SignIn.mfa": "report_only"}),
        "exclusion not seen": (Outcome.UNKNOWN, PERSON | {"SignIn.mfa": "enforced"}),
        "policy not seen": (Outcome.UNKNOWN, PERSON),
        "category not seen": (Outcome.UNKNOWN, {"User.enabled": True} | demanded),
        "nothing seen": (Outcome.UNKNOWN, {}),
        "service account": (Outcome.NA, SERVICE),
        "disabled account": (Outcome.NA, DISABLED),
    }
    assert verdicts(second_factor_is_enforced, cases, modes=["enforced"]) == expected(cases)


def test_old_protocols_go_around_the_second_factor() -> None:
    cases: dict[str, Case] = {
        "blocked": (Outcome.PASS, {"User.enabled": True, "SignIn.legacy_protocols": "blocked"}),
        "second factor at the front door, old protocols inside": (
            Outcome.FAIL,
            {"User.enabled": True, "SignIn.legacy_protocols": "allowed"},
        ),
        "not seen": (Outcome.UNKNOWN, {"User.enabled": True}),
        "disabled account": (Outcome.NA, {"User.enabled": False, "SignIn.legacy_protocols": "allowed"}),
    }
    assert verdicts(legacy_protocols_are_blocked, cases) == expected(cases)


def test_long_remembered_session_is_no_second_factor() -> None:
    cases: dict[str, Case] = {
        "never remembered": (Outcome.PASS, PERSON | {"SignIn.remembered": "never"}),
        "one day": (Outcome.PASS, PERSON | {"SignIn.remembered": "limited", "SignIn.remembered_hours": 24}),
        "an hour more": (Outcome.FAIL, PERSON | {"SignIn.remembered": "limited", "SignIn.remembered_hours": 25}),
        "for ever": (Outcome.FAIL, PERSON | {"SignIn.remembered": "unlimited"}),
        "limited, to what is not seen": (Outcome.UNKNOWN, PERSON | {"SignIn.remembered": "limited"}),
        "hours without the mode": (Outcome.UNKNOWN, PERSON | {"SignIn.remembered_hours": 1}),
        "service account": (Outcome.NA, SERVICE | {"SignIn.remembered": "unlimited"}),
    }
    assert verdicts(passed_factor_is_soon_forgotten, cases, hours=24) == expected(cases)


def test_access_key_of_a_person_needs_the_second_factor() -> None:
    keys = PERSON | {"Credentials.access_keys": 2}
    cases: dict[str, Case] = {
        "refused without a factor": (Outcome.PASS, keys | {"Credentials.access_keys_need_mfa": True}),
        "key works without a factor": (Outcome.FAIL, keys | {"Credentials.access_keys_need_mfa": False}),
        "condition not seen": (Outcome.UNKNOWN, keys),
        "number not seen": (Outcome.UNKNOWN, PERSON | {"Credentials.access_keys_need_mfa": False}),
        "no key": (Outcome.NA, PERSON | {"Credentials.access_keys": 0}),
        "service account": (Outcome.NA, keys | {"User.category": "service"}),
    }
    assert verdicts(access_keys_need_second_factor, cases) == expected(cases)


def test_root_user_has_a_factor_and_no_key() -> None:
    cases: dict[str, Case] = {
        "hardware, no key": (Outcome.PASS, {"RootUser.mfa": "hardware", "RootUser.access_keys": 0}),
        "virtual, no key": (Outcome.PASS, {"RootUser.mfa": "virtual", "RootUser.access_keys": 0}),
        "no factor": (Outcome.FAIL, {"RootUser.mfa": "none", "RootUser.access_keys": 0}),
        "a key goes around the factor": (Outcome.FAIL, {"RootUser.mfa": "hardware", "RootUser.access_keys": 1}),
        "keys not seen": (Outcome.UNKNOWN, {"RootUser.mfa": "hardware"}),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(root_user_has_second_factor, cases, kinds=["virtual", "hardware"]) == expected(cases)
