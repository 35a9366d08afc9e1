"""3-1 Segmentation: segments are kept apart, and so are the hosts inside one."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Device, HostFirewall, Listeners, PeerIsolation, Segment, SegmentPolicy


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


@check(over=Device)
def administration_is_closed_to_peers(device: Subject, *, ports: list[int]) -> Claim:
    """The host denies what nobody listed, and its administration and file sharing are closed to its neighbours."""
    firewall = device[HostFirewall]
    narrow = firewall.administration.is_in(["closed", "listed"])
    quiet = device[Listeners].sockets.all(lambda at: ~at.port.is_in(ports) | (at.reach == "loopback"), empty=True)
    names = {"enabled": firewall.enabled, "inbound": firewall.inbound, "administration": firewall.administration}
    return Claim(
        applies=~device.external & (device.category != "mobile"),
        holds=firewall.enabled & (firewall.inbound == "deny") & (narrow | quiet),
        shows=names,
    )
