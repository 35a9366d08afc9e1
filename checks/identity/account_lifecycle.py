"""1-7 Account lifecycle: accounts and their keys end when the reason for them ends."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Activity, Credentials, Employment, Privilege, User


@check(over=User)
def leaver_account_is_disabled_in_time(user: Subject, *, hours: int) -> Claim:
    """The account of someone who left is disabled, and was so within hours of their leaving."""
    employment = user[Employment]
    return Claim(
        applies=employment.state == "left",
        holds=~user.enabled & (employment.disabled_at <= employment.left_at.later(hours=hours)),
        shows={"enabled": user.enabled, "left_at": employment.left_at, "disabled_at": employment.disabled_at},
    )


@check(over=User)
def dormant_account_is_disabled(user: Subject, *, days: int) -> Claim:
    """An account that may sign in was used, or made, within the last days."""
    activity = user[Activity]
    return Claim(
        applies=user.enabled,
        holds=user.clock.within(activity.idle_since, days=days),
        shows={"idle_since": activity.idle_since},
    )


@check(over=User)
def access_keys_are_renewed(user: Subject, *, days: int) -> Claim:
    """The oldest active key of the user was made within the last days."""
    credentials = user[Credentials]
    return Claim(
        applies=user.enabled & (credentials.access_keys > 0),
        holds=user.clock.within(credentials.oldest_access_key, days=days),
        shows={"access_keys": credentials.access_keys, "oldest_access_key": credentials.oldest_access_key},
    )


@check(over=User)
def service_secrets_are_renewed(user: Subject, *, days: int) -> Claim:
    """The service account has no password, or one that the directory makes itself or that was set within the days."""
    credentials = user[Credentials]
    recent = user.clock.within(credentials.password_changed_at, days=days)
    return Claim(
        applies=user.enabled & (user.category == "service"),
        holds=(credentials.password == "none") | credentials.password_managed | recent,
        shows={
            "password": credentials.password,
            "password_managed": credentials.password_managed,
            "password_changed_at": credentials.password_changed_at,
        },
    )


@check(over=User)
def password_is_required(user: Subject) -> Claim:
    """The account has no password to sign in with, or cannot have an empty one."""
    credentials = user[Credentials]
    return Claim(
        applies=user.enabled,
        holds=(credentials.password == "none") | credentials.password_required,
        shows={"password": credentials.password, "password_required": credentials.password_required},
    )


@check(over=User)
def former_privilege_is_removed(user: Subject) -> Claim:
    """The account bears no mark of a privilege that it no longer holds."""
    privilege = user[Privilege]
    return Claim(
        applies=user.enabled,
        holds=~privilege.residual,
        shows={"privileged": privilege.privileged, "residual": privilege.residual},
    )
