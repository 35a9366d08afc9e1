"""Who may reach a bucket, and what removes its content, by answers written by hand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from collectors.aws.bucket_posture import removal
from scanner.errors import AccessDenied
from scanner.facts import Retention, StoreExposure
from scanner.model import Fact, Gap
from tests.collectors.aws.lab import ACCOUNT, BLOCKS_ALL, BLOCKS_NEW, for_everybody, only_with_tls
from tests.collectors.aws.losses import Remembered, seen
from tests.collectors.aws.recorded import account
from tests.collectors.stage import NOW

ACCOUNT_BLOCK = f"s3control-get-public-access-block.{ACCOUNT}.json"
BLOCK, POLICY, ACL, OWNERSHIP, LIFECYCLE = (
    f"{name}.ledger.json"
    for name in (
        "get-public-access-block",
        "get-bucket-policy",
        "get-bucket-acl",
        "get-bucket-ownership-controls",
        "get-bucket-lifecycle-configuration",
    )
)
NONE = {"ztgrade_none": True}
ARN = "arn:aws:s3:::ledger"
OFF = {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}
OWNER = {"Grants": [{"Grantee": {"Type": "CanonicalUser", "ID": "75aa57f09aa0"}, "Permission": "FULL_CONTROL"}]}


def posture(kind: type[Fact], **files: Any) -> Any:
    """The fact about the bucket, with these answers in place of its own; access lists are off unless told otherwise."""
    names = {"around": ACCOUNT_BLOCK, "block": BLOCK, "policy": POLICY, "acl": ACL, "ownership": OWNERSHIP}
    given = {names.get(name, LIFECYCLE): answer for name, answer in {"ownership": OFF, **files}.items()}
    records = seen(Remembered({**account(), **given}))
    row = next(one for one in records if type(one) is kind and one.asset.endswith(":::ledger"))
    told = {
        one.field for one in records if isinstance(one, Gap) and one.fact == kind.__name__ and one.asset == row.asset
    }
    for field in ("public", "clear_transport", "policy"):
        assert getattr(row, field, True) is not None or field in told
    return row


def blocks(**parts: bool) -> dict[str, Any]:
    return {"PublicAccessBlockConfiguration": {**dict.fromkeys(BLOCKS_NEW, False), **parts}}


def policy(*statements: dict[str, Any], **changes: Any) -> dict[str, Any]:
    """A bucket policy; a statement is what everybody may read, but for its changes."""
    allowed = for_everybody("ledger")["Statement"][0]
    del allowed["Condition"]
    return {"Policy": json.dumps({"Statement": list(statements) or [{**allowed, **changes}]})}


def acl(group: str, right: str = "READ") -> dict[str, Any]:
    grantee = {"Type": "Group", "URI": f"http://acs.amazonaws.com/groups/{group}"}
    return {"Grants": [{"Grantee": grantee, "Permission": right}]}


def test_a_bucket_with_nothing_open_and_lists_switched_off_is_closed() -> None:
    assert posture(StoreExposure, policy=NONE).public is False


@pytest.mark.parametrize(
    ("group", "right", "public"),
    [
        ("global/AllUsers", "READ", True),
        ("global/AuthenticatedUsers", "WRITE", True),
        ("global/AllUsers", "WRITE_ACP", True),
        ("global/AllUsers", "READ_ACP", None),
        ("s3/LogDelivery", "WRITE", None),
        ("global/Somebody", "READ", None),
    ],
)
def test_an_access_list_opens_a_bucket(group: str, right: str, public: bool | None) -> None:
    assert posture(StoreExposure, ownership=NONE, acl=acl(group, right)).public is public
    assert posture(StoreExposure, acl=acl(group, right)).public is False


@pytest.mark.parametrize(
    ("changes", "public"),
    [
        ({}, True),
        ({"Principal": "*"}, True),
        ({"Action": "s3:Get*"}, True),
        ({"Action": "*"}, True),
        ({"NotAction": "s3:DeleteObject", "Action": None}, True),
        ({"Principal": None, "NotPrincipal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}, True),
        ({"Action": "s3:GetBucketLocation"}, None),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/app"}}, False),
        ({"Principal": {"Service": "cloudtrail.amazonaws.com"}}, False),
        ({"Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, False),
        ({"Condition": {"StringEquals": {"aws:SourceVpce": ["vpce-1", "vpce-2"]}}}, False),
        ({"Condition": {"StringLike": {"aws:PrincipalOrgID": "*"}}}, None),
        ({"Condition": {"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-1"}}}, None),
        ({"Condition": {"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-1"}}}, None),
        ({"Condition": {"StringNotEquals": {"aws:PrincipalAccount": "1"}}}, None),
        ({"Condition": {"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}}, None),
        ({"Condition": {"StringLike": {"aws:Referer": "https://bank.example/*"}}}, True),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, True),
    ],
)
def test_only_what_is_understood_keeps_a_policy_from_opening(changes: dict[str, Any], public: bool | None) -> None:
    allowed = json.loads(policy(**changes)["Policy"])["Statement"][0]
    given = policy({name: value for name, value in allowed.items() if value is not None})

    assert posture(StoreExposure, policy=given).public is public


def test_a_refusal_beside_an_open_door_is_not_weighed() -> None:
    (allowed,) = for_everybody("ledger")["Statement"]
    elsewhere = {"StringNotEquals": {"aws:SourceVpce": "vpce-1"}}
    refused = {**allowed, "Effect": "Deny", "Condition": elsewhere}

    assert posture(StoreExposure, policy=policy(allowed, refused)).public is None
    assert posture(StoreExposure, policy=policy(allowed, *only_with_tls("ledger")["Statement"])).public is True


@pytest.mark.parametrize("whose", ["around", "block"])
def test_a_block_closes_what_is_open_only_where_it_acts_on_what_is_there(whose: str) -> None:
    everything = {"policy": policy(), "acl": acl("global/AllUsers"), "ownership": NONE}

    assert posture(StoreExposure, **everything, **{whose: blocks(BlockPublicAcls=True, BlockPublicPolicy=True)}).public
    assert posture(StoreExposure, **everything, **{whose: blocks(IgnorePublicAcls=True)}).public is True
    assert posture(StoreExposure, **everything, **{whose: blocks(RestrictPublicBuckets=True)}).public is True
    assert posture(StoreExposure, **everything, **{whose: blocks(**BLOCKS_ALL)}).public is False


def test_blocks_of_account_and_bucket_add_up() -> None:
    parts = {"around": blocks(IgnorePublicAcls=True), "block": blocks(RestrictPublicBuckets=True)}

    assert posture(StoreExposure, policy=policy(), ownership=NONE, **parts).public is False


@pytest.mark.parametrize("ownership", [NONE, {"OwnershipControls": {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}}])
def test_access_lists_of_objects_keep_a_bucket_open_unless_switched_off(ownership: dict[str, Any]) -> None:
    assert posture(StoreExposure, acl=OWNER, ownership=ownership).public is None
    assert posture(StoreExposure, acl=OWNER, ownership=ownership, block=blocks(**BLOCKS_ALL)).public is False


def test_a_bucket_whose_list_cannot_be_read_is_not_called_closed() -> None:
    denied = AccessDenied("AccessDenied")

    assert posture(StoreExposure, ownership=denied, acl=denied).public is None
    assert posture(StoreExposure, ownership=denied, acl=OWNER).public is None
    assert posture(StoreExposure, policy=denied).public is None
    assert posture(StoreExposure, around=denied, block=denied).public is False
    assert posture(StoreExposure, around=denied, block=denied, ownership=NONE).public is None
    assert posture(StoreExposure, around=denied, block=denied, policy=policy()).public is None


@pytest.mark.parametrize(
    ("changes", "clear"),
    [
        ({}, False),
        ({"Action": "*"}, False),
        ({"Resource": "*"}, False),
        ({"Resource": f"{ARN}*"}, False),
        ({"Condition": {"BoolIfExists": {"aws:SecureTransport": False}}}, False),
        ({"Resource": f"{ARN}/*"}, True),
        ({"Resource": ARN}, True),
        ({"Resource": [ARN, f"{ARN}/public/*"]}, True),
        ({"Resource": ["arn:aws:s3:::other", "arn:aws:s3:::other/*"]}, True),
        ({"Action": "s3:GetObject"}, True),
        ({"Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}}, True),
        ({"Condition": {"Bool": {"aws:SecureTransport": "true"}}}, None),
        ({"Condition": {"Bool": {"aws:SecureTransport": "false"}, "StringEquals": {"aws:PrincipalTag/a": "b"}}}, None),
        ({"Condition": {"NumericLessThan": {"s3:TlsVersion": "1.2"}}}, None),
        ({"Effect": "Allow", "Condition": {"Bool": {"aws:SecureTransport": "true"}}}, True),
    ],
)
def test_clear_text_is_refused_only_to_everybody_for_everything(changes: dict[str, Any], clear: bool | None) -> None:
    (refused,) = only_with_tls("ledger")["Statement"]

    assert posture(StoreExposure, policy=policy({**refused, **changes})).clear_transport is clear


def test_without_a_policy_a_bucket_answers_in_clear() -> None:
    assert posture(StoreExposure, policy=NONE).clear_transport is True
    assert posture(StoreExposure, policy=AccessDenied("no")).clear_transport is None


EXPIRES = {"Status": "Enabled", "Filter": {}, "Expiration": {"Days": 30}}


@pytest.mark.parametrize(
    ("rules", "state"),
    [
        ([], "none"),
        ([EXPIRES], "executing"),
        ([{**EXPIRES, "Expiration": {"Date": "2027-01-01T00:00:00Z"}}], "on_paper"),
        ([{"Status": "Enabled", "Prefix": "", "Expiration": {"Days": 30}}], "executing"),
        ([{**EXPIRES, "Status": "Disabled"}], "on_paper"),
        ([{**EXPIRES, "Filter": {"Prefix": "tmp/"}}], None),
        ([{**EXPIRES, "Filter": {"Tag": {"Key": "a", "Value": "b"}}}], None),
        ([{**EXPIRES, "Filter": {"Prefix": "tmp/"}}, EXPIRES], "executing"),
        ([{**EXPIRES, "Expiration": {"ExpiredObjectDeleteMarker": True}}], "none"),
        ([{"Status": "Enabled", "Filter": {}, "NoncurrentVersionExpiration": {"NoncurrentDays": 9}}], "none"),
        ([{"Status": "Enabled", "Filter": {}, "Expiration": {"Date": "2020-01-01T00:00:00Z"}}], "executing"),
        ([{"Status": "Enabled", "Filter": {}, "Expiration": {"Date": "2999-01-01T00:00:00Z"}}], "on_paper"),
        ([{"Status": "Enabled", "Filter": {}, "Transitions": [{"Days": 9, "StorageClass": "GLACIER"}]}], "none"),
    ],
)
def test_content_is_removed_by_a_rule_in_force_for_all_of_it(rules: list[Mapping[str, Any]], state: str | None) -> None:
    assert removal(rules, NOW) == state
    assert posture(Retention, lifecycle={"Rules": rules}).policy == state


def test_no_lifecycle_is_none_and_one_that_cannot_be_read_is_unknown() -> None:
    assert posture(Retention, lifecycle=NONE).policy == "none"
    assert posture(Retention, lifecycle=AccessDenied("no")).policy is None
