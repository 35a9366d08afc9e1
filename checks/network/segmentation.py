"""3-1 Segmentation: segments are kept apart, and so are the hosts inside one."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import PeerIsolation, Segment, SegmentPolicy


@check(over=Segment)
def border_denies_by_default(segment: Subject) -> Claim:
    """The rule set is bound to the border of the segment and denies what nobody listed."""
    policy = segment[SegmentPolicy]
    return Claim(
        applies=True,
        holds=policy.applied & (policy.default_action == "deny"),
        shows={"applied": policy.applied, "default_action": policy.default_action},
    )


@check(over=Segment)
def no_rule_admits_everything(segment: Subject) -> Claim:
    """Every permitting rule at the border names its sources and its services."""
    return Claim(
        applies=True,
        holds=segment[SegmentPolicy].rules.all(lambda rule: ~rule.any_source & ~rule.any_service, empty=True),
    )


@check(over=Segment)
def rules_carry_traffic(segment: Subject, *, days: int) -> Claim:
    """Every permitting rule at the border matched traffic within the last days."""
    return Claim(
        applies=True,
        holds=segment[SegmentPolicy].rules.all(
            lambda rule: rule.ever_hit & rule.clock.within(rule.last_hit, days=days), empty=True
        ),
    )


@check(over=Segment)
def peers_are_restricted(segment: Subject) -> Claim:
    """Hosts inside the segment cannot freely connect to each other."""
    isolation = segment[PeerIsolation]
    return Claim(
        applies=True,
        holds=isolation.peers.is_in(["isolated", "restricted"]),
        shows={"peers": isolation.peers, "means": isolation.means},
    )
