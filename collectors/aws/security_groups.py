"""What security groups let in, and which network interfaces bear them."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collectors.aws.look import items, text
from collectors.aws.traffic import ANY_PORT, REST, Network, Traffic, admitted, protocol_of
from scanner.errors import Malformed

DEFAULT = "default"
"""Name of the group that every VPC has, and that an interface bears where none is named."""


@dataclass(frozen=True)
class Permit:
    """One entry of a group's inbound rules: a service and everything it is open to."""

    protocol: str
    ports: tuple[int, int] | None
    networks: tuple[Network, ...]
    groups: tuple[str, ...]
    lists: tuple[str, ...]
    """Prefix lists, whose content is not read."""

    @property
    def any_service(self) -> bool:
        """Every protocol, or every port of TCP or of UDP."""
        return self.traffic(ipaddress.ip_network(one) for one in ("0.0.0.0/0", "::/0")).any_service

    def traffic(self, networks: Iterable[Network] | None = None) -> Traffic:
        """What it lets through from these networks, or from its own."""
        ports = self.ports if self.protocol in {"tcp", "udp"} and self.ports else ANY_PORT
        return admitted(self.protocol, ports, self.networks if networks is None else networks)

    @property
    def service(self) -> str:
        """Such as ``tcp/443`` or ``all``."""
        if self.protocol == REST:
            return "all"
        if self.ports is None:
            return self.protocol
        first, last = self.ports
        return f"{self.protocol}/{first}" if first == last else f"{self.protocol}/{first}-{last}"


@dataclass(frozen=True)
class Interface:
    """One network interface."""

    name: str
    subnet: str
    groups: frozenset[str]
    addresses: frozenset[str]


@dataclass
class Bound:
    """What the network interfaces of a region say: who is in a group or a subnet, and which groups stand together."""

    interfaces: list[Interface] = field(default_factory=list)
    members: dict[str, list[Interface]] = field(default_factory=lambda: defaultdict(list))
    """By group."""
    inside: dict[str, list[Interface]] = field(default_factory=lambda: defaultdict(list))
    """By subnet."""
    beside: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Groups on the same interface, by group, itself included."""

    def addresses(self, group: str) -> list[str]:
        """Private addresses of the members of a group."""
        return addresses_of(self.members.get(group, ()))

    def networks(self, group: str) -> list[Network]:
        """The same, each as a network of one."""
        return [ipaddress.ip_network(address) for address in self.addresses(group)]


def addresses_of(interfaces: Iterable[Interface]) -> list[str]:
    """Private addresses, sorted."""
    return sorted({address for one in interfaces for address in one.addresses})


def peers_under(permits: Sequence[Permit], hosts: Iterable[Interface], bound: Bound, own: str = "") -> str | None:
    """What hosts may do to each other by the rules of every group that stands on one of them.

    ``open`` if every service is admitted from one of them, ``restricted`` if some is or if it cannot be ruled out that
    one is meant, ``isolated`` if no rule admits anything; None where only an unread prefix list decides. ``own`` is the
    group that they share.
    """
    if not permits:
        return "isolated"
    given = list(hosts)
    names = {one.name for one in given}
    addresses = [ipaddress.ip_address(address) for address in addresses_of(given)]

    def admits_one(permit: Permit) -> bool:
        if own in permit.groups or any(
            one.name in names for other in permit.groups for one in bound.members.get(other, ())
        ):
            return True
        if permit.traffic().any_source:
            return True
        return any(address in network for network in permit.networks for address in addresses)

    wide = [permit for permit in permits if permit.any_service]
    if any(admits_one(permit) for permit in wide):
        return "open"
    if any(permit.lists for permit in wide):
        return None
    return "restricted"


def permits_of(given: Iterable[Mapping[str, Any]]) -> Iterator[Permit]:
    """Inbound rules of a group; raises Malformed."""
    for item in given:
        protocol = protocol_of(text(item, "IpProtocol"))
        first, last = item.get("FromPort"), item.get("ToPort")
        if protocol in {"tcp", "udp"} and not (isinstance(first, int) and isinstance(last, int)):
            raise Malformed(f"a rule for {protocol} has no ports")
        if (first, last) == (-1, -1):
            first, last = ANY_PORT
        try:
            ranges = [text(one, "CidrIp") for one in items(item, "IpRanges")]
            ranges += [text(one, "CidrIpv6") for one in items(item, "Ipv6Ranges")]
            networks = [ipaddress.ip_network(one, strict=False) for one in ranges]
        except ValueError as error:
            raise Malformed(f"a rule of a security group: {error}") from None
        yield Permit(
            protocol=protocol,
            ports=(first, last) if isinstance(first, int) and isinstance(last, int) else None,
            networks=tuple(networks),
            groups=tuple(text(one, "GroupId") for one in items(item, "UserIdGroupPairs")),
            lists=tuple(text(one, "PrefixListId") for one in items(item, "PrefixListIds")),
        )


def bound_by(interfaces: Iterable[Mapping[str, Any]]) -> Bound:
    """What network interfaces say; raises Malformed."""
    found = Bound()
    for number, interface in enumerate(interfaces):
        addresses = {text(one, "PrivateIpAddress") for one in items(interface, "PrivateIpAddresses", optional=True)}
        if isinstance(single := interface.get("PrivateIpAddress"), str):
            addresses.add(single)
        addresses |= {text(one, "Ipv6Address") for one in items(interface, "Ipv6Addresses", optional=True)}
        for address in addresses:
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise Malformed("a network interface has an address that is none") from None
        one = Interface(
            name=str(interface.get("NetworkInterfaceId") or number),
            subnet=text(interface, "SubnetId"),
            groups=frozenset(text(group, "GroupId") for group in items(interface, "Groups")),
            addresses=frozenset(addresses),
        )
        found.interfaces.append(one)
        found.inside[one.subnet].append(one)
        for name in one.groups:
            found.members[name].append(one)
            found.beside[name] |= one.groups
    return found
