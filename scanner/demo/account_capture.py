"""A cloud account of the lab bank as the AWS CLI prints it, file by file."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from typing import Any

from scanner.demo.expansion import Lines

COLUMNS = (
    "user", "arn", "user_creation_time", "password_enabled", "password_last_used", "password_last_changed",
    "password_next_rotation", "mfa_active", "access_key_1_active", "access_key_1_last_rotated",
    "access_key_1_last_used_date", "access_key_1_last_used_region", "access_key_1_last_used_service",
    "access_key_2_active", "access_key_2_last_rotated", "access_key_2_last_used_date",
    "access_key_2_last_used_region", "access_key_2_last_used_service", "cert_1_active", "cert_1_last_rotated",
    "cert_2_active", "cert_2_last_rotated",
)  # fmt: skip
ADMINISTRATOR = "arn:aws:iam::aws:policy/AdministratorAccess"
MADE_AT = "2024-03-01T00:00:00+00:00"
ELSEWHERE = "100000000009"
"""An account that is not the bank's."""
EVERYTHING = {"Effect": "Allow", "Action": "*", "Resource": "*"}
AFTER_SECOND_FACTOR = {**EVERYTHING, "Condition": {"Bool": {"aws:MultiFactorAuthPresent": "true"}}}
REFUSED = {"ztgrade_lost": {"error": "AccessDenied", "detail": "AccessDenied: the account grants no way in"}}
_PRINCIPALS: Mapping[str, Any] = {
    "same_account": {"AWS": "arn:aws:iam::{account}:root"},
    "foreign_account": {"AWS": f"arn:aws:iam::{ELSEWHERE}:root"},
    "federated": {"Federated": "arn:aws:iam::{account}:saml-provider/lab-bank"},
    "service": {"Service": "ec2.amazonaws.com"},
    "anyone": "*",
}


def account_captures(lines: Lines, observed_at: str) -> dict[str, bytes]:
    """Files by name; where the description has only a gap for a fact, the calls that would tell it were refused."""
    ((key, account),) = [(asset, row) for (fact, asset), row in lines.rows.items() if fact == "Account"]
    number = key.split(":", 2)[2]
    details: Any = REFUSED
    listed: Any = REFUSED
    report: Any = REFUSED
    summary: Any = REFUSED
    devices: Any = REFUSED
    administration, root = lines.rows.get(("AccountAdministration", key)), lines.rows.get(("RootUser", key))
    if administration is not None:
        roles = _roles(number, lines.rows.get(("RoleTrusts", key), {}).get("trusts", []))
        details = _details(number, administration, roles)
        listed = {"Roles": roles}
    if root is not None:
        names = [user["UserName"] for user in details["UserDetailList"]] if details is not REFUSED else []
        report = credential_report(number, root, names, observed_at)
        summary = {"SummaryMap": _summary(root)}
        devices = {"VirtualMFADevices": _root_device(number) if root.get("mfa") == "virtual" else []}
    files: dict[str, Any] = {
        "get-caller-identity": {
            "UserId": "AROAZTGRADELABBANKSC:reader",
            "Account": number,
            "Arn": f"arn:aws:sts::{number}:assumed-role/ztgrade/reader",
        },
        "list-account-aliases": {"AccountAliases": [account["name"]] if "name" in account else []},
        "get-account-authorization-details": details,
        "list-roles": listed,
        "get-credential-report": report,
        "get-account-summary": summary,
        "list-virtual-mfa-devices": devices,
        "list-service-specific-credentials": {"ServiceSpecificCredentials": []} if root is not None else REFUSED,
        "describe-organization": {"ztgrade_none": True} if root is not None else REFUSED,
    }
    return {f"{name}.json": (json.dumps(content, indent=1) + "\n").encode() for name, content in files.items()}


def administrators(administration: Mapping[str, Any]) -> list[tuple[str, bool]]:
    """Users who can do everything: name, and whether only after a second factor."""
    loose = administration["unconditional_grants"]
    return [(f"admin-{place:02}", place > loose) for place in range(1, administration["full_administrators"] + 1)]


def trust_policies(account: str, trusts: list[Mapping[str, Any]]) -> dict[str, tuple[dict[str, Any], int]]:
    """Trust policy and longest session in seconds, by name of the role."""
    found: dict[str, tuple[dict[str, Any], int]] = {}
    for trust in trusts:
        principal = _PRINCIPALS[trust["principal"]]
        if isinstance(principal, dict):
            principal = {kind: who.format(account=account) for kind, who in principal.items()}
        statement: dict[str, Any] = {"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"}
        conditions: dict[str, Any] = {}
        if trust["principal"] == "federated":
            statement["Action"] = "sts:AssumeRoleWithSAML"
            conditions["StringEquals"] = {"SAML:aud": "https://signin.aws.amazon.com/saml"}
        if trust["demands_external_id"]:
            conditions["StringEquals"] = {"sts:ExternalId": "agreed-beforehand"}
        if trust["demands_mfa"]:
            conditions["Bool"] = {"aws:MultiFactorAuthPresent": "true"}
        if conditions:
            statement["Condition"] = conditions
        empty: dict[str, Any] = {"Version": "2012-10-17", "Statement": []}
        policy, _ = found.setdefault(trust["role"], (empty, trust["session_hours"] * 3600))
        policy["Statement"].append(statement)
    return found


