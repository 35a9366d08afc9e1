"""A small account as the AWS CLI prints it, written by hand, and folders of such files to read."""

from __future__ import annotations

import base64
import copy
import json
from pathlib import Path
from typing import Any

from scanner.model import Target
from tests.collectors.aws.lab import ACCOUNT, BLOCKS_NEW, EVERYTHING, NEEDS_SECOND_FACTOR, TRUST, only_with_tls

REGION = "ap-northeast-1"
KEY = "1234abcd-12ab-34cd-56ef-1234567890ab"
CAPTURED_AT = "2026-11-20T01:00:00Z"
ALL_USERS = "http://acs.amazonaws.com/groups/global/AllUsers"
KEPT_APART = {
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/key-officers"},
            "Action": ["kms:Describe*", "kms:Put*", "kms:Enable*", "kms:Disable*", "kms:ScheduleKeyDeletion"],
            "Resource": "*",
        },
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/ledger"},
            "Action": ["kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*", "kms:DescribeKey"],
            "Resource": "*",
        },
    ]
}
"""The policy of a key that some rule and others use."""
TRAIL = f"arn:aws:cloudtrail:{REGION}:{ACCOUNT}:trail/whole"
COLUMNS = (
    "user",
    "arn",
    "user_creation_time",
    "password_enabled",
    "password_last_used",
    "password_last_changed",
    "password_next_rotation",
    "mfa_active",
    "access_key_1_active",
    "access_key_1_last_rotated",
    "access_key_1_last_used_date",
    "access_key_1_last_used_region",
    "access_key_1_last_used_service",
    "access_key_2_active",
    "access_key_2_last_rotated",
    "access_key_2_last_used_date",
    "access_key_2_last_used_region",
    "access_key_2_last_used_service",
    "cert_1_active",
    "cert_1_last_rotated",
    "cert_2_active",
    "cert_2_last_rotated",
)


def report(*lines: dict[str, str], root: dict[str, str] | None = None) -> dict[str, Any]:
    """An answer to GetCredentialReport; cells not given are those of somebody with nothing."""
    nothing = {
        **dict.fromkeys(COLUMNS, "N/A"),
        "user_creation_time": "2024-03-01T00:00:00+00:00",
        "password_enabled": "false",
        "mfa_active": "false",
        "access_key_1_active": "false",
        "access_key_2_active": "false",
        "cert_1_active": "false",
        "cert_2_active": "false",
    }
    owner = {"user": "<root_account>", "arn": f"arn:aws:iam::{ACCOUNT}:root", "password_enabled": "not_supported"}
    rows = [{**nothing, **owner, "mfa_active": "true", **(root or {})}, *({**nothing, **line} for line in lines)]
    text = "\n".join([",".join(COLUMNS), *(",".join(row[column] for column in COLUMNS) for row in rows)])
    return {
        "Content": base64.b64encode(text.encode()).decode(),
        "ReportFormat": "text/csv",
        "GeneratedTime": "2026-11-20T00:30:00+00:00",
    }


def person(name: str, **changes: Any) -> dict[str, Any]:
    """One entry of UserDetailList."""
    return {
        "Path": "/",
        "UserName": name,
        "UserId": f"AIDA{name.upper()}",
        "Arn": f"arn:aws:iam::{ACCOUNT}:user/{name}",
        "CreateDate": "2024-03-01T00:00:00+00:00",
        "GroupList": [],
        "AttachedManagedPolicies": [],
        "Tags": [],
        **changes,
    }


def role(name: str, trust: Any = TRUST, **changes: Any) -> dict[str, Any]:
    """One entry of RoleDetailList."""
    return {
        "RoleName": name,
        "Arn": f"arn:aws:iam::{ACCOUNT}:role/{name}",
        "AssumeRolePolicyDocument": trust,
        "RolePolicyList": [],
        "AttachedManagedPolicies": [],
        **changes,
    }


