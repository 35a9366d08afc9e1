"""Subnets: what their network ACL and the groups inside let in together, and what hosts inside may do to each other."""

from __future__ import annotations

from typing import Any

import pytest

from scanner.errors import AccessDenied
from scanner.facts import Microsegmentation, PeerIsolation, Placement, Segment, SegmentPolicy
from scanner.model import Fact, Gap, Record
from tests.collectors.aws.losses import Remembered, seen
from tests.collectors.aws.recorded import REGION, account, border, entry, group, interface, permit, subnet

EVERYONE = permit("-1", ranges=["0.0.0.0/0"])
WEB = permit("tcp", 443, ranges=["0.0.0.0/0"])


def network(
    acl: Any, groups: list[dict[str, Any]], interfaces: Any, *, subnets: list[dict[str, Any]] | None = None
) -> list[Record]:
    files: dict[str, Any] = account()
    files[f"describe-security-groups.{REGION}.json"] = {"SecurityGroups": groups}
    files[f"describe-network-interfaces.{REGION}.json"] = (
        {"NetworkInterfaces": interfaces} if isinstance(interfaces, list) else interfaces
    )
    files[f"describe-subnets.{REGION}.json"] = {"Subnets": subnets or [subnet("subnet-1")]}
    files[f"describe-network-acls.{REGION}.json"] = (
        {"NetworkAcls": [border(*acl, subnets=["subnet-1"])]} if isinstance(acl, list) else acl
    )
    return seen(Remembered(files))


def of(records: list[Record], kind: type[Fact], name: str = "subnet-1") -> Any:
    return next(one for one in records if type(one) is kind and one.asset.endswith(f"/{name}"))


def admits(records: list[Record]) -> tuple[bool | None, bool | None, str | None]:
    """Whether some rule admits every source, and every service, and what becomes of the rest."""
    policy = of(records, SegmentPolicy)

    def any_of(values: list[bool | None]) -> bool | None:
        return True if True in values else (None if None in values else False)

    return (
        any_of([rule.any_source for rule in policy.rules]),
        any_of([rule.any_service for rule in policy.rules]),
        policy.default_action,
    )


HOSTS = [interface("eni-1", "10.0.0.5", "sg-1"), interface("eni-2", "10.0.0.6", "sg-1")]


@pytest.mark.parametrize(
    ("acl", "permits", "expected"),
    [
        ([entry(100)], [WEB], (True, False, "deny")),
        ([entry(100)], [EVERYONE], (True, True, "allow")),
        ([entry(100)], [], (False, False, "deny")),
        ([entry(100, "6", ports=(443, 443))], [EVERYONE], (True, False, "deny")),
        ([entry(100, network="10.0.0.0/8")], [EVERYONE], (False, True, "deny")),
        ([entry(100, network="10.0.0.0/8")], [WEB], (False, False, "deny")),
        ([entry(50, "6", ports=(443, 443), action="deny"), entry(100)], [WEB], (False, False, "deny")),
        ([entry(100), entry(200, "6", ports=(443, 443), action="deny")], [WEB], (True, False, "deny")),
        ([], [EVERYONE], (False, False, "deny")),
        ([entry(100)], [permit("tcp", FromPort=1, ToPort=65535, ranges=["0.0.0.0/0"])], (True, True, "allow")),
    ],
)
def test_a_rule_admits_only_what_acl_and_group_both_let_by(
    acl: list[dict[str, Any]], permits: list[dict[str, Any]], expected: tuple[bool, bool, str]
) -> None:
    assert admits(network(acl, [group("sg-1", "a", *permits)], HOSTS)) == expected


def test_a_rule_open_to_everyone_over_ipv6_alone_is_open_to_everyone() -> None:
    six = permit("-1", Ipv6Ranges=[{"CidrIpv6": "::/0"}])
    groups = [group("sg-1", "a", six)]

    assert admits(network([entry(100), entry(101, network="::/0")], groups, HOSTS)) == (True, True, "allow")
    assert admits(network([entry(100)], groups, HOSTS)) == (False, False, "deny")
    assert of(network([entry(100)], groups, HOSTS), Microsegmentation, "sg-1").final_action == "allow"


@pytest.mark.parametrize("hosts", [[], [interface("eni-1", "10.0.0.5")]])
def test_the_acl_that_every_network_begins_with_is_no_border(hosts: list[dict[str, Any]]) -> None:
    records = network([entry(100)], [group("sg-1", "a", WEB)], hosts)

    assert admits(records) == (True, True, "allow")
    boundary = of(records, Microsegmentation)
    assert (boundary.mode, boundary.final_action, boundary.unlabelled_workloads) == ("none", "allow", len(hosts))


