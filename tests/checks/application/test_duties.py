"""Rows for 4-1: duties kept apart by account, role and machine, or by name only."""

from __future__ import annotations

from checks.application.duties import (
    full_administrators_are_few,
    local_administrators_are_personal,
    privileged_account_is_not_for_daily_work,
    roles_are_separated,
    root_user_is_not_used,
)
from scanner.model import Outcome
from tests.checks.world import Case, Row, ago, expected, verdicts


def test_privilege_has_an_account_of_its_own() -> None:
    privileged = {"User.enabled": True, "Privilege.privileged": True}
    cases: dict[str, Case] = {
        "own account": (Outcome.PASS, privileged | {"Privilege.daily_work": False}),
        "two roles, one account": (Outcome.FAIL, privileged | {"Privilege.daily_work": True}),
        "use not seen": (Outcome.UNKNOWN, privileged),
        "privilege through nested groups not seen": (
            Outcome.UNKNOWN,
            {"User.enabled": True, "Privilege.daily_work": True},
        ),
        "ordinary account": (Outcome.NA, {"User.enabled": True, "Privilege.privileged": False}),
    }
    assert verdicts(privileged_account_is_not_for_daily_work, cases) == expected(cases)


def test_privileged_roles_are_held_apart() -> None:
    def roles(*listed: Row, by: str | None = "application") -> dict[str, object]:
        return {"Entitlements.exported_by": by, "Entitlements.roles": list(listed)}

    ordinary = {"privileged": False, "also_ordinary": 40, "approved_apart": False}
    apart = {"privileged": True, "also_ordinary": 0, "approved_apart": True}
    cases: dict[str, Case] = {
        "held and authorised apart": (Outcome.PASS, roles(ordinary, apart)),
        "holders also do ordinary work": (Outcome.FAIL, roles(ordinary, apart | {"also_ordinary": 1})),
        "granted like any role": (Outcome.FAIL, roles(apart | {"approved_apart": False})),
        "inner roles never seen, only directory groups": (Outcome.FAIL, roles(apart, by="directory")),
        "origin of the list not seen": (Outcome.UNKNOWN, roles(apart, by=None)),
        "holders not counted": (Outcome.UNKNOWN, roles(ordinary, apart | {"also_ordinary": None})),
        "list without a role": (Outcome.UNKNOWN, roles()),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(roles_are_separated, cases) == expected(cases)


def test_few_can_do_everything() -> None:
    def account(administrators: int | None, unconditional: int | None) -> dict[str, object]:
        return {
            "AccountAdministration.full_administrators": administrators,
            "AccountAdministration.unconditional_grants": unconditional,
        }

    cases: dict[str, Case] = {
        "three with conditions": (Outcome.PASS, account(3, 0)),
        "four": (Outcome.FAIL, account(4, 0)),
        "one without condition": (Outcome.FAIL, account(1, 1)),
        "grants not counted": (Outcome.UNKNOWN, account(1, None)),
        "nothing seen": (Outcome.UNKNOWN, account(None, None)),
    }
    assert verdicts(full_administrators_are_few, cases, count=3) == expected(cases)


def test_each_local_administrator_has_one_name() -> None:
    server = {"Device.external": False, "Device.category": "server"}

    def members(*entries: tuple[str | None, bool | None]) -> dict[str, object]:
        listed = [{"category": category, "enabled": enabled} for category, enabled in entries]
        return server | {"LocalAdministrators.members": listed}

    cases: dict[str, Case] = {
        "people and groups": (Outcome.PASS, members(("person", True), ("group", True))),
        "built-in one disabled": (Outcome.PASS, members(("built_in", False), ("group", True))),
        "nobody": (Outcome.PASS, members()),
        "shared local administrator": (Outcome.FAIL, members(("person", True), ("shared", True))),
        "built-in one enabled": (Outcome.FAIL, members(("built_in", True))),
        "state of the built-in one not read": (Outcome.UNKNOWN, members(("built_in", None))),
        "members not seen": (Outcome.UNKNOWN, server),
        "phone": (Outcome.NA, members(("shared", True)) | {"Device.category": "mobile"}),
        "foreign device": (Outcome.NA, members(("shared", True)) | {"Device.external": True}),
    }
    assert verdicts(local_administrators_are_personal, cases) == expected(cases)


def test_root_user_is_left_alone() -> None:
    used = {"RootUser.ever_used": True}
    cases: dict[str, Case] = {
        "never used": (Outcome.PASS, {"RootUser.ever_used": False}),
        "last used when the account was set up": (Outcome.PASS, used | {"RootUser.last_used": ago(days=400)}),
        "long ago, and nothing said of ever": (Outcome.PASS, {"RootUser.last_used": ago(days=400)}),
        "used ninety days ago": (Outcome.FAIL, used | {"RootUser.last_used": ago(days=90)}),
        "used yesterday": (Outcome.FAIL, used | {"RootUser.last_used": ago(days=1)}),
        "used in the future by its own clock": (Outcome.FAIL, used | {"RootUser.last_used": ago(days=-2)}),
        "used, when not seen": (Outcome.UNKNOWN, used),
        "recently, and nothing said of ever": (Outcome.UNKNOWN, {"RootUser.last_used": ago(days=1)}),
        "nothing seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(root_user_is_not_used, cases, days=90) == expected(cases)
