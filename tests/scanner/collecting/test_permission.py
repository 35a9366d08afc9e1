"""The policy of a collector allows exactly what it asks for and denies what it must never be given."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from scanner.collecting.permission import NEVER_ASK, iam_policy, never_asked
from scanner.errors import EngineError, UsageError
from scanner.model import Access, Permission, PlannedCall, Record, Target


@dataclass
class Reader:
    """A collector that only has a name and rights."""

    name: str = "aws"
    version: str = "1"
    permissions: tuple[Permission, ...] = ()
    never_ask: object = ()

    def promises(self, target: Target) -> frozenset[str]:
        return frozenset()

    def plan(self, target: Target) -> Iterator[PlannedCall]:
        yield from ()

    def read(self, access: Access) -> Iterator[Record]:
        yield from ()


def asking(*names: str, never: object = ()) -> Reader:
    return Reader(permissions=tuple(Permission(name, "to see", ("User",)) for name in names), never_ask=never)


def test_a_policy_allows_each_action_once_and_denies_the_never_ask_list() -> None:
    policy = iam_policy(
        asking("iam:ListUsers", "ec2:DescribeVolumes", "iam:ListUsers", never=("sso:GetRoleCredentials",))
    )

    assert policy is not None and policy["Version"] == "2012-10-17"
    allow, deny = policy["Statement"]
    assert (allow["Effect"], allow["Action"]) == ("Allow", ["ec2:DescribeVolumes", "iam:ListUsers"])
    assert (deny["Effect"], deny["Resource"]) == ("Deny", "*")
    assert set(deny["Action"]) == {*NEVER_ASK["aws"], "sso:GetRoleCredentials"}
    assert set(deny["Action"]) >= {
        "secretsmanager:GetSecretValue", "kms:Decrypt", "s3:GetObject*", "dynamodb:GetItem", "ssm:GetParameter*"
    }  # fmt: skip


@pytest.mark.parametrize(
    "name", ["s3:GetObject", "s3:getobjectversion", "KMS:Decrypt", "kms:Decrypt", "ssm:GetParametersByPath"]
)
def test_a_right_that_is_denied_is_a_defect(name: str) -> None:
    with pytest.raises(EngineError, match="is asked for and denied"):
        iam_policy(asking("iam:ListUsers", name))


@pytest.mark.parametrize("name", ["root", "iam:*", "*", "iam:List Users", "iam:ListUsers,iam:ListRoles"])
def test_a_right_that_is_no_single_action_is_a_defect(name: str) -> None:
    with pytest.raises(EngineError, match="is no IAM action"):
        iam_policy(asking(name))


def test_roles_are_assumed_by_name_or_not_at_all() -> None:
    role = "arn:aws:iam::111122223333:role/audit/reader"
    silent = iam_policy(asking("iam:ListUsers", "sts:AssumeRole"))
    assert silent is not None and "sts:AssumeRole" not in str(silent)
    policy = iam_policy(asking("iam:ListUsers", "sts:AssumeRole"), [role, role])
    assert policy is not None
    assert [each["Resource"] for each in policy["Statement"] if "sts:AssumeRole" in each["Action"]] == [[role]]
    assert policy["Statement"][0]["Action"] == ["iam:ListUsers"]


def test_a_role_of_every_account_is_assumed_within_the_organization_alone() -> None:
    one, every = "arn:aws:iam::111122223333:role/reader", "arn:aws-cn:iam::*:role/audit/reader"
    policy = iam_policy(asking("iam:ListUsers", "sts:AssumeRole"), [every, one])
    assert policy is not None
    allowed, single, organization, denied = policy["Statement"]

    assert (allowed["Sid"], denied["Effect"]) == ("WhatIsRead", "Deny")
    assert single["Resource"] == [one] and "Condition" not in single
    assert organization["Resource"] == [every]
    assert organization["Condition"] == {"StringEquals": {"aws:ResourceOrgID": "${aws:PrincipalOrgID}"}}


@pytest.mark.parametrize("role", ["*", "reader", "arn:aws:iam::111122223333:role/*", "arn:aws:iam::*:role/*", ""])
def test_a_role_that_is_not_one_role_is_refused(role: str) -> None:
    with pytest.raises(UsageError, match="no ARN of a role"):
        iam_policy(asking("sts:AssumeRole"), [role])
    with pytest.raises(UsageError, match="assumes no roles"):
        iam_policy(Reader(name="local"), [role])


@pytest.mark.parametrize("never", ["kms:Decrypt", ["kms:Decrypt"], ("",), (1,)])
def test_a_never_ask_list_of_the_wrong_form_is_a_defect(never: object) -> None:
    with pytest.raises(EngineError, match="tuple of texts"):
        never_asked(asking(never=never))


def test_reading_configuration_of_a_bucket_is_not_reading_its_objects() -> None:
    assert iam_policy(asking("s3:GetBucketPolicy", "s3:GetBucketObjectLockConfiguration", "kms:DescribeKey"))


def test_a_collector_of_another_name_has_its_own_list_and_no_policy() -> None:
    other = Reader(name="vault", never_ask=("secret/data",))
    assert iam_policy(other) is None
    assert never_asked(other) == ("secret/data",)
    assert never_asked(Reader(name="ad")) == NEVER_ASK["ad"]


def test_secrets_of_the_directory_are_never_asked_for() -> None:
    assert set(NEVER_ASK["ad"]) >= {
        "ms-Mcs-AdmPwd", "msLAPS-Password", "msLAPS-EncryptedPassword", "msDS-ManagedPassword", "msFVE-RecoveryPassword"
    }  # fmt: skip
