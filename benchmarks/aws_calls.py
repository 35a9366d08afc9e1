"""Calls, wall and memory of a scan of an AWS account: 200 users, 100 buckets, 200 security groups, 20 keys, 1 trail.

Run ``python -m benchmarks.aws_calls`` from the root of the repository, with the development requirements installed. The
account stands in moto's server on this machine, so wall time includes the server; compare calls and ratios. Each stage
runs in a process of its own; what a scan holds is the peak of the one process that collects and assesses.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import sys
import tempfile
import time
from collections import Counter, defaultdict
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from benchmarks.measured import Cost, run
from collectors.aws import AwsCollector, connect
from collectors.ports.aws import AwsPort
from scanner.facts import FACTS
from scanner.model import Capture, Fact, Gap
from tests.collectors.aws.lab import EVERYTHING, LiveAccess, client, live_target, moto_server

USERS, BUCKETS, GROUPS, KEYS = 200, 100, 200, 20
GOAL_IAM, GOAL_BUCKET, GOAL_KEY, GOAL_MEGABYTES = 20, 7, 5, 150
LEADING_SCANNER_CALLS = 3202
"""Calls that Prowler 5.46.0 made of the same estate (iam, s3, ec2, kms, cloudtrail, one region), counted once."""
LEFT_OUT_BY_MOTO = "s3:GetBucketLocation"
"""S3 names the region of every bucket in its list, and this call is not made then; moto's list leaves it out."""
ONCE_OF_BUCKETS = frozenset({"s3:ListBuckets", LEFT_OUT_BY_MOTO})
ESTATE = """
schema_version = 1
[institution]
id = "lab-bank"
name.zh-TW = "實驗銀行"
name.en = "Lab Bank"
[credentials.reader]
user = "AKIAIOSFODNN7EXAMPLE"
secret = "env:ZTGRADE_BENCHMARK"
[targets.cloud]
collector = "aws"
source = "cloud"
address = "{address}"
credential = "reader"
timeout_seconds = 600
options.regions = ["us-east-1"]
[systems.core]
title.zh-TW = "核心"
title.en = "Core"
scenes = ["cloud_access"]
service_model = "iaas"
target = "I"
{members}
"""
MEMBERS = ("Account", "User", "DataStore", "Segment", "LogSource")


@dataclass(frozen=True)
class Kept:
    """One goal and what came of it."""

    what: str
    goal: float
    found: float

    @property
    def ok(self) -> bool:
        """Whether it was reached."""
        return self.found <= self.goal

    def __str__(self) -> str:
        return f"{self.what} {self.found:.4g} (<= {self.goal:g}) {'kept' if self.ok else 'MISSED'}"


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


def read(address: str, regions: list[str]) -> dict[str, Any]:
    """Read the account once in this process and say what it took, and which fields of which facts have a value."""
    access = LiveAccess(live_target(address, **({"regions": regions} if regions else {})))
    port = connect(access)
    assert isinstance(port, AwsPort)
    rows: Counter[str] = Counter()
    fields: dict[str, set[str]] = defaultdict(set)
    started = time.perf_counter()
    for record in AwsCollector(lambda _: port).read(access):
        if isinstance(record, Fact):
            name = type(record).__name__
            rows[name] += 1
            fields[name] |= {each for each in record.__struct_fields__ if getattr(record, each) is not None}
        elif isinstance(record, Gap):
            rows["(gaps)"] += 1
        elif isinstance(record, Capture):
            rows["(captures)"] += 1
    return {
        "wall": time.perf_counter() - started,
        "peak": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "sent": dict(port.sent),
        "rows": dict(sorted(rows.items())),
        "fields": {name: sorted(found - {"asset", "observed_at"}) for name, found in sorted(fields.items())},
    }