def line(name: str, **cells: str) -> dict[str, str]:
    """One row of the credential report."""
    return {"user": name, "arn": f"arn:aws:iam::{ACCOUNT}:user/{name}", **cells}


def account() -> dict[str, Any]:
    """Files by name: two users, a root user with a hardware factor, two groups, a bucket, a volume, a key, a trail."""
    files: dict[str, Any] = {
        "get-caller-identity": {"UserId": "x", "Account": ACCOUNT, "Arn": f"arn:aws:iam::{ACCOUNT}:user/reader"},
        "get-account-authorization-details": {
            "UserDetailList": [
                person(
                    "chang",
                    Tags=[{"Key": "category", "Value": "person"}],
                    GroupList=["administrators"],
                    UserPolicyList=[{"PolicyName": "mfa", "PolicyDocument": NEEDS_SECOND_FACTOR}],
                ),
                person("robot", Tags=[{"Key": "category", "Value": "service"}]),
            ],
            "GroupDetailList": [
                {
                    "GroupName": "administrators",
                    "AttachedManagedPolicies": [],
                    "GroupPolicyList": [{"PolicyName": "all", "PolicyDocument": EVERYTHING}],
                }
            ],
            "RoleDetailList": [role("operator")],
            "Policies": [],
            "IsTruncated": False,
        },
        "get-credential-report": report(
            line(
                "chang",
                password_enabled="true",
                password_last_used="2026-11-19T08:00:00+00:00",
                password_next_rotation="2026-12-19T08:00:00+00:00",
                mfa_active="true",
            ),
            line("robot", access_key_1_active="true", access_key_1_last_rotated="2026-10-01T00:00:00+00:00"),
        ),
        "get-account-summary": {"SummaryMap": {"AccountMFAEnabled": 1, "AccountAccessKeysPresent": 0}},
        "get-account-password-policy": {
            "PasswordPolicy": {
                "MinimumPasswordLength": 14,
                "RequireSymbols": True,
                "RequireNumbers": True,
                "RequireUppercaseCharacters": True,
                "RequireLowercaseCharacters": True,
                "AllowUsersToChangePassword": True,
                "ExpirePasswords": True,
                "MaxPasswordAge": 90,
            }
        },
        "list-roles": {"Roles": [{**role("operator"), "MaxSessionDuration": 7200}]},
        "list-virtual-mfa-devices": {"VirtualMFADevices": []},
        "list-mfa-devices.chang": {
            "MFADevices": [{"UserName": "chang", "SerialNumber": f"arn:aws:iam::{ACCOUNT}:u2f/user/chang/k-1"}]
        },
        "list-service-specific-credentials": {"ServiceSpecificCredentials": []},
        "list-account-aliases": {"AccountAliases": ["lab-bank"]},
        "describe-organization": {"ztgrade_none": True},
        "describe-regions": {
            "Regions": [
                {"RegionName": REGION, "OptInStatus": "opt-in-not-required"},
                {"RegionName": "af-south-1", "OptInStatus": "not-opted-in"},
            ]
        },
        f"describe-security-groups.{REGION}": {
            "SecurityGroups": [
                group("sg-1", "web", permit("tcp", 443, ranges=["0.0.0.0/0"])),
                group("sg-2", "inner", permit("-1", groups=["sg-2"])),
            ]
        },
        f"describe-network-interfaces.{REGION}": {
            "NetworkInterfaces": [interface("eni-1", "10.0.0.5", "sg-2"), interface("eni-2", "10.0.0.6", "sg-2")]
        },
        f"describe-subnets.{REGION}": {"Subnets": [subnet("subnet-1"), subnet("subnet-2")]},
        f"describe-network-acls.{REGION}": {
            "NetworkAcls": [
                border(entry(100), subnets=["subnet-2"]),
                border(entry(100, "6", ports=(443, 443)), entry(200, network="10.0.0.0/8"), subnets=["subnet-1"]),
            ]
        },
        f"describe-volumes.{REGION}": {
            "Volumes": [
                {
                    "VolumeId": "vol-1",
                    "Encrypted": True,
                    "KmsKeyId": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY}",
                    "Tags": [],
                }
            ]
        },
        "list-buckets": {"Buckets": [{"Name": "ledger", "CreationDate": "2025-01-01T00:00:00+00:00"}]},
        "get-bucket-location.ledger": {"LocationConstraint": REGION},
        "get-bucket-encryption.ledger": {
            "ServerSideEncryptionConfiguration": {
                "Rules": [
                    {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": "alias/data"}}
                ]
            }
        },
        f"s3control-get-public-access-block.{ACCOUNT}": {"PublicAccessBlockConfiguration": BLOCKS_NEW},
        "get-public-access-block.ledger": {"PublicAccessBlockConfiguration": BLOCKS_NEW},
        "get-bucket-policy.ledger": {"Policy": json.dumps(only_with_tls("ledger"))},
        "get-bucket-acl.ledger": {
            "Owner": {"ID": "75aa57f09aa0"},
            "Grants": [
                {"Grantee": {"Type": "CanonicalUser", "ID": "75aa57f09aa0"}, "Permission": "FULL_CONTROL"},
                {"Grantee": {"Type": "Group", "URI": ALL_USERS}, "Permission": "READ"},
            ],
        },
        "get-bucket-ownership-controls.ledger": {
            "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}
        },
        "get-bucket-lifecycle-configuration.ledger": {
            "Rules": [{"ID": "1", "Status": "Enabled", "Filter": {}, "Expiration": {"Days": 365}}]
        },
        f"describe-snapshots.{REGION}": {
            "Snapshots": [{"SnapshotId": "snap-1", "VolumeId": "vol-1", "Encrypted": True, "OwnerId": ACCOUNT}]
        },
        f"describe-snapshots.{REGION}.all": {"Snapshots": []},
        f"describe-images.{REGION}": {"Images": [{"ImageId": "ami-1", "Public": False, "BlockDeviceMappings": []}]},
        "get-bucket-tagging.ledger": {"TagSet": [{"Key": "sensitive", "Value": "true"}]},
        f"list-keys.{REGION}": {"Keys": [{"KeyId": KEY, "KeyArn": f"arn:aws:kms:{REGION}:{ACCOUNT}:key/{KEY}"}]},
        f"list-aliases.{REGION}": {"Aliases": [{"AliasName": "alias/data", "TargetKeyId": KEY}]},
        f"describe-key.{REGION}.{KEY}": {"KeyMetadata": {"KeyId": KEY, "KeyManager": "CUSTOMER"}},
        f"get-key-policy.{REGION}.{KEY}": {"Policy": json.dumps(KEPT_APART)},
        f"get-key-rotation-status.{REGION}.{KEY}": {"KeyRotationEnabled": True},
        f"describe-trails.{REGION}": {
            "trailList": [
                {
                    "Name": "whole",
                    "TrailARN": TRAIL,
                    "HomeRegion": REGION,
                    "S3BucketName": "logs",
                    "IncludeGlobalServiceEvents": True,
                }
            ]
        },
        f"get-trail-status.{REGION}.{TRAIL.replace(':', '%3A').replace('/', '%2F')}": {
            "IsLogging": True,
            "LatestDeliveryTime": "2026-11-20T00:55:00+00:00",
        },
        f"get-event-selectors.{REGION}.{TRAIL.replace(':', '%3A').replace('/', '%2F')}": {
            "EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": True, "DataResources": []}]
        },
    }
    return {f"{name}.json": copy.deepcopy(content) for name, content in files.items()}


