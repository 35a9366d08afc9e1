"""1-3 External users: whoever belongs to another institution proves no less than one's own people."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Account, AccountExpiry, Directory, RoleTrusts, SignIn, Trusts, User


@check(over=User)
def external_users_meet_internal_assurance(user: Subject, *, modes: list[str]) -> Claim:
    """The external user has an account of their own and must pass the institution's own second factor."""
    sign_in = user[SignIn]
    return Claim(
        applies=user.enabled & user.external,
        holds=sign_in.mfa.is_in(modes) & ~sign_in.excluded & (user.category != "shared"),
        shows={
            "policy": sign_in.policy,
            "mfa": sign_in.mfa,
            "excluded": sign_in.excluded,
            "category": user.category,
        },
    )


@check(over=User)
def external_accounts_end(user: Subject) -> Claim:
    """The account of the external user ends by itself on a set date."""
    expiry = user[AccountExpiry]
    return Claim(
        applies=user.enabled & user.external,
        holds=expiry.expires == "on_date",
        shows={"expires": expiry.expires, "expires_at": expiry.expires_at},
    )


@check(over=Directory)
def trusts_filter_and_select(directory: Subject) -> Claim:
    """Every trust that lets foreign users in filters their SIDs and grants access host by host."""
    return Claim(
        applies=True,
        holds=directory[Trusts].trusts.all(
            lambda trust: ~trust.inbound_users | (trust.sid_filtering & trust.selective_authentication), empty=True
        ),
    )


@check(over=Account)
def foreign_roles_are_guarded(account: Subject) -> Claim:
    """No role of the cloud account is open to anyone, nor to another institution that holds no identifier for it."""
    known = ["same_account", "organization", "federated", "service"]
    return Claim(
        applies=True,
        holds=account[RoleTrusts].trusts.all(
            lambda trust: (
                trust.principal.is_in(known) | ((trust.principal == "foreign_account") & trust.demands_external_id)
            ),
            empty=True,
        ),
    )