def told(title: str, found: dict[str, Any]) -> list[Kept]:
    """Print one reading; the goals for its calls."""
    sent: dict[str, int] = found["sent"]
    services: Counter[str] = Counter()
    for name, count in sent.items():
        services[name.partition(":")[0]] += count
    calls = sum(services.values())
    print(f"{title}: {calls} calls, {LEADING_SCANNER_CALLS / calls:.1f} times fewer than a leading scanner's ", end="")
    print(f"{LEADING_SCANNER_CALLS}; {found['wall']:.1f} s wall, {found['peak']:.0f} MB peak of the reading alone")
    print("  by service:", ", ".join(f"{name} {count}" for name, count in services.most_common()))
    print("  by call:   ", ", ".join(f"{name} {count}" for name, count in sorted(sent.items())))
    print("  rows:      ", ", ".join(f"{name} {count}" for name, count in found["rows"].items()))
    print(f"  of these {sent.get(LEFT_OUT_BY_MOTO, 0)} {LEFT_OUT_BY_MOTO}, which S3 itself makes needless")
    each_bucket = sum(count for name, count in sent.items() if name.startswith("s3:") and name not in ONCE_OF_BUCKETS)
    return [
        Kept(f"{title}: calls of IAM", GOAL_IAM, services["iam"]),
        Kept(f"{title}: calls a bucket", GOAL_BUCKET, each_bucket / BUCKETS),
        Kept(f"{title}: calls a key", GOAL_KEY, services["kms"] / KEYS),
    ]


def staged(address: str, folder: Path) -> list[Kept]:
    """Collect, assess and report, and then scan, each as its users run it; the goals for their memory."""
    members = "".join(f"[[systems.core.members.{name}]]\nall = true\n" for name in MEMBERS)
    (folder / "estate.toml").write_text(ESTATE.format(address=address, members=members), encoding="utf-8")
    os.environ["ZTGRADE_BENCHMARK"] = "not-a-real-secret"
    ztgrade = [sys.executable, "-m", "scanner.cli"]
    estate = ["--estate", str(folder / "estate.toml")]
    store, other = (["--store", str(folder / name)] for name in ("store", "other"))
    never = ["--fail-on", "never"]
    page = ["--format", "html", "--lang", "zh-TW", "--output", str(folder / "report.html")]
    stages: dict[str, Cost] = {
        "collect": run([*ztgrade, "collect", *estate, *store, "--quiet"]),
        "assess": run([*ztgrade, "assess", *estate, *store, *never]),
        "HTML": run([*ztgrade, "report", "latest", *store, *page]),
        "scan": run([*ztgrade, "scan", *estate, *other, *never, "--quiet"]),
    }
    for name, cost in stages.items():
        print(f"{name:8} {cost}")
    return [Kept(f"megabytes of {name}", GOAL_MEGABYTES, cost.peak) for name, cost in stages.items()]


def evidence(found: dict[str, Any]) -> None:
    """Print the facts that were read, and of each the fields that have a value somewhere and those that have none."""
    known = {fact.__name__: fact for fact in FACTS}
    print(f"{len(found['fields'])} fact types read; in brackets what this account never said:")
    for name, fields in found["fields"].items():
        every = {field.name for field in msgspec.structs.fields(known[name])} - {"asset", "observed_at"}
        silent = sorted(every - set(fields))
        print(f"  {name}: {', '.join(fields)}{' [' + ', '.join(silent) + ']' if silent else ''}")


def main() -> int:
    """Fill the account, read it in one region and in all, and scan it; 1 where a goal was missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--address", help="read the account that stands there, and print JSON; used by the benchmark")
    parser.add_argument("--region", action="append", default=[], help="read this region alone; may be given again")
    arguments = parser.parse_args()
    if arguments.address:
        print(json.dumps(read(arguments.address, arguments.region)))
        return 0
    with moto_server() as address, tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        fill(address)
        print(f"account filled in {time.perf_counter() - started:.1f} s")
        command = [sys.executable, "-m", "benchmarks.aws_calls", "--address", address]
        one = dict(run([*command, "--region", "us-east-1"]).report)
        kept = told("one region", one)
        kept += told("every region", dict(run(command).report))
        evidence(one)
        kept += staged(address, Path(folder))
    for goal in kept:
        print(goal)
    return 0 if all(goal.ok for goal in kept) else 1


if __name__ == "__main__":
    sys.exit(main())
