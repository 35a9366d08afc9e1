"""1-1 Multi-factor: a stolen, guessed or sniffed password is not enough."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Account, Credentials, RootUser, SignIn, User


@check(over=User)
def second_factor_is_enforced(user: Subject, *, modes: list[str]) -> Claim:
    """Sign-in really demands a second factor, and no exclusion takes the user out of the policy."""
    sign_in = user[SignIn]
    return Claim(
        applies=user.enabled & (user.category != "service"),
        holds=sign_in.mfa.is_in(modes) & ~sign_in.excluded,
        shows={"policy": sign_in.policy, "mfa": sign_in.mfa, "excluded": sign_in.excluded},
    )


@check(over=User)
def legacy_protocols_are_blocked(user: Subject) -> Claim:
    """Protocols that cannot carry a second factor are blocked for the user."""
    sign_in = user[SignIn]
    return Claim(
        applies=user.enabled,
        holds=sign_in.legacy_protocols == "blocked",
        shows={"legacy_protocols": sign_in.legacy_protocols},
    )


@check(over=User)
def passed_factor_is_soon_forgotten(user: Subject, *, hours: int) -> Claim:
    """A passed second factor is not remembered, or only for a limited number of hours."""
    sign_in = user[SignIn]
    limited = (sign_in.remembered == "limited") & (sign_in.remembered_hours <= hours)
    return Claim(
        applies=user.enabled & (user.category != "service"),
        holds=(sign_in.remembered == "never") | limited,
        shows={"remembered": sign_in.remembered, "remembered_hours": sign_in.remembered_hours},
    )


@check(over=User)
def access_keys_need_second_factor(user: Subject) -> Claim:
    """A long-lived key of a person is refused without a second factor."""
    credentials = user[Credentials]
    return Claim(
        applies=user.enabled & (user.category != "service") & (credentials.access_keys > 0),
        holds=credentials.access_keys_need_mfa,
        shows={"access_keys": credentials.access_keys, "access_keys_need_mfa": credentials.access_keys_need_mfa},
    )


@check(over=Account)
def root_user_has_second_factor(account: Subject, *, kinds: list[str]) -> Claim:
    """The owner identity of the cloud account has a second factor and no key that goes around it."""
    root = account[RootUser]
    return Claim(
        applies=True,
        holds=root.mfa.is_in(kinds) & (root.access_keys == 0),
        shows={"mfa": root.mfa, "access_keys": root.access_keys},
    )
