"""Security groups and subnets as segments: what they admit from outside, and what hosts inside may do to each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from collectors.aws import subnets
from collectors.aws.look import Look, items, text
from collectors.aws.operations import GROUPS, INTERFACES
from collectors.aws.security_groups import DEFAULT, Permit, bound_by, peers_under, permits_of
from collectors.aws.segments import Groups, described, isolation, taken_together, unread_list
from collectors.aws.traffic import together
from scanner.errors import Malformed, ReadError
from scanner.facts import Microsegmentation, SegmentPolicy
from scanner.facts.network import SegmentRule
from scanner.model import Record


def read(look: Look) -> Iterator[Record]:
    """Segments of every region that was to be read."""
    if not look.wants("Segment", "SegmentPolicy", "PeerIsolation", "Microsegmentation", "Placement"):
        return
    yield from look.unsaid("SegmentPolicy", "rules", "security groups count no hits, so no rule is known to be used")
    for region in look.regions:
        groups = Groups()
        yield from _groups(look, region, groups)
        yield from subnets.read(look, region, groups)


def _groups(look: Look, region: str, groups: Groups) -> Iterator[Record]:
    try:
        groups.bound = bound_by(look.ask(INTERFACES, region)["NetworkInterfaces"])
    except ReadError as error:
        yield from look.lost(INTERFACES, error, region=region, only="segment")
    try:
        listed = look.ask(GROUPS, region)["SecurityGroups"]
    except ReadError as error:
        yield from look.lost(GROUPS, error, region=region)
        return
    groups.whole = True
    sound: list[Mapping[str, Any]] = []
    for group in listed:
        try:
            groups.permits[text(group, "GroupId")] = tuple(permits_of(items(group, "IpPermissions")))
            if text(group, "GroupName") == DEFAULT:
                groups.defaults.add(text(group, "GroupId"))
            sound.append(group)
        except Malformed as error:
            groups.whole = False
            yield from look.lost(GROUPS, error, region=region)
    for group in sound:
        yield from _segment(look, region, group, groups)


def _segment(look: Look, region: str, group: Mapping[str, Any], groups: Groups) -> Iterator[Record]:
    name = text(group, "GroupId")
    asset = look.key("segment", f"{region}/{name}")
    bound, own = groups.bound, groups.permits[name]
    addresses = None if bound is None else bound.addresses(name)
    try:
        yield from described(look, asset, text(group, "GroupName"), group, addresses)
    except Malformed as error:
        yield from look.lost(GROUPS, error, region=region, asset=asset)
        return
    if any(permit.lists for permit in own):
        yield from unread_list(look, asset, "SegmentPolicy", "rules")
    yield from look.saw(
        SegmentPolicy(
            asset=asset,
            observed_at=look.begun,
            applied=None if bound is None else name in bound.members,
            default_action="deny",
            rules=list(_rules(own)),
        )
    )
    peers: str | None = None
    if bound is not None:
        beside = bound.beside.get(name, {name})
        if beside <= groups.permits.keys():
            held = [permit for one in sorted(beside) for permit in groups.permits[one]]
            peers = peers_under(held, bound.members.get(name, ()), bound, name)
        if peers is None:
            yield from unread_list(look, asset, "PeerIsolation", "peers", "means")
    yield from isolation(look, asset, peers)
    mode: Any = None
    final: Any = "allow" if together(permit.traffic() for permit in own).everything else "deny"
    alone: int | None = None
    if bound is not None:
        mode = "enforce" if name in bound.members else "none"
        bearing = bound.members.get(name, ()) if name in groups.defaults else ()
        alone = sum(one.groups == {name} for one in bearing)
    if final == "deny" and any(permit.lists and permit.any_service for permit in own):
        final = None
        yield from unread_list(look, asset, "Microsegmentation", "final_action")
    yield from look.saw(
        Microsegmentation(
            asset=asset, observed_at=look.begun, mode=mode, final_action=final, unlabelled_workloads=alone
        )
    )


def _rules(permits: Sequence[Permit]) -> Iterator[SegmentRule]:
    """One rule per service and source; the halves of the whole address space count as the whole."""
    for permit in permits:
        anywhere = permit.traffic().any_source
        sources: list[tuple[str, bool | None]] = [(str(network), anywhere) for network in permit.networks]
        sources += [(group, False) for group in permit.groups]
        sources += [(prefixes, None) for prefixes in permit.lists]
        for source, any_source in sources:
            yield SegmentRule(
                name=f"{permit.service} from {source}", any_source=any_source, any_service=permit.any_service
            )
    yield from taken_together(permit.traffic() for permit in permits)
