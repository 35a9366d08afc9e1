"""3-2 Microsegmentation: boundaries drawn in software stand around workloads and follow business need."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Microsegmentation, Segment


@check(over=Segment)
def boundary_is_enforced(segment: Subject) -> Claim:
    """The boundary enforces, ends in deny, and leaves no workload without a policy."""
    boundary = segment[Microsegmentation]
    denies = (boundary.mode == "enforce") & (boundary.final_action == "deny")
    return Claim(
        applies=True,
        holds=denies & (boundary.unlabelled_workloads == 0),
        shows={
            "mode": boundary.mode,
            "final_action": boundary.final_action,
            "unlabelled_workloads": boundary.unlabelled_workloads,
        },
    )
