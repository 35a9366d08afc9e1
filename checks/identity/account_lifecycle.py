"""1-7 Account lifecycle: accounts and their keys end when the reason for them ends."""

from __future__ import annotations

from scanner.column import Claim, Subject, check
from scanner.facts import Activity, Credentials, Employment, User


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
