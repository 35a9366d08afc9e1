"""Least privilege of a collector: what it asks for, what is lost without it, and what it must never be given."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import Any

from scanner.errors import EngineError, UsageError
from scanner.model import Collector

NEVER_ASK: Mapping[str, tuple[str, ...]] = {
    "ad": (
        "ms-Mcs-AdmPwd",
        "msDS-ExecuteScriptPassword",
        "msDS-ManagedPassword",
        "msFVE-KeyPackage",
        "msFVE-RecoveryPassword",
        "msLAPS-EncryptedDSRMPassword",
        "msLAPS-EncryptedDSRMPasswordHistory",
        "msLAPS-EncryptedPassword",
        "msLAPS-EncryptedPasswordHistory",
        "msLAPS-Password",
        "msPKIAccountCredentials",
        "msPKIDPAPIMasterKeys",
        "supplementalCredentials",
        "trustAuthIncoming",
        "trustAuthOutgoing",
        "unicodePwd",
        "unixUserPassword",
        "userPassword",
    ),
    "aws": (
        "athena:GetQueryResults",
        "dynamodb:BatchGetItem",
        "dynamodb:GetItem",
        "dynamodb:GetRecords",
        "dynamodb:PartiQLSelect",
        "dynamodb:Query",
        "dynamodb:Scan",
        "ebs:GetSnapshotBlock",
        "ec2:GetPasswordData",
        "kinesis:GetRecords",
        "kms:Decrypt",  # also what SecureString parameters of ssm:GetParameter* need
        "lambda:GetFunction",
        "rds-data:ExecuteStatement",
        "redshift-data:GetStatementResult",
        "s3:GetObject*",
        "secretsmanager:BatchGetSecretValue",
        "secretsmanager:GetSecretValue",
        "sqs:ReceiveMessage",
        "ssm:GetParameter*",
    ),
}
"""What a collector of this name never asks for, whatever the right allows: secrets, and the contents of data stores."""

NEVER_CALLED = {"ad": "attributes never requested", "aws": "actions denied whatever else allows them"}
"""What the entries of ``NEVER_ASK`` are, by collector."""

ASSUME = "sts:AssumeRole"
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::(?:\d{12}|(?P<every>\*)):role/[\w+=,.@/-]{1,576}", re.ASCII)
_SAME_ORGANIZATION = {"StringEquals": {"aws:ResourceOrgID": "${aws:PrincipalOrgID}"}}
_ACTION = re.compile(r"[a-z][a-z0-9-]*:[A-Z][A-Za-z0-9]*")


def never_asked(collector: Collector) -> tuple[str, ...]:
    """What a collector never asks for, sorted: what its name says, and what its own ``never_ask`` adds."""
    own = getattr(collector, "never_ask", ())
    if not isinstance(own, tuple) or not all(isinstance(each, str) and each for each in own):
        raise EngineError(f"collector {collector.name!r}: never_ask must be a tuple of texts")
    return tuple(sorted({*own, *NEVER_ASK.get(collector.name, ())}, key=str.lower))


def iam_policy(collector: Collector, roles: Sequence[str] = ()) -> dict[str, Any] | None:
    """The IAM policy of a collector that reads AWS: its actions allowed, the never-ask list denied; None for others.

    To assume roles is allowed on the ARNs of ``roles`` alone, and not at all where none is given: a right to assume any
    role would be every right that any role has. ``*`` for the account means the role of that name in every account of
    the same organization, and of no other. Raises UsageError where one is no ARN of a role, or where the collector
    reads no AWS or assumes none, EngineError where a right is no IAM action or is one that is denied.
    """
    if collector.name != "aws":
        if roles:
            raise UsageError(f"collector {collector.name!r} assumes no roles; leave --role out")
        return None
    actions = sorted({permission.name for permission in collector.permissions})
    denied = never_asked(collector)
    problems = [f"{name!r} is no IAM action" for name in actions if not _ACTION.fullmatch(name)]
    problems += [f"{name!r} is asked for and denied" for name in actions if _any_matches(denied, name)]
    if problems:
        raise EngineError("\n".join(f"collector {collector.name!r}: {problem}" for problem in problems))
    wrong = [role for role in roles if not _ROLE.fullmatch(role)]
    if wrong:
        raise UsageError(
            f"{wrong[0]!r} is no ARN of a role; write it like arn:aws:iam::111122223333:role/reader,"
            " with * for the number where it is a role of every account of the organization"
        )
    plain = [name for name in actions if name != ASSUME]
    statements: list[dict[str, Any]] = [
        {"Sid": "WhatIsRead", "Effect": "Allow", "Action": plain, "Resource": "*"},
        {"Sid": "WhatIsNeverAskedFor", "Effect": "Deny", "Action": list(denied), "Resource": "*"},
    ]
    if ASSUME in actions:
        every = sorted({role for role in roles if (found := _ROLE.fullmatch(role)) and found["every"]})
        single = sorted(set(roles) - set(every))
        if single:
            statements.insert(-1, _assuming("RolesThatAreAssumed", single))
        if every:
            statements.insert(-1, _assuming("RolesOfTheOrganization", every) | {"Condition": _SAME_ORGANIZATION})
    return {"Version": "2012-10-17", "Statement": statements}


def _assuming(sid: str, roles: list[str]) -> dict[str, Any]:
    return {"Sid": sid, "Effect": "Allow", "Action": [ASSUME], "Resource": roles}


def _any_matches(patterns: Iterable[str], name: str) -> bool:
    """Whether a pattern of IAM (``*`` for any text, upper and lower case alike) takes in the name."""
    return any(fnmatchcase(name.lower(), pattern.lower()) for pattern in patterns)