def _roles(account: str, trusts: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """What ListRoles shows."""
    return [
        {
            "Path": "/",
            "RoleName": name,
            "RoleId": f"AROALABBANK{place:010}",
            "Arn": f"arn:aws:iam::{account}:role/{name}",
            "CreateDate": MADE_AT,
            "AssumeRolePolicyDocument": policy,
            "MaxSessionDuration": seconds,
        }
        for place, (name, (policy, seconds)) in enumerate(trust_policies(account, trusts).items(), start=1)
    ]


def _details(account: str, administration: Mapping[str, Any], listed: list[dict[str, Any]]) -> dict[str, Any]:
    users = []
    for name, guarded in administrators(administration):
        inline = {"Version": "2012-10-17", "Statement": [AFTER_SECOND_FACTOR]}
        attached = {"PolicyName": "AdministratorAccess", "PolicyArn": ADMINISTRATOR}
        users.append(
            {
                "Path": "/",
                "UserName": name,
                "UserId": f"AIDALABBANK{name.removeprefix('admin-').zfill(10)}",
                "Arn": f"arn:aws:iam::{account}:user/{name}",
                "CreateDate": MADE_AT,
                "GroupList": [],
                "UserPolicyList": [{"PolicyName": "after-second-factor", "PolicyDocument": inline}] if guarded else [],
                "AttachedManagedPolicies": [] if guarded else [attached],
                "Tags": [],
            }
        )
    held: dict[str, Any] = {"RolePolicyList": [], "AttachedManagedPolicies": [], "InstanceProfileList": [], "Tags": []}
    # The longest session of a role is not among these details.
    roles = [{name: value for name, value in role.items() if name != "MaxSessionDuration"} | held for role in listed]
    return {
        "UserDetailList": users,
        "GroupDetailList": [],
        "RoleDetailList": roles,
        "Policies": [],
        "IsTruncated": False,
    }


def credential_report(account: str, root: Mapping[str, Any], users: list[str], made_at: str) -> dict[str, Any]:
    """The answer to GetCredentialReport."""
    nothing = dict.fromkeys(COLUMNS, "N/A")
    nothing |= {name: "false" for name in COLUMNS if name.endswith("_active") or name == "password_enabled"}
    nothing |= {"user_creation_time": MADE_AT, "password_last_used": "no_information"}
    rows = [{**nothing, "user": "<root_account>", "arn": f"arn:aws:iam::{account}:root", **root_cells(root)}]
    rows += [{**nothing, "user": name, "arn": f"arn:aws:iam::{account}:user/{name}"} for name in users]
    text = "\n".join([",".join(COLUMNS), *(",".join(row[column] for column in COLUMNS) for row in rows)])
    return {
        "Content": base64.b64encode(text.encode()).decode(),
        "ReportFormat": "text/csv",
        "GeneratedTime": made_at.replace("Z", "+00:00"),
    }


def root_cells(root: Mapping[str, Any]) -> dict[str, str]:
    """What the credential report says of the root user; cells that are not here are those of somebody with nothing."""
    keys = root.get("access_keys", 0)
    cells = {f"access_key_{place}_active": "true" if place <= keys else "false" for place in (1, 2)}
    cells |= {f"access_key_{place}_last_rotated": MADE_AT for place in (1, 2) if place <= keys}
    used = root.get("last_used")
    return {
        **cells,
        "password_enabled": "not_supported",
        "password_next_rotation": "not_supported",
        "password_last_changed": "not_supported",
        "password_last_used": used.replace("Z", "+00:00") if used else "no_information",
        "mfa_active": "false" if root.get("mfa") == "none" else "true",
    }


def _summary(root: Mapping[str, Any]) -> dict[str, int]:
    return {
        "AccountMFAEnabled": 0 if root.get("mfa") == "none" else 1,
        "AccountAccessKeysPresent": 1 if root.get("access_keys") else 0,
    }


def _root_device(account: str) -> list[dict[str, Any]]:
    serial = f"arn:aws:iam::{account}:mfa/root-account-mfa-device"
    return [{"SerialNumber": serial, "User": {"Arn": f"arn:aws:iam::{account}:root"}, "EnableDate": MADE_AT}]
