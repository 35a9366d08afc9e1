"""Calls, wall and memory of reading an AWS account: 200 users, 100 buckets, 200 security groups, 20 keys, 1 trail.

Run ``python -m benchmarks.aws_calls`` from the root of the repository, with the development requirements installed. The
account stands in moto's server on this machine, so wall time includes the server; compare calls and ratios.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections import Counter
from typing import Any

from benchmarks.measured import run
from collectors.aws import AwsCollector, connect
from collectors.ports.aws import AwsPort
from scanner.model import Capture, Fact, Gap
from tests.collectors.aws.lab import EVERYTHING, LiveAccess, client, live_target, moto_server

USERS, BUCKETS, GROUPS, KEYS = 200, 100, 200, 20
GOAL_IAM, GOAL_BUCKET, GOAL_KEY, GOAL_MEGABYTES = 20, 7, 5, 150


def fill(address: str) -> None:
    """The account: half of the users with a password, a third with a key, ten all-powerful, no second factor."""
    iam = client(address, "iam")
    for number in range(USERS):
        name = f"user-{number:03}"
        iam.create_user(UserName=name)
        if number % 2 == 0:
            iam.create_login_profile(UserName=name, Password="Long-enough-1!")
        if number % 3 == 0:
            iam.create_access_key(UserName=name)
        if number % 20 == 0:
            iam.put_user_policy(UserName=name, PolicyName="all", PolicyDocument=json.dumps(EVERYTHING))
    for number in range(20):
        iam.create_role(RoleName=f"role-{number:02}", AssumeRolePolicyDocument=json.dumps({"Statement": []}))
    kms = client(address, "kms")
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for _ in range(KEYS)]
    for key in keys[::2]:
        kms.enable_key_rotation(KeyId=key)
    s3 = client(address, "s3")
    for number in range(BUCKETS):
        bucket = f"bucket-{number:03}"
        s3.create_bucket(Bucket=bucket)
        if number % 2 == 0:
            default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": keys[number // 2 % KEYS]}
            rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
            s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration=rules)
    ec2 = client(address, "ec2")
    for number in range(GROUPS):
        group = ec2.create_security_group(GroupName=f"group-{number:03}", Description="-")["GroupId"]
        source = "0.0.0.0/0" if number % 2 == 0 else "10.0.0.0/8"
        ec2.authorize_security_group_ingress(
            GroupId=group,
            IpPermissions=[{"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": source}]}],
        )
    trail = client(address, "cloudtrail")
    trail.create_trail(Name="whole", S3BucketName="bucket-000", IsMultiRegionTrail=True)
    trail.start_logging(Name="whole")


def scan(address: str, regions: list[str]) -> dict[str, Any]:
    """Read the account once in this process and say what it took."""
    access = LiveAccess(live_target(address, **({"regions": regions} if regions else {})))
    port = connect(access)
    assert isinstance(port, AwsPort)
    rows: Counter[str] = Counter()
    started = time.perf_counter()
    for record in AwsCollector(lambda _: port).read(access):
        if isinstance(record, Fact):
            rows[type(record).__name__] += 1
        elif isinstance(record, Gap):
            rows["(gaps)"] += 1
        elif isinstance(record, Capture):
            rows["(captures)"] += 1
    return {
        "wall": time.perf_counter() - started,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "sent": dict(port.sent),
        "rows": dict(sorted(rows.items())),
    }


def told(title: str, found: dict[str, Any]) -> bool:
    """Print one reading; whether it kept to the goals."""
    services: Counter[str] = Counter()
    for name, count in found["sent"].items():
        services[name.partition(":")[0]] += count
    print(f"{title}: {sum(services.values())} calls, {found['wall']:.1f} s wall, {found['peak']:.0f} MB peak")
    print("  calls:", ", ".join(f"{name} {count}" for name, count in services.most_common()))
    print("  rows: ", ", ".join(f"{name} {count}" for name, count in found["rows"].items()))
    per_bucket = (services["s3"] - 1) / BUCKETS
    per_key = services["kms"] / KEYS
    kept = (
        services["iam"] <= GOAL_IAM
        and per_bucket <= GOAL_BUCKET
        and per_key <= GOAL_KEY
        and found["peak"] <= GOAL_MEGABYTES
    )
    print(f"  iam {services['iam']} (<= {GOAL_IAM}), {per_bucket:.1f} a bucket (<= {GOAL_BUCKET}), ", end="")
    print(f"{per_key:.2f} a key (<= {GOAL_KEY}), peak <= {GOAL_MEGABYTES} MB: {'kept' if kept else 'MISSED'}")
    return kept


def main() -> int:
    """Fill the account, read it in one region and in all, each in a process of its own."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", help="read the account that stands there, and print JSON; used by the benchmark")
    parser.add_argument("--region", action="append", default=[], help="read this region alone; may be given again")
    arguments = parser.parse_args()
    if arguments.address:
        print(json.dumps(scan(arguments.address, arguments.region)))
        return 0
    with moto_server() as address:
        started = time.perf_counter()
        fill(address)
        print(f"account filled in {time.perf_counter() - started:.1f} s")
        command = [sys.executable, "-m", "benchmarks.aws_calls", "--address", address]
        one = run([*command, "--region", "us-east-1"])
        every = run(command)
    kept = [told("one region", dict(one.report)), told("every region", dict(every.report))]
    print(f"whole processes: one region {one}")
    print(f"                 every      {every}")
    return 0 if all(kept) else 1


if __name__ == "__main__":
    sys.exit(main())
