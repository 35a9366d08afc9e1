"""What all five pillars ask of a stream of events: that it arrives, that something judges it, what it carries."""

from __future__ import annotations

from scanner.column import Claim, Column, Subject
from scanner.facts import Detection, LogDelivery


def arrives(asset: Subject, *, applies: Column | bool, hours: int) -> Claim:
    """Events of the asset really arrived, the newest of them at most ``hours`` ago."""
    delivery = asset[LogDelivery]
    return Claim(
        applies=applies,
        holds=delivery.ever_arrived & asset.clock.within(delivery.last_arrived, hours=hours),
        shows={"ever_arrived": delivery.ever_arrived, "last_arrived": delivery.last_arrived},
    )


def is_judged(asset: Subject, *, applies: Column | bool, rules: int) -> Claim:
    """At least so many enabled rules read the stream and their alerts reach those who watch."""
    detection = asset[Detection]
    return Claim(
        applies=applies,
        holds=(detection.rules_enabled >= rules) & (detection.alerts_reach == "security_operations"),
        shows={"rules_enabled": detection.rules_enabled, "alerts_reach": detection.alerts_reach},
    )


def carries_all(asset: Subject, *, applies: Column | bool, carries: list[str]) -> Claim:
    """The events that arrived carry every one of these things."""
    delivery = asset[LogDelivery]
    return Claim(
        applies=applies,
        holds=delivery.carries.has_all(carries),
        shows={"carries": delivery.carries},
    )
