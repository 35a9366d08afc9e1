"""Security groups as segments: what they admit from outside, and what the hosts that share one may do to each other."""

from __future__ import annotations

import ipaddress
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from collectors.aws.look import Look, items, tag_list, tags_of, text
from collectors.aws.operations import GROUPS, INTERFACES
from scanner.errors import Malformed, ReadError
from scanner.facts import PeerIsolation, Placement, Segment, SegmentPolicy
from scanner.facts.network import SegmentRule
from scanner.model import GapWhy, Record

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
ZONES = ("internet", "dmz", "production", "office", "management", "other")
_ALL_PORTS = (0, 65535)


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
        """Every protocol, or every port of one."""
        return self.protocol == "-1" or (self.protocol in {"tcp", "udp"} and self.ports == _ALL_PORTS)

    @property
    def service(self) -> str:
        """Such as ``tcp/443`` or ``all``."""
        if self.protocol == "-1":
            return "all"
        if self.ports is None:
            return self.protocol
        first, last = self.ports
        return f"{self.protocol}/{first}" if first == last else f"{self.protocol}/{first}-{last}"


@dataclass
class Bound:
    """What the network interfaces of a region say: who is in a group, and which groups stand together."""

    members: dict[str, list[frozenset[str]]] = field(default_factory=lambda: defaultdict(list))
    """Private addresses of each interface, by group."""
    beside: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Groups on the same interface, by group, itself included."""
    interfaces: dict[str, set[str]] = field(default_factory=lambda: defaultdict(set))
    """Ids of the interfaces, by group."""

    def addresses(self, group: str) -> list[str]:
        """Private addresses of the members of a group."""
        return sorted({address for member in self.members.get(group, ()) for address in member})


def read(look: Look) -> Iterator[Record]:
    """Segments of every region that was to be read."""
    if not look.wants("Segment", "SegmentPolicy", "PeerIsolation", "Placement"):
        return
    yield from look.unsaid("SegmentPolicy", "rules", "security groups count no hits, so no rule is known to be used")
    for region in look.regions:
        try:
            listed = look.ask(GROUPS, region)["SecurityGroups"]
        except ReadError as error:
            yield from look.lost(GROUPS, error, region=region)
            continue
        bound: Bound | None = None
        try:
            bound = _bound(look.ask(INTERFACES, region)["NetworkInterfaces"])
        except ReadError as error:
            yield from look.lost(INTERFACES, error, region=region, only="segment")
        permits: dict[str, tuple[Permit, ...]] = {}
        sound: list[Mapping[str, Any]] = []
        for group in listed:
            try:
                permits[text(group, "GroupId")] = tuple(_permits(items(group, "IpPermissions")))
                sound.append(group)
            except Malformed as error:
                yield from look.lost(GROUPS, error, region=region)
        for group in sound:
            yield from _segment(look, region, group, permits, bound)


def _segment(
    look: Look,
    region: str,
    group: Mapping[str, Any],
    permits: Mapping[str, tuple[Permit, ...]],
    bound: Bound | None,
) -> Iterator[Record]:
    name = text(group, "GroupId")
    asset = look.key("segment", f"{region}/{name}")
    try:
        tags = tags_of(group.get("Tags"))
    except Malformed as error:
        yield from look.lost(GROUPS, error, region=region, asset=asset)
        return
    given = tags.get(look.settings.zone_tag or "")
    zone: Any = given if given in ZONES else None
    if zone is None:
        detail = "no tag that the target's option zone_tag names says what the segment is for"
        yield from look.gap("Segment", GapWhy.UNSUPPORTED, detail, asset=asset, field="zone")
    yield from look.saw(
        Segment(asset=asset, observed_at=look.begun, name=str(group.get("GroupName") or name), zone=zone),
        Placement(
            asset=asset,
            observed_at=look.begun,
            directory="none",
            groups=[],
            organizational_unit="none",
            account=look.home,
            tags=tag_list(tags),
            addresses=None if bound is None else bound.addresses(name),
            host_name="none",
        ),
    )
    own = permits[name]
    if any(permit.lists for permit in own):
        detail = "a rule names a prefix list, which was not read"
        yield from look.gap("SegmentPolicy", GapWhy.UNSEEN, detail, asset=asset, field="rules")
    yield from look.saw(
        SegmentPolicy(
            asset=asset,
            observed_at=look.begun,
            applied=None if bound is None else name in bound.members,
            default_action="deny",
            rules=list(_rules(own)),
        )
    )
    peers = means = None
    if bound is not None:
        beside = bound.beside.get(name, {name})
        if beside <= permits.keys():
            together = [permit for one in sorted(beside) for permit in permits[one]]
            peers = peers_under(together, name, bound)
        if peers is None:
            detail = "a rule names a prefix list, or a group beside it could not be read"
            for lost in ("peers", "means"):
                yield from look.gap("PeerIsolation", GapWhy.UNSEEN, detail, asset=asset, field=lost)
        else:
            means = "none" if peers == "open" else "group_rules"
    kind: Any = peers
    by: Any = means
    yield from look.saw(PeerIsolation(asset=asset, observed_at=look.begun, peers=kind, means=by))


def peers_under(permits: Sequence[Permit], group: str, bound: Bound) -> str | None:
    """What members of a group may do to each other by the rules of every group that stands on one of them.

    ``open`` if every service is admitted from a member, ``restricted`` if some is or if it cannot be ruled out that a
    member is meant, ``isolated`` if no rule admits anything; None where only an unread prefix list decides.
    """
    if not permits:
        return "isolated"
    inside = bound.interfaces.get(group, set())
    addresses = [ipaddress.ip_address(address) for address in bound.addresses(group)]

    def admits_a_member(permit: Permit) -> bool:
        if group in permit.groups or any(inside & bound.interfaces.get(other, set()) for other in permit.groups):
            return True
        return any(network.prefixlen == 0 for network in _joined(permit.networks)) or any(
            address in network for network in permit.networks for address in addresses
        )

    wide = [permit for permit in permits if permit.any_service]
    if any(admits_a_member(permit) for permit in wide):
        return "open"
    if any(permit.lists for permit in wide):
        return None
    return "restricted"


def _rules(permits: Iterable[Permit]) -> Iterator[SegmentRule]:
    """One rule per service and source; the halves of the whole address space count as the whole."""
    for permit in permits:
        anywhere = any(network.prefixlen == 0 for network in _joined(permit.networks))
        sources: list[tuple[str, bool | None]] = [(str(network), anywhere) for network in permit.networks]
        sources += [(group, False) for group in permit.groups]
        sources += [(prefixes, None) for prefixes in permit.lists]
        for source, any_source in sources:
            yield SegmentRule(
                name=f"{permit.service} from {source}", any_source=any_source, any_service=permit.any_service
            )


def _joined(networks: Iterable[Network]) -> list[Network]:
    four = [network for network in networks if isinstance(network, ipaddress.IPv4Network)]
    six = [network for network in networks if isinstance(network, ipaddress.IPv6Network)]
    return [*ipaddress.collapse_addresses(four), *ipaddress.collapse_addresses(six)]


def _permits(given: Iterable[Mapping[str, Any]]) -> Iterator[Permit]:
    for item in given:
        protocol = text(item, "IpProtocol")
        first, last = item.get("FromPort"), item.get("ToPort")
        if protocol in {"tcp", "udp"} and not (isinstance(first, int) and isinstance(last, int)):
            raise Malformed(f"a rule for {protocol} has no ports")
        try:
            ranges = [text(one, "CidrIp") for one in items(item, "IpRanges")]
            ranges += [text(one, "CidrIpv6") for one in items(item, "Ipv6Ranges")]
            networks = [ipaddress.ip_network(one, strict=False) for one in ranges]
        except ValueError as error:
            raise Malformed(f"a rule of a security group: {error}") from None
        yield Permit(
            protocol=protocol.lower(),
            ports=(first, last) if isinstance(first, int) and isinstance(last, int) else None,
            networks=tuple(networks),
            groups=tuple(text(one, "GroupId") for one in items(item, "UserIdGroupPairs")),
            lists=tuple(text(one, "PrefixListId") for one in items(item, "PrefixListIds")),
        )


def _bound(interfaces: Iterable[Mapping[str, Any]]) -> Bound:
    found = Bound()
    for number, interface in enumerate(interfaces):
        addresses = {text(one, "PrivateIpAddress") for one in items(interface, "PrivateIpAddresses", optional=True)}
        if isinstance(single := interface.get("PrivateIpAddress"), str):
            addresses.add(single)
        addresses |= {text(one, "Ipv6Address") for one in items(interface, "Ipv6Addresses", optional=True)}
        names = {text(group, "GroupId") for group in items(interface, "Groups")}
        for name in names:
            found.members[name].append(frozenset(addresses))
            found.beside[name] |= names
            found.interfaces[name].add(str(interface.get("NetworkInterfaceId") or number))
        for address in addresses:
            try:
                ipaddress.ip_address(address)
            except ValueError:
                raise Malformed("a network interface has an address that is none") from None
    return found
