"""Rows for 1-3: guests that prove as much as staff, and the doors that let them prove less."""

from __future__ import annotations

from checks.identity.external_users import (
    external_accounts_end,
    external_users_meet_internal_assurance,
    foreign_roles_are_guarded,
    trusts_filter_and_select,
)
from scanner.model import Outcome
from tests.checks.world import Case, expected, verdicts

GUEST = {"User.enabled": True, "User.external": True}
STAFF = {"User.enabled": True, "User.external": False}


def test_guest_proves_as_much_as_staff() -> None:
    person = GUEST | {"User.category": "person"}
    demanded = {"SignIn.mfa": "enforced", "SignIn.excluded": False}
    cases: dict[str, Case] = {
        "own account, own second factor": (Outcome.PASS, person | demanded),
        "guests excluded from the policy": (Outcome.FAIL, person | demanded | {"SignIn.excluded": True}),
        "factor of the partner trusted unseen": (Outcome.FAIL, person | demanded | {"SignIn.mfa": "not_required"}),
        "account shared by a vendor's people": (Outcome.FAIL, person | demanded | {"User.category": "shared"}),
        "category not seen": (Outcome.UNKNOWN, GUEST | demanded),
        "policy not seen": (Outcome.UNKNOWN, person),
        "nobody says whether external": (Outcome.UNKNOWN, {"User.enabled": True} | demanded),
        "staff": (Outcome.NA, STAFF | {"SignIn.mfa": "not_required"}),
        "disabled guest": (Outcome.NA, GUEST | {"User.enabled": False}),
    }
    assert verdicts(external_users_meet_internal_assurance, cases, modes=["enforced"]) == expected(cases)


def test_guest_account_ends_by_itself() -> None:
    cases: dict[str, Case] = {
        "ends on a date": (Outcome.PASS, GUEST | {"AccountExpiry.expires": "on_date"}),
        "never ends": (Outcome.FAIL, GUEST | {"AccountExpiry.expires": "never"}),
        "not seen": (Outcome.UNKNOWN, GUEST),
        "staff": (Outcome.NA, STAFF | {"AccountExpiry.expires": "never"}),
    }
    assert verdicts(external_accounts_end, cases) == expected(cases)


def test_trust_lets_in_only_whom_it_means() -> None:
    sound = {"inbound_users": True, "sid_filtering": True, "selective_authentication": True}
    cases: dict[str, Case] = {
        "no trust": (Outcome.PASS, {"Trusts.trusts": []}),
        "filtered and selective": (Outcome.PASS, {"Trusts.trusts": [sound]}),
        "outbound only": (Outcome.PASS, {"Trusts.trusts": [{"inbound_users": False}]}),
        "foreign SIDs unfiltered": (Outcome.FAIL, {"Trusts.trusts": [sound | {"sid_filtering": False}]}),
        "whole forest may sign in": (Outcome.FAIL, {"Trusts.trusts": [sound | {"selective_authentication": False}]}),
        "one unsound among sound": (Outcome.FAIL, {"Trusts.trusts": [sound, sound | {"sid_filtering": False}]}),
        "attributes not seen": (Outcome.UNKNOWN, {"Trusts.trusts": [sound, {"inbound_users": True}]}),
        "trusts not seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(trusts_filter_and_select, cases) == expected(cases)


def test_role_admits_no_stranger() -> None:
    own = {"principal": "same_account", "demands_external_id": False}
    agreed = {"principal": "foreign_account", "demands_external_id": True}
    cases: dict[str, Case] = {
        "no role": (Outcome.PASS, {"RoleTrusts.trusts": []}),
        "own, organization, federated and service": (
            Outcome.PASS,
            {
                "RoleTrusts.trusts": [
                    own,
                    *(own | {"principal": kind} for kind in ("organization", "federated", "service")),
                ]
            },
        ),
        "partner with an agreed identifier": (Outcome.PASS, {"RoleTrusts.trusts": [own, agreed]}),
        "own account, condition not seen": (Outcome.PASS, {"RoleTrusts.trusts": [{"principal": "same_account"}]}),
        "partner without an identifier": (
            Outcome.FAIL,
            {"RoleTrusts.trusts": [own, agreed | {"demands_external_id": False}]},
        ),
        "open to anyone": (Outcome.FAIL, {"RoleTrusts.trusts": [own | {"principal": "anyone"}]}),
        "open to anyone who knows an identifier": (
            Outcome.FAIL,
            {"RoleTrusts.trusts": [agreed | {"principal": "anyone"}]},
        ),
        "condition not seen": (Outcome.UNKNOWN, {"RoleTrusts.trusts": [{"principal": "foreign_account"}]}),
        "principal not seen": (Outcome.UNKNOWN, {"RoleTrusts.trusts": [own, {"demands_external_id": True}]}),
        "roles not seen": (Outcome.UNKNOWN, {}),
    }
    assert verdicts(foreign_roles_are_guarded, cases) == expected(cases)
