"""Rows for 1-7: accounts that end with their reason, and those that live on."""

from __future__ import annotations

from checks.identity.account_lifecycle import (
    access_keys_are_renewed,
    dormant_account_is_disabled,
    leaver_account_is_disabled_in_time,
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
