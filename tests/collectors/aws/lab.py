"""Moto's server on the loopback interface, a small estate in it, and access to it."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

import boto3
import pytest

from scanner.errors import Throttled
from scanner.model import Target

ResultT = TypeVar("ResultT")
ACCOUNT = "123456789012"
ROOT = Path(__file__).resolve().parents[3]
STARTS_WITHIN = 60.0
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Allow",
            "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"},
            "Action": "sts:AssumeRole",
            "Condition": {"StringEquals": {"sts:ExternalId": "not-for-the-record"}},
        }
    ],
}
EVERYTHING = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]}
READING = {
    "Version": "2012-10-17",
    "Statement": [{"Effect": "Allow", "Action": ["s3:Get*", "s3:List*"], "Resource": "*"}],
}
NEEDS_SECOND_FACTOR = {
    "Version": "2012-10-17",
    "Statement": [
        {
            "Effect": "Deny",
            "Action": "*",
            "Resource": "*",
            "Condition": {"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}},
        }
    ],
}

BLOCKS_NEW = {
    "BlockPublicAcls": True,
    "IgnorePublicAcls": False,
    "BlockPublicPolicy": True,
    "RestrictPublicBuckets": False,
}
"""Refuses new public grants, and leaves those that are there in force."""
BLOCKS_ALL = dict.fromkeys(BLOCKS_NEW, True)


def only_with_tls(bucket: str) -> dict[str, Any]:
    """A bucket policy that refuses every request without TLS."""
    refused = {
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/*"],
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    return {"Version": "2012-10-17", "Statement": [refused]}


def for_everybody(bucket: str) -> dict[str, Any]:
    """A bucket policy that lets everybody read, with a word that is no secret to whoever reads the policy."""
    allowed = {
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": "s3:GetObject",
        "Resource": f"arn:aws:s3:::{bucket}/*",
        "Condition": {"StringEquals": {"aws:Referer": "not-for-the-record"}},
    }
    return {"Version": "2012-10-17", "Statement": [allowed]}


@dataclass
class LiveAccess:
    """Access to one target: the secret is known, waits take no time."""

    target: Target
    key: str | None = "AKIAIOSFODNN7EXAMPLE"
    hidden: str = "not-a-real-secret"
    logins: int = 0
    waits: list[float | None] = field(default_factory=list)

    def now(self) -> datetime:
        return datetime.now(UTC)

    def user(self) -> str | None:
        return self.key

    def secret(self) -> str:
        return self.hidden

    def login(self, attempt: Callable[[], ResultT]) -> ResultT:
        self.logins += 1
        return attempt()

    def call(self, attempt: Callable[[], ResultT]) -> ResultT:
        for _ in range(2):
            try:
                return attempt()
            except Throttled as error:
                self.waits.append(error.retry_after)
        return attempt()


def live_target(address: str, **options: Any) -> Target:
    """The account at an address, read in one region unless told otherwise."""
    return Target(name="cloud", collector="aws", source="cloud", address=address, credential="reader", options=options)


def client(address: str, service: str, region: str = "us-east-1") -> Any:
    """A client of the lab's own, for seeding."""
    session: Any = boto3.session.Session(aws_access_key_id="seed", aws_secret_access_key="seed")
    return session.client(service, region_name=region, endpoint_url=address)


@contextmanager
def loopback_names() -> Iterator[None]:
    """Names below ``localhost`` are this machine: s3control puts the account's number before the host."""
    real = socket.getaddrinfo

    def found(host: Any, *rest: Any, **more: Any) -> Any:
        here = isinstance(host, str) and (host == "localhost" or host.endswith(".localhost"))
        return real("127.0.0.1" if here else host, *rest, **more)

    socket.getaddrinfo = found
    try:
        yield
    finally:
        socket.getaddrinfo = real


