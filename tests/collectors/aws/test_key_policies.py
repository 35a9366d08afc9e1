"""Whether the policy of a key keeps it apart."""

from __future__ import annotations

import json
from typing import Any

import pytest

from collectors.aws.key_policies import apart
from collectors.aws.resource_policies import grants
from scanner.errors import AccessDenied
from scanner.facts import EncryptionAtRest
from scanner.model import Gap
from tests.collectors.aws.lab import ACCOUNT
from tests.collectors.aws.losses import Remembered, seen
from tests.collectors.aws.recorded import KEPT_APART, KEY, REGION, account

OFFICERS, USERS = KEPT_APART["Statement"]
ROOT = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
READING = ["kms:Describe*", "kms:Get*", "kms:List*"]


def allow(principal: Any, *actions: str, **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": principal, "Action": list(actions), "Resource": "*", **more}


@pytest.mark.parametrize(
    ("statements", "kept"),
    [
        ([OFFICERS, USERS], True),
        ([OFFICERS, USERS, allow(ROOT, *READING)], True),
        ([OFFICERS, allow({"Service": "logs.amazonaws.com"}, "kms:Decrypt", "kms:GenerateDataKey*")], True),
        ([allow(ROOT, "kms:*")], False),
        ([allow({"AWS": ACCOUNT}, "kms:*")], False),
        ([OFFICERS, USERS, allow(ROOT, "kms:*")], False),
        ([OFFICERS, allow(ROOT, "kms:Decrypt")], False),
        ([OFFICERS, allow("*", "kms:Decrypt")], False),
        ([OFFICERS, allow("*", "kms:Decrypt", Condition={"StringEquals": {"kms:CallerAccount": ACCOUNT}})], None),
        ([OFFICERS, USERS, allow(ROOT, "kms:PutKeyPolicy")], None),
        ([OFFICERS, allow(OFFICERS["Principal"], "kms:Decrypt")], None),
        ([allow(OFFICERS["Principal"], "kms:*"), USERS], None),
        ([OFFICERS], None),
        ([USERS], None),
        ([], None),
        ([OFFICERS, allow(USERS["Principal"], "kms:Decrypt", "kms:CreateGrant")], None),
        ([OFFICERS, {**USERS, "Principal": {"AWS": "AROAEXAMPLE"}}], None),
        ([OFFICERS, {**USERS, "Principal": {"AWS": f"arn:aws:sts::{ACCOUNT}:assumed-role/key-officers/x"}}], None),
        ([OFFICERS, {"Effect": "Allow", "NotPrincipal": ROOT, "Action": "kms:Decrypt", "Resource": "*"}], None),
        ([OFFICERS, USERS, {"Effect": "Allow", "Principal": ROOT, "NotAction": "kms:Decrypt", "Resource": "*"}], False),
        (
            [
                OFFICERS,
                USERS,
                allow(USERS["Principal"], "kms:CreateGrant", Condition={"Bool": {"kms:GrantIsForAWSResource": "true"}}),
            ],
            True,
        ),
    ],
)
def test_a_key_is_apart_only_where_others_use_it_than_rule_it(
    statements: list[dict[str, Any]], kept: bool | None
) -> None:
    policy = {"Statement": statements}
    assert apart(grants(policy), ACCOUNT) is kept

    records = seen(Remembered({**account(), f"get-key-policy.{REGION}.{KEY}.json": {"Policy": json.dumps(policy)}}))
    held = [one for one in records if isinstance(one, EncryptionAtRest)]
    told = {one.asset for one in records if isinstance(one, Gap) and one.field == "key_apart"}
    assert {one.key_apart for one in held} == {kept}
    assert told == ({one.asset for one in held} if kept is None else set())


@pytest.mark.parametrize("answer", [AccessDenied("no"), {"Policy": "{"}, {"Policy": json.dumps({"Statement": [{}]})}])
def test_a_policy_that_cannot_be_read_leaves_it_open_and_the_rest_known(answer: Any) -> None:
    records = seen(Remembered({**account(), f"get-key-policy.{REGION}.{KEY}.json": answer}))

    for one in records:
        if isinstance(one, EncryptionAtRest):
            assert (one.key_apart, one.key_holder, one.rotation) == (None, "institution", "scheduled")
