"""What security groups admit, and what hosts that share one may do to each other."""

from __future__ import annotations

from typing import Any

import pytest

from scanner.facts import PeerIsolation, Placement, SegmentPolicy
from scanner.model import Fact, Gap, Record
from tests.collectors.aws.losses import Remembered, seen
from tests.collectors.aws.recorded import REGION, account, group, interface, permit


def network(groups: list[dict[str, Any]], interfaces: list[dict[str, Any]]) -> list[Record]:
    files: dict[str, Any] = account()
    files[f"describe-security-groups.{REGION}.json"] = {"SecurityGroups": groups}
    files[f"describe-network-interfaces.{REGION}.json"] = {"NetworkInterfaces": interfaces}
    return seen(Remembered(files))


def of(records: list[Record], kind: type[Fact], name: str) -> Any:
    return next(one for one in records if type(one) is kind and one.asset.endswith(f"/{name}"))


TWO = [interface("eni-1", "10.0.0.5", "sg-1"), interface("eni-2", "10.0.0.6", "sg-1")]


@pytest.mark.parametrize(
    ("permits", "peers"),
    [
        ([], "isolated"),
        ([permit("tcp", 443, ranges=["0.0.0.0/0"])], "restricted"),
        ([permit("tcp", 443, groups=["sg-1"])], "restricted"),
        ([permit("-1", groups=["sg-1"])], "open"),
        ([permit("-1", ranges=["10.0.0.0/8"])], "open"),
        ([permit("-1", ranges=["192.168.0.0/16"])], "restricted"),
        ([permit("-1", ranges=["0.0.0.0/1", "128.0.0.0/1"])], "open"),
        ([permit("tcp", groups=["sg-1"], FromPort=0, ToPort=65535)], "open"),
        ([permit("-1", PrefixListIds=[{"PrefixListId": "pl-1"}])], None),
        ([permit("tcp", 443, PrefixListIds=[{"PrefixListId": "pl-1"}])], "restricted"),
    ],
)
def test_peers_are_open_where_any_rule_lets_a_member_reach_every_service(
    permits: list[dict[str, Any]], peers: str | None
) -> None:
    records = network([group("sg-1", "a", *permits)], TWO)

    assert of(records, PeerIsolation, "sg-1").peers == peers
    if peers is None:
        assert any(isinstance(one, Gap) and one.fact == "PeerIsolation" and one.field == "peers" for one in records)


def test_a_group_beside_another_shares_its_openness() -> None:
    groups = [group("sg-1", "closed"), group("sg-2", "open", permit("-1", groups=["sg-2"]))]
    both = [interface("eni-1", "10.0.0.5", "sg-1", "sg-2"), interface("eni-2", "10.0.0.6", "sg-1", "sg-2")]

    assert of(network(groups, both), PeerIsolation, "sg-1").peers == "open"
    assert of(network(groups, []), PeerIsolation, "sg-1").peers == "isolated"


def test_halves_of_the_address_space_are_the_whole() -> None:
    rules = of(
        network([group("sg-1", "a", permit("tcp", 22, ranges=["0.0.0.0/1", "128.0.0.0/1", "10.0.0.0/8"]))], TWO),
        SegmentPolicy,
        "sg-1",
    ).rules

    assert [rule.any_source for rule in rules] == [True, True, True]


@pytest.mark.parametrize(
    ("given", "any_source", "any_service"),
    [
        (permit("-1", ranges=["10.0.0.0/8"]), False, True),
        (permit("tcp", ranges=["0.0.0.0/0"], FromPort=0, ToPort=65535), True, True),
        (permit("udp", 53, ranges=["10.0.0.0/8"]), False, False),
        (permit("tcp", 443, Ipv6Ranges=[{"CidrIpv6": "::/0"}]), True, False),
        (permit("tcp", 443, PrefixListIds=[{"PrefixListId": "pl-1"}]), None, False),
    ],
)
def test_rules_say_whom_and_what_they_admit(given: dict[str, Any], any_source: bool | None, any_service: bool) -> None:
    (rule,) = of(network([group("sg-1", "a", given)], TWO), SegmentPolicy, "sg-1").rules

    assert (rule.any_source, rule.any_service, rule.ever_hit) == (any_source, any_service, None)


def test_a_group_on_nothing_is_defined_and_not_applied() -> None:
    records = network([group("sg-1", "a"), group("sg-9", "unused")], TWO)

    assert of(records, SegmentPolicy, "sg-1").applied is True
    assert of(records, SegmentPolicy, "sg-9").applied is False
    assert of(records, Placement, "sg-1").addresses == ["10.0.0.5", "10.0.0.6"]


@pytest.mark.parametrize(
    "broken",
    [
        {"GroupId": "sg-1"},
        {"IpPermissions": []},
        group("sg-1", "a", permit("tcp", 1, ranges=["nonsense"])),
        group("sg-1", "a", {"FromPort": 1}),
    ],
)
def test_a_group_that_cannot_be_understood_leaves_the_listing_open(broken: dict[str, Any]) -> None:
    records = network([broken, group("sg-2", "b")], [])

    assert of(records, SegmentPolicy, "sg-2").rules == []
    assert any(isinstance(one, Gap) and one.fact == "Segment" and one.field is None for one in records)
