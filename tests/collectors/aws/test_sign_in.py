"""Passwords: the rules that they keep to, the second factor beside them, and the root user's last use."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from scanner.errors import AccessDenied
from scanner.facts import Credentials, PasswordPolicy, Privilege, RootUser, SignIn
from scanner.model import Gap, Record
from tests.collectors.aws.losses import Remembered, seen
from tests.collectors.aws.recorded import account, report
from tests.collectors.aws.test_identity import gaps, of, one_user

POLICY = "get-account-password-policy.json"
PASSWORD = {"password_enabled": "true", "password_last_changed": "2026-10-01T00:00:00+00:00"}


@pytest.mark.parametrize(
    ("cells", "mfa"),
    [
        ({**PASSWORD, "mfa_active": "true"}, "enforced"),
        ({**PASSWORD, "mfa_active": "false"}, "not_required"),
        ({"mfa_active": "true"}, "no_password"),
        ({**PASSWORD, "mfa_active": "?"}, None),
        ({"password_enabled": "?", "mfa_active": "true"}, None),
    ],
)
def test_a_second_factor_that_is_assigned_is_asked_for(cells: dict[str, str], mfa: str | None) -> None:
    records = one_user(cells)

    assert (of(records, SignIn).mfa, of(records, SignIn).excluded) == (mfa, False)
    assert bool(gaps(records, "SignIn", "mfa")) is (mfa is None)


def test_rules_are_those_of_the_account() -> None:
    rules = of(one_user(PASSWORD), PasswordPolicy)

    assert (rules.name, rules.min_length, rules.complexity) == ("account", 14, True)
    assert (rules.remembered, rules.max_age_days, rules.lockout_attempts) == (0, 90, 0)


def test_without_rules_of_its_own_an_account_has_those_that_aws_documents() -> None:
    rules = of(one_user(PASSWORD, {POLICY: {"ztgrade_none": True}}), PasswordPolicy)

    assert (rules.name, rules.min_length, rules.complexity, rules.max_age_days) == ("aws-default", 8, True, 0)


def test_two_kinds_of_characters_are_not_several() -> None:
    own = account()[POLICY]["PasswordPolicy"]
    weak = {**own, "RequireSymbols": False, "RequireNumbers": False, "PasswordReusePrevention": 24}
    rules = of(one_user(PASSWORD, {POLICY: {"PasswordPolicy": weak}}), PasswordPolicy)

    assert (rules.complexity, rules.remembered) == (False, 24)


@pytest.mark.parametrize(
    "answer", [AccessDenied("no"), {"PasswordPolicy": {}}, {"PasswordPolicy": {"MinimumPasswordLength": 14}}]
)
def test_rules_that_cannot_be_read_are_not_the_default_ones(answer: Any) -> None:
    records = one_user(PASSWORD, {POLICY: answer})

    assert of(records, PasswordPolicy) is None
    assert gaps(records, "PasswordPolicy")


def test_whoever_has_no_password_has_no_rules_for_it() -> None:
    records = one_user({})

    assert of(records, PasswordPolicy) is None
    assert gaps(records, "PasswordPolicy") == []
    assert gaps(one_user({"password_enabled": "?"}), "PasswordPolicy")


def test_a_password_has_an_age_and_is_never_empty() -> None:
    held = of(one_user(PASSWORD), Credentials)
    undated = one_user({"password_enabled": "true"})

    assert (held.password_required, held.password_managed) == (True, False)
    assert held.password_changed_at == datetime(2026, 10, 1, tzinfo=UTC)
    assert of(undated, Credentials).password_changed_at is None
    assert gaps(undated, "Credentials", "password_changed_at")
    assert gaps(one_user({}), "Credentials", "password_changed_at") == []


@pytest.mark.parametrize(
    ("condition", "standing"),
    [
        ({}, True),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, True),
        ({"DateLessThan": {"aws:CurrentTime": "2026-12-01T00:00:00Z"}}, None),
    ],
)
def test_privilege_stands_unless_a_date_may_end_it(condition: dict[str, Any], standing: bool | None) -> None:
    statement = {"Effect": "Allow", "Action": "*", "Resource": "*", "Condition": condition}
    policy = {"PolicyName": "all", "PolicyDocument": {"Statement": [statement]}}
    held = of(one_user(PASSWORD, UserPolicyList=[policy]), Privilege)

    assert (held.privileged, held.standing, held.residual) == (True, standing, False)


def owner(**cells: str) -> tuple[RootUser, list[Record]]:
    records = seen(Remembered({**account(), "get-credential-report.json": report(root=cells)}))
    return next(one for one in records if isinstance(one, RootUser)), records


@pytest.mark.parametrize(
    ("cells", "ever", "last"),
    [
        ({}, False, None),
        ({"password_last_used": "2026-11-01T00:00:00+00:00"}, True, datetime(2026, 11, 1, tzinfo=UTC)),
        ({"access_key_1_last_used_date": "2026-11-02T00:00:00+00:00"}, True, datetime(2026, 11, 2, tzinfo=UTC)),
        ({"password_last_used": "no_information"}, False, None),
        ({"user_creation_time": "2013-01-01T00:00:00+00:00"}, None, None),
        ({"password_last_used": "not_supported"}, None, None),
        ({"password_last_used": "yesterday"}, None, None),
    ],
)
def test_the_root_user_was_never_used_only_where_use_would_be_noted(
    cells: dict[str, str], ever: bool | None, last: datetime | None
) -> None:
    root, records = owner(**cells)

    assert (root.ever_used, root.last_used) == (ever, last)
    told = {one.field for one in records if isinstance(one, Gap) and one.fact == "RootUser"}
    assert ({"ever_used", "last_used"} <= told) is (ever is None)
