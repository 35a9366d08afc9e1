"""4-2 Just in time: privilege is held for the task and not longer."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Privilege, User


@check(over=User)
def privilege_is_activated_when_needed(user: Subject, *, hours: int) -> Claim:
    """Privilege is never standing; it is activated for a few hours."""
    privilege = user[Privilege]
    return Claim(
        applies=user.enabled & privilege.privileged,
        holds=~privilege.standing & privilege.eligible & (privilege.activation_hours <= hours),
        shows={
            "standing": privilege.standing,
            "eligible": privilege.eligible,
            "activation_hours": privilege.activation_hours,
        },
    )


@check(over=User)
def activation_is_approved(user: Subject) -> Claim:
    """Somebody approves each activation of privilege."""
    privilege = user[Privilege]
    return Claim(
        applies=user.enabled & privilege.privileged,
        holds=privilege.activation == "approved",
        shows={"activation": privilege.activation},
    )
