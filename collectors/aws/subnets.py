"""Subnets as segments: a network ACL and the security groups of what stands in them must both let traffic by."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator, Mapping
from typing import Any

from collectors.aws.look import Look, items, text
from collectors.aws.posture_operations import NETWORK_ACLS, SUBNETS
from collectors.aws.security_groups import Interface, Permit, addresses_of, peers_under
from collectors.aws.segments import Groups, described, isolation, taken_together, unread_list
from collectors.aws.traffic import ANY_PORT, Entry, Traffic, protocol_of, through, together
from scanner.errors import Malformed, ReadError
from scanner.facts import Microsegmentation, SegmentPolicy
from scanner.facts.network import SegmentRule
from scanner.model import GapWhy, Record

EVERYWHERE = (ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0"))


def read(look: Look, region: str, groups: Groups) -> Iterator[Record]:
    """Subnets of one region."""
    try:
        listed = look.ask(SUBNETS, region)["Subnets"]
    except ReadError as error:
        yield from look.lost(SUBNETS, error, region=region)
        return
    borders: dict[str, tuple[Entry, ...]] | None = None
    try:
        borders = _borders(look.ask(NETWORK_ACLS, region)["NetworkAcls"]) if listed else {}
    except ReadError as error:
        yield from look.lost(NETWORK_ACLS, error, region=region)
    for subnet in listed:
        try:
            if subnet.get("OwnerId", look.account) == look.account:  # one that is shared is its owner's to tell
                yield from _subnet(look, region, subnet, groups, borders)
        except Malformed as error:
            yield from look.lost(SUBNETS, error, region=region)


def _borders(listed: list[Mapping[str, Any]]) -> dict[str, tuple[Entry, ...]]:
    """Entries for what comes in, by subnet; raises Malformed."""
    found = {}
    for acl in listed:
        entries = tuple(_entry(one) for one in items(acl, "Entries") if one.get("Egress") is not True)
        for bound in items(acl, "Associations"):
            found[text(bound, "SubnetId")] = entries
    return found


def _entry(given: Mapping[str, Any]) -> Entry:
    number, action, ports = given.get("RuleNumber"), given.get("RuleAction"), ANY_PORT
    protocol = protocol_of(text(given, "Protocol"))
    if given.get("Egress") is not False or not isinstance(number, int) or action not in ("allow", "deny"):
        raise Malformed("an entry of a network ACL without direction, number or action")
    if protocol in {"tcp", "udp"}:
        spread = given.get("PortRange")
        first, last = (spread.get(end) if isinstance(spread, Mapping) else None for end in ("From", "To"))
        if not isinstance(first, int) or not isinstance(last, int):
            raise Malformed(f"an entry of a network ACL for {protocol} has no ports")
        ports = (first, last)
    try:
        network = ipaddress.ip_network(
            text(given, "Ipv6CidrBlock" if "Ipv6CidrBlock" in given else "CidrBlock"), strict=False
        )
    except ValueError as error:
        raise Malformed(f"an entry of a network ACL: {error}") from None
    if action == "deny" and protocol in {"icmp", "icmpv6"}:
        kind = given.get("IcmpTypeCode")
        if not isinstance(kind, Mapping) or kind.get("Type") != -1:
            ports = (-1, -1)  # refuses one kind of message, and no other
    return Entry(number, action == "allow", protocol, ports, network)


def _subnet(
    look: Look,
    region: str,
    subnet: Mapping[str, Any],
    groups: Groups,
    borders: Mapping[str, tuple[Entry, ...]] | None,
) -> Iterator[Record]:
    name = text(subnet, "SubnetId")
    asset = look.key("segment", f"{region}/{name}")
    hosts = None if groups.bound is None else groups.bound.inside.get(name, [])
    yield from described(look, asset, name, subnet, None if hosts is None else addresses_of(hosts))
    entries = None if borders is None else borders.get(name)
    if borders is not None and entries is None:
        error = Malformed(f"no network ACL is bound to {name}")
        yield from look.lost(NETWORK_ACLS, error, asset=asset, region=region)
    worn = None if hosts is None else {group for one in hosts for group in one.groups}
    known = worn is not None and worn <= groups.permits.keys()
    if worn is not None and groups.whole and not known:
        for fact, lost in (
            ("SegmentPolicy", "rules"),
            ("SegmentPolicy", "default_action"),
            ("Microsegmentation", "final_action"),
        ):
            yield from look.gap(fact, GapWhy.UNSEEN, "a group is not among those listed", asset=asset, field=lost)
    rules: list[SegmentRule] | None = None
    final: Any = None
    if entries is not None and hosts is not None and worn is not None and known:
        rules, whole, doubtful = _effective(entries, hosts, worn, groups)
        final = "allow" if whole.everything else (None if doubtful else "deny")
        if any(rule.any_source is None or rule.any_service is None for rule in rules):
            yield from unread_list(look, asset, "SegmentPolicy", "rules")
        if final is None:
            yield from unread_list(look, asset, "SegmentPolicy", "default_action")
            yield from unread_list(look, asset, "Microsegmentation", "final_action")
    yield from look.saw(
        SegmentPolicy(asset=asset, observed_at=look.begun, applied=True, default_action=final, rules=rules)
    )
    yield from _inside(look, asset, hosts, groups)
    mode: Any = None
    if worn:
        mode = "enforce"
    elif hosts is not None and entries is not None:
        mode = "none" if through(entries).everything else "enforce"
    loose: int | None = None
    if hosts is not None and groups.whole:
        loose = sum(one.groups <= groups.defaults for one in hosts)
    elif hosts is not None:
        detail = "which of the groups are defaults is not known"
        yield from look.gap("Microsegmentation", GapWhy.UNSEEN, detail, asset=asset, field="unlabelled_workloads")
    yield from look.saw(
        Microsegmentation(
            asset=asset, observed_at=look.begun, mode=mode, final_action=final, unlabelled_workloads=loose
        )
    )


def _inside(look: Look, asset: str, hosts: list[Interface] | None, groups: Groups) -> Iterator[Record]:
    """What hosts of a subnet may do to each other: network ACLs do not stand between them, groups do."""
    peers: str | None = None
    if hosts is not None and groups.bound is not None:
        worn = {group for one in hosts for group in one.groups}
        detail = "nothing stands in it yet, and what will brings its own groups" if not hosts else ""
        if any(not one.groups for one in hosts):
            peers = "open"
        elif hosts and worn <= groups.permits.keys():
            permits = [permit for one in sorted(worn) for permit in groups.permits[one]]
            peers = peers_under(permits, hosts, groups.bound)
        if peers is None and not detail:
            yield from unread_list(look, asset, "PeerIsolation", "peers", "means")
        elif peers is None:
            for lost in ("peers", "means"):
                yield from look.gap("PeerIsolation", GapWhy.UNSEEN, detail, asset=asset, field=lost)
    yield from isolation(look, asset, peers)


def _effective(
    entries: tuple[Entry, ...], hosts: list[Interface], worn: set[str], groups: Groups
) -> tuple[list[SegmentRule], Traffic, bool]:
    """Rules that both let by, what they let by together, and whether an unread list may add everything to it.

    What bears no group, or nothing at all standing there, leaves the network ACL alone.
    """
    border = through(entries)
    rules: list[SegmentRule] = []
    parts: list[Traffic] = []
    doubtful = False
    if not hosts or any(not one.groups for one in hosts):
        for entry in sorted(entries, key=lambda one: one.number):
            part = through(entries, entry)
            if part:
                service = "all" if entry.protocol == "-1" else entry.protocol
                name = f"network ACL {entry.number}: {service} from {entry.network}"
                rules.append(SegmentRule(name=name, any_source=part.any_source, any_service=part.any_service))
                parts.append(part)
    for group in sorted(worn):
        for permit in groups.permits[group]:
            rules += _both(group, permit, border, groups)
            parts.append(permit.traffic() & border)
            doubtful = doubtful or bool(permit.lists and (permit.traffic(EVERYWHERE) & border).everything)
    rules += taken_together(parts)
    return rules, together(parts), doubtful


def _both(group: str, permit: Permit, border: Traffic, groups: Groups) -> Iterator[SegmentRule]:
    """The rules of one permit of a group, as far as the border lets them."""
    service = f"{group}: {permit.service}"
    anywhere = (permit.traffic() & border).any_source
    widest = permit.traffic(EVERYWHERE) & border
    for network in permit.networks:
        part = permit.traffic([network]) & border
        if part:
            yield SegmentRule(name=f"{service} from {network}", any_source=anywhere, any_service=part.any_service)
    for other in permit.groups:
        members = groups.bound.networks(other) if groups.bound is not None else []
        part = permit.traffic(members) & border if members else widest
        if part:
            yield SegmentRule(name=f"{service} from {other}", any_source=False, any_service=part.any_service)
    for prefixes in permit.lists:
        if widest:
            yield SegmentRule(
                name=f"{service} from {prefixes}",
                any_source=None if widest.any_source else False,
                any_service=True if widest.everything else (None if widest.any_service else False),
            )
