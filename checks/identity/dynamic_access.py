"""1-5 Dynamic access: what changes about a person decides with the role, and can end a running session."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import SignIn, User


@check(over=User)
def sign_in_weighs_dynamic_attributes(user: Subject, *, attributes: list[str]) -> Claim:
    """A dynamic attribute decides at sign-in, and coming from a trusted network does not lift it."""
    sign_in = user[SignIn]
    return Claim(
        applies=user.enabled & (user.category != "service"),
        holds=sign_in.conditions.has_any(attributes) & ~sign_in.trusted_network_bypass,
        shows={"conditions": sign_in.conditions, "trusted_network_bypass": sign_in.trusted_network_bypass},
    )


@check(over=User)
def running_session_can_be_revoked(user: Subject, *, minutes: int) -> Claim:
    """A withdrawn right ends the running session at once or within minutes, not at its expiry."""
    sign_in = user[SignIn]
    timed = (sign_in.revocation == "timed") & (sign_in.revocation_minutes <= minutes)
    return Claim(
        applies=user.enabled & (user.category != "service"),
        holds=(sign_in.revocation == "continuous") | timed,
        shows={"revocation": sign_in.revocation, "revocation_minutes": sign_in.revocation_minutes},
    )
