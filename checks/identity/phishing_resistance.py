"""1-2 Phishing resistance: the second factor is bound to a carrier and cannot be talked out of its holder."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Authenticators, User


@check(over=User)
def usable_authenticators_resist_phishing(user: Subject, *, methods: list[str]) -> Claim:
    """Every method that policy lets the user sign in with resists phishing, fallbacks included."""
    return Claim(
        applies=user.enabled & (user.category != "service"),
        holds=user[Authenticators].methods.all(
            lambda authenticator: ~authenticator.usable | authenticator.method.is_in(methods), empty=False
        ),
    )


@check(over=User)
def authenticator_is_bound_to_carrier(user: Subject, *, carriers: list[str]) -> Claim:
    """The user can sign in with a method whose secret never leaves a carrier in their hands."""
    return Claim(
        applies=user.enabled & (user.category != "service"),
        holds=user[Authenticators].methods.any(
            lambda authenticator: authenticator.usable & authenticator.method.is_in(carriers)
        ),
    )
