"""One account in moto's server, read over the network: what is seen, what is sent, and what the recording is worth."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from collectors.aws import AwsCollector, connect
from collectors.aws.operations import SOURCES
from collectors.ports.aws import AwsPort
from scanner.facts import (
    Account,
    AccountAdministration,
    Authenticators,
    Credentials,
    DataStore,
    EncryptionAtRest,
    LogDelivery,
    LogSource,
    Microsegmentation,
    PasswordPolicy,
    PeerIsolation,
    Placement,
    Privilege,
    Retention,
    RoleTrusts,
    RootUser,
    Segment,
    SegmentPolicy,
    SignIn,
    StoreExposure,
    User,
)
from scanner.model import Capture, Census, Fact, Gap, GapWhy, Record, SourceIdentity
from tests.collectors.aws.lab import ACCOUNT, LiveAccess, live_target, moto_server, seed
from tests.collectors.aws.losses import wrongs
from tests.collectors.aws.recorded import recorded_target
from tests.collectors.stage import read

REGIONS = ["eu-west-1", "us-east-1"]
OPTIONS = {"regions": REGIONS, "category_tag": "category", "sensitive_tag": "sensitive"}


@dataclass
class Scan:
    """What one reading yielded and sent."""

    records: list[Record]
    port: AwsPort
    access: LiveAccess

    def of(self, kind: type[Fact], asset: str = "") -> list[Any]:
        """Facts of a kind whose asset key ends so."""
        return [one for one in self.records if type(one) is kind and one.asset.endswith(asset)]

    def user(self, login: str) -> str:
        """Key of a user."""
        found: str = next(one.asset for one in self.of(User) if one.login == login)
        return found


@pytest.fixture(scope="module")
def address() -> Iterator[str]:
    with moto_server() as started:
        seed(started)
        yield started


def scan(address: str, **options: Any) -> Scan:
    access = LiveAccess(live_target(address, **{**OPTIONS, **options}))
    port = connect(access)
    assert isinstance(port, AwsPort)
    return Scan(list(AwsCollector(lambda _: port).read(access)), port, access)


@pytest.fixture(scope="module")
def whole(address: str) -> Scan:
    return scan(address)


def test_whoever_answers_is_named(whole: Scan) -> None:
    identities = [one for one in whole.records if isinstance(one, SourceIdentity)]

    assert SourceIdentity(kind="aws_account", value=ACCOUNT) in identities
    assert whole.of(Account)[0].name == "lab-bank"


def test_users_are_seen_with_their_power_and_their_factors(whole: Scan) -> None:
    chang, lin, backup, unused, guarded = map(whole.user, ("chang", "lin", "backup", "unused", "guarded"))
    by = {kind: {one.asset: one for one in whole.of(kind)} for kind in (User, Privilege, Credentials, Authenticators)}

    assert (by[User][chang].category, by[User][chang].enabled) == ("person", True)
    assert (by[User][unused].category, by[User][unused].enabled) == (None, None)
    assert (by[Privilege][chang].privileged, by[Privilege][chang].standing) == (True, True)
    assert (by[Privilege][lin].privileged, by[Privilege][lin].standing) == (False, False)
    assert [(one.method, one.usable) for one in by[Authenticators][chang].methods] == [
        ("password", False),
        ("totp_software", True),
    ]
    assert [(one.method, one.usable) for one in by[Authenticators][lin].methods] == [("password", True)]
    assert by[Credentials][backup].access_keys == 1
    assert by[Credentials][backup].access_keys_need_mfa is False
    assert by[Credentials][guarded].access_keys_need_mfa is True
    assert by[Credentials][unused].password == "none"
    assert by[Credentials][lin].password == "never_expires"
    root = whole.of(RootUser)[0]
    assert (root.mfa, root.access_keys) == ("none", 0)
    administration = whole.of(AccountAdministration)[0]
    assert (administration.full_administrators, administration.unconditional_grants) == (1, 1)


def test_ways_in_are_seen_with_their_rules_and_their_roles(whole: Scan) -> None:
    by_login = {one.asset: one.login for one in whole.of(User)}
    root = whole.of(RootUser)[0]
    (trust,) = whole.of(RoleTrusts)[0].trusts

    assert {by_login[one.asset]: one.mfa for one in whole.of(SignIn)} == {
        "chang": "enforced",
        "lin": "not_required",
        "backup": "no_password",
        "unused": "no_password",
        "guarded": "no_password",
    }
    assert {by_login[one.asset]: one.name for one in whole.of(PasswordPolicy)} == {
        "chang": "aws-default",
        "lin": "aws-default",
    }
    assert (root.ever_used, root.last_used) == (False, None)
    assert (trust.role, trust.principal, trust.demands_external_id, trust.demands_mfa, trust.session_hours) == (
        "operator",
        "same_account",
        True,
        False,
        1,
    )


def test_subnets_are_segments_by_their_acl_and_the_groups_inside(whole: Scan) -> None:
    held = [one for one in whole.of(SegmentPolicy) if "us-east-1/subnet-" in one.asset]
    inner = next(one for one in held if any(rule.name.startswith("sg-") for rule in one.rules))

    assert len(held) == 6
    assert (inner.default_action, [rule.any_service for rule in inner.rules]) == ("deny", [False])
    assert {one.default_action for one in held if one is not inner} == {"allow"}
    assert whole.of(PeerIsolation, inner.asset)[0].peers == "restricted"
    assert whole.of(Microsegmentation, inner.asset)[0].unlabelled_workloads == 0


def test_security_groups_are_segments(whole: Scan) -> None:
    names = {one.name: one.asset for one in whole.of(Segment) if "us-east-1" in one.asset}
    web = whole.of(SegmentPolicy, names["web"])[0]
    inner = whole.of(SegmentPolicy, names["inner"])[0]

    assert web.applied is False
    assert {rule.name: rule.any_source for rule in web.rules} == {
        "tcp/443 from 0.0.0.0/0": True,
        "tcp/22 from 10.9.0.0/16": False,
    }
    assert (inner.applied, inner.default_action) == (True, "deny")
    assert whole.of(PeerIsolation, names["inner"])[0].peers == "restricted"
    assert len(whole.of(Placement, names["inner"])[0].addresses) == 2


def test_stores_are_open_as_their_policies_lists_and_copies_make_them(whole: Scan) -> None:
    buckets = {one.asset.rpartition(":")[2]: one for one in whole.of(StoreExposure) if ":s3:" in one.asset}

    assert {name: one.public for name, one in buckets.items()} == {
        "ledger": False,
        "trail-logs": False,
        "named-key": True,
        "plain": None,
    }
    assert {name for name, one in buckets.items() if one.clear_transport is False} == {"ledger"}
    assert sorted(one.public for one in whole.of(StoreExposure) if ":volume/" in one.asset) == [False, True]
    assert sorted(one.copies_encrypted for one in whole.of(EncryptionAtRest) if ":volume/" in one.asset) == [
        False,
        True,
    ]
    assert whole.of(Retention, ":::ledger")[0].policy == "executing"
    assert whole.of(Retention, ":::plain")[0].policy == "none"


def test_stores_are_seen_with_the_keys_that_hold_them(whole: Scan) -> None:
    ledger, plain, named = (whole.of(EncryptionAtRest, f":::{name}")[0] for name in ("ledger", "plain", "named-key"))

    assert (ledger.layer, ledger.key_holder, ledger.rotation) == ("store", "institution", "scheduled")
    assert ledger.key_apart is False  # its policy leaves it to whoever gives out rights in the account
    assert (named.layer, named.key_holder, named.rotation) == ("store", "institution", "scheduled")
    assert (plain.layer, plain.key_holder) == ("none", "none")
    assert whole.of(DataStore, ":::ledger")[0].sensitive is True
    assert sorted(one.layer for one in whole.of(EncryptionAtRest) if ":volume/" in one.asset) == ["disk", "none"]


def test_a_trail_is_the_streams_that_it_carries(whole: Scan) -> None:
    pillars = {one.asset.rpartition("#")[2]: one.pillar for one in whole.of(LogSource)}
    delivery = {one.asset.rpartition("#")[2]: one for one in whole.of(LogDelivery)}

    assert pillars == {"management": "identity", "data": "data"}
    assert delivery["management"].ever_arrived is True
    assert "privileged_operations" in delivery["management"].carries
    assert "data_access" in delivery["data"].carries


def test_a_call_that_the_server_does_not_know_is_no_none(whole: Scan) -> None:
    told = [one for one in whole.records if isinstance(one, Gap) and "ListServiceSpecificCredentials" in one.detail]

    assert [(one.fact, one.field, one.why) for one in told] == [("User", "enabled", GapWhy.MALFORMED)]


def test_no_call_outside_the_list_is_made_and_few_of_those_in_it(whole: Scan) -> None:
    sent = whole.port.sent

    assert set(sent) <= {f"{source.call.service}:{source.call.name}" for source in SOURCES}
    assert sum(count for name, count in sent.items() if name.startswith("iam:")) <= 20
    assert sum(count for name, count in sent.items() if name.startswith("s3:")) <= 1 + 7 * 4
    assert whole.access.logins == 1


def test_only_what_is_promised_is_asked(address: str) -> None:
    access = LiveAccess(live_target(address, **OPTIONS))
    object.__setattr__(access.target, "promises", ("Account", "RootUser"))
    port = connect(access)
    assert isinstance(port, AwsPort)
    records = list(AwsCollector(lambda _: port).read(access))

    assert {type(one).__name__ for one in records if isinstance(one, Fact)} == {"Account", "RootUser"}
    assert {name.partition(":")[0] for name in port.sent} == {"iam", "sts"}


def test_for_the_exposure_of_stores_nothing_is_asked_of_keys_or_tags(address: str) -> None:
    access = LiveAccess(live_target(address, **OPTIONS))
    object.__setattr__(access.target, "promises", ("StoreExposure",))
    port = connect(access)
    assert isinstance(port, AwsPort)
    records = list(AwsCollector(lambda _: port).read(access))

    assert {type(one).__name__ for one in records if isinstance(one, Fact)} == {"StoreExposure"}
    assert not {"s3:GetBucketTagging", "s3:GetBucketEncryption", "s3:GetBucketLifecycleConfiguration"} & set(port.sent)
    assert not any(name.startswith(("kms:", "iam:", "cloudtrail:")) for name in port.sent)


def test_a_recording_read_back_says_the_same(whole: Scan, tmp_path: Path) -> None:
    for capture in whole.records:
        if isinstance(capture, Capture):
            (tmp_path / capture.name).write_bytes(capture.content)
    again = read(AwsCollector(), recorded_target(tmp_path, **OPTIONS))

    assert wrongs(whole.records, again) == []
    assert wrongs(again, whole.records) == []
    assert {(one.fact, one.complete) for one in again if isinstance(one, Census)} == {
        (one.fact, one.complete) for one in whole.records if isinstance(one, Census)
    }


def test_a_recording_holds_no_secret(whole: Scan) -> None:
    content = b"".join(one.content for one in whole.records if isinstance(one, Capture))

    assert b"sts:ExternalId" in content
    for secret in (b"not-for-the-record", b"not-a-real-secret", b"AKIAIOSFODNN7EXAMPLE", b"SecretAccessKey"):
        assert secret not in content


def test_captures_are_json_objects_with_names_of_the_aws_cli(whole: Scan) -> None:
    names = {one.name for one in whole.records if isinstance(one, Capture)}

    assert {"get-account-authorization-details.json", "describe-security-groups.us-east-1.json"} <= names
    assert all(isinstance(json.loads(one.content), dict) for one in whole.records if isinstance(one, Capture))


def test_a_role_is_assumed_where_one_is_named(address: str) -> None:
    found = scan(
        address,
        assume_role=f"arn:aws:iam::{ACCOUNT}:role/operator",
        external_id="not-for-the-record",
        regions=["us-east-1"],
    )

    assert found.port.sent["sts:AssumeRole"] == 1
    assert any(isinstance(one, SourceIdentity) and ":assumed-role/operator/" in one.value for one in found.records)
    assert len(found.of(User)) == 5