def group(name: str, title: str, *permits: dict[str, Any]) -> dict[str, Any]:
    """One security group."""
    return {"GroupId": name, "GroupName": title, "IpPermissions": list(permits), "Tags": []}


def permit(
    protocol: str,
    port: int | None = None,
    *,
    ranges: list[str] | None = None,
    groups: list[str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """One inbound rule."""
    return {
        "IpProtocol": protocol,
        **({} if port is None else {"FromPort": port, "ToPort": port}),
        "IpRanges": [{"CidrIp": one} for one in ranges or ()],
        "Ipv6Ranges": [],
        "PrefixListIds": [],
        "UserIdGroupPairs": [{"GroupId": one} for one in groups or ()],
        **more,
    }


def subnet(name: str, **changes: Any) -> dict[str, Any]:
    """One subnet."""
    return {"SubnetId": name, "VpcId": "vpc-1", "OwnerId": ACCOUNT, "CidrBlock": "10.0.0.0/24", "Tags": [], **changes}


def entry(
    number: int,
    protocol: str = "-1",
    *,
    network: str = "0.0.0.0/0",
    ports: tuple[int, int] | None = None,
    action: str = "allow",
    **more: Any,
) -> dict[str, Any]:
    """One entry of a network ACL for what comes in."""
    return {
        "RuleNumber": number,
        "Protocol": protocol,
        "RuleAction": action,
        "Egress": False,
        "Ipv6CidrBlock" if ":" in network else "CidrBlock": network,
        **({} if ports is None else {"PortRange": {"From": ports[0], "To": ports[1]}}),
        **more,
    }


def border(*entries: dict[str, Any], subnets: list[str]) -> dict[str, Any]:
    """One network ACL with the entries that AWS adds to each, and what goes out left open."""
    last = entry(32767, action="deny")
    return {
        "NetworkAclId": "acl-1",
        "Entries": [*entries, last, {**entry(100), "Egress": True}],
        "Associations": [{"SubnetId": one} for one in subnets],
    }


def interface(name: str, address: str, *groups: str, subnet: str = "subnet-1") -> dict[str, Any]:
    """One network interface."""
    return {
        "NetworkInterfaceId": name,
        "SubnetId": subnet,
        "PrivateIpAddress": address,
        "PrivateIpAddresses": [{"PrivateIpAddress": address}],
        "Groups": [{"GroupId": one} for one in groups],
    }


def write(folder: Path, files: dict[str, Any]) -> None:
    """Write files into a folder; bytes as they are."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())


def recorded_target(folder: Path, **options: Any) -> Target:
    """A recording as a target."""
    given = {"captured_at": CAPTURED_AT, "category_tag": "category", "sensitive_tag": "sensitive", **options}
    return Target(name="cloud", collector="aws", source="cloud", captures=folder, options=given)


def in_account(files: dict[str, Any], number: str) -> dict[str, Any]:
    """The same account under another number, as a recording of an organization has it: in a folder of that name."""
    moved: dict[str, Any] = {}
    for name, content in files.items():
        text = json.dumps(content)
        if isinstance(given := content.get("Content"), str):
            told = base64.b64decode(given).decode().replace(ACCOUNT, number)
            text = text.replace(given, base64.b64encode(told.encode()).decode())
        moved[f"{number}/{name.replace(ACCOUNT, number)}"] = json.loads(text.replace(ACCOUNT, number))
    return moved


def member(number: str, **changes: Any) -> dict[str, Any]:
    """One entry of the accounts of an organization."""
    return {
        "Id": number,
        "Arn": f"arn:aws:organizations::{ACCOUNT}:account/o-1/{number}",
        "Name": f"account {number}",
        "Status": "ACTIVE",
        "State": "ACTIVE",
        **changes,
    }


def nothing_in(files: dict[str, Any]) -> dict[str, Any]:
    """The same account with every listing empty but the regions."""
    emptied = copy.deepcopy(files)
    for name, content in emptied.items():
        if not name.startswith("describe-regions"):
            for key, value in content.items():
                if isinstance(value, list):
                    content[key] = []
    emptied["get-credential-report.json"] = report()
    return emptied


def denied(files: dict[str, Any]) -> dict[str, Any]:
    """The same account where every call but the first is refused."""
    refusal = {"ztgrade_lost": {"error": "AccessDenied", "detail": "AccessDenied: no right"}}
    return {name: content if name.startswith("get-caller") else refusal for name, content in files.items()}
