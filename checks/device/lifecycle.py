"""2-7 Device lifecycle: settings follow policy by themselves from the first day to the last."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Device, Enrolment


@check(over=Device)
def configuration_drift_is_repaired(device: Subject) -> Claim:
    """Settings that drift from policy are put right without a hand, not only reported."""
    enrolment = device[Enrolment]
    return Claim(
        applies=~device.external,
        holds=enrolment.repair == "automatic",
        shows={"repair": enrolment.repair},
    )