@contextmanager
def moto_server() -> Iterator[str]:
    """Address of a fresh server, ended by its process id; skips with the reason where it cannot start, fails in CI."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environment = {**os.environ, "MOTO_EC2_LOAD_DEFAULT_AMIS": "false", "PYTHONWARNINGS": "ignore"}
    command = [sys.executable, "-m", "tests.collectors.aws.moto_of_today", "-H", "127.0.0.1", "-p", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        if not _listens(process, port):
            reason = "moto's server did not start on the loopback interface"
            if os.environ.get("CI"):
                pytest.fail(reason)
            pytest.skip(reason)
        with loopback_names():
            yield f"http://localhost:{port}"
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(10)


def _listens(process: subprocess.Popen[bytes], port: int) -> bool:
    until = time.monotonic() + STARTS_WITHIN
    while time.monotonic() < until and process.poll() is None:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return True
        time.sleep(0.1)
    return False


def seed(address: str) -> None:
    """Users with and without password, keys, second factor and power; groups, buckets, volumes, keys and a trail."""
    iam = client(address, "iam")
    iam.create_account_alias(AccountAlias="lab-bank")
    reading = iam.create_policy(PolicyName="reading", PolicyDocument=json.dumps(READING))["Policy"]["Arn"]
    iam.create_group(GroupName="administrators")
    iam.put_group_policy(GroupName="administrators", PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    people = {"chang": "person", "lin": "person", "backup": "service", "unused": None, "guarded": "person"}
    for name, category in people.items():
        tags = [{"Key": "category", "Value": category}] if category else []
        iam.create_user(UserName=name, Tags=tags)
    iam.add_user_to_group(GroupName="administrators", UserName="chang")
    iam.attach_user_policy(UserName="lin", PolicyArn=reading)
    iam.put_user_policy(UserName="guarded", PolicyName="mfa", PolicyDocument=json.dumps(NEEDS_SECOND_FACTOR))
    for name in ("chang", "lin"):
        iam.create_login_profile(UserName=name, Password="Long-enough-1!")
    for name in ("backup", "guarded"):
        iam.create_access_key(UserName=name)
    device = iam.create_virtual_mfa_device(VirtualMFADeviceName="chang")["VirtualMFADevice"]["SerialNumber"]
    iam.enable_mfa_device(
        UserName="chang", SerialNumber=device, AuthenticationCode1="123456", AuthenticationCode2="654321"
    )
    iam.create_role(RoleName="operator", AssumeRolePolicyDocument=json.dumps(TRUST))

    ec2 = client(address, "ec2")
    subnet = ec2.describe_subnets()["Subnets"][0]
    network = subnet["VpcId"]
    web = ec2.create_security_group(GroupName="web", Description="web", VpcId=network)["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=web,
        IpPermissions=[
            {"IpProtocol": "tcp", "FromPort": 443, "ToPort": 443, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]},
            {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "10.9.0.0/16"}]},
        ],
    )
    inner = ec2.create_security_group(GroupName="inner", Description="inner", VpcId=network)["GroupId"]
    ec2.authorize_security_group_ingress(
        GroupId=inner,
        IpPermissions=[{"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432, "UserIdGroupPairs": [{"GroupId": web}]}],
    )
    ec2.create_network_interface(SubnetId=subnet["SubnetId"], Groups=[inner])
    ec2.create_network_interface(SubnetId=subnet["SubnetId"], Groups=[inner])

    kms = client(address, "kms")
    key = kms.create_key(Description="data")["KeyMetadata"]["KeyId"]
    kms.enable_key_rotation(KeyId=key)
    kms.create_alias(AliasName="alias/data", TargetKeyId=key)
    open_one = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1)["VolumeId"]
    closed = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, Encrypted=True, KmsKeyId=key)["VolumeId"]
    ec2.create_snapshot(VolumeId=closed)
    shared = ec2.create_snapshot(VolumeId=open_one)["SnapshotId"]
    ec2.modify_snapshot_attribute(
        SnapshotId=shared, Attribute="createVolumePermission", OperationType="add", GroupNames=["all"]
    )

    s3 = client(address, "s3")
    for bucket in ("ledger", "plain", "trail-logs", "named-key"):
        s3.create_bucket(Bucket=bucket)
    for bucket, named in (("ledger", key), ("named-key", "alias/data")):
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": named}
        s3.put_bucket_encryption(
            Bucket=bucket,
            ServerSideEncryptionConfiguration={"Rules": [{"ApplyServerSideEncryptionByDefault": default}]},
        )
    client(address, "s3control").put_public_access_block(AccountId=ACCOUNT, PublicAccessBlockConfiguration=BLOCKS_NEW)
    for bucket in ("ledger", "trail-logs"):
        s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=BLOCKS_ALL)
    s3.put_bucket_policy(Bucket="ledger", Policy=json.dumps(only_with_tls("ledger")))
    s3.put_bucket_policy(Bucket="named-key", Policy=json.dumps(for_everybody("named-key")))
    s3.put_bucket_lifecycle_configuration(
        Bucket="ledger",
        LifecycleConfiguration={"Rules": [{"Status": "Enabled", "Filter": {"Prefix": ""}, "Expiration": {"Days": 90}}]},
    )
    s3.put_bucket_tagging(Bucket="ledger", Tagging={"TagSet": [{"Key": "sensitive", "Value": "true"}]})

    trail = client(address, "cloudtrail")
    trail.create_trail(
        Name="whole", S3BucketName="trail-logs", IsMultiRegionTrail=True, IncludeGlobalServiceEvents=True
    )
    trail.start_logging(Name="whole")
    trail.put_event_selectors(
        TrailName="whole",
        EventSelectors=[
            {
                "ReadWriteType": "All",
                "IncludeManagementEvents": True,
                "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::ledger/"]}],
            }
        ],
    )


def seed_organization(address: str, members: int) -> list[str]:
    """An organization of so many accounts beside its own, each with one user and one bucket; their numbers."""
    organizations, sts = client(address, "organizations"), client(address, "sts")
    organizations.create_organization(FeatureSet="ALL")
    numbers = []
    for place in range(members):
        made = organizations.create_account(Email=f"owner-{place}@lab-bank.example", AccountName=f"member-{place}")
        number = made["CreateAccountStatus"]["AccountId"]
        given = sts.assume_role(RoleArn=f"arn:aws:iam::{number}:role/seed", RoleSessionName="seed")["Credentials"]
        session: Any = boto3.session.Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
        )
        inside = {"region_name": "us-east-1", "endpoint_url": address}
        session.client("iam", **inside).create_user(UserName=f"user-of-{number}")
        session.client("s3", **inside).create_bucket(Bucket=f"bucket-{number}")
        numbers.append(number)
    return numbers
