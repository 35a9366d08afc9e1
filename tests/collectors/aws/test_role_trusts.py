"""Who may take on a role, and what a condition makes of it."""

from __future__ import annotations

from typing import Any

import pytest

from scanner.errors import AccessDenied
from scanner.facts import RoleTrusts
from scanner.facts.identity import RoleTrust
from scanner.model import Gap
from tests.collectors.aws.lab import ACCOUNT
from tests.collectors.aws.losses import Remembered, seen
from tests.collectors.aws.recorded import account, role

DETAILS, ROLES, ORGANIZATION = (
    f"{name}.json" for name in ("get-account-authorization-details", "list-roles", "describe-organization")
)
OWN = f"arn:aws:iam::{ACCOUNT}"
OTHER = "arn:aws:iam::999999999999"
ALLOW = {"Effect": "Allow", "Principal": {"AWS": f"{OTHER}:root"}, "Action": "sts:AssumeRole"}


def trusts(*statements: dict[str, Any], organization: Any = None, hours: Any = None) -> list[RoleTrust] | None:
    """What the collector says of one role with this trust policy; what is unknown is a gap."""
    files: dict[str, Any] = account()
    files[DETAILS]["RoleDetailList"] = [role("app", {"Statement": list(statements)})]
    files[ROLES] = hours or {"Roles": [{**role("app"), "MaxSessionDuration": 3600}]}
    if organization is not None:
        files[ORGANIZATION] = organization
    records = seen(Remembered(files))
    (found,) = [one for one in records if isinstance(one, RoleTrusts)]
    fields = ("principal", "demands_external_id", "demands_mfa", "session_hours")
    if found.trusts is None or any(getattr(one, name) is None for one in found.trusts for name in fields):
        assert any(isinstance(one, Gap) and (one.fact, one.field) == ("RoleTrusts", "trusts") for one in records)
    return found.trusts


def one(*statements: dict[str, Any], **more: Any) -> RoleTrust:
    (found,) = trusts(*statements, **more) or []
    return found


@pytest.mark.parametrize(
    ("principal", "who"),
    [
        ({"Principal": "*"}, "anyone"),
        ({"Principal": {"AWS": "*"}}, "anyone"),
        ({"NotPrincipal": {"AWS": f"{OWN}:root"}}, "anyone"),
        ({"Principal": {"AWS": f"{OWN}:root"}}, "same_account"),
        ({"Principal": {"AWS": ACCOUNT}}, "same_account"),
        ({"Principal": {"AWS": f"{OWN}:user/chang"}}, "same_account"),
        ({"Principal": {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/a/b"}}, "same_account"),
        ({"Principal": {"AWS": f"{OTHER}:root"}}, "foreign_account"),
        ({"Principal": {"AWS": "999999999999"}}, "foreign_account"),
        ({"Principal": {"AWS": "AIDAEXAMPLE"}}, None),
        ({"Principal": {"Federated": f"{OWN}:saml-provider/adfs"}}, "federated"),
        ({"Principal": {"Federated": f"{OWN}:oidc-provider/token.actions.githubusercontent.com"}}, "federated"),
        ({"Principal": {"Service": "ec2.amazonaws.com"}}, "service"),
    ],
)
def test_principals_are_told_apart(principal: dict[str, Any], who: str | None) -> None:
    allow = {name: value for name, value in ALLOW.items() if name != "Principal"}

    assert one({**allow, "Action": "sts:*", **principal}).principal == who


@pytest.mark.parametrize(
    ("condition", "external", "second"),
    [
        ({}, False, False),
        ({"StringEquals": {"sts:ExternalId": "agreed"}}, True, False),
        ({"StringLike": {"sts:ExternalId": "*"}}, False, False),
        ({"StringEqualsIfExists": {"sts:ExternalId": "agreed"}}, False, False),
        ({"StringNotEquals": {"sts:ExternalId": "agreed"}}, False, False),
        ({"Bool": {"aws:MultiFactorAuthPresent": "true"}}, False, True),
        ({"Bool": {"aws:MultiFactorAuthPresent": True}}, False, True),
        ({"BoolIfExists": {"aws:MultiFactorAuthPresent": "true"}}, False, False),
        ({"Bool": {"aws:MultiFactorAuthPresent": ["true", "false"]}}, False, False),
        ({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}, False, False),
    ],
)
def test_only_conditions_that_must_hold_narrow_a_trust(condition: dict[str, Any], external: bool, second: bool) -> None:
    found = one({**ALLOW, "Condition": condition})

    assert (found.principal, found.demands_external_id, found.demands_mfa) == ("foreign_account", external, second)


def test_one_way_in_without_the_condition_is_told_beside_the_other() -> None:
    narrowed = {**ALLOW, "Condition": {"StringEquals": {"sts:ExternalId": "agreed"}}}

    assert [found.demands_external_id for found in trusts(narrowed, ALLOW) or []] == [True, False]


@pytest.mark.parametrize("principal", ["*", f"{OTHER}:root"])
def test_only_the_own_organization_is_the_organization(principal: str) -> None:
    allow = {**ALLOW, "Principal": {"AWS": principal}}
    inside = {**allow, "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}
    loose = {**allow, "Condition": {"StringLike": {"aws:PrincipalOrgID": "o-*"}}}
    own = {"Organization": {"Id": "o-1"}}

    assert one(inside, organization=own).principal == "organization"
    assert one(inside, organization={"Organization": {"Id": "o-2"}}).principal == "foreign_account"
    assert one(inside).principal == "foreign_account"
    assert one(inside, organization=AccessDenied("no")).principal is None
    assert one(loose, organization=own).principal in {"anyone", "foreign_account"}


def test_a_refusal_is_not_weighed_and_not_passed_over() -> None:
    found = one(ALLOW, {**ALLOW, "Effect": "Deny", "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "false"}}})

    assert (found.demands_external_id, found.demands_mfa) == (None, None)


def test_a_statement_that_lets_nobody_take_on_the_role_is_no_trust() -> None:
    assert trusts({**ALLOW, "Action": "sts:TagSession"}) == []
    assert len(trusts({**ALLOW, "Action": ["sts:TagSession", "sts:AssumeRoleWithSAML"]}) or []) == 1


@pytest.mark.parametrize(("seconds", "hours"), [(3600, 1), (3601, 2), (43200, 12)])
def test_the_longest_session_is_rounded_up(seconds: int, hours: int) -> None:
    answer = {"Roles": [{**role("app"), "MaxSessionDuration": seconds}]}

    assert one(ALLOW, hours=answer).session_hours == hours


@pytest.mark.parametrize("answer", [AccessDenied("no"), {"Roles": []}, {"Roles": [role("app")]}])
def test_a_session_that_is_not_told_is_unknown(answer: Any) -> None:
    assert one(ALLOW, hours=answer).session_hours is None


@pytest.mark.parametrize("statement", [{"Effect": "Allow", "Action": "sts:AssumeRole"}, {}, {**ALLOW, "Principal": {}}])
def test_a_trust_policy_that_cannot_be_understood_leaves_all_unknown(statement: dict[str, Any]) -> None:
    assert trusts(statement) is None