def test_an_acl_alone_is_told_entry_by_entry() -> None:
    records = network([entry(90, action="deny", network="10.9.0.0/16"), entry(100, "6", ports=(22, 22))], [], [])

    assert [(one.name, one.any_source, one.any_service) for one in of(records, SegmentPolicy).rules] == [
        ("network ACL 100: tcp from 0.0.0.0/0", False, False)
    ]
    assert of(records, Microsegmentation).mode == "enforce"


def test_rules_that_are_harmless_alone_are_weighed_together() -> None:
    halves = [
        permit("tcp", FromPort=first, ToPort=last, ranges=["10.0.0.0/8"]) for first, last in ((0, 99), (100, 65535))
    ]
    policy = of(network([entry(100)], [group("sg-1", "a", *halves)], HOSTS), SegmentPolicy)

    assert [rule.name for rule in policy.rules if rule.any_service] == ["all rules together"]


@pytest.mark.parametrize(
    ("permits", "peers"),
    [
        ([], "isolated"),
        ([WEB], "restricted"),
        ([permit("-1", groups=["sg-1"])], "open"),
        ([permit("-1", groups=["sg-9"])], "restricted"),
        ([permit("-1", ranges=["10.0.0.0/24"])], "open"),
        ([permit("-1", PrefixListIds=[{"PrefixListId": "pl-1"}])], None),
    ],
)
def test_hosts_of_a_subnet_are_kept_apart_by_groups_alone(permits: list[dict[str, Any]], peers: str | None) -> None:
    records = network([], [group("sg-1", "a", *permits)], HOSTS)

    assert of(records, PeerIsolation).peers == peers
    assert of(records, PeerIsolation).means == {"open": "none", None: None}.get(peers, "group_rules")


def test_an_empty_subnet_says_nothing_of_hosts() -> None:
    records = network([entry(100)], [], [])

    assert of(records, PeerIsolation).peers is None
    assert any(isinstance(one, Gap) and one.fact == "PeerIsolation" and one.asset for one in records)
    assert of(records, Placement).addresses == []


def test_a_host_without_a_group_is_open_to_the_others() -> None:
    assert (
        of(network([], [group("sg-1", "a")], [*HOSTS, interface("eni-3", "10.0.0.7")]), PeerIsolation).peers == "open"
    )


def test_workloads_with_the_default_group_alone_have_no_policy() -> None:
    groups = [group("sg-0", "default", permit("-1", groups=["sg-0"])), group("sg-1", "a", WEB)]
    hosts = [interface("eni-1", "10.0.0.5", "sg-0"), interface("eni-2", "10.0.0.6", "sg-0", "sg-1")]
    records = network([entry(100)], groups, hosts)

    by = {name: of(records, Microsegmentation, name) for name in ("sg-0", "sg-1", "subnet-1")}
    assert {name: one.unlabelled_workloads for name, one in by.items()} == {"sg-0": 1, "sg-1": 0, "subnet-1": 1}
    assert {one.mode for one in by.values()} == {"enforce"}


def test_a_group_on_nothing_draws_no_boundary() -> None:
    assert of(network([], [group("sg-9", "unused")], HOSTS), Microsegmentation, "sg-9").mode == "none"


@pytest.mark.parametrize(
    ("acl", "hosts"),
    [
        (AccessDenied("no"), HOSTS),
        ([entry(100)], AccessDenied("no")),
        ({"NetworkAcls": []}, HOSTS),
        ({"NetworkAcls": [{"Associations": [{"SubnetId": "subnet-1"}], "Entries": [{"RuleNumber": 1}]}]}, HOSTS),
        ([entry(100, "6")], HOSTS),
        ([entry(100)], [interface("eni-1", "10.0.0.5", "sg-8")]),
    ],
)
def test_a_border_that_was_not_seen_whole_is_unknown(acl: Any, hosts: Any) -> None:
    records = network(acl, [group("sg-1", "a", WEB)], hosts)
    policy = of(records, SegmentPolicy)

    assert (policy.applied, policy.rules, policy.default_action) == (True, None, None)
    assert of(records, Microsegmentation).final_action is None
    told = {(one.fact, one.field) for one in records if isinstance(one, Gap)}
    assert {("SegmentPolicy", "default_action"), ("Microsegmentation", "final_action")} <= told


def test_a_prefix_list_leaves_open_what_the_acl_would_let_by() -> None:
    listed = permit("-1", PrefixListIds=[{"PrefixListId": "pl-1"}])

    assert admits(network([entry(100)], [group("sg-1", "a", listed)], HOSTS)) == (None, True, None)
    assert admits(network([entry(100, network="10.0.0.0/8")], [group("sg-1", "a", listed)], HOSTS)) == (
        False,
        None,
        "deny",
    )


def test_a_subnet_that_another_account_shares_is_left_to_it() -> None:
    records = network([entry(100)], [], [], subnets=[subnet("subnet-1"), subnet("subnet-9", OwnerId="999999999999")])

    assert {one.asset.rpartition("/")[2] for one in records if type(one) is Segment} == {"subnet-1"}
