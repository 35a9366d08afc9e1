"""What every segment is described by, be it a security group or a subnet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from collectors.aws.look import Look, tags_of
from collectors.aws.placement import placed
from collectors.aws.security_groups import Bound, Permit
from collectors.aws.traffic import Traffic, together
from scanner.facts import PeerIsolation, Segment
from scanner.facts.network import SegmentRule
from scanner.model import GapWhy, Record

ZONES = ("internet", "dmz", "production", "office", "management", "other")


@dataclass
class Groups:
    """Security groups of a region, and what bears them; None where the interfaces could not be read."""

    bound: Bound | None = None
    permits: dict[str, tuple[Permit, ...]] = field(default_factory=dict)
    defaults: set[str] = field(default_factory=set)
    """Groups that stand where none was chosen."""
    whole: bool = False
    """Every group was read."""


def described(
    look: Look, asset: str, name: str, given: Mapping[str, Any], addresses: list[str] | None
) -> Iterator[Record]:
    """Name, purpose and place of a segment; raises Malformed where its tags are none."""
    tags = tags_of(given.get("Tags"))
    purpose = tags.get(look.settings.zone_tag or "")
    zone: Any = purpose if purpose in ZONES else None
    if zone is None:
        detail = "no tag that the target's option zone_tag names says what the segment is for"
        yield from look.gap("Segment", GapWhy.UNSUPPORTED, detail, asset=asset, field="zone")
    yield from look.saw(
        Segment(asset=asset, observed_at=look.begun, name=name, zone=zone),
        placed(look, asset, tags, addresses=addresses),
    )


def isolation(look: Look, asset: str, peers: Any) -> Iterator[Record]:
    """What hosts inside may do to each other, and that rules of groups are what restricts them."""
    means: Any = None if peers is None else ("none" if peers == "open" else "group_rules")
    yield from look.saw(PeerIsolation(asset=asset, observed_at=look.begun, peers=peers, means=means))


def unread_list(look: Look, asset: str, fact: str, *fields: str) -> Iterator[Record]:
    """Gaps for what a prefix list or a group that was not read leaves open."""
    detail = "a rule names a prefix list, which was not read, or a group beside it could not be read"
    for lost in fields:
        yield from look.gap(fact, GapWhy.UNSEEN, detail, asset=asset, field=lost)


def taken_together(parts: Iterable[Traffic]) -> Iterator[SegmentRule]:
    """One rule more where rules admit together what none of them admits alone."""
    alone = list(parts)
    whole = together(alone)
    source = whole.any_source and not any(part.any_source for part in alone)
    service = whole.any_service and not any(part.any_service for part in alone)
    if source or service:
        yield SegmentRule(name="all rules together", any_source=whole.any_source, any_service=whole.any_service)
