"""Sets of traffic, exact to the address and the port."""

from __future__ import annotations

import ipaddress

import pytest

from collectors.aws.traffic import ANY_PORT, Entry, Traffic, admitted, through, together


def entry(
    number: int,
    action: str,
    protocol: str = "-1",
    ports: tuple[int, int] = ANY_PORT,
    network: str = "0.0.0.0/0",
) -> Entry:
    return Entry(number, action == "allow", protocol, ports, ipaddress.ip_network(network))


def rule(protocol: str = "-1", ports: tuple[int, int] = ANY_PORT, *networks: str) -> Traffic:
    return admitted(protocol, ports, [ipaddress.ip_network(one) for one in networks or ("0.0.0.0/0",)])


def flags(given: Traffic) -> tuple[bool, bool, bool]:
    return given.any_source, given.any_service, given.everything


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (Traffic(), (False, False, False)),
        (rule(), (True, True, True)),
        (rule("-1", ANY_PORT, "::/0"), (True, True, True)),
        (rule("tcp"), (True, True, True)),
        (rule("tcp", (1, 65535)), (True, True, True)),
        (rule("tcp", (2, 65535)), (True, False, False)),
        (rule("icmp"), (True, False, False)),
        (rule("-1", ANY_PORT, "10.0.0.0/8"), (False, True, False)),
        (rule("-1", ANY_PORT, "0.0.0.0/1", "128.0.0.0/1"), (True, True, True)),
        (rule("tcp", (443, 443), "::/1", "8000::/1"), (True, False, False)),
        (rule("tcp", (443, 443), "0.0.0.0/1", "128.0.0.0/2"), (False, False, False)),
    ],
)
def test_a_rule_admits_what_it_says(given: Traffic, expected: tuple[bool, bool, bool]) -> None:
    assert flags(given) == expected


def test_rules_admit_together_what_none_admits_alone() -> None:
    ports = [rule("tcp", (0, 32767)), rule("tcp", (32768, 65535))]
    sources = [rule("tcp", (22, 22), "0.0.0.0/1"), rule("tcp", (20, 30), "128.0.0.0/1")]

    assert flags(together(ports)) == (True, True, True)
    assert flags(together(sources)) == (True, False, False)
    assert flags(together([ports[0], sources[0]])) == (True, False, False)


def test_both_must_let_traffic_by() -> None:
    border = through([entry(1, "allow", "tcp", (443, 443)), entry(2, "allow", network="10.0.0.0/8")])

    assert flags(rule() & border) == (True, True, False)
    assert flags(rule("tcp", (22, 22)) & border) == (False, False, False)
    assert flags(rule("tcp", (400, 500)) & border) == (True, False, False)
    assert bool(rule("tcp", (22, 22), "192.168.0.0/16") & border) is False
    assert bool(rule("tcp", (22, 22), "10.1.0.0/16") & border) is True
    assert bool(rule("tcp", (443, 443), "::/0") & border) is False


@pytest.mark.parametrize(
    ("entries", "expected"),
    [
        ([], (False, False, False)),
        ([entry(100, "allow")], (True, True, True)),
        ([entry(100, "deny"), entry(200, "allow")], (False, False, False)),
        ([entry(200, "allow"), entry(100, "deny")], (False, False, False)),
        ([entry(100, "deny", "tcp", (22, 22)), entry(200, "allow")], (True, True, True)),
        ([entry(100, "deny", "tcp", (22, 22)), entry(200, "allow", "tcp")], (True, False, False)),
        ([entry(100, "deny", network="10.0.0.0/8"), entry(200, "allow")], (False, True, False)),
        ([entry(100, "allow", "tcp", (443, 443)), entry(200, "deny", network="10.0.0.0/8")], (True, False, False)),
        ([entry(100, "deny"), entry(200, "allow", network="::/0")], (True, True, True)),
        ([entry(100, "allow", network="0.0.0.0/1"), entry(200, "allow", network="128.0.0.0/1")], (True, True, True)),
    ],
)
def test_the_lowest_number_that_matches_decides(entries: list[Entry], expected: tuple[bool, bool, bool]) -> None:
    assert flags(through(entries)) == expected


def test_an_entry_is_told_by_what_it_alone_decides() -> None:
    first, second = entry(100, "allow", network="0.0.0.0/1"), entry(200, "allow")

    assert through([first, second], second).any_source is False
    assert through([second, entry(300, "allow")], entry(300, "allow")).any_source is False
    assert not through([second, entry(300, "allow")], entry(300, "allow"))
