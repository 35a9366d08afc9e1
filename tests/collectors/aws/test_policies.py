"""What IAM policies allow, and where it stays undecided."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest

from collectors.aws.policies import Power, power, statements, trusted
from scanner.errors import Malformed


def allowed(action: str | list[str], resource: str | list[str] = "*", **more: Any) -> dict[str, Any]:
    return {"Statement": {"Effect": "Allow", "Action": action, "Resource": resource, **more}}


def weighed(*documents: dict[str, Any], whole: bool = True) -> Power:
    return power([one for document in documents for one in statements(document)], whole=whole)


@pytest.mark.parametrize("action", ["*", "*:*", "**", ["s3:Get*", "*"]])
def test_every_action_on_everything_is_full_power(action: Any) -> None:
    found = weighed(allowed(action))

    assert (found.full, found.unconditional, found.privileged, found.standing) == (True, True, True, True)


def test_full_power_under_a_condition_is_no_unconditional_grant() -> None:
    found = weighed(allowed("*", Condition={"Bool": {"aws:MultiFactorAuthPresent": "true"}}))

    assert (found.full, found.unconditional, found.privileged, found.standing) == (True, False, True, True)


def test_everything_but_a_few_is_full_power_unless_iam_is_kept_out() -> None:
    few = {"Statement": [{"Effect": "Allow", "NotAction": "aws-portal:*", "Resource": "*"}]}
    no_rights = {"Statement": [{"Effect": "Allow", "NotAction": ["iam:*", "organizations:*"], "Resource": "*"}]}

    assert weighed(few).full is True
    assert (weighed(no_rights).full, weighed(no_rights).privileged) == (False, True)


@pytest.mark.parametrize(
    ("document", "privileged"),
    [
        (allowed(["s3:Get*", "ec2:Describe*"]), False),
        (allowed("iam:ChangePassword"), False),
        (allowed("iam:CreateAccessKey", "arn:aws:iam::*:user/${aws:username}"), False),
        (allowed("iam:PutUserPolicy", "arn:aws:iam::*:user/chang"), True),
        (allowed("iam:*"), True),
        (allowed("iam:CreateAccessKey"), True),
        (allowed("ec2:*"), True),
        (allowed("s3:PutObject", "arn:aws:s3:::one/*"), None),
        (allowed("sts:AssumeRole", "arn:aws:iam::1:role/x"), None),
        (allowed("redshift:GetClusterCredentials"), None),
        (allowed("*:Get*"), None),
        (allowed("s3:G*"), None),
    ],
)
def test_power_is_given_ruled_out_or_undecided(document: dict[str, Any], privileged: bool | None) -> None:
    assert weighed(document).privileged is privileged


def test_a_policy_that_could_not_be_read_rules_nothing_out() -> None:
    found = weighed(allowed("s3:Get*"), whole=False)

    assert (found.full, found.privileged, found.standing, found.keys_need_second_factor) == (None, None, None, None)
    assert weighed(allowed("*"), whole=False).full is True


def demand(operator: str, value: Any = "false", **changes: Any) -> dict[str, Any]:
    condition = {operator: {"aws:MultiFactorAuthPresent": value}}
    given = {"Effect": "Deny", "Action": "*", "Resource": "*", "Condition": condition, **changes}
    return {"Statement": [{key: item for key, item in given.items() if item is not None}]}


def test_only_a_denial_that_keys_cannot_get_past_demands_a_second_factor() -> None:
    own = ["iam:ListMFADevices", "iam:EnableMFADevice", "sts:GetSessionToken"]

    assert weighed(demand("BoolIfExists")).keys_need_second_factor is True
    assert weighed(demand("BoolIfExists", ["false"])).keys_need_second_factor is True
    assert weighed(demand("BoolIfExists", Action=None, NotAction=own)).keys_need_second_factor is True
    assert weighed(demand("Bool")).keys_need_second_factor is False
    assert weighed(demand("BoolIfExists", "true")).keys_need_second_factor is False
    assert weighed(demand("BoolIfExists", Action="s3:*")).keys_need_second_factor is False
    assert weighed(demand("BoolIfExists", Resource="arn:aws:s3:::one")).keys_need_second_factor is False
    assert weighed(demand("BoolIfExists", Action=None, NotAction="s3:*")).keys_need_second_factor is False
    more = {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}, "IpAddress": {"aws:SourceIp": "10.0.0.0/8"}}
    assert weighed(demand("BoolIfExists", Condition=more)).keys_need_second_factor is False


@pytest.mark.parametrize(
    "document",
    ["{", 7, None, {"Statement": None}, {"Statement": [{"Effect": "Maybe"}]}, {"Statement": [{"Effect": "Allow"}]}],
)
def test_what_is_no_policy_is_malformed(document: object) -> None:
    with pytest.raises(Malformed):
        statements(document)


def test_policies_are_read_as_text_too() -> None:
    text = json.dumps(allowed("*"))

    assert statements(text) == statements(quote(text)) == statements(allowed("*"))


def test_those_whom_a_trust_policy_lets_in_are_named() -> None:
    document = {
        "Statement": [
            {"Effect": "Allow", "Principal": {"AWS": ["arn:aws:iam::1:user/a", "2"]}, "Action": "sts:AssumeRole"},
            {"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"},
        ]
    }

    assert set(trusted(document)) == {"arn:aws:iam::1:user/a", "2"}
    assert list(trusted({"Statement": {"Effect": "Allow", "Principal": "*"}})) == ["*"]
