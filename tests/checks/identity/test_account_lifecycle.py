"""Rows for 1-7: accounts that end with their reason, and those that live on."""

from __future__ import annotations

from checks.identity.account_lifecycle import (
    access_keys_are_renewed,
    dormant_account_is_disabled,
    former_privilege_is_removed,
    leaver_account_is_disabled_in_time,
    password_is_required,
    service_secrets_are_renewed,
)
from scanner.model import Outcome
from tests.checks.world import Case, ago, expected, verdicts


def test_leaver_is_locked_out_in_time() -> None:
    left = {"Employment.state": "left", "Employment.left_at": ago(days=10), "User.enabled": False}
    cases: dict[str, Case] = {
        "disabled the same day": (Outcome.PASS, left | {"Employment.disabled_at": ago(days=9.5)}),
        "disabled beforehand": (Outcome.PASS, left | {"Employment.disabled_at": ago(days=11)}),
        "disabled to the hour": (Outcome.PASS, left | {"Employment.disabled_at": ago(days=9)}),
        "disabled a week late": (Outcome.FAIL, left | {"Employment.disabled_at": ago(days=3)}),
        "still alive in this directory": (Outcome.FAIL, left | {"User.enabled": True}),
        "alive again after being disabled": (
            Outcome.FAIL,
            left | {"User.enabled": True, "Employment.disabled_at": ago(days=9.5)},
        ),
        "time of disabling not seen": (Outcome.UNKNOWN, left),
        "personnel system not seen": (Outcome.UNKNOWN, {"User.enabled": False}),
        "still employed": (Outcome.NA, {"Employment.state": "active", "User.enabled": True}),
    }
    assert verdicts(leaver_account_is_disabled_in_time, cases, hours=24) == expected(cases)


def test_unused_account_is_disabled() -> None:
    cases: dict[str, Case] = {
        "used yesterday": (Outcome.PASS, {"User.enabled": True, "Activity.idle_since": ago(days=1)}),
        "unused for ninety days": (Outcome.PASS, {"User.enabled": True, "Activity.idle_since": ago(days=90)}),
        "a day longer": (Outcome.FAIL, {"User.enabled": True, "Activity.idle_since": ago(days=91)}),
        "not seen": (Outcome.UNKNOWN, {"User.enabled": True}),
        "disabled": (Outcome.NA, {"User.enabled": False, "Activity.idle_since": ago(days=900)}),
    }
    assert verdicts(dormant_account_is_disabled, cases, days=90) == expected(cases)


def test_access_keys_do_not_grow_old() -> None:
    keys = {"User.enabled": True, "Credentials.access_keys": 1}
    cases: dict[str, Case] = {
        "made last month": (Outcome.PASS, keys | {"Credentials.oldest_access_key": ago(days=30)}),
        "made last year": (Outcome.FAIL, keys | {"Credentials.oldest_access_key": ago(days=365)}),
        "age not seen": (Outcome.UNKNOWN, keys),
        "number not seen": (Outcome.UNKNOWN, {"User.enabled": True, "Credentials.oldest_access_key": ago(days=365)}),
        "no key": (Outcome.NA, keys | {"Credentials.access_keys": 0}),
    }
    assert verdicts(access_keys_are_renewed, cases, days=90) == expected(cases)


def test_service_account_does_not_keep_its_password() -> None:
    service = {"User.enabled": True, "User.category": "service", "Credentials.password": "never_expires"}
    managed = {"Credentials.password_managed": True}
    by_hand = {"Credentials.password_managed": False}
    cases: dict[str, Case] = {
        "the directory renews it": (Outcome.PASS, service | managed),
        "managed, last renewal not seen": (Outcome.PASS, service | managed | {"Credentials.password": "expires"}),
        "changed this year": (Outcome.PASS, service | by_hand | {"Credentials.password_changed_at": ago(days=365)}),
        "set when the system was built": (
            Outcome.FAIL,
            service | by_hand | {"Credentials.password_changed_at": ago(days=366)},
        ),
        "set in the future": (Outcome.FAIL, service | by_hand | {"Credentials.password_changed_at": ago(days=-2)}),
        "changed this year, kept by whom not seen": (
            Outcome.PASS,
            service | {"Credentials.password_changed_at": ago(days=1)},
        ),
        "old, kept by whom not seen": (Outcome.UNKNOWN, service | {"Credentials.password_changed_at": ago(days=900)}),
        "age not seen": (Outcome.UNKNOWN, service | by_hand),
        "nobody says whom it serves": (
            Outcome.UNKNOWN,
            {"User.enabled": True, "Credentials.password": "expires"} | by_hand,
        ),
        "managed, whether it ages not seen": (
            Outcome.PASS,
            {"User.enabled": True, "User.category": "service"} | managed,
        ),
        "password not seen": (Outcome.UNKNOWN, {"User.enabled": True, "User.category": "service"} | by_hand),
        "no password": (Outcome.PASS, service | {"Credentials.password": "none"}),
        "a person": (Outcome.NA, service | {"User.category": "person"}),
        "disabled": (Outcome.NA, service | {"User.enabled": False}),
    }
    assert verdicts(service_secrets_are_renewed, cases, days=365) == expected(cases)


def test_password_is_not_left_empty() -> None:
    aged = {"User.enabled": True, "Credentials.password": "expires"}
    cases: dict[str, Case] = {
        "required": (Outcome.PASS, aged | {"Credentials.password_required": True}),
        "may be empty": (Outcome.FAIL, aged | {"Credentials.password_required": False}),
        "flag not seen": (Outcome.UNKNOWN, aged),
        "password not seen": (Outcome.UNKNOWN, {"User.enabled": True}),
        "whether there is one not seen, and it may be empty": (
            Outcome.UNKNOWN,
            {"User.enabled": True, "Credentials.password_required": False},
        ),
        "no password at all": (Outcome.PASS, aged | {"Credentials.password": "none"}),
        "disabled": (Outcome.NA, aged | {"User.enabled": False, "Credentials.password_required": False}),
    }
    assert verdicts(password_is_required, cases) == expected(cases)


def test_former_administrator_is_an_ordinary_account() -> None:
    cases: dict[str, Case] = {
        "nothing is left": (Outcome.PASS, {"User.enabled": True, "Privilege.residual": False}),
        "the mark stayed when the group was left": (Outcome.FAIL, {"User.enabled": True, "Privilege.residual": True}),
        "mark or membership not seen": (Outcome.UNKNOWN, {"User.enabled": True}),
        "disabled": (Outcome.NA, {"User.enabled": False, "Privilege.residual": True}),
    }
    assert verdicts(former_privilege_is_removed, cases) == expected(cases)
